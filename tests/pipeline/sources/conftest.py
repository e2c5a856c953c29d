"""A real S3 server on loopback, laid out as OpenNeuro's public bucket, behind a faulty one."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

BUCKET = "openneuro.org"
_PASSED_ON = ("Range", "If-Match")


@dataclass
class Faults:
    """By object key (without the bucket)."""

    cut_after: dict[str, int] = field(default_factory=dict)
    """The connection closes after so many bytes; the length announced is the true one."""
    short: dict[str, int] = field(default_factory=dict)
    """A complete answer of so few bytes."""
    stall_after: dict[str, int] = field(default_factory=dict)
    """Nothing more comes after so many bytes, until `release`."""
    refuse: Counter[str] = field(default_factory=Counter)
    """So many requests are answered with 503; negative: all."""
    garble: set[str] = field(default_factory=set)
    """The first byte is another one."""
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """Every GET of an object: key and Range."""
    release: threading.Event = field(default_factory=threading.Event)

    def gets(self, key: str) -> list[str | None]:
        return [found for requested, found in self.requests if requested == key]


class _Front(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, backend: str, faults: Faults) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.backend = backend
        self.faults = faults
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    """Cuts, delays and refuses what it is told to; else passes on what the S3 server answers."""

    server: _Front
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Be quiet."""

    def do_GET(self) -> None:
        key = unquote(urlsplit(self.path).path).removeprefix(f"/{BUCKET}").strip("/")
        is_object = "list-type" not in self.path
        if is_object:
            self.server.faults.requests.append((key, self.headers.get("Range")))
            if self.server.faults.refuse[key]:
                self.server.faults.refuse[key] -= 1
                self.answer(503, {}, b"busy")
                return
        status, headers, body = self.ask()
        if is_object and status < 300:
            self.spoil(key, status, headers, body)
        else:
            self.answer(status, headers, body)

    def ask(self) -> tuple[int, dict[str, str], bytes]:
        address = urlsplit(self.server.backend)
        link = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
        sent = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
        link.request("GET", self.path, headers=sent)
        reply = link.getresponse()
        body = reply.read()
        kept = ("ETag", "Last-Modified", "Content-Range", "Content-Type")
        headers = {name: str(reply.getheader(name)) for name in kept if reply.getheader(name)}
        link.close()
        return reply.status, headers, body

    def spoil(self, key: str, status: int, headers: dict[str, str], body: bytes) -> None:
        if key in self.server.faults.garble:
            body = bytes([body[0] ^ 1]) + body[1:]
        if key in self.server.faults.short:
            body = body[: self.server.faults.short[key]]
            headers.pop("Content-Range", None)
            status = 200
        if key in self.server.faults.cut_after:
            self.answer(status, headers, body, sent=self.server.faults.cut_after[key])
            self.close_connection = True
        elif key in self.server.faults.stall_after:
            self.answer(status, headers, body, sent=self.server.faults.stall_after[key])
            self.server.faults.release.wait(30)
            self.close_connection = True
        else:
            self.answer(status, headers, body)

    def answer(
        self, status: int, headers: dict[str, str], body: bytes, sent: int | None = None
    ) -> None:
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:sent])
        self.wfile.flush()


@dataclass
class Bucket:
    """What the tests put into the bucket, and what goes wrong with it."""

    client: Any
    endpoint: str
    faults: Faults

    def put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=body, ACL="public-read")

    def put_folder(self, prefix: str, folder: Path) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    import boto3

    from neuropair.pipeline.sources.openneuro import ENDPOINT_VARIABLE

    client = boto3.client(
        "s3",
        endpoint_url=s3_server,
        region_name="us-east-1",
        aws_access_key_id="nobody",
        aws_secret_access_key="nothing",
    )
    client.create_bucket(Bucket=BUCKET)
    faults = Faults()
    front = _Front(s3_server, faults)
    endpoint = f"http://127.0.0.1:{front.server_address[1]}"
    monkeypatch.setenv(ENDPOINT_VARIABLE, endpoint)
    yield Bucket(client, endpoint, faults)
    faults.release.set()
    front.shutdown()
    front.server_close()
    for found in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=found["Key"])
    client.delete_bucket(Bucket=BUCKET)
    client.close()
