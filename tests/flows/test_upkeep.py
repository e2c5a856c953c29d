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


def test_card_goes_to_the_screen_or_to_files(
    two: tuple[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, ids = two
    assert main(["card", "--corpus", url]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert f"# Data card of release {ids[1]}" in shown
    page, bib = tmp_path / "card.md", tmp_path / "data.bib"
    given = ["card", "--corpus", url, "--output", str(page), "--bib", str(bib)]
    assert main(given) == ExitCode.OK
    assert page.read_text() == shown
    assert bib.read_text().startswith("@misc{ds1,")
    assert main(["card", "--corpus", url, "--output", str(tmp_path)]) == ExitCode.STORAGE
    assert "name another file" in capsys.readouterr().err


def test_export_says_what_it_wrote(
    two: tuple[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["export", "--corpus", two[0], "rule = 'rule-0'", "--output", str(tmp_path / "out")]
    assert main(given) == ExitCode.OK
    assert "a_eeg.zarr: signal 10 x 4 x 48" in capsys.readouterr().out
    assert main(given) == ExitCode.STORAGE
    assert "is not empty" in capsys.readouterr().err
    given[-1] = str(tmp_path / "more")
    given[3] = "colour = 1"
    assert main(given) == ExitCode.INPUT
    assert "columns of pairs" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["tables", "diff", "card", "export", "forget", "gc"])
def test_every_command_documents_the_exit_codes(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert "exit codes:" in capsys.readouterr().out
