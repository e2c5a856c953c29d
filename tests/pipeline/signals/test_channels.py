"""Names, positions and units of channels."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import pytest
from electrical import background, run, step, write_fif

from neuropair.pipeline.inputs import input_files
from neuropair.pipeline.signals.naming import standard_names
from neuropair.pipeline.types import CleanSignal, Dataset, Recording
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.signals import Signals

NAMES = ["Fpz", "Cz", "Oz", "T7", "T8", "Extra"]
HEAD = np.array(
    [[0, 0.09, 0], [0, 0, 0.09], [0, -0.09, 0], [-0.08, 0, 0], [0.08, 0, 0], [np.nan] * 3]
)


@pytest.mark.parametrize(
    ("name", "standard"),
    [
        ("Fc5.", "FC5"),
        ("Cz..", "Cz"),
        ("FP1", "Fp1"),
        ("EEG C3-REF", "C3"),
        ("EEG Fp1-LE", "Fp1"),
        ("T10.", "T10"),
        ("EEG 001", "EEG 001"),
        ("Right AUX", "Right AUX"),
        ("C3-C4", "C3-C4"),
    ],
)
def test_one_name(name: str, standard: str) -> None:
    assert standard_names([name], {}, "f") == {name: standard}


def test_two_channels_never_get_one_name() -> None:
    assert standard_names(["cz", "Cz.", "PZ"], {}, "f") == {"cz": "cz", "Cz.": "Cz.", "PZ": "Pz"}
    with pytest.raises(DatasetError, match="two channels would be called 'Cz'"):
        standard_names(["1", "Cz"], {"1": "Cz"}, "f")


def test_recipe_wins() -> None:
    assert standard_names(["Cz", "1"], {"Cz": "vertex", "1": "Fz"}, "f") == {
        "Cz": "vertex",
        "1": "Fz",
    }


def _with_electrodes(
    root: Path, positions: np.ndarray, system: dict[str, str] | None
) -> tuple[Dataset, Recording]:
    dataset, recording = write_fif(root, background(6, 20, 250), 250, NAMES)
    folder = root / recording.path.parent
    table = pd.DataFrame(positions, columns=["x", "y", "z"])
    table.insert(0, "name", NAMES)
    path = folder / "sub-01_electrodes.tsv"
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    if system is not None:
        (folder / "sub-01_coordsystem.json").write_text(json.dumps(system))
    electrodes = PurePosixPath(path.relative_to(root).as_posix())
    return dataset, replace(recording, electrodes_path=electrodes)


def _positions(clean: CleanSignal) -> np.ndarray:
    return clean.channels[["x", "y", "z"]].to_numpy(dtype=float)


@pytest.mark.parametrize(
    ("unit", "factor"), [("m", 1.0), ("cm", 100.0), ("mm", 1000.0), ("", 100.0)]
)
def test_electrodes_in_any_unit(tmp_path: Path, unit: str, factor: float) -> None:
    system = {"EEGCoordinateSystem": "CapTrak", "EEGCoordinateUnits": unit}
    clean = run(*_with_electrodes(tmp_path, HEAD * factor, system))
    np.testing.assert_allclose(_positions(clean), HEAD, atol=1e-9)
    assert list(clean.channels["frame"]) == ["head"] * 5 + [None]
    assert step(clean, "positions")["source"] == "sub-01/eeg/sub-01_electrodes.tsv"
    repaired = [loss.reason for loss in clean.losses if loss.action == "repaired"]
    assert len(repaired) == (unit == "")


def test_declared_unit_that_makes_no_head(tmp_path: Path) -> None:
    system = {"EEGCoordinateSystem": "CapTrak", "EEGCoordinateUnits": "m"}
    clean = run(*_with_electrodes(tmp_path, HEAD * 1000, system))
    np.testing.assert_allclose(_positions(clean), HEAD, atol=1e-9)
    (loss,) = [loss for loss in clean.losses if loss.action == "repaired"]
    assert "unit 'm' cannot be" in loss.reason
    assert "read as mm" in loss.reason


def test_axes_that_begin_at_the_nose(tmp_path: Path) -> None:
    system = {"EEGCoordinateSystem": "CTF", "EEGCoordinateUnits": "cm"}
    nose_first = np.stack([HEAD[:, 1], -HEAD[:, 0], HEAD[:, 2]], axis=1) * 100
    clean = run(*_with_electrodes(tmp_path, nose_first, system))
    np.testing.assert_allclose(_positions(clean), HEAD, atol=1e-9)
    assert clean.channels["frame"][0] == "ctf"


def _with_space(root: Path, space: str) -> tuple[Dataset, Recording]:
    dataset, recording = _with_electrodes(root, HEAD * 100, None)
    folder = root / "sub-01" / "eeg"
    path = PurePosixPath(f"sub-01/eeg/sub-01_space-{space}_electrodes.tsv")
    (folder / "sub-01_electrodes.tsv").rename(root / path)
    return dataset, replace(recording, electrodes_path=path)


@pytest.mark.parametrize(
    ("beside", "frame"),
    [
        ("sub-01/eeg/sub-01_space-CapTrak_coordsystem.json", "head"),
        ("sub-01/sub-01_space-CapTrak_coordsystem.json", "head"),
        ("coordsystem.json", "head"),
        ("sub-01/eeg/sub-01_space-EEGLAB_coordsystem.json", "unknown"),
        ("sub-01/eeg/sub-01_own-1_coordsystem.json", "unknown"),
        ("sub-02/eeg/sub-02_space-CapTrak_coordsystem.json", "unknown"),
    ],
)
def test_which_coordinate_system_applies(tmp_path: Path, beside: str, frame: str) -> None:
    root = tmp_path / "data [1]"
    root.mkdir()
    made = _with_space(root, "CapTrak")
    path = root / beside
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"EEGCoordinateSystem": "CapTrak", "EEGCoordinateUnits": "cm"}')
    clean = run(*made)
    assert clean.channels["frame"][0] == frame
    np.testing.assert_allclose(_positions(clean), HEAD, atol=1e-9)
    flagged = [loss for loss in clean.losses if "axes are unknown" in loss.reason]
    assert len(flagged) == (frame == "unknown")
    entering = input_files(*made, Signals())
    assert (PurePosixPath(beside) in entering) == (frame == "head" or "sub-01/eeg" in beside)


def test_coordinate_that_is_no_number(tmp_path: Path) -> None:
    made = _with_electrodes(tmp_path, HEAD, None)
    path = tmp_path / "sub-01/eeg/sub-01_electrodes.tsv"
    path.write_text(path.read_text().replace("0.09", "2.9999.1", 1))
    with pytest.raises(DatasetError, match=r"2\.9999\.1"):
        run(*made)


def test_template_leaves_unknown_names_without_position(tmp_path: Path) -> None:
    clean = run(*write_fif(tmp_path, background(6, 20, 250), 250, NAMES))
    assert list(clean.channels["frame"]) == ["template:standard_1005"] * 5 + [None]
    assert np.isnan(_positions(clean)[5]).all()


def test_channels_table_that_is_no_table(tmp_path: Path) -> None:
    made = write_fif(tmp_path, background(6, 20, 250), 250, NAMES)
    path = tmp_path / "sub-01/eeg/sub-01_task-rest_channels.tsv"
    path.write_text("name\ttype\nCz\tEEG\tuV\tmore\n")
    with pytest.raises(DatasetError, match="is no table"):
        run(*made)
    path.write_text("\ufeffname\tkind\nCz\tEEG\n")
    with pytest.raises(DatasetError, match="has no column type"):
        run(*made)


def _edf(folder: Path, dimension: str) -> tuple[Dataset, Recording]:
    """Two channels of 20 uV sines, whose unit the file calls `dimension`."""
    import edfio

    path = PurePosixPath("sub-01/eeg/sub-01_task-rest_eeg.edf")
    (folder / path.parent).mkdir(parents=True)
    wave = 20 * np.sin(2 * np.pi * 10 * np.arange(250 * 40) / 250)
    signals = [edfio.EdfSignal(wave, 250, label=n, physical_dimension=dimension) for n in NAMES[:2]]
    edfio.Edf(signals).write(folder / path)
    table = pd.DataFrame({"name": NAMES[:2], "type": "EEG", "units": "uV"})
    table.to_csv(folder / "sub-01/eeg/channels.tsv", sep="\t", index=False)
    dataset, recording = write_fif(folder / "other", background(2, 20, 250), 250, NAMES[:2])
    channels = PurePosixPath("sub-01/eeg/channels.tsv")
    dataset = Dataset("made", folder, str(folder), {})
    return dataset, replace(recording, path=path, channels_path=channels)


@pytest.mark.parametrize(
    ("dimension", "volts", "action"),
    [("uV", 20e-6, None), ("", 20e-6, "repaired"), ("mV", 20e-3, "flagged")],
)
def test_units(tmp_path: Path, dimension: str, volts: float, action: str | None) -> None:
    clean = run(*_edf(tmp_path, dimension))
    middle = clean.data["signal"].to_numpy()[:, 2000:-2000]
    assert np.abs(middle).max() == pytest.approx(volts, rel=0.01)
    about_units = [loss.action for loss in clean.losses if "unit" in loss.reason]
    assert about_units == ([action] if action else [])


def test_channels_table_in_standard_spelling(tmp_path: Path) -> None:
    names = ["Fc5.", "Cz..", "Iz.."]
    table = pd.DataFrame({"name": ["FC5", "Cz", "Iz"], "type": "EEG", "status": "good"})
    table.loc[1, "status"] = "bad"
    made = write_fif(tmp_path, background(3, 20, 250), 250, names, channels_tsv=table)
    clean = run(*made)
    assert list(clean.channels["channel"]) == ["FC5", "Cz", "Iz"]
    assert list(clean.channels["status"]) == ["good", "bad", "good"]
    assert not [loss for loss in clean.losses if "channels.tsv" in loss.reason]


def test_types_by_name_where_no_table_gives_them(tmp_path: Path) -> None:
    names = ["Cz", "Pz", "EOG left", "ECG", "Status"]
    dataset, recording = write_fif(tmp_path, background(5, 20, 250), 250, names)
    clean = run(dataset, replace(recording, channels_path=None))
    assert list(clean.channels["type"]) == ["eeg", "eeg", "eog", "ecg", "stim"]
    assert any(loss.reason.startswith("no channels.tsv") for loss in clean.losses)
