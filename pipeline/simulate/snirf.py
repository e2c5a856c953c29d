"""SNIRF 1.1 (github.com/fNIRS/snirf), continuous wave, through h5py."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuropair.pipeline.simulate.optodes import WAVELENGTHS, Probe

if TYPE_CHECKING:
    import h5py

_CONTINUOUS_WAVE = 1


def write_snirf(
    path: Path,
    intensity: NDArray[np.float64],
    sfreq: float,
    probe: Probe,
    markers: pd.DataFrame,
    subject: str,
    started: datetime.datetime,
) -> None:
    """Write intensities.

    Parameters
    ----------
    path : Path
    intensity : array, shape (wavelength, channel, time)
        V.
    sfreq : float
        Hz.
    probe : Probe
        m, head frame.
    markers : pandas.DataFrame
        ``onset``, ``duration`` in s, ``trial_type`` and ``value``.
    subject : str
    started : datetime.datetime
        UTC.
    """
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", track_order=False) as file:
        _write(file, "formatVersion", "1.1")
        tags = {
            "SubjectID": subject,
            "MeasurementDate": started.strftime("%Y-%m-%d"),
            "MeasurementTime": started.strftime("%H:%M:%SZ"),
            "LengthUnit": "m",
            "TimeUnit": "s",
            "FrequencyUnit": "Hz",
        }
        for name, value in tags.items():
            _write(file, f"nirs/metaDataTags/{name}", value)
        # MNE: 4 is its head frame, which the positions are in
        _write(file, "nirs/metaDataTags/MNE_coordFrame", np.array([4], dtype="i4"))
        n_wavelengths, n_channels, n_samples = intensity.shape
        # wavelengths of a channel side by side, as MNE wants its pairs
        series = intensity.transpose(2, 1, 0).reshape(n_samples, n_channels * n_wavelengths)
        _write(file, "nirs/data1/dataTimeSeries", series.astype(np.float32))
        _write(file, "nirs/data1/time", np.arange(n_samples) / sfreq)
        for number in range(n_channels * n_wavelengths):
            source, detector = probe.channels[number // n_wavelengths]
            fields = {
                "sourceIndex": source + 1,
                "detectorIndex": detector + 1,
                "wavelengthIndex": number % n_wavelengths + 1,
                "dataType": _CONTINUOUS_WAVE,
                "dataTypeIndex": 1,
            }
            for name, field in fields.items():
                _write(file, f"nirs/data1/measurementList{number + 1}/{name}", np.int32(field))
            _write(file, f"nirs/data1/measurementList{number + 1}/dataUnit", "V")
        _write_probe(file, probe)
        for number, (kind, rows) in enumerate(markers.groupby("trial_type", sort=True), 1):
            _write(file, f"nirs/stim{number}/name", str(kind))
            values = rows[["onset", "duration", "value"]].to_numpy(dtype=np.float64)
            _write(file, f"nirs/stim{number}/data", values)


def _write_probe(file: h5py.File, probe: Probe) -> None:
    _write(file, "nirs/probe/wavelengths", np.array(WAVELENGTHS))
    _write(file, "nirs/probe/sourcePos3D", probe.sources)
    _write(file, "nirs/probe/detectorPos3D", probe.detectors)
    _write(file, "nirs/probe/sourceLabels", [f"S{i + 1}" for i in range(len(probe.sources))])
    _write(file, "nirs/probe/detectorLabels", [f"D{i + 1}" for i in range(len(probe.detectors))])


def _write(file: h5py.File, name: str, value: object) -> None:
    # without time stamps, so that equal content is equal bytes
    file.create_dataset(name, data=value, track_times=False)
