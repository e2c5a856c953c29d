"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_VARIABLE = "NEUROPAIR_TEST_DATA"
_SERVER_START_S = 180
"""The first start of a Prefect server took 23 to 34 s on two cores; under load it takes longer."""


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real recordings and tables; a test that needs it fails where it is absent."""
    given = os.environ.get(_VARIABLE)
    folder = Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "README.md").is_file():
        pytest.fail(
            f"{folder} holds no test data. Set {_VARIABLE} to the folder that holds "
            "eeg_n170_muse, fmri_haxby_pymvpa, events and the other datasets."
        )
    return folder


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A Prefect server of this test session, with a database that is thrown away."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=_SERVER_START_S):
        yield


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3 server on loopback.

    In a process of its own: deltalake holds the GIL while it waits for some answers, which a
    server in this process could then never give.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert server.poll() is None, "moto did not start"
        time.sleep(0.1)
    pytest.fail("moto did not answer within 30 s")


@pytest.fixture
def s3_environment(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The environment of one who uses `s3_endpoint`; its address."""
    secrets = dict.fromkeys(["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"], "testing")
    regions = dict.fromkeys(["AWS_REGION", "AWS_DEFAULT_REGION"], "us-east-1")
    for key, value in {**secrets, **regions, "AWS_ENDPOINT_URL": s3_endpoint}.items():
        monkeypatch.setenv(key, value)
    return s3_endpoint
