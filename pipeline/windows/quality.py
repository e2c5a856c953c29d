"""What is known about the quality of every window."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from neuropair.schemas.kinds import Modality
from neuropair.schemas.signals import Signals

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_ARTEFACT_SHARE = 0.5
"""Of the good channels above the threshold, or of the recorded samples masked."""


def artefact_thresholds(settings: Signals) -> Mapping[str, float]:
    """Channel type -> peak to peak above which a window of it is an artefact, SI units."""
    return {
        "eeg": settings.eeg.artefact_peak_to_peak,
        "mag": settings.meg.artefact_peak_to_peak_mag,
        "grad": settings.meg.artefact_peak_to_peak_grad,
        "hbo": settings.fnirs.artefact_peak_to_peak,
        "hbr": settings.fnirs.artefact_peak_to_peak,
    }


def peak_to_peak(signal: NDArray[np.float32], valid: Bools) -> NDArray[np.float32]:
    """Range over the valid samples of every window and channel.

    Parameters
    ----------
    signal : ndarray, shape (window, channel, time)
    valid : ndarray of bool, shape (window, time)

    Returns
    -------
    ndarray, shape (window, channel)
        0 where no sample is valid.
    """
    found = np.zeros(signal.shape[:2], np.float32)
    for window, keep in enumerate(valid):
        if keep.any():
            found[window] = np.ptp(signal[window][:, keep], axis=-1)
    return found


def has_artefact(
    ranges: NDArray[np.float32], channel_valid: Bools, thresholds: Floats, masked_share: Floats
) -> Bools:
    """Flag windows by the modality's criterion.

    A window is an artefact if more than half of its valid channels exceed their threshold, or if
    more than half of its recorded samples are masked (scrubbed volumes, bad segments).

    Parameters
    ----------
    ranges, channel_valid : ndarray, shape (window, channel)
    thresholds : ndarray, shape (channel,)
        NaN for channels that have none (fMRI).
    masked_share : ndarray, shape (window,)
    """
    judged = channel_valid & np.isfinite(thresholds)
    high = judged & (ranges > np.nan_to_num(thresholds, nan=np.inf))
    too_high = high.sum(axis=1) > _ARTEFACT_SHARE * judged.sum(axis=1)
    flagged: Bools = too_high | (masked_share > _ARTEFACT_SHARE)
    return flagged


def typical_range(
    ranges: NDArray[np.float32], channel_valid: Bools, types: NDArray[np.str_], modality: Modality
) -> Floats:
    """Median range over the valid channels, NaN without any.

    MEG has two units: magnetometers are taken where there are any.
    """
    if modality is Modality.MEG and (channel_valid & (types == "mag")).any():
        channel_valid = channel_valid & (types == "mag")
    return np.array(
        [
            float(np.median(row[keep])) if keep.any() else np.nan
            for row, keep in zip(ranges, channel_valid, strict=True)
        ],
        float,
    )


def overlapping(onsets: Floats, length: float) -> Bools:
    """Whether another onset lies closer than `length`.

    Examples
    --------
    >>> overlapping(np.array([0.0, 1.0, 3.0]), 1.5).tolist()
    [True, True, False]
    """
    order = np.argsort(onsets, kind="stable")
    close = np.diff(onsets[order]) < length * (1 - 1e-9)
    flags = np.zeros(len(onsets), bool)
    flags[order[:-1]] |= close
    flags[order[1:]] |= close
    return flags


def neighbours(onsets: Floats, events: Floats) -> tuple[Floats, Floats]:
    """Time since the event before, and to the event after, each onset; NaN without one."""
    ordered = np.concatenate([[-np.inf], np.sort(events), [np.inf]])
    before = ordered[np.searchsorted(ordered, onsets, side="right") - 1]
    after = ordered[np.searchsorted(ordered, onsets, side="right")]
    return _finite(onsets - before), _finite(after - onsets)


def event_neighbours(onsets: Floats) -> tuple[Floats, Floats]:
    """Time since the event before, and to the event after, each event; NaN at the ends.

    Examples
    --------
    >>> [side.tolist() for side in event_neighbours(np.array([1.0, 3.0, 3.0]))]
    [[nan, 2.0, 0.0], [2.0, 0.0, nan]]
    """
    order = np.argsort(onsets, kind="stable")
    gaps = np.diff(onsets[order])
    before, after = np.full(len(onsets), np.nan), np.full(len(onsets), np.nan)
    before[order[1:]], after[order[:-1]] = gaps, gaps
    return before, after


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)
