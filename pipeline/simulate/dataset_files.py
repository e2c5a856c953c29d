"""The files of a simulated dataset that belong to no single recording."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuropair import __version__
from neuropair.pipeline.simulate import bold
from neuropair.pipeline.simulate.damage import CODES
from neuropair.pipeline.simulate.files import write_json, write_nifti, write_picture, write_table
from neuropair.pipeline.simulate.plan import Run
from neuropair.pipeline.simulate.regions import REGIONS
from neuropair.pipeline.simulate.rng import generator
from neuropair.pipeline.simulate.settings import SimulationSettings

NAME = "neuropair simulated dataset"
_MADE_BY = {
    "Name": "neuropair simulate",
    "Version": __version__,
    "Description": "Simulated; no person was recorded.",
}
_README = """Simulated EEG with fNIRS, MEG and fMRI of the same (made-up) persons and tasks.

Written by `neuropair simulate`: every trial has latent causes that drive ten dipoles; EEG and MEG
see them through a spherical head model, fNIRS and fMRI through the haemodynamic response. No
person was recorded. The truth (events, clocks, right pairs) lies beside the dataset, not in it.

Some things are wrong here on purpose; they are listed in traps.json of the truth. The folder
derivatives/fmriprep has the layout of fMRIPrep, which did not make it.
"""
_SESSION_DAY = {"eegnirs": 0, "meg": 7, "fmri": 14}
_TASK_MINUTE = {"faces": 0, "tapping": 65, "fixed": 130, "collision": 130}


def started(run: Run) -> datetime.datetime:
    """Give when a recording began: made up, and the same every time."""
    person = int(run.person)
    sitting = datetime.datetime(2020, 1, 1, 10, tzinfo=datetime.UTC) + datetime.timedelta(
        days=person + _SESSION_DAY[run.session], minutes=_TASK_MINUTE[run.task]
    )
    return sitting + datetime.timedelta(seconds=round(run.clock.start))


def write_top_level(root: Path, runs: tuple[Run, ...], settings: SimulationSettings) -> None:
    """Write descriptions, participants, the columns of events, scans, regions."""
    description = {"Name": NAME, "BIDSVersion": "1.10.0", "License": "CC0"}
    write_json(
        root / "dataset_description.json",
        description
        | {
            "DatasetType": "raw",
            "Authors": ["neuropair contributors"],
            "Keywords": ["simulated", "EEG", "fNIRS", "MEG", "fMRI"],
            "GeneratedBy": [_MADE_BY],
        },
    )
    (root / "README.md").write_text(_README, encoding="utf-8")
    (root / ".bidsignore").write_text("**/._*\n", encoding="utf-8")
    _write_participants(root, runs, settings)
    write_json(root / "events.json", _event_columns())
    _write_scans(root, runs)
    derivative = root / "derivatives" / "fmriprep"
    write_json(
        derivative / "dataset_description.json",
        description
        | {
            "Name": f"{NAME}, in the layout of fMRIPrep",
            "DatasetType": "derivative",
            "GeneratedBy": [_MADE_BY],
            "DatasetLinks": {"raw": "../../"},
        },
    )
    for person in sorted({run.person for run in runs}):
        stem = derivative / f"sub-{person}" / "anat" / f"sub-{person}"
        stem = stem.with_name(f"sub-{person}_space-MNI152NLin2009cAsym_desc-regions_dseg")
        write_nifti(stem.with_suffix(".nii.gz"), bold.region_labels(), bold.affine())
        table = pd.DataFrame({"index": range(1, len(REGIONS) + 1), "name": REGIONS})
        write_table(stem.with_suffix(".tsv"), table)


def _write_participants(root: Path, runs: tuple[Run, ...], settings: SimulationSettings) -> None:
    rows = []
    for subject, person in dict.fromkeys((run.subject, run.person) for run in runs):
        rng = generator(settings.seed, "participant", person)
        age, sex = int(rng.integers(20, 40)), str(rng.choice(["F", "M"]))
        rows.append({"participant_id": f"sub-{subject}", "age": age, "sex": sex})
        rows[-1]["handedness"] = "R"
    write_table(root / "participants.tsv", pd.DataFrame(rows))
    write_json(
        root / "participants.json",
        {
            "age": {"Description": "Made-up age", "Units": "year"},
            "sex": {"Description": "Made-up sex", "Levels": {"F": "female", "M": "male"}},
            "handedness": {"Description": "Preferred hand", "Levels": {"R": "right"}},
        },
    )


def _event_columns() -> dict[str, object]:
    kinds = {
        "face": "a face is shown",
        "house": "a house is shown",
        "object": "an object is shown",
        "flash": "the checkerboard reverses",
        "tap_left": "a tone asks for four taps of the left hand",
        "tap_right": "a tone asks for four taps of the right hand",
        "response": "the button is pressed",
    }
    return {
        "trial_type": {"Description": "What happened", "Levels": kinds},
        "value": {
            "Description": "Trigger code",
            "Levels": {str(code): kinds[name] for name, code in CODES.items()},
        },
        "stim_file": {"Description": "Picture, relative to the folder stimuli"},
        "response_time": {"Description": "From the picture to the button press", "Units": "s"},
        "StimulusPresentation": {"SoftwareName": "neuropair simulate"},
    }


def _write_scans(root: Path, runs: tuple[Run, ...]) -> None:
    rows: dict[tuple[str, str], list[dict[str, str]]] = {}
    for run in runs:
        file = f"{run.modality.datatype}/{signal_name(run)}"
        entry = {"filename": file, "acq_time": started(run).strftime("%Y-%m-%dT%H:%M:%S")}
        rows.setdefault((run.subject, run.session), []).append(entry)
    for (subject, session), entries in rows.items():
        folder = root / f"sub-{subject}" / f"ses-{session}"
        write_table(folder / f"sub-{subject}_ses-{session}_scans.tsv", pd.DataFrame(entries))


def signal_name(run: Run) -> str:
    """Give the name of a recording's signal file."""
    ending = {"eeg": ".vhdr", "meg": ".fif", "nirs": ".snirf", "bold": ".nii.gz"}
    return f"{run.stem}_{run.modality.suffix}{ending[run.modality.suffix]}"


def write_pictures(root: Path, files: set[str], seed: int) -> None:
    """Write the pictures: each has its own content, whatever its base name."""
    for file in sorted(files):
        write_picture(root / "stimuli" / file, _picture(file, seed))


def _picture(file: str, seed: int) -> NDArray[np.uint8]:
    rng = generator(seed, "picture", file)
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    pixels = 90 + 25 * rng.standard_normal((32, 32))
    if "face" in Path(file).name:
        pixels[np.hypot(x / 0.7, y / 0.9) < 1] += 90
        for eye in (-0.3, 0.3):
            pixels[np.hypot(x - eye, y + 0.25) < 0.12] -= 110
        pixels[(np.abs(x) < 0.3) & (np.abs(y - 0.5) < 0.06)] -= 110
    elif "house" in Path(file).name:
        pixels[(np.abs(x) < 0.6) & (y > -0.1) & (y < 0.9)] += 80
        pixels[(y > -0.8) & (y <= -0.1) & (np.abs(x) < (y + 0.8))] += 50
        pixels[(np.abs(x) < 0.12) & (y > 0.4) & (y < 0.9)] -= 100
    else:
        pixels[np.abs(x * rng.normal() + y * rng.normal()) < 0.4] += 80
    return np.clip(pixels, 0, 255).astype(np.uint8)
