"""A release whose splits leak is not streamed by split, and verify says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from neuropair.catalog import Corpus
from neuropair.catalog.leaks import find_leaks
from neuropair.catalog.verify import verify
from neuropair.pipeline.corpus import CorpusStore, publish
from neuropair.schemas.errors import CorpusError
from neuropair.schemas.tables import TABLES

Tables = dict[str, pd.DataFrame]


@pytest.fixture
def tables(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> Tables:
    """Tables of a corpus that can be spoiled: the writer's own checks are off."""
    monkeypatch.setattr("neuropair.pipeline.corpus.release.check_tables", lambda *_: None)
    return {
        name: corpus.sql(f"SELECT * FROM {name}").to_pandas().drop(columns="study")
        for name in TABLES
    }


def _published(path: Path, tables: Tables) -> Corpus:
    publish(CorpusStore(path), "tap", tables)
    return Corpus.open(path)


def _split_of(tables: Tables, person: str) -> str:
    rows = tables["recordings"]
    return str(rows.loc[rows["person"] == person, "split"].iloc[0])


def _move(tables: Tables, recordings: list[str], split: str) -> None:
    """Put recordings into another split, in every table that says it."""
    for table, column, kind in (("recordings", "recording", None), ("splits", "key", "recording")):
        rows = tables[table]
        moved = rows[column].isin(recordings)
        if kind is not None:
            moved &= rows["kind"] == kind
        rows.loc[moved, "split"] = split
        if kind is not None:
            rows.loc[moved, "component"] = "moved"
    pairs = tables["pairs"]
    moved = pairs["recording_a"].isin(recordings) & pairs["recording_b"].isin(recordings)
    mixed = pairs["recording_a"].isin(recordings) ^ pairs["recording_b"].isin(recordings)
    pairs.loc[moved, "split"] = split
    tables["pairs"] = pairs[~mixed]


def _person_in_two(tables: Tables) -> str:
    rows = tables["recordings"]
    train = rows[(rows["split"] == "train") & rows["modality"].isin(["meg", "fmri"])]
    person = train["person"].iloc[0]
    _move(tables, list(train.loc[train["person"] == person, "recording"]), "test")
    return f"person {person} is in test and train"


def _stimulus_in_two(tables: Tables) -> str:
    tables["windows"]["stimulus"] = tables["windows"]["stimulus"].astype(object)
    tables["windows"].loc[tables["windows"]["window"] == 0, "stimulus"] = "SHA256:1:1"
    return "stimulus SHA256:1:1 is in test and train and validation"


def _duplicate_in_two(tables: Tables) -> str:
    rows = tables["recordings"].sort_values("recording")
    eeg = rows[rows["modality"] == "eeg"]
    a = eeg.loc[eeg["split"] == "train", "recording"].iloc[0]
    b = eeg.loc[eeg["split"] == "test", "recording"].iloc[0]
    tables["duplicates"] = pd.DataFrame(
        [
            {
                "recording_a": a,
                "recording_b": b,
                "relation": "unconfirmed",
                "n_events": 100,
                "reason": "a test",
            }
        ]
    )
    return f"duplicate {a} = {b} is in test and train"


def _recording_in_two(tables: Tables) -> str:
    rows = tables["splits"]
    name = rows.loc[(rows["kind"] == "recording") & (rows["split"] == "train"), "key"].iloc[0]
    rows.loc[rows["key"] == name, "split"] = "test"
    return f"recording {name} is in test and train"


def _held_out_in_train(tables: Tables) -> str:
    tables["splits"]["policy"] = "both; held out: ds1"
    return "held-out dataset ds1 is in test and train and validation"


@pytest.mark.parametrize(
    "spoil",
    [
        _person_in_two,
        _stimulus_in_two,
        _duplicate_in_two,
        _recording_in_two,
        _held_out_in_train,
    ],
)
def test_a_split_that_leaks_is_refused(
    tmp_path: Path, tables: Tables, spoil: Callable[[Tables], str]
) -> None:
    says = spoil(tables)
    leaky = _published(tmp_path, tables)
    with pytest.raises(CorpusError) as error:
        leaky.pairs().split("train").stream(batch_size=4)
    assert says in " ".join(str(leak) for leak in find_leaks(leaky.database))
    assert "study tap leak" in error.value.problem
    assert any(
        "leaks" in damage.what and says in damage.what for damage in verify(tmp_path).damages
    )


def test_the_error_names_the_leak(tmp_path: Path, tables: Tables) -> None:
    says = _person_in_two(tables)
    leaky = _published(tmp_path, tables)
    with pytest.raises(CorpusError, match=says):
        leaky.pairs().split("test").select()


def test_what_the_policy_lets_cross_does(tmp_path: Path, tables: Tables) -> None:
    _stimulus_in_two(tables)
    tables["splits"]["policy"] = "subject-disjoint"
    assert find_leaks(_published(tmp_path, tables).database) == ()


def test_a_person_may_cross_where_only_stimuli_are_kept_apart(
    tmp_path: Path, tables: Tables
) -> None:
    _person_in_two(tables)
    tables["splits"]["policy"] = "stimulus-disjoint"
    splits = tables["splits"]
    tables["splits"] = splits[splits["kind"] != "person"]
    assert find_leaks(_published(tmp_path, tables).database) == ()


def test_a_sound_corpus_has_no_leak_and_streams(corpus: Corpus) -> None:
    assert find_leaks(corpus.database) == ()
    assert find_leaks(corpus.database) is find_leaks(corpus.database)
    corpus.pairs("tier = 'T1'").split("train").select()
