"""Which samples of a recording make up a window: the nearest ones, never interpolated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-6
"""Share of a sample that is rounding of clocks: a tie within it goes to the earlier sample."""
_JITTER = 1.5
"""Steps of up to this many samples are jitter of the clock; longer ones are gaps."""


@dataclass(frozen=True)
class Extent:
    """Windows of one kind: their onsets, and the samples they reach over.

    Parameters
    ----------
    kind : str
        event or sliding.
    onsets : ndarray, shape (window,)
        s, on the recording's clock.
    first, last : int
        First and last sample, counted from the onset.
    """

    kind: str
    onsets: NDArray[np.float64]
    first: int
    last: int


@dataclass(frozen=True)
class Frames:
    """The samples of every window.

    Parameters
    ----------
    time : ndarray, shape (time,)
        Common axis, s from the onset: whole samples, over the extents of all kinds.
    index : ndarray of int, shape (window, time)
        Nearest sample of the recording; to be used where `recorded`.
    recorded : ndarray of bool, shape (window, time)
        A sample was taken within half a sample of that time.
    own : ndarray of bool, shape (window, time)
        The time lies in the extent of the window's kind.
    clipped : ndarray of bool, shape (window,)
        The window reaches over an end of the recording.
    offset : ndarray, shape (window,)
        Median of what the samples' true time differs from onset + `time`, s.
    """

    time: NDArray[np.float64]
    index: NDArray[np.intp]
    recorded: NDArray[np.bool_]
    own: NDArray[np.bool_]
    clipped: NDArray[np.bool_]
    offset: NDArray[np.float64]


def sample_range(tmin: float, tmax: float, sfreq: float) -> tuple[int, int]:
    """First and last whole sample within [tmin, tmax], counted from the onset.

    Examples
    --------
    >>> sample_range(-0.2, 1.0, 200.0)
    (-40, 200)
    >>> sample_range(-4.0, 20.0, 1 / 2.5)
    (-1, 8)
    """
    first = int(np.ceil(tmin * sfreq - _ROUNDING))
    return first, max(first, int(np.floor(tmax * sfreq + _ROUNDING)))


def nearest_frames(times: NDArray[np.float64], sfreq: float, extents: Sequence[Extent]) -> Frames:
    """Find the sample nearest to every time of every window.

    A haemodynamic frame and an EEG sample alike keep the values that were recorded: a window
    starts at the sample nearest to its onset, at most half a sample off, and `Frames.offset` says
    by how much.

    Parameters
    ----------
    times : ndarray, shape (sample,)
        Acquisition times of the recording, s, increasing.
    sfreq : float
        Hz, nominal; the step of the windows' axis.
    extents : sequence of Extent
        In the order in which the windows are stored.
    """
    counts = np.arange(
        min(extent.first for extent in extents), max(extent.last for extent in extents) + 1
    )
    onsets = np.concatenate([extent.onsets for extent in extents])
    own = np.concatenate(
        [
            np.tile((counts >= extent.first) & (counts <= extent.last), (len(extent.onsets), 1))
            for extent in extents
        ]
    )
    targets = onsets[:, None] + counts / sfreq
    if not len(times):
        nothing = np.zeros(targets.shape, bool)
        index = np.zeros(targets.shape, np.intp)
        return Frames(
            counts / sfreq, index, nothing, own, np.asarray(own.any(axis=1)), np.zeros(len(onsets))
        )
    reach = _half_step(times, sfreq)
    index = _nearest(times, targets, _ROUNDING / sfreq)
    distance = times[index] - targets
    outside = (targets < times[0] - reach) | (targets > times[-1] + reach)
    recorded = np.abs(distance) <= reach
    return Frames(
        time=counts / sfreq,
        index=index,
        recorded=recorded,
        own=own,
        clipped=np.asarray((outside & own).any(axis=1)),
        offset=_median(distance, recorded & own),
    )


def _nearest(
    times: NDArray[np.float64], targets: NDArray[np.float64], tie: float
) -> NDArray[np.intp]:
    right = np.clip(np.searchsorted(times, targets), 0, len(times) - 1)
    left = np.maximum(right - 1, 0)
    is_left = np.abs(targets - times[left]) <= np.abs(times[right] - targets) + tie
    return np.where(is_left, left, right)


def _half_step(times: NDArray[np.float64], sfreq: float) -> float:
    steps = np.diff(times)
    jitter = steps[steps < _JITTER / sfreq]
    widest = max(1 / sfreq, float(jitter.max(initial=0.0)))
    return widest * (0.5 + _ROUNDING)


def _median(values: NDArray[np.float64], where: NDArray[np.bool_]) -> NDArray[np.float64]:
    medians = [
        float(np.median(row[keep])) if keep.any() else 0.0
        for row, keep in zip(values, where, strict=True)
    ]
    return np.array(medians, float)
