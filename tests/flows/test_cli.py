"""The command line: quick help, stable exit codes, errors that name place and remedy."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neuropair.flows.cli import _parser, main
from neuropair.schemas.errors import ExitCode


def test_help_answers_quickly() -> None:
    times = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "neuropair.flows.cli", "--help"], check=True, capture_output=True
        )
        times.append(time.perf_counter() - started)
    assert min(times) < 0.5


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom neuropair.flows.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'pandas', 'mne', 'prefect', 'torch', 'xarray', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_calibrate_fits_anew_and_writes_where_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from neuropair.pipeline.align.confidence import fit
    from neuropair.schemas.calibration import read_calibration

    monkeypatch.setattr(fit, "SOURCES", {"T3/condition": fit.SOURCES["T3/condition"]})
    file = tmp_path / "calibration.json"
    assert main(["calibrate", "--runs", "3", "--out", str(file), "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == read_calibration(file).model_dump(mode="json")
    assert main(["calibrate", "--runs", "3", "--out", str(file)]) == ExitCode.OK
    assert str(file) in capsys.readouterr().out
    nowhere = str(tmp_path / "absent" / "calibration.json")
    assert main(["calibrate", "--out", nowhere]) == ExitCode.STORAGE
    assert "no such folder" in capsys.readouterr().err


def _commands() -> list[str]:
    actions = _parser()._actions
    return next(list(a.choices) for a in actions if isinstance(a, argparse._SubParsersAction))


@pytest.mark.parametrize("command", _commands())
def test_every_command_documents_the_exit_codes(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    for code in ExitCode:
        assert f"\n  {code.value}  " in shown


def test_unknown_study_names_close_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "n170_haxbi"]) == ExitCode.INPUT
    complaint = capsys.readouterr().err
    assert "where:  n170_haxbi" in complaint
    assert "did you mean n170_haxby" in complaint


def test_source_of_a_stranger_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "oddball", "--source", "eeg_odd=/nowhere"]) == ExitCode.INPUT
    assert "its datasets are eeg_oddball_muse" in capsys.readouterr().err


def test_source_needs_an_equals_sign(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "oddball", "--source", "/somewhere"]) == ExitCode.INPUT
    assert "--source DATASET=FOLDER_OR_URL" in capsys.readouterr().err


def test_typo_in_a_study_names_file_and_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = tmp_path / "mine.yaml"
    study.write_text("study: mine\ntitle: t\ndatsets: []\ndatasets: [{dataset: a}]\n")
    assert main(["plan", str(study)]) == ExitCode.INPUT
    complaint = capsys.readouterr().err
    assert f"{study}, key datsets" in complaint


def test_corpus_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "--corpus", str(tmp_path / "none"), "SELECT 1"]) == ExitCode.INPUT
    assert str(tmp_path / "none") in capsys.readouterr().err


def test_recipes_lists_what_ships(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "--json"]) == ExitCode.OK
    shipped = json.loads(capsys.readouterr().out)
    names = {recipe["name"] for recipe in shipped["recipes"]}
    assert {"ds000117", "ds003645", "ds004514", "ds004496", "ds004078", "simulated"} <= names
    assert {"demo", "n170_haxby", "audvis"} <= {study["name"] for study in shipped["studies"]}


def test_plan_touches_nothing(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = f"eeg_oddball_muse={real_data / 'eeg_oddball_muse'}"
    before = sorted(tmp_path.rglob("*"))
    assert main(["plan", "oddball", "--source", source, "--json"]) == ExitCode.OK
    planned = json.loads(capsys.readouterr().out)
    assert planned["datasets"][0]["recordings"] == {"eeg": 9}
    assert sorted(tmp_path.rglob("*")) == before
