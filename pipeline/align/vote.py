"""First guess of a clock: events of equal code vote for the offset between two devices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MAX_DRIFT = 500e-6
"""Quartz in amplifiers is within 100 ppm; five times that covers a wrong nominal rate."""
BEST_OFFSETS = 12
_ALWAYS = 6
"""Offsets tried whatever their votes; further ones need half of the best one's."""
OFFSET_DISTANCE = 0.3
"""s; the vote's peaks are at least this far apart."""
MIN_BIN = 0.02
"""s; a few times the jitter of a parallel port."""
_MAX_VOTES = 500_000
"""Votes in one round: above it, blocks of successive anchors vote (20 ms a drift at this size)."""
_MIN_ANCHORS = 50
_MAX_STEPS = 200
_MAX_BINS = 2_000_000
"""Wider bins rather than more: 20 ms hold eleven hours."""
_BLOCKS = (0.25, 0.5, 0.75)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Train(NamedTuple):
    """Triggers of one device, sorted by code and time.

    Parameters
    ----------
    times : ndarray, shape (n,)
        s.
    codes : ndarray of int, shape (n,)
    rows : ndarray of int, shape (n,)
        Position in the caller's arrays.
    """

    times: Floats
    codes: Integers
    rows: Integers


class Guess(NamedTuple):
    """``b = centre + offset + (1 + drift) * (a - centre)``, trusted within `radius` of centre."""

    centre: float
    offset: float
    drift: float
    radius: float
    bin: float


def guesses(a: Train, b: Train, q: float) -> list[Guess]:
    """Offsets that most events of equal code agree on, best first within each block of anchors.

    Parameters
    ----------
    a, b : Train
        At least one event each.
    q : float
        Sample period of the slower device, s.

    Notes
    -----
    All events of `a` vote if that gives at most 500,000 votes. Else three blocks of successive
    events do, at a quarter, half and three quarters of the recording: a short block needs few
    steps of drift, and three of them survive a gap in the other recording.
    """
    per_code = np.bincount(b.codes, minlength=int(max(a.codes.max(), b.codes.max())) + 1)
    votes = per_code[a.codes]
    by_time = np.argsort(a.times, kind="stable")
    by_time = by_time[votes[by_time] > 0]
    if not by_time.size:
        return []
    if votes.sum() <= _MAX_VOTES:
        return _vote(a, b, by_time, per_code, q)
    found: list[Guess] = []
    size = max(_MIN_ANCHORS, int(_MAX_VOTES / votes[by_time].mean()))
    for share in _BLOCKS:
        first = max(0, min(int(share * by_time.size) - size // 2, by_time.size - size))
        found += _vote(a, b, by_time[first : first + size], per_code, q)
    return found


def _vote(a: Train, b: Train, anchors: Integers, per_code: Integers, q: float) -> list[Guess]:
    times = a.times[anchors]
    centre = float((times.min() + times.max()) / 2)
    radius = float(np.ptp(times) / 2)
    width = max(MIN_BIN, q, 2 * MAX_DRIFT * radius / _MAX_STEPS)
    counts = per_code[a.codes[anchors]]
    starts = np.searchsorted(b.codes, a.codes[anchors])
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    lever = np.repeat(times - centre, counts)
    difference = b.times[np.repeat(starts, counts) + within] - np.repeat(times, counts)
    width = max(width, float(np.ptp(difference)) / _MAX_BINS)

    step = min(MAX_DRIFT, width / radius) if radius > 0 else MAX_DRIFT
    n = int(np.ceil(MAX_DRIFT / step))
    drifts = sorted(np.linspace(-MAX_DRIFT, MAX_DRIFT, 2 * n + 1), key=lambda d: (abs(d), d))
    low = float(difference.min()) - MAX_DRIFT * radius - width
    size = int((difference.max() + MAX_DRIFT * radius + width - low) / width) + 2
    best = np.zeros(size - 1, dtype=np.int64)
    at = np.zeros(size - 1)
    for drift in drifts:
        bins = ((difference - drift * lever - low) / width).astype(np.int64)
        histogram = np.bincount(bins, minlength=size)
        both = histogram[:-1] + histogram[1:]
        better = both > best
        best[better] = both[better]
        at[better] = drift
    return [
        Guess(centre, low + (peak + 1) * width, float(at[peak]), radius, width)
        for peak in _peaks(best, max(1, round(OFFSET_DISTANCE / width)))
    ]


def _peaks(votes: Integers, apart: int) -> list[int]:
    left = votes.copy()
    least = int(votes.max()) / 2
    found: list[int] = []
    while len(found) < BEST_OFFSETS:
        peak = int(left.argmax())
        if left[peak] <= 0 or (len(found) >= _ALWAYS and left[peak] < least):
            break
        found.append(peak)
        left[max(0, peak - apart) : peak + apart + 1] = 0
    return found
