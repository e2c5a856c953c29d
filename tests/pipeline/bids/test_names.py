"""File names, against pybids' own reading of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuropair.pipeline.bids import parse_name
from neuropair.pipeline.bids.names import signal_modality
from neuropair.pipeline.sources.walk import walk
from neuropair.schemas.kinds import Modality

LONG = {
    "sub": "subject",
    "ses": "session",
    "task": "task",
    "acq": "acquisition",
    "run": "run",
    "space": "space",
}


@pytest.mark.real
def test_entities_are_those_of_pybids(real_data: Path) -> None:
    from bids.layout import Config, parse_file_entities

    entities = list(Config.load("bids").entities.values())
    folders = [*real_data.iterdir(), *(real_data / "events").iterdir()]
    roots = [root for root in folders if (root / "dataset_description.json").is_file()]
    compared = 0
    for root in roots:
        paths = [path for path in walk(root, ("derivatives",)).files if path.startswith("sub-")]
        for path in paths[::3]:
            theirs = parse_file_entities(f"/{path}", entities=entities)
            ours = parse_name(path)
            assert ours is not None, path
            for short, long in LONG.items():
                assert str(theirs.get(long)) == str(ours.labels.get(short)), (path, long)
            assert (theirs["suffix"], theirs["extension"]) == (ours.suffix, ours.extension)
            compared += 1
    assert compared > 500


@pytest.mark.parametrize(
    "path",
    [
        "sub-01/eeg/._sub-01_eeg.edf",
        "derivatives/d_sub-xp101_task-x_headmotion.tsv",
        "sub-01/eeg/sub-01_task-a_task-b_eeg.edf",
        "sub-01/eeg/sub-01_task-a-b_eeg.edf",
        "sub-01/eeg/sub-01_task-_eeg.edf",
    ],
)
def test_other_names_are_no_bids_names(path: str) -> None:
    assert parse_name(path) is None


@pytest.mark.parametrize(
    ("path", "modality"),
    [
        ("sub-1/eeg/sub-1_task-a_eeg.EDF", Modality.EEG),
        ("sub-1/eeg/sub-1_task-a_eeg.set", Modality.EEG),
        ("sub-1/eeg/sub-1_task-a_eeg.eeg", None),
        ("sub-1/eeg/sub-1_task-a_eeg.fdt", None),
        ("sub-1/meg/sub-1_task-a_meg.ds", Modality.MEG),
        ("sub-1/meg/sub-1_task-a_meg.con", Modality.MEG),
        ("sub-1/meg/sub-1_acq-crosstalk_meg.fif", None),
        ("sub-1/meg/sub-1_acq-calibration_meg.dat", None),
        ("sub-1/nirs/sub-1_task-a_nirs.snirf", Modality.FNIRS),
        ("sub-1/func/sub-1_task-a_bold.nii.gz", Modality.FMRI),
        ("sub-1/func/sub-1_task-a_sbref.nii.gz", None),
    ],
)
def test_what_is_a_signal_file(path: str, modality: Modality | None) -> None:
    entry = parse_name(path)
    assert entry is not None
    assert signal_modality(entry) == modality
