"""How long a recording is, from the first kilobytes of its file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from neuropair.schemas.errors import DatasetError


def duration(path: Path | None, sidecar: Mapping[str, Any]) -> float | None:
    """Tell a recording's length, by its header if that is here and cheap to read.

    Parameters
    ----------
    path : Path or None
        The signal file; None if it is not here.
    sidecar : mapping
        The JSON sidecar; its ``RecordingDuration`` counts where there is no header.

    Returns
    -------
    float or None
        s; None if neither tells.

    Raises
    ------
    DatasetError
        If the header cannot be read.
    """
    said = sidecar.get("RecordingDuration")
    if path is None:
        return float(said) if isinstance(said, int | float) else None
    name = path.name.lower()
    try:
        if name.endswith((".nii", ".nii.gz")):
            return _nifti(path, sidecar.get("RepetitionTime"))
        for endings, read in _READERS.items():
            if name.endswith(endings):
                return read(path)
    except Exception as error:
        raise DatasetError(
            f"its header cannot be read ({error}).",
            where=str(path),
            remedy="fetch the file again; it may be truncated",
        ) from error
    return float(said) if isinstance(said, int | float) else None


def _edf(path: Path) -> float:
    """Read EDF, EDF+ and BDF: bytes 236 to 252 hold number and length of the data records.

    Source: Kemp & Olivan 2003, Clin Neurophysiol 114:1755 (EDF+), same header as EDF.
    """
    with path.open("rb") as opened:
        opened.seek(236)
        records, seconds = int(opened.read(8)), float(opened.read(8))
    if records < 0:
        raise ValueError("the number of data records is not given")
    return records * seconds


def _nifti(path: Path, repetition_time: float | None) -> float:
    """Count volumes; the sidecar's repetition time goes before the header's, as in BIDS."""
    import nibabel

    header: Any = nibabel.load(path).header
    volumes: int = header.get_data_shape()[3]
    return float(volumes * (repetition_time or header.get_zooms()[3]))


def _snirf(path: Path) -> float:
    """Read the time vector, which is all times or (start, step) by the SNIRF specification."""
    import h5py

    with h5py.File(path) as opened:
        time = opened["nirs/data1/time"]
        samples = int(opened["nirs/data1/dataTimeSeries"].shape[0])
        implicit = time.shape[0] == 2
        step = float(time[1] if implicit else (time[-1] - time[0]) / (samples - 1))
        return samples * step


def _mne(path: Path) -> float:
    import mne

    with contextlib.closing(mne.io.read_raw(path, preload=False, verbose="error")) as raw:
        return float(raw.n_times / raw.info["sfreq"])


_READERS: Mapping[tuple[str, ...], Callable[[Path], float]] = {
    (".edf", ".bdf"): _edf,
    (".snirf",): _snirf,
    (".fif", ".vhdr"): _mne,
}
