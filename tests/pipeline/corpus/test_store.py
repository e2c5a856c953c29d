from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys

import pytest

from neuropair.pipeline.corpus import CorpusStore
from neuropair.schemas import layout
from neuropair.schemas.errors import CorpusError, StorageError


def test_files_are_written_listed_read_and_deleted(store):
    store.write("a/b/one.json", b"1")
    store.write("a/b/two.json", b"22")
    store.write("a/bc/three.json", b"333")
    store.write("a/b/one.json", b"once more")
    assert store.read("a/b/one.json") == b"once more"
    assert store.list("a/b") == [("a/b/one.json", 9), ("a/b/two.json", 2)]
    assert store.exists("a/b/two.json")
    store.delete("a/b")
    store.delete("a/b")
    assert store.list("a") == [("a/bc/three.json", 3)]
    assert not store.exists("a/b/two.json")
    with pytest.raises(FileNotFoundError, match=r"a/b/two\.json"):
        store.read("a/b/two.json")


def test_a_folder_is_published_with_all_its_files(store):
    with store.staging() as folder:
        (folder / "group/c").mkdir(parents=True)
        (folder / "group/c/0").write_bytes(b"x" * 100)
        (folder / "group/manifest.json").write_bytes(b"{}")
        assert store.list("signals/r") == []
        store.publish_folder(folder / "group", "signals/r/d", last="manifest.json")
    assert store.list("signals/r") == [("signals/r/d/c/0", 100), ("signals/r/d/manifest.json", 2)]


def test_a_store_crosses_to_a_worker(store):
    store.write("x", b"1")
    assert pickle.loads(pickle.dumps(store)).read("x") == b"1"


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "", "."])
def test_no_path_leaves_the_corpus(local_store, path):
    with pytest.raises(CorpusError, match="leaves the corpus"):
        local_store.write(path, b"")


def test_a_file_url_is_a_local_folder(tmp_path):
    store = CorpusStore(f"file://{tmp_path}/with%20space")
    store.write("x", b"1")
    assert (tmp_path / "with space/x").read_bytes() == b"1"


def test_a_percent_sign_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(CorpusError, match="percent sign"):
        CorpusStore(tmp_path / "per%20cent")
    assert list(tmp_path.iterdir()) == []


def test_a_bucket_that_is_not_there_is_a_storage_error(s3_store):
    with pytest.raises(StorageError, match="cannot be read or written"):
        CorpusStore("s3://no-such-bucket/x").write("a", b"1")


def test_an_unknown_scheme_is_a_storage_error():
    with pytest.raises(StorageError, match="nosuch"):
        CorpusStore("nosuch://x/y")


def test_a_file_in_the_place_of_the_corpus_is_a_storage_error(tmp_path):
    (tmp_path / "corpus").write_text("a file")
    with pytest.raises(StorageError, match="corpus"):
        CorpusStore(tmp_path / "corpus").write("x", b"1")


_HOLDER = """
import sys, time
from neuropair.pipeline.corpus import CorpusStore
with CorpusStore(sys.argv[1]).staging() as folder:
    (folder / "half").write_bytes(b"half")
    print(folder, flush=True)
    time.sleep(60)
"""


def test_leftovers_of_the_dead_are_removed_and_those_of_the_living_kept(tmp_path):
    root = tmp_path / "corpus"
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(root)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        folder = process.stdout.readline().strip()
        with CorpusStore(root).staging():
            pass
        assert (root / layout.STAGING_FOLDER / folder / "half").exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (root / layout.STAGING_FOLDER / folder / "half").exists()
        with CorpusStore(root).staging():
            pass
    assert list((root / layout.STAGING_FOLDER).iterdir()) == []


def test_a_staging_folder_that_never_got_its_lock_goes_when_it_is_old(tmp_path):
    folder = tmp_path / "corpus" / layout.STAGING_FOLDER / "orphan"
    folder.mkdir(parents=True)
    with CorpusStore(tmp_path / "corpus").staging():
        assert folder.exists()
    os.utime(folder, (0, 0))
    with CorpusStore(tmp_path / "corpus").staging():
        assert not folder.exists()


def test_another_process_s_staging_survives_a_sweep_in_the_same_process(tmp_path):
    first, second = CorpusStore(tmp_path / "c"), CorpusStore(tmp_path / "c")
    with first.staging() as one, second.staging() as two:
        assert one.is_dir()
        assert two.is_dir()
