"""File names: facts of real datasets, what pybids does not tell, and what is no name."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropair.pipeline.bids import parse_name
from neuropair.pipeline.bids.names import signal_modality
from neuropair.pipeline.sources.walk import walk
from neuropair.schemas.kinds import Modality

REAL = {
    "events/ds005811": (
        {"sub": 4, "ses": 4, "task": 1, "run": 8, "space": 1},
        {
            "coordsystem.json": 8,
            "electrodes.tsv": 8,
            "channels.tsv": 64,
            "eeg.json": 64,
            "events.json": 64,
            "events.tsv": 64,
            "scans.tsv": 16,
        },
    ),
    "events/ds004078": (
        # RDR has runs 1 to 20, rest 01 to 04: 20 numbers, 24 labels
        {"sub": 4, "task": 2, "run": 24},
        {
            "bold.json": 96,
            "events.tsv": 160,
            "coordsystem.json": 4,
            "channels.tsv": 80,
            "meg.json": 80,
        },
    ),
    "fmri_haxby_pymvpa": (
        {"sub": 1, "acq": 2, "task": 1, "run": 8},
        {"bold.json": 16, "bold.nii.gz": 16, "events.tsv": 16},
    ),
}
"""Dataset -> how many labels its entities have, and how many files of a kind it has."""


@pytest.mark.real
@pytest.mark.parametrize("dataset", REAL)
def test_entities_of_real_datasets(real_data: Path, dataset: str) -> None:
    paths = [path for path in walk(real_data / dataset).files if path.startswith("sub-")]
    entries = [entry for path in paths if (entry := parse_name(path)) is not None]
    assert len(entries) == len(paths)
    keys = {key for entry in entries for key in entry.labels}
    labels = {key: len({e.labels[key] for e in entries if key in e.labels}) for key in keys}
    kinds = Counter(f"{entry.suffix}{entry.extension}" for entry in entries)
    assert (labels, dict(kinds)) == REAL[dataset]


@pytest.mark.parametrize(
    ("path", "labels"),
    [
        ("task-rest_run-01_eeg.json", {"task": "rest", "run": "01"}),
        ("sub-1/ses-a/sub-1_ses-a_scans.tsv", {"sub": "1", "ses": "a"}),
        ("sub-1/meg/sub-1_ses-a_split-02_meg.fif", {"sub": "1", "ses": "a", "split": "02"}),
        # the folder's, where the name has none; the name's, where they differ
        ("sub-1/ses-a/eeg/task-x_eeg.edf", {"sub": "1", "ses": "a", "task": "x"}),
        ("sub-1/eeg/sub-2_task-x_eeg.edf", {"sub": "2", "task": "x"}),
        # not of the schema, or not as it has them
        ("sub-1/eeg/sub-1_foo-3_eeg.edf", {"sub": "1", "foo": "3"}),
        ("sub-1/eeg/sub-1_run-1a_eeg.edf", {"sub": "1", "run": "1a"}),
        ("README", {}),
    ],
)
def test_labels_are_as_written(path: str, labels: dict[str, str]) -> None:
    entry = parse_name(path)
    assert entry is not None
    assert dict(entry.labels) == labels


@given(
    st.sampled_from(["run", "split", "echo", "inv", "flip", "chunk", "task", "acq"]),
    st.integers(0, 999),
    st.integers(0, 4),
)
def test_indices_are_equal_as_numbers_and_labels_as_text(key: str, number: int, zeros: int) -> None:
    plain, padded = f"sub-1_{key}-{number}_eeg.json", f"sub-1_{key}-{'0' * zeros}{number}_eeg.json"
    one, other = parse_name(plain), parse_name(padded)
    assert one is not None
    assert other is not None
    assert other.labels[key] == f"{'0' * zeros}{number}"
    assert (one.entities == other.entities) == (zeros == 0 or key not in ("task", "acq"))


def test_help_does_not_wait_for_pybids() -> None:
    code = (
        "import sys, neuropair.flows.cli, neuropair.pipeline.bids\n"
        "assert not {'bids', 'sqlalchemy', 'mne', 'mne_bids', 'mne_nirs'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "path",
    [
        "sub-01/eeg/._sub-01_eeg.edf",
        "derivatives/d_sub-xp101_task-x_headmotion.tsv",
        "sub-01/eeg/sub-01_task-a_task-b_eeg.edf",
        "sub-01/eeg/sub-01_task-a-b_eeg.edf",
        "sub-01/eeg/sub-01_task-_eeg.edf",
        "sub-01/eeg/sub-01__eeg.edf",
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
