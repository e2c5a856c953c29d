from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from evidences import HOSTILE, make_release, make_tables
from rich.console import Console

from neuropair.catalog import Corpus
from neuropair.catalog import evidence as ev
from neuropair.flows.cli import main
from neuropair.schemas.errors import ExitCode


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return make_tables()


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, tables: dict[str, pd.DataFrame]) -> Corpus:
    return make_release(tmp_path_factory.mktemp("full"), tables)


def _rows(corpus: Corpus) -> dict[str, pd.DataFrame]:
    return {section.title: section.rows for section in ev.evidence(corpus).sections}


def _printed(corpus: Corpus) -> str:
    console = Console(file=StringIO(), width=160)
    console.print(ev.evidence(corpus))
    return str(console.file.getvalue())  # type: ignore[attr-defined]  # it is the StringIO


def test_every_kind_of_evidence_has_rows_and_agrees_with_its_table(
    full: Corpus, tables: dict[str, pd.DataFrame]
) -> None:
    rows = _rows(full)
    may_be_empty = {ev.LEAKS, ev.CALIBRATION}
    assert [
        title for title, frame in rows.items() if frame.empty and title not in may_be_empty
    ] == []
    assert rows[ev.PAIRS]["pairs"].sum() == len(tables["pairs"])
    clocks = rows[ev.CLOCKS].iloc[0]
    assert (clocks["recording_pairs"], clocks["restarts"], clocks["warnings"]) == (5, 2, 2)
    limit = rows[ev.CLOCK_SEGMENTS]["limit_ms"]
    assert limit.to_numpy() == pytest.approx(36.95, abs=0.01)  # 128 ms over sqrt(12)
    over = rows[ev.BALANCE]
    assert (over["over_limit"] == (over["smd_after"] >= 0.1)).all()
    assert over["over_limit"].any()
    assert rows[ev.UNLOCKS]["recording_pairs"].tolist() == [1]
    assert rows[ev.PERSONS].iloc[0]["known_as"] == "ds1 01, ds2 A"
    assert "study" not in rows[ev.PAIRS]


def test_a_clock_is_off_the_limit_beyond_its_sampling_error(tmp_path: Path) -> None:
    tables = make_tables(2)
    clock = tables["clocks"].iloc[[0]]
    cases = [(15, 1.25, 0.128), (2000, 1.25, 0.128), (2000, 1.25, 0.002), (2000, 1.0, 0.128)]
    tables["clocks"] = pd.concat(
        clock.assign(segment=k, n_matched=n, residual_ratio=ratio, quantum=quantum)
        for k, (n, ratio, quantum) in enumerate(cases)
    )
    found = _rows(make_release(tmp_path, tables))[ev.CLOCK_SEGMENTS]
    assert found["off_the_limit"].tolist() == [False, True, False, False]


def test_remedies_that_differ_in_numbers_are_one(tmp_path: Path) -> None:
    tables = make_tables(2)
    first = tables["recordings"]["recording"].iloc[0]
    tables["abstentions"] = pd.DataFrame(
        [
            {"recording_a": first, "recording_b": first, "tier": "T1", "rule": "r"}
            | {"reason": f"few: {n} triggers", "remedy": f"give {needed} triggers more"}
            for n, needed in [(3, 5), (4, 4), (1, 7)]
        ]
    )
    found = _rows(make_release(tmp_path, tables))
    assert found[ev.UNLOCKS][["recording_pairs", "reasons"]].to_numpy().tolist() == [[3, "few"]]
    assert found[ev.ABSTENTIONS]["recording_pairs"].tolist() == [3]


def test_a_key_in_two_splits_is_told(tmp_path: Path) -> None:
    tables = make_tables(2)
    person = tables["splits"][tables["splits"]["kind"] == "person"].iloc[[0]]
    tables["splits"] = pd.concat([tables["splits"], person.assign(split="test")])
    leaks = _rows(make_release(tmp_path, tables))[ev.LEAKS]
    assert leaks[["kind", "splits"]].to_numpy().tolist() == [["person", "test, train"]]


def test_several_studies_are_told_apart(tmp_path: Path) -> None:
    tables = make_tables(2)
    both = [tables["pairs"].assign(study=name) for name in ("one", "two")]
    tables["pairs"] = pd.concat(both)
    pairs = _rows(make_release(tmp_path, tables))[ev.PAIRS]
    assert set(pairs["study"]) == {"one", "two"}


def test_older_and_empty_releases_are_read(tmp_path: Path) -> None:
    later = ["clocks", "media_clocks", "balance", "alternates", "negatives", "duplicates"]
    later += ["persons", "ledger", "pairs.segment", "pairs.soa_ratio", "splits.policy"]
    old = _rows(make_release(tmp_path / "old", make_tables(2), without=later))
    assert old[ev.CLOCK_SEGMENTS].empty
    assert old[ev.RESIDUALS]["pairs"].tolist() == [120, 120]
    assert set(old[ev.SPLITS]["policy"]) == {"not recorded"}
    nothing = make_release(tmp_path / "nothing", {})
    assert all(frame.empty for title, frame in _rows(nothing).items() if title != ev.CALIBRATION)
    assert "no rows: Pairs" in _printed(nothing)


def test_it_prints_every_section_and_no_markup_of_names(full: Corpus) -> None:
    text = _printed(full)
    for title in (ev.PAIRS, ev.CLOCKS, ev.UNLOCKS, ev.BALANCE, ev.LEDGER, ev.PERSONS):
        assert f"\n{title}" in text
    assert HOSTILE in "".join(
        full.sql("SELECT recording FROM media_clocks").to_pylist()[0].values()
    )
    shown = ev.evidence(full).to_dict()
    assert json.loads(json.dumps(shown)) == shown


def test_the_calibration_error_is_the_mean_over_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    curve = pd.DataFrame(
        [("T1", 0.9, 0.8, 30), ("T1", 0.7, 0.7, 10), ("all", 0.5, 0.5, 1)],
        columns=["tier", "predicted", "observed", "n"],
    )
    monkeypatch.setattr(ev, "calibration_curve", lambda: curve)
    errors = ev.calibration_errors().set_index("tier")["expected_calibration_error"]
    assert errors["T1"] == pytest.approx(0.1 * 30 / 40)
    assert errors["all"] == 0


def test_the_commands_print_and_write(
    corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = corpus.location.url
    assert main(["evidence", "--corpus", url, "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["Pairs"][0]["tier"] == "T1"
    assert main(["evidence", "--corpus", url]) == ExitCode.OK
    assert "Pairs" in capsys.readouterr().out
    page = tmp_path / "new" / "report.html"
    assert main(["report", "--corpus", url, "--output", str(page)]) == ExitCode.OK
    assert str(page) in capsys.readouterr().out
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    wanted = ["--release", "ffff", "--output", str(page)]
    assert main(["report", "--corpus", url, *wanted]) == ExitCode.INPUT
    assert main(["report", "--corpus", url, "--output", str(tmp_path)]) == ExitCode.STORAGE
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new"]
