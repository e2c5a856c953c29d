"""Only what no release needs goes."""

from __future__ import annotations

import errno
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from removals import write_people

from neuropair.catalog import Corpus
from neuropair.catalog.verify import verify
from neuropair.pipeline.corpus import (
    CorpusStore,
    collect_garbage,
    gc,
    local,
    newest_release,
    publish,
)
from neuropair.pipeline.corpus.tables import open_table, replace_study, study_table
from neuropair.schemas.errors import CorpusError, StorageError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three releases, the last without berta; commits, arrays and staged files beside them."""
    store = CorpusStore(tmp_path_factory.mktemp("made") / "corpus")
    tables = write_people(store)
    publish(store, "demo", tables | {"pairs": tables["pairs"].iloc[:15]})
    publish(store, "demo", tables)
    write_people(store, ("carla",))
    publish(store, "demo", write_people(store, ("anna",)))
    base = newest_release(store)
    assert base is not None
    rows = study_table(tables["pairs"].iloc[:5], "pairs", "demo")
    replace_study(store, "pairs", "demo", rows, base.tables["pairs"]["version"])
    staged = Path(store.url) / ".staging" / "dead"
    staged.mkdir(parents=True)
    (staged / ".lock").touch()
    (staged / "half").write_bytes(b"1234")
    return Path(store.url)


@pytest.fixture
def store(made: Path, tmp_path: Path) -> CorpusStore:
    return CorpusStore(shutil.copytree(made, tmp_path / "corpus"))


def _tree(store: CorpusStore) -> dict[str, int]:
    root = Path(store.url)
    files = (path for path in root.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(root).as_posix(): path.stat().st_size for path in files}


def _ids(store: CorpusStore) -> list[str]:
    from neuropair.catalog.location import Location
    from neuropair.catalog.release import read_releases

    return [release.id for release in read_releases(Location.of(store.url))]


def test_what_releases_name_stays(store: CorpusStore) -> None:
    assert verify(store.url).notes
    before = _tree(store)
    freed = collect_garbage(store)
    after = _tree(store)
    assert (freed.groups, freed.table_files, freed.staged_files) == (2, 1, 1)
    assert freed.withdrawn == ()
    gone = {path: n for path, n in before.items() if path not in after}
    assert sum(gone.values()) == freed.bytes
    assert all("carla" in p or "pairs" in p or ".staging" in p for p in gone)
    report = verify(store.url)
    assert (report.damages, report.notes) == ([], [])
    for release in _ids(store):
        assert Corpus.open(store.url, release=release).sql("FROM pairs").num_rows >= 10


def test_a_plain_reader_finds_the_release_at_the_head(store: CorpusStore) -> None:
    assert open_table(store, "pairs").to_pyarrow_table().num_rows == 5
    collect_garbage(store)
    assert open_table(store, "pairs").to_pyarrow_table().num_rows == 10


def test_a_dry_run_says_the_same_and_touches_nothing(store: CorpusStore) -> None:
    before = _tree(store)
    said = collect_garbage(store, keep=1, dry_run=True)
    assert _tree(store) == before
    done = collect_garbage(store, keep=1)
    assert said.dry_run
    assert said.to_dict() | {"dry_run": False} == done.to_dict()


def test_old_releases_are_withdrawn_and_the_newest_stays_whole(store: CorpusStore) -> None:
    *old, newest = _ids(store)
    rows = Corpus.open(store.url).sql("FROM pairs").to_pylist()
    freed = collect_garbage(store, keep=1)
    assert list(freed.withdrawn) == old
    assert freed.groups == 4
    assert Corpus.open(store.url).release.id == newest
    assert Corpus.open(store.url).sql("FROM pairs").to_pylist() == rows
    assert {path.split("/")[2] for path, _ in store.list("signals")} == {"sub-anna"}
    with pytest.raises(CorpusError, match=r"withdrawn.*gc kept newer"):
        Corpus.open(store.url, release=old[0])
    assert verify(store.url).damages == []
    assert collect_garbage(store, keep=1).bytes == 0
    publish(store, "demo", write_people(store, ("anna", "berta")))
    assert verify(store.url).damages == []


class Killed(BaseException):
    """Ends it as SIGKILL would."""


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4])
def test_killed_between_deletions_and_run_again(
    store: CorpusStore, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    left = [after]
    for name in ("delete", "remove_files"):
        work = getattr(CorpusStore, name)

        def dying(*given: object, work: object = work) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            work(*given)  # type: ignore[operator]

        monkeypatch.setattr(CorpusStore, name, dying)
    with pytest.raises(Killed):
        collect_garbage(store, keep=1)
    assert verify(store.url).damages == []
    monkeypatch.undo()
    collect_garbage(store, keep=1)
    report = verify(store.url)
    assert (report.damages, report.notes) == ([], [])


def test_two_at_once_wait_for_each_other_and_an_ingest_waits_for_both(
    store: CorpusStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_PATIENCE_S", {True: 120.0, False: 120.0})
    tables = write_people(store, ("anna",))
    fewer = tables | {"pairs": tables["pairs"].iloc[:4]}
    with ThreadPoolExecutor(3) as pool:
        ingest = pool.submit(publish, CorpusStore(store.url), "demo", fewer)
        rivals = [pool.submit(collect_garbage, CorpusStore(store.url), keep=1) for _ in range(2)]
        made, freed = ingest.result(), [rival.result() for rival in rivals]
    assert sum(one.groups for one in freed) == 4
    assert Corpus.open(store.url).release.id == made
    assert verify(store.url).damages == []


def test_young_files_stay_where_nobody_can_be_kept_out(s3_store: CorpusStore) -> None:
    publish(s3_store, "demo", write_people(s3_store, ("anna",)))
    write_people(s3_store, ("carla",))
    freed = collect_garbage(s3_store)
    assert (freed.groups, freed.bytes) == (0, 0)
    assert freed.too_young > 10
    assert any("carla" in path for path, _ in s3_store.list("signals"))


def test_old_files_go_where_nobody_can_be_kept_out(
    s3_store: CorpusStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(s3_store, "demo", write_people(s3_store, ("anna",)))
    write_people(s3_store, ("carla",))
    monkeypatch.setattr(gc, "SAFE_AGE_S", -1.0)
    assert collect_garbage(s3_store).groups == 2
    assert not any("carla" in path for path, _ in s3_store.list("signals"))
    assert verify(s3_store.url).damages == []


@pytest.mark.parametrize("keep", [0, -3])
def test_at_least_one_release_is_kept(store: CorpusStore, keep: int) -> None:
    with pytest.raises(CorpusError, match=r"--keep.*keep one or more"):
        collect_garbage(store, keep=keep)


def test_a_folder_that_cannot_be_written_is_said_to_be(
    store: CorpusStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    before = _tree(store)
    with monkeypatch.context() as patch:
        patch.setattr(local.os, "open", refused)
        with pytest.raises(StorageError, match=r"Read-only.*choose a corpus folder"):
            collect_garbage(store)
    assert _tree(store) == before
