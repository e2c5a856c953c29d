"""Start programs for a test, and leave none of them behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

_MARK = "NEUROPAIR_TEST_PROCESSES"
_FOREIGN = ("AWS_", "DASK_", "PREFECT_", "NEUROPAIR_")
_GRACE_S = 5


class Processes:
    """Programs of one test, each with a home folder and a log of its own.

    All of them, and all that they start, carry a mark in their environment. It finds them at the
    end even where they left the process group, as the runs of a Prefect worker do.

    Parameters
    ----------
    folder : Path
        Homes and logs come in here.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mark = uuid.uuid4().hex
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def environment(self, name: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Environment with a home of its own and nothing of Prefect, Dask or S3 from outside."""
        home = self._folder / name
        (home / "tmp").mkdir(parents=True, exist_ok=True)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
        scripts = str(Path(sys.executable).parent)
        return {
            **inherited,
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "TMPDIR": str(home / "tmp"),
            "PREFECT_HOME": str(home / ".prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "OMP_NUM_THREADS": "1",
            _MARK: self._mark,
            **(more or {}),
        }

    def start(
        self, name: str, command: Sequence[str], more: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program that stays, in a process group of its own."""
        environment = self.environment(name, more)
        with self._log(name).open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=environment["HOME"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started[name] = process
        return process

    def run(
        self,
        name: str,
        command: Sequence[str],
        more: Mapping[str, str] | None = None,
        timeout: float = 120,
    ) -> str:
        """Run a program to its end and return what it wrote; fail with it unless it succeeds."""
        status = self.end(name, self.start(name, command, more), timeout)
        assert status == 0, f"{' '.join(command)} ended with {status}:\n{self.logs()}"
        return self.log(name)

    def end(self, name: str, process: subprocess.Popen[bytes], timeout: float = 60) -> int:
        """Wait for the end of a program and return its status."""
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{name} runs on after {timeout} s:\n{self.logs()}") from None
        del self._started[name]
        return status

    def wait_until(self, ready: Callable[[], bool], what: str, timeout: float = 60) -> None:
        """Wait until `ready`; fail with the logs if a program ends or the time is over."""
        end = time.monotonic() + timeout
        while not ready():
            ended = {n: p.returncode for n, p in self._started.items() if p.poll() is not None}
            assert not ended, f"ended while waiting for {what}: {ended}\n{self.logs()}"
            assert time.monotonic() < end, f"no {what} after {timeout} s\n{self.logs()}"
            time.sleep(0.2)

    def log(self, name: str) -> str:
        """What a program wrote until now."""
        return self._log(name).read_text(errors="replace")

    def logs(self) -> str:
        """The end of what every program wrote."""
        texts = ((log.stem, log.read_text(errors="replace")) for log in self._folder.glob("*.log"))
        return "\n".join(f"--- {name}\n{text[-4000:]}" for name, text in sorted(texts))

    def alive(self) -> list[psutil.Process]:
        """Every program that was started here or by one that was."""
        return [process for process in psutil.process_iter() if self._is_own(process)]

    def kill(self) -> None:
        """End all of them: politely first, and the stubborn ones after some seconds."""
        for stop in (psutil.Process.terminate, psutil.Process.kill):
            own = self.alive()
            for process in own:
                with _gone_is_fine():
                    stop(process)
            psutil.wait_procs(own, timeout=_GRACE_S)
        for started in self._started.values():
            started.wait(_GRACE_S)

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _is_own(self, process: psutil.Process) -> bool:
        try:
            marked = process.environ().get(_MARK) == self._mark
            return marked and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    try:
        yield
    except psutil.NoSuchProcess:
        return


@contextmanager
def processes(folder: Path) -> Iterator[Processes]:
    """Processes of a test, all ended when it ends, also by Ctrl-C or SIGTERM to the tests."""
    started = Processes(folder)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield started
    finally:
        started.kill()
        signal.signal(signal.SIGTERM, before)


def free_port() -> int:
    """Port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody listens on a port of loopback."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def answers(url: str) -> bool:
    """Whether an address answers with success."""
    try:
        with urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False
