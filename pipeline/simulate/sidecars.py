"""The tables and JSON files that BIDS wants beside each signal file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neuropair.pipeline.simulate import bold as fmri
from neuropair.pipeline.simulate.electric import LINE_FREQUENCY, bad_electrode
from neuropair.pipeline.simulate.fif import TRIGGER_CHANNEL
from neuropair.pipeline.simulate.files import write_json, write_table
from neuropair.pipeline.simulate.heads import N_MAGNETOMETERS, eeg_info, meg_info
from neuropair.pipeline.simulate.optodes import WAVELENGTHS, Probe
from neuropair.pipeline.simulate.plan import Run
from neuropair.pipeline.simulate.settings import SimulationSettings

INSTRUCTIONS = {
    "faces": "Press the button after every picture.",
    "tapping": "Tap four times with the hand that the tone says.",
    "fixed": "Look at the middle of the flashing checkerboard.",
    "collision": "Look at the objects.",
}
_MAKER = {"Manufacturer": "neuropair", "ManufacturersModelName": "simulator"}


def common(run: Run) -> dict[str, Any]:
    """Give what the JSON sidecar of any recording says."""
    return {
        "TaskName": run.task,
        "TaskDescription": INSTRUCTIONS[run.task],
        "Instructions": INSTRUCTIONS[run.task],
        "InstitutionName": "n/a",
        **_MAKER,
    }


def write_eeg(folder: Path, run: Run, settings: SimulationSettings) -> None:
    """Write ``eeg.json``, channels, electrodes and the coordinate system."""
    names = eeg_info().ch_names
    session = f"sub-{run.subject}_ses-{run.session}"
    write_json(
        folder / f"{run.stem}_eeg.json",
        common(run)
        | {
            "SamplingFrequency": run.sfreq,
            "PowerLineFrequency": LINE_FREQUENCY,
            "EEGReference": "average",
            "EEGGround": "AFz",
            "EEGPlacementScheme": "10-20",
            "EEGChannelCount": len(names),
            "EOGChannelCount": 1,
            "ECGChannelCount": 0,
            "EMGChannelCount": 0,
            "MISCChannelCount": 0,
            "TriggerChannelCount": 0,
            "RecordingDuration": run.n_samples / run.sfreq,
            "RecordingType": "continuous",
            "SoftwareFilters": "n/a",
            "HardwareFilters": "n/a",
            "CapManufacturer": "BioSemi",
            "CapManufacturersModelName": "32 channels",
        },
    )
    status = ["good"] * (len(names) + 1)
    loose = bad_electrode(settings.seed, run.person)
    listed = int(run.person) % 2 == 1  # for the others the pipeline has to find it
    if listed:
        status[loose] = "bad"
    channels = pd.DataFrame(
        {
            "name": [*names, "VEOG"],
            "type": ["EEG"] * len(names) + ["EOG"],
            "units": "uV",
            "sampling_frequency": run.sfreq,
            "low_cutoff": "n/a",
            "high_cutoff": "n/a",
            "status": status,
            "status_description": ["n/a" if s == "good" else "loose electrode" for s in status],
        }
    )
    write_table(folder / f"{run.stem}_channels.tsv", channels)
    places = np.array([channel["loc"][:3] for channel in eeg_info()["chs"]]).round(5)
    electrodes = pd.DataFrame({"name": names} | dict(zip("xyz", places.T, strict=True)))
    eog = pd.DataFrame({"name": ["VEOG"], "x": ["n/a"], "y": ["n/a"], "z": ["n/a"]})
    write_table(
        folder / f"{session}_space-CapTrak_electrodes.tsv",
        pd.concat([electrodes.astype(object), eog], ignore_index=True),
    )
    write_json(
        folder / f"{session}_space-CapTrak_coordsystem.json",
        {
            "EEGCoordinateSystem": "CapTrak",
            "EEGCoordinateUnits": "m",
            "EEGCoordinateSystemDescription": "x right, y front, origin between the ears",
            "AnatomicalLandmarkCoordinates": _landmarks(),
            "AnatomicalLandmarkCoordinateSystem": "CapTrak",
            "AnatomicalLandmarkCoordinateUnits": "m",
        },
    )


def _landmarks() -> dict[str, list[float]]:
    # MNE's order of cardinal points is LPA, nasion, RPA
    points = [point["r"].round(5).tolist() for point in eeg_info()["dig"][:3]]
    return dict(zip(("LPA", "NAS", "RPA"), points, strict=True))


def write_meg(folder: Path, run: Run) -> None:
    """Write ``meg.json``, channels and the coordinate system."""
    write_json(
        folder / f"{run.stem}_meg.json",
        common(run)
        | {
            "SamplingFrequency": run.sfreq,
            "PowerLineFrequency": LINE_FREQUENCY,
            "DewarPosition": "upright",
            "SoftwareFilters": "n/a",
            "HardwareFilters": "n/a",
            "DigitizedLandmarks": True,
            "DigitizedHeadPoints": False,
            "MEGChannelCount": N_MAGNETOMETERS,
            "MEGREFChannelCount": 0,
            "EEGChannelCount": 0,
            "EOGChannelCount": 0,
            "ECGChannelCount": 0,
            "EMGChannelCount": 0,
            "MiscChannelCount": 0,
            "TriggerChannelCount": 1,
            "RecordingDuration": run.n_samples / run.sfreq,
            "RecordingType": "continuous",
            "ContinuousHeadLocalization": False,
        },
    )
    names = meg_info().ch_names
    channels = pd.DataFrame(
        {
            "name": [*names, TRIGGER_CHANNEL],
            "type": ["MEGMAG"] * len(names) + ["TRIG"],
            "units": ["T"] * len(names) + ["V"],
            "sampling_frequency": run.sfreq,
            "low_cutoff": "n/a",
            "high_cutoff": "n/a",
            "status": "good",
        }
    )
    write_table(folder / f"{run.stem}_channels.tsv", channels)
    system = {"Coordinates": _landmarks(), "CoordinateSystem": "ElektaNeuromag"}
    system["CoordinateUnits"] = "m"
    write_json(
        folder / f"sub-{run.subject}_ses-{run.session}_coordsystem.json",
        {
            "MEGCoordinateSystem": "ElektaNeuromag",
            "MEGCoordinateUnits": "m",
            "MEGCoordinateSystemDescription": "x right, y front, origin between the ears",
            **{f"AnatomicalLandmark{key}": value for key, value in system.items()},
        },
    )


def write_nirs(folder: Path, run: Run, probe: Probe) -> None:
    """Write ``nirs.json``, channels, optodes and the coordinate system."""
    session = f"sub-{run.subject}_ses-{run.session}"
    n_channels = len(WAVELENGTHS) * len(probe.channels)
    write_json(
        folder / f"{run.stem}_nirs.json",
        common(run)
        | {
            "SamplingFrequency": run.sfreq,
            "NIRSChannelCount": n_channels,
            "NIRSSourceOptodeCount": len(probe.sources),
            "NIRSDetectorOptodeCount": len(probe.detectors),
            "ShortChannelCount": len(WAVELENGTHS) * int(probe.short.sum()),
            "NIRSPlacementScheme": "n/a",
            "CapManufacturer": "custom-made",
            "CapManufacturersModelName": "n/a",
            "SourceType": "LED",
            "DetectorType": "SiPD",
            "PowerLineFrequency": LINE_FREQUENCY,
            "RecordingDuration": run.n_samples / run.sfreq,
            "RecordingType": "continuous",
            "HardwareFilters": "n/a",
            "SoftwareFilters": "n/a",
        },
    )
    rows = [
        {
            "name": f"S{source + 1}_D{detector + 1} {wavelength:g}",
            "type": "NIRSCWAMPLITUDE",
            "source": f"S{source + 1}",
            "detector": f"D{detector + 1}",
            "wavelength_nominal": wavelength,
            "units": "V",
            "sampling_frequency": run.sfreq,
            "short_channel": str(bool(short)).lower(),
            "status": "good",
        }
        for (source, detector), short in zip(probe.channels, probe.short, strict=True)
        for wavelength in WAVELENGTHS
    ]
    write_table(folder / f"{run.stem}_channels.tsv", pd.DataFrame(rows))
    optodes = [
        {"name": f"{letter}{number}", "type": kind}
        | dict(zip("xyz", place.round(6).tolist(), strict=True))
        for letter, kind, places in (
            ("S", "source", probe.sources),
            ("D", "detector", probe.detectors),
        )
        for number, place in enumerate(places, 1)
    ]
    write_table(folder / f"{session}_optodes.tsv", pd.DataFrame(optodes))
    write_json(
        folder / f"{session}_coordsystem.json",
        {
            "NIRSCoordinateSystem": "CapTrak",
            "NIRSCoordinateUnits": "m",
            "NIRSCoordinateSystemDescription": "x right, y front, origin between the ears",
            "NIRSCoordinateProcessingDescription": "n/a",
            "FiducialsDescription": "the template's",
            "FiducialsCoordinates": _landmarks(),
            "FiducialsCoordinateSystem": "CapTrak",
            "FiducialsCoordinateUnits": "m",
        },
    )


def write_func(folder: Path, run: Run) -> None:
    """Write ``bold.json``."""
    write_json(
        folder / f"{run.stem}_bold.json",
        common(run)
        | {
            "RepetitionTime": fmri.TR,
            "EchoTime": 0.03,
            "FlipAngle": 80,
            "MagneticFieldStrength": 3,
            "MRAcquisitionType": "2D",
            "PulseSequenceType": "Gradient Echo EPI",
            "SliceTiming": fmri.slice_times().round(6).tolist(),
            "SliceEncodingDirection": "k",
            "PhaseEncodingDirection": "j",
            "EffectiveEchoSpacing": 0.0005,
            "TotalReadoutTime": 0.0085,
            "NumberOfVolumesDiscardedByScanner": 0,
        },
    )


def write_derivative(root: Path, run: Run, result: fmri.Bold) -> None:
    """Write the run into ``derivatives/fmriprep`` as fMRIPrep lays it out."""
    from neuropair.pipeline.simulate.files import write_nifti

    space = "space-MNI152NLin2009cAsym"
    folder = root / "derivatives" / "fmriprep" / run.folder
    stem = folder / f"{run.stem}_{space}_desc-preproc_bold"
    write_nifti(stem.with_suffix(".nii.gz"), result.preprocessed, fmri.affine(), fmri.TR)
    write_json(
        stem.with_suffix(".json"),
        {
            "TaskName": run.task,
            "RepetitionTime": fmri.TR,
            "SkullStripped": True,
            "SliceTimingCorrected": True,
            "StartTime": fmri.TR / 2,
            "Sources": [f"bids:raw:{run.folder}/{run.stem}_bold.nii.gz"],
        },
    )
    mask = folder / f"{run.stem}_{space}_desc-brain_mask"
    write_nifti(mask.with_suffix(".nii.gz"), fmri.brain_mask(), fmri.affine())
    write_json(
        mask.with_suffix(".json"),
        {"Type": "Brain", "Sources": [f"bids::{run.folder}/{stem.name}.nii.gz"]},
    )
    table = fmri.confounds(result)
    write_table(folder / f"{run.stem}_desc-confounds_timeseries.tsv", table.round(8))
    described: dict[str, Any] = {
        name: {"Method": "aCompCor", "Mask": "combined", "Retained": True}
        for name in table.columns
        if name.startswith("a_comp_cor")
    }
    write_json(folder / f"{run.stem}_desc-confounds_timeseries.json", described)
