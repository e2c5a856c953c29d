"""Commands that keep a corpus, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from removals import write_people

from neuropair.flows.cli import main
from neuropair.pipeline.corpus import CorpusStore, publish
from neuropair.schemas.errors import ExitCode
from neuropair.schemas.tables import TABLES


def test_tables_prints_columns_with_units(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tables", "clocks"]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert "drift_ppm" in shown
    assert "ppm" in shown
    assert main(["tables", "--json"]) == ExitCode.OK
    found = {table["name"] for table in json.loads(capsys.readouterr().out)}
    assert found == {*TABLES, "releases"}


def test_tables_of_a_stranger(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tables", "pears"]) == ExitCode.INPUT
    assert "the tables are datasets, recordings" in capsys.readouterr().err


@pytest.fixture
def two(tmp_path: Path) -> tuple[str, list[str]]:
    """A corpus of two releases, and their ids."""
    store = CorpusStore(tmp_path / "corpus")
    tables = write_people(store)
    fewer = tables | {"pairs": tables["pairs"].iloc[:15]}
    return store.url, [publish(store, "demo", one) for one in (fewer, tables)]


def test_diff_counts_pairs(two: tuple[str, list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    url, ids = two
    assert main(["diff", "--corpus", url, *ids, "--json"]) == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert [(row["rule"], row["added"]) for row in found["pairs"]] == [("rule-1", 5)]
    assert main(["diff", "--corpus", url, *ids]) == ExitCode.OK
    assert "rule-1" in capsys.readouterr().out
    assert main(["diff", "--corpus", url, ids[0], "nothing"]) == ExitCode.INPUT
    assert f"the newest releases are {ids[0]}, {ids[1]}" in capsys.readouterr().err


def test_forget_and_gc_say_what_went(
    two: tuple[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, ids = two
    cache = ["--cache", str(tmp_path / "cache")]
    assert main(["forget", "nobody", "--corpus", url, *cache]) == ExitCode.INPUT
    assert "such as ds1/anna" in capsys.readouterr().err
    assert main(["forget", "ds1/anna", "--corpus", url, *cache]) == ExitCode.OK
    assert f"releases withdrawn: {', '.join(ids)}" in capsys.readouterr().out
    assert main(["forget", "ds1/anna", "--corpus", url, *cache, "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["again"]
    assert main(["query", "--corpus", url, "--release", ids[0], "FROM pairs"]) == ExitCode.INPUT
    assert "was withdrawn" in capsys.readouterr().err
    assert main(["gc", "--corpus", url, "--dry-run"]) == ExitCode.OK
    assert "would free 0 bytes" in capsys.readouterr().out
    assert main(["gc", "--corpus", url, "--keep", "1", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["bytes"] == 0
    assert main(["verify", "--corpus", url]) == ExitCode.OK
