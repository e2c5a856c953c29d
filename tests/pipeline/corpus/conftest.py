from __future__ import annotations

import socket
import subprocess
import sys
import time

import boto3
import pytest

from neuropair.pipeline.corpus import CorpusStore

_SECRETS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@pytest.fixture(scope="session")
def s3_endpoint():
    # in a process of its own: deltalake holds the GIL while it waits for some answers, which a
    # server in this process could then never give
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


def _wait_for(port, server):
    for _ in range(300):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert server.poll() is None, "moto did not start"
        time.sleep(0.1)
    pytest.fail("moto did not answer within 30 s")


@pytest.fixture
def s3_store(s3_endpoint, monkeypatch, request):
    for key, value in {**_SECRETS, "AWS_ENDPOINT_URL": s3_endpoint}.items():
        monkeypatch.setenv(key, value)
    bucket = f"corpus-{abs(hash(request.node.name)) % 10**8}"
    boto3.client("s3", endpoint_url=s3_endpoint).create_bucket(Bucket=bucket)
    return CorpusStore(f"s3://{bucket}/some/prefix")


@pytest.fixture
def local_store(tmp_path):
    return CorpusStore(tmp_path / "corpus")


@pytest.fixture(params=["local", "s3"])
def store(request):
    return request.getfixturevalue(f"{request.param}_store")
