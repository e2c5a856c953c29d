"""Nothing of a removed person is left anywhere, and everybody else is as before."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from removals import names_in, write_people

from neuropair.catalog import Corpus
from neuropair.catalog.verify import verify
from neuropair.pipeline.corpus import (
    CorpusStore,
    collect_garbage,
    forget,
    newest_release,
    publish,
    read_forgotten,
)
from neuropair.schemas.errors import CorpusError, DamagedError, StorageError
from neuropair.schemas.forgotten import PENDING_FILE
from neuropair.schemas.tables import TABLES


@pytest.fixture
def people(local_store: CorpusStore) -> CorpusStore:
    """Two releases that name anna, and one before them that does not."""
    berta = write_people(local_store, ("berta",))
    publish(local_store, "demo", {name: berta[name] for name in ("recordings", "windows", "events",
        "channels", "losses", "datasets", "splits", "pairs")})  # fmt: skip
    tables = write_people(local_store)
    publish(local_store, "demo", tables | {"pairs": tables["pairs"].iloc[:15]})
    publish(local_store, "demo", tables)
    return local_store


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
    publish(people, "demo", write_people(people, ("berta",)) | {"abstentions": _rows_less("r")})
    assert Corpus.open(people.url).release.sequence == 5


def _rows_less(rule: str) -> object:
    import pandas as pd

    del rule
    return pd.DataFrame()


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
    from neuropair.pipeline.corpus import local

    monkeypatch.setattr(local, "_PATIENCE_S", {True: 0.2, False: 5.0})
    ingest = subprocess.Popen(
        [sys.executable, "-c", _HOLD, people.url], stdout=subprocess.PIPE, text=True
    )
    try:
        assert ingest.stdout is not None
        assert ingest.stdout.readline() == "held\n"
        for remove in (lambda: forget(people, "people/anna"), lambda: collect_garbage(people)):
            with pytest.raises(StorageError, match=r"an ingest is at work"):
                remove()
    finally:
        ingest.kill()
        ingest.communicate()
    time.sleep(0)
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
