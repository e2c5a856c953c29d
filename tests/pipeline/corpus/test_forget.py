"""Nothing of a removed person is left anywhere, and everybody else is as before."""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from removals import names_in, write_people

from neuropair.catalog import Corpus
from neuropair.catalog.verify import verify
from neuropair.pipeline.corpus import (
    CorpusStore,
    collect_garbage,
    forget,
    local,
    newest_release,
    publish,
    read_forgotten,
    withdraw,
)
from neuropair.pipeline.corpus.tables import open_table, replace_all
from neuropair.schemas import layout
from neuropair.schemas.errors import CorpusError, DamagedError, StorageError
from neuropair.schemas.forgotten import PENDING_FILE, SALT_FILE
from neuropair.schemas.tables import TABLES, conform

forget_module = sys.modules["neuropair.pipeline.corpus.forget"]
NONE = pd.DataFrame()
_OF_BOTH = ("abstentions", "clocks", "alternates", "negatives", "duplicates")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two releases that name anna, and one before them that does not."""
    store = CorpusStore(tmp_path_factory.mktemp("made") / "corpus")
    publish(store, "demo", write_people(store, ("berta",)) | dict.fromkeys(_OF_BOTH, NONE))
    tables = write_people(store)
    publish(store, "demo", tables | {"pairs": tables["pairs"].iloc[:15]})
    publish(store, "demo", tables)
    # the salt is drawn by chance: with one at hand, what comes out can be compared
    store.write(SALT_FILE, b"salt")
    return Path(store.url)


@pytest.fixture
def people(made: Path, tmp_path: Path) -> CorpusStore:
    return CorpusStore(shutil.copytree(made, tmp_path / "corpus"))


def _rows(store: CorpusStore) -> dict[str, list[dict[str, object]]]:
    corpus = Corpus.open(store.url)
    return {name: corpus.sql(f"SELECT * FROM {name}").to_pylist() for name in TABLES}


def _is_of_anna(row: dict[str, object]) -> bool:
    keys = ("recording", "recording_a", "recording_b", "person", "subject", "key")
    return any("anna" in str(row.get(key)) for key in keys)


def test_no_byte_names_the_person_and_the_corpus_is_whole(people: CorpusStore) -> None:
    root = Path(people.url)
    assert names_in(root, "anna")
    receipt = forget(people, "ds1/anna")
    assert names_in(root, "anna") == []
    assert verify(people.url).damages == []
    assert verify(people.url).notes == []
    assert receipt.content["groups"] == 2
    assert receipt.content["rows"]["pairs"] == 10
    assert receipt.content["rows"]["windows"] == 20
    assert names_in(root, "berta")


def test_the_others_rows_and_splits_stay(people: CorpusStore) -> None:
    before = _rows(people)
    forget(people, "people/anna")
    after = _rows(people)
    for name in ("recordings", "channels", "events", "windows", "splits", "pairs"):
        assert after[name] == [row for row in before[name] if not _is_of_anna(row)], name
    assert [row["pair_id"] for row in after["alternates"]] == ["rule-1-2"]
    assert [row["pair_id"] for row in after["negatives"]] == ["rule-1-3"]
    assert [row["rule"] for row in after["balance"]] == ["rule-1"]
    for name in ("abstentions", "clocks", "duplicates"):
        assert after[name] == []
    assert [row["subject"] for row in after["persons"]] == ["berta"]
    assert after["persons"][0]["because"] == "not [removed], nor [removed]; as the recipe says"
    assert "[removed] and others" in [row["where"] for row in after["losses"]]
    assert [row["n_recordings"] for row in after["datasets"]] == [2]


def test_releases_that_named_the_person_are_withdrawn_and_the_other_opens(
    people: CorpusStore,
) -> None:
    first, *named = [row["release"] for row in _releases(people)]
    receipt = forget(people, "people/anna")
    assert receipt.content["withdrawn"] == named
    assert Corpus.open(people.url).release.id == receipt.content["release"]
    old = Corpus.open(people.url, release=first)
    assert {row["subject"] for row in old.sql("SELECT subject FROM recordings").to_pylist()} == {
        "berta"
    }
    for release in named:
        with pytest.raises(CorpusError, match=r"withdrawn.*removed from the corpus for good"):
            Corpus.open(people.url, release=release)


def _releases(store: CorpusStore) -> list[dict[str, object]]:
    from deltalake import DeltaTable

    rows = DeltaTable(store.table_uri("releases")).to_pyarrow_table().to_pylist()
    return sorted(rows, key=lambda row: row["sequence"])


def test_the_receipt_is_sealed_and_names_nobody(people: CorpusStore) -> None:
    receipt = forget(people, "ds1/sub-anna").content
    (path,) = Path(people.url).glob("forgotten/*.json")
    assert json.loads(path.read_text()) == receipt
    assert "anna" not in path.read_text()
    assert forget(people, "ds1/anna").again
    assert forget(people, "people/anna").to_dict() == {**receipt, "again": True}
    path.write_text(path.read_text().replace('"groups":2', '"groups":1'))
    with pytest.raises(DamagedError, match="receipt"):
        read_forgotten(people)
    assert [damage.path for damage in verify(people.url).damages] == [f"forgotten/{path.name}"]


def test_what_was_removed_does_not_come_back(people: CorpusStore) -> None:
    forget(people, "people/anna")
    tables = write_people(people)
    with pytest.raises(CorpusError, match="removed from the corpus for good"):
        publish(people, "demo", tables)
    assert names_in(Path(people.url), "anna") == []
    assert verify(people.url).damages == []
    publish(people, "demo", write_people(people, ("berta",)))
    assert Corpus.open(people.url).release.sequence == 5


def test_the_next_ingest_writes_on_top(people: CorpusStore) -> None:
    forget(people, "people/anna")
    berta = write_people(people, ("berta",))
    berta["pairs"] = berta["pairs"].iloc[:3]
    made = publish(people, "demo", berta)
    assert Corpus.open(people.url).release.id == made
    assert verify(people.url).damages == []


def test_unfinished_ingests_leave_nothing_either(people: CorpusStore) -> None:
    """Arrays without a release, and commits of tables that no release names."""
    from neuropair.pipeline.corpus.tables import replace_study, study_table

    tables = write_people(people, ("anna", "berta", "carla"))
    base = newest_release(people)
    assert base is not None
    rows = study_table(tables["windows"], "windows", "demo")
    replace_study(people, "windows", "demo", rows, base.tables["windows"]["version"])
    forget(people, "people/anna")
    forget(people, "ds1/carla")
    assert names_in(Path(people.url), "anna") == []
    assert names_in(Path(people.url), "carla") == []
    assert verify(people.url).damages == []


def test_two_people_one_after_the_other(people: CorpusStore) -> None:
    forget(people, "people/anna")
    receipt = forget(people, "people/berta")
    assert names_in(Path(people.url), "berta") == []
    assert len(receipt.content["withdrawn"]) == 2
    report = verify(people.url)
    assert report.damages == []
    assert Corpus.open(people.url).sql("SELECT count(*) AS n FROM recordings")["n"][0].as_py() == 0


def test_a_name_that_fits_nobody_lists_who_comes_close(people: CorpusStore) -> None:
    with pytest.raises(CorpusError, match=r"no recording is of 'anna'.*such as ds1/anna"):
        forget(people, "anna")
    with pytest.raises(CorpusError, match=r"no recording is of.*people/anna"):
        forget(people, "people/anne")


def test_a_name_that_fits_two_people_lists_both(local_store: CorpusStore) -> None:
    tables = write_people(local_store)
    tables = {name: tables[name] for name in ("recordings", "windows", "events", "channels")}
    recordings = tables["recordings"]
    recordings.loc[recordings["subject"] == "berta", "person"] = "ds1/anna"
    publish(local_store, "demo", tables)
    with pytest.raises(CorpusError, match=r"fits 2 persons.*ds1/anna \(ds1/berta\); people/anna"):
        forget(local_store, "ds1/anna")


def test_a_folder_that_is_no_corpus_stays_untouched(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="holds no release"):
        forget(CorpusStore(tmp_path / "none"), "a/b")
    assert not (tmp_path / "none").exists()


def test_a_corpus_of_a_newer_format_is_left_alone(people: CorpusStore) -> None:
    rows = [row | {"format": layout.FORMAT + 1} for row in _releases(people)]
    newer = conform(rows, "releases")
    replace_all(people, "releases", newer, open_table(people, "releases").version())
    before = people.list("tables")
    for remove in (lambda: forget(people, "people/anna"), lambda: collect_garbage(people)):
        with pytest.raises(CorpusError, match=r"format \d+.*update neuropair"):
            remove()
    assert people.list("tables") == before


_HOLD = """
import sys, time
from neuropair.pipeline.corpus import CorpusStore
with CorpusStore(sys.argv[1]).in_use():
    print("held", flush=True)
    time.sleep(60)
