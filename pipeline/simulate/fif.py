"""FIF through MNE, with calibrated int16 samples and without the writing machine's traces."""

from __future__ import annotations

import datetime
import struct
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuropair.pipeline.simulate.heads import meg_info

BIT = 1e-15
"""T a bit: +-33 pT, and rounding noise of 0.3 fT."""
TRIGGER_CHANNEL = "STI101"
_PULSE = 0.02
_TAG = struct.Struct(">iiii")
_ID_STRUCT = 31  # FIFFT_ID_STRUCT: version, machine (2 x int32), seconds, microseconds


def write_fif(
    path: Path,
    data: NDArray[np.float64],
    sfreq: float,
    markers: pd.DataFrame,
    started: datetime.datetime,
) -> None:
    """Write magnetometers and a trigger channel.

    Parameters
    ----------
    path : Path
    data : array, shape (channel, time)
        T.
    sfreq : float
        Hz.
    markers : pandas.DataFrame
        ``onset`` in s and ``value``.
    started : datetime.datetime
        UTC.
    """
    import mne

    info = meg_info().copy()
    trigger = mne.create_info([TRIGGER_CHANNEL], sfreq, "stim", verbose="error")["chs"][0]
    with info._unlock():
        for channel in info["chs"]:
            # 'short' rounds to calibration steps; without one synthetic channels come out as zeros
            channel["cal"] = BIT
        info["chs"].append(trigger)
        info["sfreq"] = sfreq
        info["lowpass"] = sfreq / 2
    info._update_redundant()
    info["description"] = "Simulated"
    info["line_freq"] = 50.0
    info.set_meas_date(started)
    codes = np.zeros((1, data.shape[1]))
    for onset, value in zip(markers["onset"], markers["value"], strict=True):
        first = round(onset * sfreq)
        codes[0, first : first + max(1, round(_PULSE * sfreq))] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = mne.io.RawArray(np.concatenate([data, codes]), info, verbose="error")
    raw.save(path, fmt="short", overwrite=True, verbose="error")
    path.write_bytes(_without_machine(path.read_bytes()))


def _without_machine(content: bytes) -> bytes:
    """Blank what a FIF file tells of the machine and the moment it was written."""
    blanked = bytearray(content)
    at = 0
    while at + _TAG.size <= len(content):
        _, kind, size, _ = _TAG.unpack_from(content, at)
        if kind == _ID_STRUCT and size == 20:
            start = at + _TAG.size
            blanked[start + 4 : start + 20] = bytes(16)
        at += _TAG.size + size
    return bytes(blanked)
