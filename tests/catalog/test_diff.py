"""What changed between two releases, against a comparison of the rows in Python."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from removals import write_people
from rich.console import Console

from neuropair.catalog import Corpus
from neuropair.catalog.diff import EXAMPLES, Diff, diff
from neuropair.pipeline.corpus import CorpusStore, publish
from neuropair.schemas.errors import CorpusError
from neuropair.schemas.tables import KEYS, TABLES


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[str]]:
    store = CorpusStore(tmp_path_factory.mktemp("diff") / "corpus")
    tables = write_people(store)
    ids = [publish(store, "demo", tables | {"pairs": tables["pairs"].iloc[:15]})]
    pairs = tables["pairs"].iloc[2:].copy()
    pairs.loc[pairs.index[:3], "confidence"] = 0.5
    pairs.loc[pairs.index[-2:], "quality"] = None
    losses = pd.concat([tables["losses"], tables["losses"].iloc[:1]])
    ids.append(publish(store, "demo", tables | {"pairs": pairs, "losses": losses}))
    berta = write_people(store, ("berta",))
    ids.append(publish(store, "demo", berta))
    return store.url, ids


def _diff(releases: tuple[str, list[str]], a: int, b: int) -> Diff:
    url, ids = releases
    return diff(*(Corpus.open(url, release=ids[i]) for i in (a, b)))


def _expected(releases: tuple[str, list[str]], a: int, b: int, table: str) -> tuple[int, int, int]:
    url, ids = releases
    key = list(KEYS[table])
    sides = []
    for i in (a, b):
        rows = Corpus.open(url, release=ids[i]).sql(f"FROM {table}").to_pylist()
        sides.append({tuple(row[k] for k in key): row for row in rows})
    one, other = sides
    both = one.keys() & other.keys()
    return len(other) - len(both), len(one) - len(both), sum(one[k] != other[k] for k in both)


@pytest.mark.parametrize(("a", "b"), [(0, 1), (1, 2), (2, 0)])
def test_counts_are_those_of_the_rows(releases: tuple[str, list[str]], a: int, b: int) -> None:
    found = {one.table: one for one in _diff(releases, a, b).tables}
    for table in TABLES:
        if KEYS[table]:
            expected = _expected(releases, a, b, table)
            if any(expected):
                one = found[table]
                assert (one.added, one.removed, one.changed) == expected, table
            else:
                assert table not in found


def test_pairs_are_counted_by_tier_rule_and_split(releases: tuple[str, list[str]]) -> None:
    assert _diff(releases, 0, 1).pairs == (
        {"tier": "T1", "rule": "rule-0", "split": "train", "before": 10, "after": 8}
        | {"added": 0, "removed": 2, "changed": 3},
        {"tier": "T1", "rule": "rule-1", "split": "train", "before": 5, "after": 10}
        | {"added": 5, "removed": 0, "changed": 0},
    )


def test_rows_without_a_key_are_compared_whole(releases: tuple[str, list[str]]) -> None:
    (losses,) = [one for one in _diff(releases, 0, 1).tables if one.table == "losses"]
    assert (losses.added, losses.removed, losses.changed) == (1, 0, 0)
    assert losses.examples["added"][0]["where"] == "sub-anna/eeg/x.eeg and others"


def test_examples_are_few_and_sorted(releases: tuple[str, list[str]]) -> None:
    (windows,) = [one for one in _diff(releases, 1, 2).tables if one.table == "windows"]
    assert windows.removed == 20
    assert [row["window"] for row in windows.examples["removed"]] == list(range(EXAMPLES))


def test_a_release_is_equal_to_itself(releases: tuple[str, list[str]]) -> None:
    found = _diff(releases, 1, 1)
    assert (found.tables, found.pairs, found.digests) == ((), (), 0)
    assert found.same == tuple(TABLES)


def test_recordings_made_anew_are_named(tmp_path: Path) -> None:
    store = CorpusStore(tmp_path / "corpus")
    tables = write_people(store)
    ids = [publish(store, "demo", tables)]
    recordings = tables["recordings"].assign(status="failed")
    recordings.loc[0, "digest"] = "f" * 16
    names = ("windows", "events", "channels")
    less = {name: tables[name] for name in names}
    ids.append(publish(store, "demo", less | {"recordings": recordings}))
    found = _diff((store.url, ids), 0, 1)
    assert found.digests == 1
    assert found.digest_examples[0]["after"] == "f" * 16


def test_it_prints_and_dumps(releases: tuple[str, list[str]]) -> None:
    found = _diff(releases, 0, 1)
    assert json.loads(json.dumps(found.to_dict()))["pairs"][0]["removed"] == 2
    console = Console(file=io.StringIO(), width=120)
    console.print(found)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "rule-0" in shown
    assert "Without a difference" in shown


def test_a_release_that_is_not_there(releases: tuple[str, list[str]]) -> None:
    with pytest.raises(CorpusError, match=r"'zzz' is no release.*newest releases are"):
        Corpus.open(releases[0], release="zzz")
