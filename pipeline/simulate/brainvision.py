"""BrainVision, as Brain Products' core data format 1.0 says: header, markers, int16 samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

RESOLUTION = 1e-7
"""V a bit: +-3.3 mV, and rounding noise of 0.03 uV."""


def write_brainvision(
    header: Path,
    data: NDArray[np.float64],
    names: Sequence[str],
    sfreq: float,
    markers: pd.DataFrame,
    started: str,
) -> None:
    """Write ``.vhdr``, ``.vmrk`` and ``.eeg``.

    Parameters
    ----------
    header : Path
        The ``.vhdr``.
    data : array, shape (channel, time)
        V. Clipped to what 16 bits hold, as an amplifier does.
    names : sequence of str
    sfreq : float
        Hz.
    markers : pandas.DataFrame
        ``onset`` in s and ``value``, by onset.
    started : str
        ``yyyymmddhhmmssuuuuuu``.
    """
    header.parent.mkdir(parents=True, exist_ok=True)
    limit = np.iinfo(np.int16).max
    bits = np.clip(np.round(data / RESOLUTION), -limit, limit).astype("<i2")
    header.with_suffix(".eeg").write_bytes(np.ascontiguousarray(bits.T).tobytes())
    header.write_text(_header(header, names, sfreq), encoding="utf-8")
    header.with_suffix(".vmrk").write_text(
        _markers(header, sfreq, markers, started), encoding="utf-8"
    )


def _header(header: Path, names: Sequence[str], sfreq: float) -> str:
    channels = "\n".join(
        f"Ch{number}={name},,{RESOLUTION * 1e6:g},µV" for number, name in enumerate(names, 1)
    )
    return f"""BrainVision Data Exchange Header File Version 1.0

[Common Infos]
Codepage=UTF-8
DataFile={header.with_suffix(".eeg").name}
MarkerFile={header.with_suffix(".vmrk").name}
DataFormat=BINARY
DataOrientation=MULTIPLEXED
NumberOfChannels={len(names)}
SamplingInterval={1e6 / sfreq:g}

[Binary Infos]
BinaryFormat=INT_16

[Channel Infos]
{channels}
"""


def _markers(header: Path, sfreq: float, markers: pd.DataFrame, started: str) -> str:
    lines = [f"Mk1=New Segment,,1,1,0,{started}"]
    positions = np.round(markers["onset"].to_numpy() * sfreq).astype(int) + 1
    for number, (position, value) in enumerate(zip(positions, markers["value"], strict=True), 2):
        lines.append(f"Mk{number}=Stimulus,S{value:3d},{position},1,0")
    listed = "\n".join(lines)
    return f"""BrainVision Data Exchange Marker File, Version 1.0

[Common Infos]
Codepage=UTF-8
DataFile={header.with_suffix(".eeg").name}

[Marker Infos]
{listed}
"""