"""


def test_nothing_is_removed_while_an_ingest_is_at_work(
    people: CorpusStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_PATIENCE_S", {True: 0.2, False: 5.0})
    ingest = subprocess.Popen(
        [sys.executable, "-c", _HOLD, people.url], stdout=subprocess.PIPE, text=True
    )
    try:
        assert ingest.stdout is not None
        assert ingest.stdout.readline() == "held\n"
        for remove in (lambda: forget(people, "people/anna"), lambda: collect_garbage(people)):
            with pytest.raises(StorageError, match=r"an ingest or another removal is at work"):
                remove()
    finally:
        ingest.kill()
        ingest.communicate()
    forget(people, "people/anna")
    assert names_in(Path(people.url), "anna") == []


def test_on_s3(s3_store: CorpusStore) -> None:
    tables = write_people(s3_store)
    publish(s3_store, "demo", tables)
    forget(s3_store, "people/anna")
    assert [path for path, _ in s3_store.list("signals") if "anna" in path] == []
    assert verify(s3_store.url).damages == []
    assert not s3_store.exists(PENDING_FILE)
    assert collect_garbage(s3_store).groups == 0


class Killed(BaseException):
    """Ends a removal as SIGKILL would: nothing in between handles it."""


STEPS = {
    CorpusStore: ("write", "delete", "remove_files", "remove_leftovers"),
    forget_module: ("replace_study", "set_aside", "write_description", "checkpoint_all"),
    withdraw: ("replace_all", "checkpoint"),
}
"""Whatever changes a corpus in a removal."""


def _killed_at(store: CorpusStore, step: int, *, after: bool) -> int:
    """Remove anna and die just before, or just after, a step; how many steps were begun."""
    begun: list[Any] = []

    def watched(work: Any) -> Any:
        def run(*given: Any, **options: Any) -> Any:
            begun.append(work)
            is_last = len(begun) == step
            if is_last and not after:
                raise Killed
            result = work(*given, **options)
            if is_last:
                raise Killed
            return result

        return run

    with pytest.MonkeyPatch.context() as patch:
        for where, names in STEPS.items():
            for name in names:
                patch.setattr(where, name, watched(getattr(where, name)))
        with contextlib.suppress(Killed):
            forget(store, "people/anna")
    return len(begun)


def _state(store: CorpusStore) -> dict[str, Any]:
    receipts = [json.loads(p.read_text()) for p in Path(store.url).glob("forgotten/*.json")]
    for receipt in receipts:
        for name in ("created", "seal"):
            del receipt[name]
    files = [path for path, _ in store.list("signals")]
    releases = [(row["release"], row["withdrawn"] is None) for row in _releases(store)]
    return {"rows": _rows(store), "receipts": receipts, "files": files, "releases": releases}


def _is_healthy(store: CorpusStore, undisturbed: list[dict[str, Any]]) -> None:
    """What opens is the corpus as it was, before anything began, or one without anna."""
    for row in _releases(store):
        try:
            corpus = Corpus.open(store.url, release=str(row["release"]))
        except CorpusError:
            assert row["withdrawn"] is not None or store.exists(PENDING_FILE)
            continue
        rows = corpus.sql("SELECT * FROM recordings ORDER BY recording").to_pylist()
        if any(row["subject"] == "anna" for row in rows):
            assert not store.exists(PENDING_FILE)
            assert rows == undisturbed
    if store.exists(PENDING_FILE):
        assert PENDING_FILE in [damage.path for damage in verify(store.url).damages]


def _kill_and_go_on(made: Path, folder: Path, steps: Callable[[int], Iterable[int]]) -> None:
    """Kill at each of the steps, chosen by how many there are, and run again."""
    whole = CorpusStore(shutil.copytree(made, folder / "whole"))
    before = Corpus.open(whole.url).sql("SELECT * FROM recordings ORDER BY recording").to_pylist()
    n_steps = _killed_at(whole, 10**6, after=True)
    expected = _state(whole)
    for step in steps(n_steps):
        store = CorpusStore(shutil.copytree(made, folder / f"killed-{step}"))
        assert n_steps >= _killed_at(store, step, after=step % 2 == 0) >= step
        _is_healthy(store, before)
        forget(CorpusStore(store.url), "ds1/anna")
        assert _state(store) == expected
        assert verify(store.url).damages == []
        assert names_in(Path(store.url), "anna") == []
        shutil.rmtree(store.url)


def test_killed_on_the_way_and_run_again_it_comes_to_the_same(made: Path, tmp_path: Path) -> None:
    # the plan is written; a table is; nothing but the arrays is left; only the plan is left
    _kill_and_go_on(made, tmp_path, lambda n: (2, 9, n - 4, n))


@pytest.mark.slow
def test_killed_at_every_third_step_and_run_again_it_comes_to_the_same(
    made: Path, tmp_path: Path
) -> None:
    # all 75 take four minutes, and passed when this was written
    _kill_and_go_on(made, tmp_path, lambda n: range(1, n + 1, 3))


def test_a_removal_that_has_not_ended_keeps_others_out(people: CorpusStore) -> None:
    assert _killed_at(people, 2, after=True) == 2
    assert people.exists(PENDING_FILE)
    with pytest.raises(CorpusError, match=r"begun and not ended"):
        publish(people, "other", {"datasets": NONE})
    with pytest.raises(CorpusError, match=r"begun and not ended"):
        collect_garbage(people)
    forget(people, "people/berta")
    assert names_in(Path(people.url), "anna") == names_in(Path(people.url), "berta") == []


def test_a_full_disk_is_said_to_be_full_and_the_same_call_goes_on(
    people: CorpusStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(local.LocalFolder, "write", full)
    with pytest.raises(StorageError, match=r"No space left.*free space on the disk"):
        forget(people, "people/anna")
    monkeypatch.undo()
    assert len(Corpus.open(people.url).sql("FROM recordings")) == 4
    forget(people, "people/anna")
    assert names_in(Path(people.url), "anna") == []
