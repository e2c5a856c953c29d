"""Read an electrical recording with MNE, and keep what the reader says."""

from __future__ import annotations

import threading
import warnings
from typing import TYPE_CHECKING, Any

from neuropair.pipeline.signals.base import inside
from neuropair.pipeline.signals.integrity import check_size
from neuropair.pipeline.types import Dataset, Loss, Recording
from neuropair.schemas.errors import DatasetError

if TYPE_CHECKING:
    from mne.io import BaseRaw

# warnings.catch_warnings changes the process; two recordings are read by two threads at a time
_READING = threading.Lock()


def read_raw(dataset: Dataset, recording: Recording) -> tuple[BaseRaw, list[Loss]]:
    """Open a recording without loading its samples. Nothing is written.

    `mne.io.read_raw` and not `mne_bids.read_raw_bids`. That takes 6 to 23 ms longer (23 real EEG
    recordings, warm), which would not matter; but, in mne-bids 0.20, it

    - puts a lock file into the dataset, beside the JSON sidecar, where filelock is installed (torch
      brings it);
    - replaces the file's annotations by events.tsv, and with them its BAD_ spans;
    - fails on faults of events, scans and participants tables and on a byte-order mark in the JSON
      (ValueError, KeyError, TypeError); what is wrong with them does not concern the signal;
    - applies nothing of channels.tsv if it has the channels in another order or spelling
      (`neuropair.pipeline.signals.channels` matches them by name).

    mne-bids finds what lies beside the signal: coordinate systems and calibration files.

    Returns
    -------
    raw : mne.io.BaseRaw
        Not preloaded.
    losses : list of Loss
        What the size check and the reader flagged.

    Raises
    ------
    DatasetError
        If the file is missing, truncated, or of a format that MNE does not read.
    """
    import mne

    losses = check_size(dataset, recording.path)
    raw, messages = _recorded(
        lambda: mne.io.read_raw(inside(dataset, recording.path), preload=False, verbose="WARNING"),
        str(dataset.root / recording.path),
    )
    losses += [
        Loss("signal", "file", "flagged", 1, f"reader: {message}", str(recording.path))
        for message in messages
    ]
    return raw, losses + _shorter_than_said(raw, recording)


def load(raw: BaseRaw, where: str) -> None:
    """Load the samples of the picked channels into memory.

    Raises
    ------
    DatasetError
        If the file breaks off or its samples cannot be decoded.
    """
    _recorded(lambda: raw.load_data(verbose="WARNING"), where)


def _recorded(action: Any, where: str) -> tuple[Any, list[str]]:
    """Run a reader; return what it gives and the different messages it warned with, in order."""
    with _READING, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = action()
        except Exception as error:
            raise DatasetError(
                f"cannot be read ({type(error).__name__}: {error}).",
                where=where,
                remedy="fetch the file and those it names again; MNE must be able to read it",
            ) from error
    # MNE warns in the name of its caller, which is this file
    messages = [str(w.message) for w in caught if w.filename == __file__]
    return result, list(dict.fromkeys(messages))


def _shorter_than_said(raw: BaseRaw, recording: Recording) -> list[Loss]:
    said = recording.sidecar.get("RecordingDuration")
    if not isinstance(said, (int, float)) or isinstance(said, bool):
        return []
    duration = raw.n_times / raw.info["sfreq"]
    # RecordingDuration is rounded in many sidecars, and stands for all runs in inherited ones
    if said - duration <= max(1.0, 0.01 * said):
        return []
    reason = f"lasts {duration:.1f} s, its sidecar says RecordingDuration {said} s"
    return [Loss("signal", "file", "flagged", 1, reason, str(recording.path))]
