"""A corpus in a bucket answers as its copy in a folder does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest

from neuropair.catalog import Corpus
from neuropair.catalog.show import show_pair
from neuropair.catalog.verify import verify
from neuropair.schemas.errors import CorpusError, DamagedError, QueryError


@pytest.fixture
def bucket(s3_environment: str, small: Any) -> tuple[Any, str]:
    client = boto3.client("s3", endpoint_url=s3_environment)
    client.create_bucket(Bucket="corpora")
    for file in sorted(small.path.rglob("*")):
        if file.is_file():
            key = f"some/corpus/{file.relative_to(small.path).as_posix()}"
            client.put_object(Bucket="corpora", Key=key, Body=file.read_bytes())
    return client, "s3://corpora/some/corpus"


def test_a_bucket_answers_as_a_folder_does(
    bucket: tuple[Any, str], small: Any, tmp_path: Path
) -> None:
    client, url = bucket
    corpus = Corpus.open(small.path)
    remote = Corpus.open(url)
    assert remote.release == corpus.release
    query = "SELECT * FROM pairs ORDER BY pair_id"
    assert remote.sql(query).equals(corpus.sql(query))
    with pytest.raises(QueryError):
        remote.sql("SELECT * FROM '/etc/passwd'")

    where = "recording_a IN (SELECT recording FROM recordings WHERE subject = '01')"
    batches = remote.pairs(where).stream(8, seed=1)
    for batch, expected in zip(batches, corpus.pairs(where).stream(8, seed=1), strict=True):
        for modality in ("eeg", "fnirs"):
            for name, value in expected[modality].items():
                np.testing.assert_array_equal(batch[modality][name], value)

    name = "ds1/sub-01/task-tap_eeg"
    np.testing.assert_array_equal(
        remote.recording(name)["signal"].to_numpy(), corpus.recording(name)["signal"].to_numpy()
    )
    pair_id = batch["pair_id"][0]
    assert show_pair(remote, pair_id, tmp_path / "pair.png").picture is not None

    report = verify(url)
    assert report.is_whole
    assert report.checked == verify(corpus.location.url).checked
    _spoil(client, remote, name)
    assert len(verify(url).damages) == 1
    with pytest.raises(DamagedError, match="cannot be read"):
        list(Corpus.open(url).pairs(where).stream(8))


def _spoil(client: Any, remote: Corpus, recording: str) -> None:
    path = remote.sql(f"SELECT path FROM recordings WHERE recording = '{recording}'")["path"][0]
    key = f"some/corpus/{path}/signal/c/0/0/0"
    content = bytearray(client.get_object(Bucket="corpora", Key=key)["Body"].read())
    content[50] ^= 1
    client.put_object(Bucket="corpora", Key=key, Body=bytes(content))


def test_no_corpus_in_a_bucket_is_one_clear_error(s3_environment: str) -> None:
    boto3.client("s3", endpoint_url=s3_environment).create_bucket(Bucket="empty")
    with pytest.raises(CorpusError, match="does not exist"):
        Corpus.open("s3://empty/corpus")
