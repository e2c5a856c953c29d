from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuropair.catalog import Corpus
from neuropair.pipeline.corpus import CorpusStore, newest_release
from neuropair.schemas.errors import CorpusError, DamagedError, QueryError
from neuropair.schemas.tables import TABLES


def test_every_table_answers(corpus: Corpus) -> None:
    for name, schema in TABLES.items():
        table = corpus.sql(f"SELECT * FROM {name}")
        assert table.column_names == schema.names
    assert corpus.sql("SELECT count(*) AS n FROM pairs")["n"].to_pylist() == [79]


@pytest.mark.parametrize(
    "query",
    [
        "WITH t AS (SELECT tier FROM pairs) SELECT count(*) FROM t",
        "FROM recordings",
        "SELECT * FROM pairs JOIN recordings ON recording_a = recording;",
        "-- a comment\nSELECT 1",
    ],
)
def test_one_select_is_welcome(corpus: Corpus, query: str) -> None:
    assert corpus.sql(query).num_rows >= 1


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("INSERT INTO pairs SELECT * FROM pairs", "INSERT"),
        ("DROP VIEW pairs", "DROP"),
        ("COPY (SELECT 1) TO '{folder}/out.csv'", "COPY"),
        ("SELECT 1; SELECT 2", "SELECT, SELECT"),
        ("SET enable_external_access = true", "SET"),
        ("ATTACH '{folder}/x.db'", "ATTACH"),
        ("CREATE TABLE x AS SELECT 1", "CREATE"),
        ("", "nothing"),
        ("SELEC 1", "syntax error"),
        ("SELECT nope FROM pairs", "columns of pairs: study, pair_id"),
        ("SELECT * FROM nope", "the tables are datasets, recordings"),
        ("SELECT * FROM read_csv('{folder}/secret.csv')", "disabled"),
        ("SELECT * FROM '{folder}/secret.csv'", "disabled"),
        ("SELECT * FROM read_text('{folder}/secret.csv')", "disabled"),
        ("SELECT * FROM glob('{folder}/*')", "disabled"),
        ("SELECT * FROM local_frame", "local_frame"),
    ],
)
def test_anything_else_is_refused(corpus: Corpus, tmp_path: Path, query: str, says: str) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    local_frame = corpus.sql("SELECT 1 AS a")  # DuckDB would find it by its name
    assert local_frame.num_rows == 1
    with pytest.raises(QueryError) as caught:
        corpus.sql(query.format(folder=tmp_path))
    assert says in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("nope = 1", "columns of pairs: study"),
        ("tier =", "syntax error"),
        ("TRUE) UNION SELECT * FROM pairs --", "syntax error"),
        ("TRUE; DROP VIEW pairs", "modifiers"),
        ("count(*) > 1", "aggregates"),
        ("tier = 'T1' ORDER BY tier", "modifiers"),
    ],
)
def test_a_wrong_condition_is_a_query_error(corpus: Corpus, condition: str, says: str) -> None:
    with pytest.raises(QueryError) as caught:
        corpus.pairs(condition)
    assert says in str(caught.value)


def test_a_condition_may_ask_other_tables_and_end_in_a_comment(corpus: Corpus) -> None:
    where = "recording_a IN (SELECT recording FROM recordings WHERE subject = '01') -- those"
    pairs = corpus.pairs(where)
    assert len(pairs) >= 15
    split = pairs.to_pandas()["split"].iloc[0]
    assert len(pairs.split(split)) == len(pairs) or len(pairs.split(split)) == 15
    assert len(list(pairs.split(split).stream(100))) == 1


def test_pairs_tell_what_they_are(corpus: Corpus) -> None:
    pairs = corpus.pairs("tier = 'T1'")
    assert len(pairs) == pairs.to_arrow().num_rows == len(pairs.to_pandas()) == 50
    frame = pairs.to_pandas()
    assert frame["pair_id"].is_monotonic_increasing
    assert "50 of release" in repr(pairs)
    assert "T1 eeg-fnirs train: 30" in repr(pairs)
    assert "<table" in pairs._repr_html_()
    assert "&lt;" in corpus.pairs("window_a < 3")._repr_html_()
    assert len(corpus.pairs("tier = 'T0'")) == 0
    assert "0 of release" in repr(corpus.pairs("tier = 'T0'"))
    assert set(pairs.split("test").to_pandas()["split"]) == {"test"}
    with pytest.raises(QueryError, match="train, validation, test"):
        pairs.split("tset")


