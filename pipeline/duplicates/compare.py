"""Two schedules laid over each other: offset, drift, residual, and whether responses are equal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from neuropair.pipeline.duplicates.index import Candidate
from neuropair.pipeline.duplicates.schedule import TIGHT, Bools, Floats, Integers, Schedule

MAX_SLOPE = 5000e-6
"""Clocks differ by less than 1,500 ppm (science.md section 3); a schedule that is counted in frames
is played by the screen, and 59.7 Hz in place of 60 are 5,000 ppm."""
LATENCY_TOLERANCE = 1.5e-3
"""s. Three residual SD of a duplicate (0.5 ms, science.md section 1.6)."""
SHIFT = 0.1
"""s. Largest difference of a constant delay between stimuli and responses: a projector's 34 ms,
with room for slower screens."""
CHANCE = 1e-6
"""Equal responses have to be this unlikely for two people who saw one schedule; a corpus of 1,000
recordings with one schedule has 5e5 pairs."""
LEAST_RESPONSES = 5
_HOPELESS = 0.25
"""Share of stimuli below which no better line will make the half that is asked for."""
_LAGS = 5
_CLOSE = 2e-3
"""s. Where the clock fits better than this, residuals up to this are kept for its spread."""


@dataclass(frozen=True)
class Comparison:
    """How two schedules fit.

    Parameters
    ----------
    n_events : int
        Stimuli of a that are found in b.
    n_tight : int
        Those within `TIGHT` of the line.
    share : float
        Of the shorter schedule.
    offset : float
        Median onset in b minus in a, s.
    drift, drift_interval : float
        Slope of b's clock against a's, less 1, and the half width of its 95 % interval.
    residual_sd : float
        Of the matched onsets, s, those set aside that lie 4 robust SD off.
    responses : str
        equal, differ, or unknown.
    n_responses, n_equal : int
        Responses that both have to a matched stimulus, and equal ones.
    """

    n_events: int
    n_tight: int
    share: float
    offset: float
    drift: float
    drift_interval: float
    residual_sd: float
    responses: Literal["equal", "differ", "unknown"]
    n_responses: int
    n_equal: int


@dataclass(frozen=True)
class _Line:
    at: float
    value: float
    slope: float

    def __call__(self, times: Floats) -> Floats:
        return np.asarray(times + self.value + self.slope * (times - self.at))


def compare(a: Schedule, b: Schedule, seen: Candidate) -> Comparison:
    """Match the stimuli of two schedules, starting from the places where they look alike."""
    within = min(a.tolerance, b.tolerance)
    within = max(within, a.step, b.step)
    line = _fit(seen.times_a, seen.times_b, None)
    i, j = _match(a.onsets, b.onsets, line, within)
    for _ in range(4):
        if i.size < max(2, _HOPELESS * min(len(a.onsets), len(b.onsets))):
            break
        line = _fit(a.onsets[i], b.onsets[j], within)
        i, j = _match(a.onsets, b.onsets, line, within)
    share = i.size / min(len(a.onsets), len(b.onsets))
    if i.size < 2 or share < _HOPELESS:
        return Comparison(int(i.size), 0, share, line.value, 0.0, np.inf, np.inf, "unknown", 0, 0)
    x, y = a.onsets[i], b.onsets[j]
    line, residual, kept = _robust(x, y)
    spread = float(np.sqrt(np.sum((x[kept] - x[kept].mean()) ** 2)))
    sd = float(np.sqrt(np.mean(residual[kept] ** 2) * kept.sum() / max(kept.sum() - 2, 1)))
    # stamps on a grid cannot show less than the grid's own error
    floor = np.sqrt((a.step**2 + b.step**2) / 12)
    same, n, equal = _responses(a, b, i, j)
    return Comparison(
        n_events=int(i.size),
        n_tight=int((np.abs(residual) <= TIGHT).sum()),
        share=share,
        offset=float(np.median(y - x)),
        drift=line.slope,
        drift_interval=1.96 * max(sd, float(floor)) / spread if spread else np.inf,
        residual_sd=sd,
        responses=same,
        n_responses=n,
        n_equal=equal,
    )


def _fit(x: Floats, y: Floats, within: float | None) -> _Line:
    """Least squares through differences, outliers of the first fit set aside."""
    d = y - x
    keep = np.ones(x.size, dtype=bool)
    line = _Line(float(x.mean()), float(np.median(d)), 0.0)
    for _ in range(3):
        at = float(x[keep].mean())
        spread = float(np.sum((x[keep] - at) ** 2))
        value = float(d[keep].mean())
        slope = float(np.sum((x[keep] - at) * (d[keep] - value)) / spread) if spread > 0 else 0.0
        line = _Line(at, value, float(np.clip(slope, -MAX_SLOPE, MAX_SLOPE)))
        off = np.abs(y - line(x))
        limit = max(4 * 1.4826 * float(np.median(off)), 1e-3 if within is None else within / 10)
        inside = off <= limit
        if inside.sum() < max(2, x.size // 2):
            break
        keep = inside
    return line


def _robust(x: Floats, y: Floats) -> tuple[_Line, Floats, Bools]:
    line = _fit(x, y, None)
    residual = y - line(x)
    limit = max(4 * 1.4826 * float(np.median(np.abs(residual))), _CLOSE)
    return line, residual, np.abs(residual) <= limit


def _match(a: Floats, b: Floats, line: _Line, within: float) -> tuple[Integers, Integers]:
    """Mutual nearest neighbours within the tolerance."""
    there = line(a)
    j = _nearest(b, there)
    back = _nearest(there, b)
    good = (np.abs(b[j] - there) <= within) & (back[j] == np.arange(a.size))
    return np.flatnonzero(good), j[good]


def _nearest(sorted_values: Floats, wanted: Floats) -> Integers:
    right = np.searchsorted(sorted_values, wanted).clip(1, max(sorted_values.size - 1, 1))
    if sorted_values.size < 2:
        return np.zeros(wanted.size, dtype=np.int64)
    left = right - 1
    nearer = np.abs(wanted - sorted_values[left]) <= np.abs(sorted_values[right] - wanted)
    return np.where(nearer, left, right).astype(np.int64)


def _responses(
    a: Schedule, b: Schedule, i: Integers, j: Integers
) -> tuple[Literal["equal", "differ", "unknown"], int, int]:
    """Compare latencies stimulus by stimulus, against those of the stimuli that follow.

    Latencies of another person agree as often as those of other trials do; the test is binomial.
    """
    from scipy.special import bdtrc

    la, lb = a.latencies[i], b.latencies[j]
    both = np.isfinite(la) & np.isfinite(lb)
    n = int(both.sum())
    if n < LEAST_RESPONSES:
        return "unknown", n, 0
    la, lb = la[both], lb[both]
    within = max(LATENCY_TOLERANCE, a.step, b.step)
    equal, shift = _most_equal(lb - la, within)
    lags = range(1, min(_LAGS, n - 1) + 1)
    others = [_equal_at(lb[lag:] - la[:-lag], shift, within) for lag in lags]
    trials = sum(n - lag for lag in lags)
    chance = (sum(others) + 1) / (trials + 1)
    unlikely = float(bdtrc(equal - 1, n, chance)) if equal else 1.0
    if unlikely < CHANCE and equal >= n / 2:
        return "equal", n, equal
    # a copy keeps its responses: half of them equal by chance leaves it open, fewer do not
    return ("differ" if equal < n / 2 else "unknown"), n, equal


def _most_equal(differences: Floats, within: float) -> tuple[int, float]:
    near = np.sort(differences[np.abs(differences) <= SHIFT])
    if not near.size:
        return 0, 0.0
    upto = np.searchsorted(near, near + 2 * within, side="right") - np.arange(near.size)
    best = int(np.argmax(upto))
    return int(upto[best]), float(near[best] + within)


def _equal_at(differences: Floats, shift: float, within: float) -> int:
    return int((np.abs(differences - shift) <= within + 1e-12).sum())
