"""A real browser for tests of pages: Debian's chromium, spoken to by its DevTools protocol."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_START_S = 60.0
_ANSWER_S = 60.0
REMEDY = "install it: apt-get update && apt-get install -y chromium"


def find_chromium() -> str | None:
    """Path of the browser, or None."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


@contextmanager
def browser(program: str) -> Iterator[Page]:
    """A page of a headless browser that is ended afterwards."""
    with TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        command = [
            program,
            "--headless=new",
            # chromium refuses to run as root with its sandbox; the pages are our own
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--no-first-run",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "about:blank",
        ]
        environment = {
            key: value for key, value in os.environ.items() if "proxy" not in key.lower()
        }
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        )
        try:
            with Page(_page_address(Path(profile), process)) as page:
                yield page
        finally:
            process.terminate()
            process.wait(timeout=30)


def _page_address(profile: Path, process: subprocess.Popen[bytes]) -> str:
    written = profile / "DevToolsActivePort"
    until = time.monotonic() + _START_S
    while not (written.is_file() and written.read_text().count("\n")):
        assert process.poll() is None, "chromium ended at once"
        assert time.monotonic() < until, f"chromium did not start within {_START_S} s"
        time.sleep(0.05)
    port, path = written.read_text().splitlines()[:2]
    return f"ws://127.0.0.1:{port}{path}"


class Page:
    """One page: open it, measure it, picture it."""

    def __init__(self, address: str) -> None:
        self._socket: ClientConnection = connect(address, max_size=None, proxy=None)
        self._number = 0
        self._session: str | None = None
        targets = self._ask("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in targets if one["type"] == "page")
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")
        self.requests: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def open(self, path: Path, *, width: int, height: int = 900, scheme: str = "light") -> None:
        """Show a file at a width, in a colour scheme."""
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self._ask("Emulation.setEmulatedMedia", features=[feature])
        self._ask("Page.navigate", url=path.resolve().as_uri())
        until = time.monotonic() + _ANSWER_S
        while (
            self.run("document.readyState + location.href") != f"complete{path.resolve().as_uri()}"
        ):
            assert time.monotonic() < until, "the page did not load"
            time.sleep(0.05)

    def run(self, script: str) -> Any:
        """Value of a JavaScript expression."""
        answer = self._ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self, path: Path, top: float | None = None, height: float = 900) -> None:
        """Write a PNG of the page, whole or from a height on."""
        wide, tall = self.run("[innerWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": top or 0, "width": wide, "scale": 1}
        clip["height"] = tall if top is None else min(height, tall - top)
        answer = self._ask(
            "Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True
        )
        path.write_bytes(base64.b64decode(answer["data"]))

    def printed(self) -> bytes:
        """The page as a PDF on A4."""
        answer = self._ask("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)
        return base64.b64decode(answer["data"])

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(timeout=_ANSWER_S))
            self._note(answer)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                found: dict[str, Any] = answer["result"]
                return found

    def _note(self, answer: dict[str, Any]) -> None:
        content = answer.get("params", {})
        if answer.get("method") == "Network.requestWillBeSent":
            self.requests.append(content["request"]["url"])
        if answer.get("method") == "Log.entryAdded":
            self.complaints.append(content["entry"]["text"])
        if answer.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(content["exceptionDetails"]))