def test_the_corpus_tells_what_it_holds(corpus: Corpus) -> None:
    text = repr(corpus)
    assert corpus.release.id in text
    assert "20 recordings" in text
    assert "T1 50, T3 25, T5 4" in text
    assert "<table" in corpus._repr_html_()


def test_a_recording_opens_decoded(corpus: Corpus, made: Any) -> None:
    name, windows = next(iter(made.windows.items()))
    data = corpus.recording(name)
    assert data["signal"].dtype == np.float32
    assert data["signal"].attrs["units"] == "V"
    expected = windows.data["signal"].to_numpy()
    step = np.abs(expected).max(axis=-1, keepdims=True) / 32767
    assert (np.abs(data["signal"].to_numpy() - expected) <= step * 0.51).all()
    assert "scale" not in data
    assert corpus.windows(name)["window"].tolist() == list(range(10))
    for call in (corpus.recording, corpus.windows):
        with pytest.raises(QueryError, match="no such recording"):
            call("it's not there")


def test_a_release_is_pinned_by_its_id(made: Any, tmp_path: Path) -> None:
    path = tmp_path / "corpus"
    shutil.copytree(made.path, path)
    first = Corpus.open(path)
    _publish_without_pairs(path)
    newest = Corpus.open(path)
    assert newest.release.sequence == 2
    assert newest.release.parent == first.release.id
    assert len(newest.pairs()) == 0
    assert newest.sql("SELECT * FROM pairs").column_names == TABLES["pairs"].names
    pinned = Corpus.open(path, release=first.release.id[:6])
    assert pinned.release.id == first.release.id
    assert len(pinned.pairs()) == len(first.pairs()) == 79
    assert len(list(pinned.pairs().stream(100))) == 1
    with pytest.raises(CorpusError, match=first.release.id):
        Corpus.open(path, release="zzz")


def _publish_without_pairs(path: Path) -> None:
    from neuropair.pipeline.corpus import publish

    old = Corpus.open(path)
    tables = {name: old.sql(f"SELECT * FROM {name}").to_pandas() for name in TABLES}
    tables = {name: frame.drop(columns="study") for name, frame in tables.items()}
    publish(CorpusStore(path), "tap", {**tables, "pairs": tables["pairs"].iloc[:0]})


@pytest.mark.parametrize("name", ["with [some] * blanks?", "it's", "a#b c", "x:y"])
def test_a_folder_may_have_any_name(
    made: Any, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made.path, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / name, name):
        corpus = Corpus.open(path)
        assert len(corpus.pairs()) == 79
        assert sum(len(b["pair_id"]) for b in corpus.pairs("tier = 'T5'").stream(3)) == 4
        assert corpus.recording("ds1/sub-01/task-tap_eeg").sizes["window"] == 10


def test_a_file_url_is_a_folder(made: Any) -> None:
    assert len(Corpus.open(made.path.as_uri()).pairs()) == 79


def test_no_corpus_is_one_clear_error(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(CorpusError, match="does not exist"):
            Corpus.open(path)


def test_a_newer_format_is_refused(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuropair.schemas.layout.FORMAT", 0)
    with pytest.raises(CorpusError, match=r"format \d+"):
        Corpus.open(made.path)


def test_a_damaged_table_is_no_query_error(made: Any, tmp_path: Path) -> None:
    shutil.copytree(made.path, tmp_path / "corpus")
    release = newest_release(CorpusStore(tmp_path / "corpus"))
    assert release is not None
    file = tmp_path / "corpus" / release.tables["pairs"]["files"][0]["path"]
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(DamagedError):
        Corpus.open(tmp_path / "corpus").sql("SELECT * FROM pairs")


def test_what_the_release_does_not_name_is_not_read(made: Any, tmp_path: Path) -> None:
    """A Delta version that a killed ingest left behind is no part of any release."""
    from deltalake import DeltaTable

    shutil.copytree(made.path, tmp_path / "corpus")
    DeltaTable(tmp_path / "corpus" / "tables" / "pairs").delete()
    assert len(Corpus.open(tmp_path / "corpus").pairs()) == 79
    json.dumps(Corpus.open(tmp_path / "corpus").release.summary)
