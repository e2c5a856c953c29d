from __future__ import annotations

import boto3
import pytest

from neuropair.pipeline.corpus import CorpusStore


@pytest.fixture
def s3_store(s3_environment, request):
    bucket = f"corpus-{abs(hash(request.node.name)) % 10**8}"
    boto3.client("s3", endpoint_url=s3_environment).create_bucket(Bucket=bucket)
    return CorpusStore(f"s3://{bucket}/some/prefix")


@pytest.fixture
def local_store(tmp_path):
    return CorpusStore(tmp_path / "corpus")


@pytest.fixture(params=["local", "s3"])
def store(request):
    return request.getfixturevalue(f"{request.param}_store")
