"""Fetching: whole or not at all, continued, checked, and what goes wrong is said."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from neuropair.pipeline.bids import index_dataset
from neuropair.pipeline.sources import fetch, open_source
from neuropair.pipeline.sources.download import PARTS_FOLDER
from neuropair.pipeline.sources.fetch import copy_folder
from neuropair.pipeline.sources.objectstore import ObjectStoreSource
from neuropair.schemas.errors import DatasetError, SourceError, StorageError
from neuropair.schemas.recipe import Selection

ID = "ds000999"
URL = f"openneuro:{ID}"
SIGNAL = "sub-01/eeg/sub-01_task-rest_eeg.edf"
OTHER = "sub-02/eeg/sub-02_task-rest_eeg.edf"
BODY = bytes(range(256)) * 1000
QUICK: dict[str, Any] = {"attempts": 2, "backoff": 0.01}


@pytest.fixture
def small(bucket: Any) -> Any:
    bucket.put(f"{ID}/dataset_description.json", b'{"Name": "small", "License": "CC0"}')
    bucket.put(f"{ID}/participants.tsv", b"participant_id\nsub-01\nsub-02\n")
    for path in (SIGNAL, OTHER):
        bucket.put(f"{ID}/{path}", BODY)
        bucket.put(f"{ID}/{path.replace('_eeg.edf', '_events.tsv')}", b"onset\tduration\n1\t0\n")
    return bucket


def visible(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if not path.parts[0].startswith(".")}


def copy(folder: Path) -> Path:
    return copy_folder(open_source(URL), "d", folder)


@pytest.mark.real
def test_a_real_dataset_comes_whole_from_the_public_layout(
    bucket: Any, real_data: Path, tmp_path: Path
) -> None:
    original = real_data / "fnirs_snirf_samples"
    bucket.put_folder(ID, original)
    seen: Counter[PurePosixPath] = Counter()

    got = fetch(open_source(URL), "samples", tmp_path, progress=lambda p, n: seen.update({p: n}))

    assert got.dataset.root.parent == tmp_path
    assert got.dataset.id == "samples"
    assert got.dataset.source == URL
    assert got.dataset.description["Name"]
    assert got.losses == ()
    assert visible(got.dataset.root) == visible(original)
    for name in visible(original):
        assert (got.dataset.root / name).read_bytes() == (original / name).read_bytes()
        assert seen[PurePosixPath(name)] == (original / name).stat().st_size
    assert got.n_bytes == sum((original / name).stat().st_size for name in visible(original))
    assert not (got.dataset.root / PARTS_FOLDER).exists()
    assert len(index_dataset(got.dataset).recordings) == 2


def test_what_is_here_is_not_fetched_again(small: Any, tmp_path: Path) -> None:
    fetch(open_source(URL), "d", tmp_path)
    small.faults.requests.clear()
    again = fetch(open_source(URL), "d", tmp_path)
    assert [key for key, _ in small.faults.requests if key] == []
    assert again.n_files == 6


def test_a_file_of_other_content_is_fetched_again(small: Any, tmp_path: Path) -> None:
    root = fetch(open_source(URL), "d", tmp_path).dataset.root
    (root / SIGNAL).write_bytes(b"x" * len(BODY))
    fetch(open_source(URL), "d", tmp_path)
    assert (root / SIGNAL).read_bytes() == BODY


def test_the_right_content_of_another_time_is_kept(small: Any, tmp_path: Path) -> None:
    root = fetch(open_source(URL), "d", tmp_path).dataset.root
    os.utime(root / SIGNAL, (1, 1))
    small.faults.requests.clear()
    fetch(open_source(URL), "d", tmp_path)
    assert small.faults.gets(f"{ID}/{SIGNAL}") == []


@pytest.mark.parametrize("fault", ["cut_after", "short"])
def test_a_truncated_signal_is_a_loss_and_the_rest_is_kept(
    small: Any, tmp_path: Path, fault: str
) -> None:
    getattr(small.faults, fault)[f"{ID}/{SIGNAL}"] = 1000
    got = fetch(open_source(URL), "d", tmp_path, **QUICK)
    (loss,) = got.losses
    assert (loss.stage, loss.item, loss.action, loss.count) == ("source", "file", "dropped", 1)
    assert loss.where == SIGNAL
    assert "Tried 2 times" in loss.reason
    assert "Remedy" in loss.reason
    assert SIGNAL not in visible(got.dataset.root)
    assert OTHER in visible(got.dataset.root)
    assert got.n_files == 5
    assert index_dataset(got.dataset).failures[0].recording.subject == "01"


def test_a_truncated_object_is_continued_by_a_ranged_read(small: Any, tmp_path: Path) -> None:
    small.faults.cut_after[f"{ID}/{SIGNAL}"] = 1000
    first = fetch(open_source(URL), "d", tmp_path, attempts=1)
    assert len(first.losses) == 1
    (part,) = (copy(tmp_path) / PARTS_FOLDER).glob("*.part")
    part.write_bytes(BODY[:70_000])
    small.faults.cut_after.clear()
    small.faults.requests.clear()
    second = fetch(open_source(URL), "d", tmp_path)
    assert second.losses == ()
    assert small.faults.gets(f"{ID}/{SIGNAL}") == ["bytes=70000-"]
    assert (copy(tmp_path) / SIGNAL).read_bytes() == BODY


def test_a_part_of_wrong_content_is_thrown_away(small: Any, tmp_path: Path) -> None:
    small.faults.cut_after[f"{ID}/{SIGNAL}"] = 0
    fetch(open_source(URL), "d", tmp_path, attempts=1)
    (part,) = (copy(tmp_path) / PARTS_FOLDER).glob("*.part")
    part.write_bytes(b"x" * 70_000)
    small.faults.cut_after.clear()
    assert fetch(open_source(URL), "d", tmp_path, **QUICK).losses == ()
    assert (copy(tmp_path) / SIGNAL).read_bytes() == BODY


def test_a_garbled_object_never_becomes_visible(small: Any, tmp_path: Path) -> None:
    small.faults.garble.add(f"{ID}/{SIGNAL}")
    got = fetch(open_source(URL), "d", tmp_path, **QUICK)
    assert "other content" in got.losses[0].reason
    assert SIGNAL not in visible(got.dataset.root)


def test_two_refusals_are_overcome(small: Any, tmp_path: Path) -> None:
    small.faults.refuse[f"{ID}/{SIGNAL}"] = 2
    got = fetch(open_source(URL), "d", tmp_path, **QUICK)
    assert got.losses == ()
    assert (got.dataset.root / SIGNAL).read_bytes() == BODY


def test_a_signal_that_always_fails_is_a_loss(small: Any, tmp_path: Path) -> None:
    small.faults.refuse[f"{ID}/{SIGNAL}"] = -1
    got = fetch(open_source(URL), "d", tmp_path, **QUICK)
    assert [loss.where for loss in got.losses] == [SIGNAL]
    assert "503" in got.losses[0].reason


def test_a_table_that_always_fails_is_an_error(small: Any, tmp_path: Path) -> None:
    table = SIGNAL.replace("_eeg.edf", "_events.tsv")
    small.faults.refuse[f"{ID}/{table}"] = -1
    with pytest.raises(SourceError, match=f"{table}.*503"):
        fetch(open_source(URL), "d", tmp_path, **QUICK)


def test_killed_in_the_middle_and_run_again(small: Any, tmp_path: Path) -> None:
    large = os.urandom(2**20) * 12
    small.put(f"{ID}/{SIGNAL}", large)
    small.faults.stall_after[f"{ID}/{SIGNAL}"] = 9 * 2**20
    program = (
        "from pathlib import Path; from neuropair.pipeline.sources import fetch, open_source;"
        f"fetch(open_source({URL!r}), 'd', Path({str(tmp_path)!r}))"
    )
    child = subprocess.Popen([sys.executable, "-c", program])
    parts = copy(tmp_path) / PARTS_FOLDER
    deadline = time.monotonic() + 60
    while not any(part.stat().st_size > 2**22 for part in parts.glob("*.part")):
        assert time.monotonic() < deadline
        assert child.poll() is None
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert SIGNAL not in visible(copy(tmp_path))

    small.faults.stall_after.clear()
    small.faults.release.set()
    small.faults.requests.clear()
    fetch(open_source(URL), "d", tmp_path)
    (asked,) = small.faults.gets(f"{ID}/{SIGNAL}")
    assert asked is not None
    assert int(asked.removeprefix("bytes=").removesuffix("-")) >= 2**22
    assert (copy(tmp_path) / SIGNAL).read_bytes() == large


def test_a_full_disk_says_so_and_leaves_no_half_file(
    small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="disk is full"):
        fetch(open_source(URL), "d", tmp_path)
    assert visible(copy(tmp_path)) == set()
    monkeypatch.undo()
    monkeypatch.setenv("NEUROPAIR_OPENNEURO_ENDPOINT", small.endpoint)
    assert fetch(open_source(URL), "d", tmp_path).n_files == 6


def test_only_what_the_study_selects_is_fetched(small: Any, tmp_path: Path) -> None:
    got = fetch(open_source(URL), "d", tmp_path, Selection(subject=["02"]))
    assert visible(got.dataset.root) == {
        "dataset_description.json",
        "participants.tsv",
        OTHER,
        OTHER.replace("_eeg.edf", "_events.tsv"),
    }
    assert small.faults.gets(f"{ID}/{SIGNAL}") == []


def test_what_another_study_fetched_does_not_matter(small: Any, tmp_path: Path) -> None:
    one = Selection(subject=["02"])
    fresh = fetch(open_source(URL), "d", tmp_path / "a", one)
    fetch(open_source(URL), "d", tmp_path / "b")
    after = fetch(open_source(URL), "d", tmp_path / "b", one)
    assert after.files == fresh.files
    found = [index_dataset(got.dataset, one, files=got.files) for got in (fresh, after)]
    assert found[0].recordings == found[1].recordings
    assert found[0].losses == found[1].losses
    assert len(found[0].recordings) == 1


def test_two_sources_of_one_id_do_not_mix(small: Any, tmp_path: Path) -> None:
    small.put("ds000998/README", b"another dataset")
    first = fetch(open_source(URL), "d", tmp_path)
    second = fetch(open_source("openneuro:ds000998"), "d", tmp_path)
    assert visible(second.dataset.root) == {"README"}
    assert first.dataset.root != second.dataset.root


def test_what_the_source_no_longer_has_is_removed_and_counted(small: Any, tmp_path: Path) -> None:
    root = fetch(open_source(URL), "d", tmp_path).dataset.root
    small.client.delete_object(Bucket="openneuro.org", Key=f"{ID}/{OTHER}")
    got = fetch(open_source(URL), "d", tmp_path)
    assert OTHER not in visible(root)
    assert [(loss.action, loss.count, loss.where) for loss in got.losses] == [
        ("repaired", 1, OTHER)
    ]


def test_nothing_selected_is_an_error(bucket: Any, tmp_path: Path) -> None:
    bucket.put(f"{ID}/{SIGNAL}", BODY)
    with pytest.raises(SourceError, match="holds no file that the study selects"):
        fetch(open_source(URL), "d", tmp_path, Selection(subject=["99"]))


def test_apple_doubles_in_a_bucket_are_counted_and_not_fetched(small: Any, tmp_path: Path) -> None:
    small.put(f"{ID}/sub-01/eeg/._sub-01_task-rest_eeg.edf", b"resource fork")
    got = fetch(open_source(URL), "d", tmp_path)
    assert [(loss.count, loss.action) for loss in got.losses] == [(1, "dropped")]
    assert not list(got.dataset.root.rglob("._*"))


@pytest.mark.parametrize(
    "key", ["../evil.tsv", "sub-01/../../evil.tsv", "/etc/evil.tsv", "sub-01\\evil.tsv"]
)
def test_a_key_that_leaves_the_dataset_is_refused(small: Any, tmp_path: Path, key: str) -> None:
    small.put(f"{ID}/{key}", b"evil")
    with pytest.raises(DatasetError, match=r"evil.*stay inside|stay inside.*evil"):
        fetch(open_source(URL), "d", tmp_path)
    assert list(tmp_path.rglob("*")) == []


def test_folder_markers_are_no_files(small: Any, tmp_path: Path) -> None:
    small.put(f"{ID}/sub-01/", b"")
    assert fetch(open_source(URL), "d", tmp_path).n_files == 6


def test_an_unknown_accession_holds_no_file(bucket: Any) -> None:
    with pytest.raises(SourceError, match="openneuro:ds000123: holds no file"):
        open_source("openneuro:ds000123").list()


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROPAIR_OPENNEURO_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(SourceError, match="cannot be listed"):
        open_source(URL).list()


def test_any_bucket_by_its_url(small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", small.endpoint)
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    got = fetch(open_source(f"s3://openneuro.org/{ID}"), "d", tmp_path)
    assert got.n_files == 6


def test_an_object_store_in_memory(tmp_path: Path) -> None:
    import obstore
    from obstore.store import MemoryStore

    store = MemoryStore()
    obstore.put(store, "dataset_description.json", b"{}")
    obstore.put(store, SIGNAL, BODY)
    got = fetch(ObjectStoreSource("memory://", store), "d", tmp_path)
    assert (got.dataset.root / SIGNAL).read_bytes() == BODY


def test_a_description_that_is_no_json(small: Any, tmp_path: Path) -> None:
    small.put(f"{ID}/dataset_description.json", b"{")
    with pytest.raises(DatasetError, match=r"dataset_description\.json: is no JSON"):
        fetch(open_source(URL), "d", tmp_path)
