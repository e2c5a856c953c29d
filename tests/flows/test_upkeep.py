"""Commands that keep a corpus, as they are typed."""

from __future__ import annotations

import json

import pytest

from neuropair.flows.cli import main
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
