"""An ingest of a dataset with faults: what can be read is published, the rest is listed."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from neuropair.catalog import Corpus
from neuropair.flows.cli import main
from neuropair.schemas.errors import ExitCode

pytestmark = pytest.mark.real

_RECIPE: dict[str, Any] = {
    "recipe": "mine",
    "title": "oddball with faults",
    "events": [
        {
            "rules": [
                {"where": {"trial_type": "target"}, "concept": "oddball/auditory/target"},
                {"where": {"trial_type": "nontarget"}, "concept": "oddball/auditory/standard"},
            ],
            "assertions": [{"kind": "count", "maximum": 500}],
        }
    ],
}
_STUDY: dict[str, Any] = {
    "study": "faults",
    "title": "three runs, two of them with a fault",
    "datasets": [{"dataset": "oddball", "recipe": "recipe.yaml", "source": "bids"}],
}


@pytest.fixture(scope="module")
def folder(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three auditory runs: one whole, one with its signal cut, one without events."""
    folder = tmp_path_factory.mktemp("faults")
    source = real_data / "eeg_oddball_muse"
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        is_wanted = len(inside.parts) == 1 or inside.parts[0] == "sub-01"
        if path.is_file() and is_wanted:
            target = folder / "bids" / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    runs = folder / "bids" / "sub-01" / "ses-01" / "eeg"
    stem = "sub-01_ses-01_task-auditoryoddball_run"
    signal = runs / f"{stem}-02_eeg.eeg"
    signal.write_bytes(signal.read_bytes()[:-1000])
    (runs / f"{stem}-03_events.tsv").write_text("onset\tduration\ttrial_type\tvalue\tsample\n")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(_RECIPE))
    (folder / "study.yaml").write_text(yaml.safe_dump(_STUDY))
    return folder


@pytest.fixture(scope="module")
def ingested(folder: Path, prefect_server: None) -> tuple[int, dict[str, Any]]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(
            ["ingest", str(folder / "study.yaml"), "--corpus", str(folder / "corpus"), "--json"]
        )
    return code, json.loads(out.getvalue())


def test_exit_code_says_that_some_failed(ingested: tuple[int, dict[str, Any]]) -> None:
    code, summary = ingested
    assert code == ExitCode.INCOMPLETE
    assert summary["recordings"] == {"eeg": 2}


def test_failed_recording_is_listed_with_reason_and_remedy(folder: Path, ingested: object) -> None:
    rows = Corpus.open(str(folder / "corpus")).sql(
        "SELECT run, status, reason, remedy, n_windows FROM recordings ORDER BY run"
    )
    whole, cut, empty = rows.to_pylist()
    assert whole["status"] == "ok"
    assert whole["n_windows"] > 100
    assert cut["status"] == "failed"
    assert "run-02_eeg.eeg" in cut["reason"]
    assert cut["remedy"]
    assert (empty["status"], empty["n_windows"]) == ("ok", 0)


def test_run_without_events_is_a_loss(folder: Path, ingested: object) -> None:
    losses = Corpus.open(str(folder / "corpus")).sql(
        "SELECT recording, action FROM losses WHERE stage = 'events' AND reason LIKE '%no event%'"
    )
    assert [one["recording"] for one in losses.to_pylist()] == [
        "oddball/sub-01/ses-01/task-auditoryoddball_run-03_eeg"
    ]


def test_second_run_makes_nothing_anew(folder: Path, ingested: tuple[int, dict[str, Any]]) -> None:
    from neuropair.flows.ingest import ingest

    again = ingest(str(folder / "study.yaml"), str(folder / "corpus"), quiet=True)
    assert again.release == ingested[1]["release"]
    assert again.reused == 2


def test_failed_assertion_says_the_numbers(
    folder: Path, tmp_path: Path, prefect_server: None
) -> None:
    recipe = copy.deepcopy(_RECIPE)
    recipe["events"][0]["assertions"] = [{"kind": "count", "equals": 7}]
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    study = copy.deepcopy(_STUDY)
    study["datasets"][0]["source"] = str(folder / "bids")
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    code = main(["ingest", str(tmp_path / "study.yaml"), "--corpus", str(tmp_path / "corpus")])
    assert code == ExitCode.INCOMPLETE
    reasons = Corpus.open(str(tmp_path / "corpus")).sql("SELECT reason FROM recordings").to_pylist()
    assert len(reasons) == 3
    assert all("asserted 7" in one["reason"] for one in reasons)


def test_data_are_not_written(folder: Path, ingested: object, real_data: Path) -> None:
    names = {path.name for path in (folder / "bids").rglob("*") if path.is_file()}
    theirs = {path.name for path in (real_data / "eeg_oddball_muse").rglob("*") if path.is_file()}
    assert names <= theirs
