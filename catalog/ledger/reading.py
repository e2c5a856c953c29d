"""Features of windows: means over time bins of EEG and MEG, single-trial estimates of blood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from neuropair.catalog.ledger.paired import Floats, Ints
from neuropair.catalog.stream.recording import RecordingReader
from neuropair.schemas import layout
from neuropair.schemas.kinds import Modality

BINS = 10
"""Time bins of a window: 120 ms each of EEG and MEG at -0.2 to 1.0 s, the width of a component."""
MOST_CHANNELS = 2000
"""Voxels beyond are thinned out evenly: 64 components are taken of them."""
_AT_ONCE = 256


def common_channels(channels: Mapping[str, Sequence[tuple[str, str]]]) -> list[str]:
    """Channels that every recording stores and half of them have good, sorted.

    Parameters
    ----------
    channels : Mapping
        Recording -> (name, status) of its stored channels, in stored order.
    """
    stored = [{name for name, _ in own} for own in channels.values()]
    good = [name for own in channels.values() for name, status in own if status == "good"]
    names, counts = np.unique(np.array(good, dtype=object).astype(str), return_counts=True)
    often = {str(name) for name in names[counts * 2 >= len(stored)]}
    kept = sorted(often.intersection(*stored)) if stored else []
    step = -(-len(kept) // MOST_CHANNELS) if kept else 1
    return kept[::step]


def features(
    reader: RecordingReader,
    modality: Modality,
    channels: Sequence[tuple[str, str]],
    wanted: Sequence[str],
    windows: Ints,
    span: tuple[float, float],
) -> Floats:
    """Features of windows of one recording.

    Parameters
    ----------
    reader : RecordingReader
    modality : Modality
    channels : sequence of (name, status)
        Stored channels of the recording, in stored order.
    wanted : sequence of str
    windows : array of int, shape (window,)
    span : (float, float)
        What the bins share out, s from the event; blood has no bins.

    Returns
    -------
    array, shape (window, feature)
        Channel by channel. NaN where a channel is bad, a bin holds no valid sample, or the
        recording has no single-trial estimate of the window.
    """
    row_of = {name: row for row, (name, _) in enumerate(channels)}
    rows = np.array([row_of[name] for name in wanted])
    is_good = np.array([channels[row][1] == "good" for row in rows])
    if modality.is_haemodynamic:
        if not reader.has(layout.BETA):
            return np.full((len(windows), len(rows)), np.nan)
        values = reader.rows(layout.BETA, windows)[:, rows].astype(float)
        bins = 1
    else:
        values = _binned(reader, rows, windows, span)
        bins = BINS
    seen = reader.rows(layout.CHANNEL_VALID, windows)[:, rows] & is_good
    masked: Floats = np.where(np.repeat(seen, bins, axis=1), values, np.nan)
    return masked


def _binned(
    reader: RecordingReader, rows: Ints, windows: Ints, span: tuple[float, float]
) -> Floats:
    time = reader.whole("time").astype(float)
    # the last sample belongs to the last bin
    bin_of = np.floor((time - span[0]) / max(span[1] - span[0], 1e-9) * BINS * (1 - 1e-9))
    inside = (time >= span[0] - 1e-9) & (time <= span[1] + 1e-9)
    member = (bin_of[None] == np.arange(BINS)[:, None]) & inside
    parts = []
    for start in range(0, len(windows), _AT_ONCE):
        chosen = windows[start : start + _AT_ONCE]
        signal = reader.signal(chosen)[:, rows].astype(float)
        valid = reader.rows(layout.VALID, chosen)[:, None, :]
        weight = valid * member[None]
        sums = np.einsum("wct,wbt->wcb", signal, weight, optimize=True)
        counts = weight.sum(2)[:, None, :]
        means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
        if reader.has(layout.BASELINE):
            level = reader.rows(layout.BASELINE, chosen)[:, rows]
            means -= np.nan_to_num(level)[..., None]
        parts.append(means.reshape(len(chosen), -1))
    binned: Floats = np.concatenate(parts)
    return binned
