"""Whoever is killed, or runs out of space, leaves nothing half visible behind."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from corpora import make_datasets, write_corpus
from deltalake import DeltaTable

from neuropair.pipeline.corpus import CorpusStore, local, newest_release, publish, release
from neuropair.pipeline.corpus.digest import rows_digest
from neuropair.pipeline.corpus.tables import read_table
from neuropair.schemas import layout
from neuropair.schemas.errors import StorageError
from neuropair.schemas.tables import TABLES

_MODALITIES = ("eeg", "fnirs", "meg")
_TESTS = Path(__file__).resolve().parents[2]
_WRITER = f"""
import sys
sys.path.insert(0, {str(_TESTS)!r})
from corpora import write_corpus
from neuropair.pipeline.corpus import CorpusStore, publish
print("ready", flush=True)
store = CorpusStore(sys.argv[1])
publish(store, "demo", write_corpus(store, {_MODALITIES!r}))
print("done", flush=True)
"""


class _KilledError(BaseException):
    """Stands for SIGKILL inside one process."""


def _content(store):
    """What a reader sees: every group's manifest, and every released table's rows."""
    manifests = {
        path: store.read(path)
        for path, _ in store.list(layout.SIGNALS_FOLDER)
        if path.endswith(layout.MANIFEST_FILE)
    }
    newest = newest_release(store)
    if newest is None:
        return manifests, None
    rows = {
        name: rows_digest(read_table(store, name, newest.tables[name]["version"]))
        for name in TABLES
    }
    return manifests, (newest.id, newest.sequence, rows)


def _check_whole(store):
    """Every group that stands in its place has all the files of its manifest."""
    for group in (store.root / layout.SIGNALS_FOLDER).rglob("signal"):
        place = group.parent
        manifest = json.loads((place / layout.MANIFEST_FILE).read_bytes())
        for path, entry in manifest["files"].items():
            assert hashlib.sha256((place / path).read_bytes()).hexdigest() == entry["sha256"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    store = CorpusStore(tmp_path_factory.mktemp("undisturbed") / "corpus")
    publish(store, "demo", write_corpus(store, _MODALITIES))
    return _content(store)


def test_killed_at_random_and_run_again_gives_the_same_corpus(tmp_path, undisturbed):
    store = CorpusStore(tmp_path / "corpus")
    chance = random.Random(7)
    killed = 0
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(store.root)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0.05, 1.2))
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
        _check_whole(store)
        manifests, released = _content(store)
        assert manifests.items() <= undisturbed[0].items()
        assert released in (None, undisturbed[1])
    assert killed
    publish(store, "demo", write_corpus(store, _MODALITIES))
    assert _content(store) == undisturbed
    assert list((store.root / layout.STAGING_FOLDER).iterdir()) == []


def _steps(monkeypatch, at, before):
    """Be killed at the `at`-th step of a release, before or after it is done."""
    done = []

    def killing(step):
        def wrapped(*args, **kwargs):
            if before and len(done) == at:
                raise _KilledError
            result = step(*args, **kwargs)
            done.append(step)
            if not before and len(done) > at:
                raise _KilledError
            return result

        return wrapped

    for name in ("replace_study", "write_description", "append_row"):
        monkeypatch.setattr(release, name, killing(getattr(release, name)))
    return done


@pytest.fixture(scope="module")
def two_releases(tmp_path_factory):
    """An undisturbed corpus after two releases, and what was published."""
    store = CorpusStore(tmp_path_factory.mktemp("two") / "corpus")
    tables = write_corpus(store)
    more = tables | {"pairs": tables["pairs"].iloc[:4], "datasets": make_datasets("ds1", "ds2")}
    publish(store, "demo", tables)
    first = _content(store)
    publish(store, "demo", more)
    return tables, more, first, _content(store), store


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("at", range(4))
def test_killed_at_every_step_of_a_release(tmp_path, two_releases, monkeypatch, at, before):
    tables, more, first, second, source = two_releases
    store = CorpusStore(tmp_path / "corpus")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / layout.SIGNALS_FOLDER).symlink_to(source.root / layout.SIGNALS_FOLDER)
    publish(store, "demo", tables)
    assert _released(store) == first[1]
    with monkeypatch.context() as patch:
        _steps(patch, at, before)
        with pytest.raises(_KilledError):
            publish(store, "demo", more)
    is_last = at == 3 and not before
    assert _released(store) == (second if is_last else first)[1]
    publish(store, "other", {"datasets": make_datasets("ds9")})
    if not is_last:
        versions = {n: e["version"] for n, e in newest_release(store).tables.items()}
        assert read_table(store, "pairs", versions["pairs"]).num_rows == len(tables["pairs"])
    publish(store, "demo", more)
    datasets = read_table(store, "datasets", newest_release(store).tables["datasets"]["version"])
    assert sorted(datasets["dataset"].to_pylist()) == ["ds1", "ds2", "ds9"]
    assert read_table(store, "pairs").num_rows == 4


def _released(store):
    return _content(store)[1]


def test_a_first_release_that_was_killed_leaves_no_rows_behind(tmp_path, monkeypatch):
    store = CorpusStore(tmp_path / "corpus")
    with monkeypatch.context() as patch:
        _steps(patch, 5, before=True)
        with pytest.raises(_KilledError):
            publish(store, "one", {"datasets": make_datasets("lost")})
    assert DeltaTable(store.table_uri("datasets")).to_pyarrow_table().num_rows == 1
    publish(store, "two", {"datasets": make_datasets("kept")})
    assert read_table(store, "datasets")["dataset"].to_pylist() == ["kept"]


@contextmanager
def _file_size_limit(limit):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("limit", [200, 3000])
def test_a_file_that_cannot_grow_is_a_storage_error_and_the_release_stays(
    tmp_path, undisturbed, limit
):
    """What the kernel refuses, Python's and Rust's writers alike report."""
    store = CorpusStore(tmp_path / "corpus")
    publish(store, "before", {"datasets": make_datasets("before")})
    before = _released(store)
    with _file_size_limit(limit), pytest.raises(StorageError, match="Remedy"):
        write_corpus(store, _MODALITIES)
    _check_whole(store)
    tables = write_corpus(store, _MODALITIES)
    with _file_size_limit(limit), pytest.raises(StorageError, match="Remedy"):
        publish(store, "demo", tables)
    assert _released(store) == before
    publish(store, "demo", tables)
    assert _content(store)[0] == undisturbed[0]


def test_a_full_disk_names_the_place_and_the_remedy(tmp_path, monkeypatch):
    store = CorpusStore(tmp_path / "corpus")

    def full(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(local, "_sync", full)
        with pytest.raises(StorageError, match=r"No space left.*free space") as caught:
            write_corpus(store)
    assert "signals/ds1" in caught.value.where
    assert store.list(layout.SIGNALS_FOLDER) == []
    write_corpus(store)
