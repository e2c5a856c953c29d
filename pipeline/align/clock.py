"""Two clocks, aligned by the triggers both recorded (tier T1), or an abstention.

The method is that of science.md section 3: vote, refine against a *fixed* physical tolerance,
accept by coverage and ambiguity. Its thresholds come from the physics of triggers and from
simulation (`tests/benchmarks/clock.py`), never from the recordings it is applied to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.pipeline.align.reasons import Abstention
from neuropair.pipeline.align.refine import Fit, affine, debounced, prior, refine, trimming
from neuropair.pipeline.align.vote import Floats, Train, guesses

MAX_SLOPE = 1500e-6
MIN_COVERAGE = 0.4
MAX_AMBIGUITY = 0.8
AMBIGUITY_DISTANCE = 0.25
"""s. Offsets closer than this are one offset."""
MIN_MATCHED = 5
"""With fewer, a fixed interval shifted by one event would pass: 3 of 4 is below 0.8."""
MAX_CHANCE = 1e-3
"""Largest number of alignments as good that unrelated sequences would show."""


@dataclass(frozen=True)
class Clock:
    """The clock of b as a function of the clock of a: affine, with its uncertainty.

    Parameters
    ----------
    centre : float
        Mean time of the aligned events on a's clock, s.
    centre_b : float
        The same on b's clock, s.
    drift_ppm : float
        How much faster b's clock runs, parts per million.
    coverage : float
        Aligned events as a share of the shorter sequence.
    ambiguity : float
        Aligned events at the second best offset over those at the best; 0 if there is no other.
    residual_sd : float
        Of the aligned events, s.
    error_sd : float
        `residual_sd` with what the tolerance hides: the standard error of the clock rests on it, s.
    bias : float
        Constant offset that no trigger can identify, at most: one sample of the slower device, s.
    tolerance : float
        Largest residual of an aligned event, s.
    matched : ndarray of int, shape (n_matched, 2)
        Positions of the aligned events in the arrays given, by time.
    debounced : tuple of int
        Bounces that were set aside, on a and on b.
    sum_squares : float
        Sum of squared distances of the aligned events from `centre`, s².
    """

    centre: float
    centre_b: float
    drift_ppm: float
    coverage: float
    ambiguity: float
    residual_sd: float
    error_sd: float
    bias: float
    tolerance: float
    matched: npt.NDArray[np.int64]
    debounced: tuple[int, int]
    sum_squares: float

    @property
    def offset(self) -> float:
        """Time on b's clock at time 0 of a's clock, s."""
        return self.centre_b - (1 + self.drift_ppm * 1e-6) * self.centre

    @property
    def n_matched(self) -> int:
        """Number of aligned events."""
        return len(self.matched)

    def to_b(self, t: npt.ArrayLike) -> Floats:
        """Time on b's clock of times `t` on a's clock, s."""
        slope = 1 + self.drift_ppm * 1e-6
        return np.asarray(self.centre_b + slope * (np.asarray(t, dtype=float) - self.centre))

    def to_a(self, t: npt.ArrayLike) -> Floats:
        """Time on a's clock of times `t` on b's clock, s."""
        slope = 1 + self.drift_ppm * 1e-6
        return np.asarray(self.centre + (np.asarray(t, dtype=float) - self.centre_b) / slope)

    def half_width(self, t: npt.ArrayLike) -> Floats:
        """Half width of the 95 % interval of `to_b` at times `t` on a's clock, s.

        The interval of a regression line: ``s² (1/n + (t - mean)² / Sxx)``, s being `error_sd`,
        Student's t with n - 2 degrees of freedom. It does not hold the constant `bias`.
        """
        from scipy.special import stdtrit

        n = self.n_matched
        lever = (np.asarray(t, dtype=float) - self.centre) ** 2 / max(self.sum_squares, 1e-12)
        quantile = float(stdtrit(n - 2, 0.975))
        return np.asarray(quantile * self.error_sd * np.sqrt(1 / n + lever))


def align_clocks(
    times_a: npt.ArrayLike,
    codes_a: Sequence[Any] | npt.NDArray[Any],
    times_b: npt.ArrayLike,
    codes_b: Sequence[Any] | npt.NDArray[Any],
    *,
    q: float,
    jitter: float = 0.005,
) -> Clock | Abstention:
    """Align two devices by the triggers that both recorded.

    Parameters
    ----------
    times_a, times_b : array_like, shape (n_a,), (n_b,)
        Onsets on each device's own clock, s, in any order, finite.
    codes_a, codes_b : sequence, shape (n_a,), (n_b,)
        Trigger codes: events of unequal code are never aligned. Null codes take no part. Give one
        constant where there are no codes.
    q : float
        Sample period of the slower device, s.
    jitter : float
        Standard deviation of the trigger's delay, s.

    Returns
    -------
    Clock or Abstention
        Codes of abstention: ``no-shared-triggers``, ``too-few-triggers``, ``implausible-drift``,
        ``low-coverage``, ``ambiguous``, ``chance``.
    """
    both, lost = _trains(times_a, codes_a, times_b, codes_b)
    a, b = both
    shared = np.intersect1d(a.codes, b.codes).size
    sizes = f"{a.times.size} and {b.times.size} triggers"
    if not shared:
        return Abstention(
            f"no-shared-triggers: {sizes} of {np.unique(a.codes).size} and "
            f"{np.unique(b.codes).size} codes, none in common",
            "send the same trigger codes to both devices, or set 'code' in the pairing to a "
            "column that both tables share",
        )
    if min(a.times.size, b.times.size) < MIN_MATCHED:
        return Abstention(
            f"too-few-triggers: {sizes}, {MIN_MATCHED} are needed on either side",
            "record more shared triggers, or give the clock another way",
        )
    tolerance = 0.6 * q + 4 * jitter
    found = _candidates(a, b, q, tolerance)
    return _judge(found, (a, b), lost, q, tolerance, sizes)


def _trains(
    times_a: npt.ArrayLike, codes_a: Any, times_b: npt.ArrayLike, codes_b: Any
) -> tuple[tuple[Train, Train], tuple[int, int]]:
    sides = [
        (np.asarray(times_a, dtype=float), np.asarray(codes_a, dtype=object)),
        (np.asarray(times_b, dtype=float), np.asarray(codes_b, dtype=object)),
    ]
    joint = np.concatenate([codes for _, codes in sides])
    joint = np.array([None if pd.isna(c) else str(c) for c in joint], dtype=object)
    numbers, _ = pd.factorize(joint, sort=True)
    first = sides[0][0].size
    trains, lost = [], []
    for (times, _), codes in zip(sides, (numbers[:first], numbers[first:]), strict=True):
        train, bounces = debounced(times, codes.astype(np.int64))
        trains.append(train)
        lost.append(bounces)
    return (trains[0], trains[1]), (lost[0], lost[1])


def _candidates(a: Train, b: Train, q: float, tolerance: float) -> list[Fit]:
    found = [
        fit
        for guess in guesses(a, b, q)
        if (fit := refine(a, b, guess, tolerance)) is not None and len(fit.pairs)
    ]
    return sorted(found, key=lambda fit: (-len(fit.pairs), fit.offset))


def _judge(
    found: list[Fit],
    trains: tuple[Train, Train],
    lost: tuple[int, int],
    q: float,
    tolerance: float,
    sizes: str,
) -> Clock | Abstention:
    plausible = [fit for fit in found if abs(fit.slope - 1) <= MAX_SLOPE]
    if not plausible:
        return Abstention(
            f"implausible-drift: {sizes}, every offset needs a drift above {MAX_SLOPE * 1e6:.0f} "
            "ppm",
            "check the sampling rates in the sidecars, and that the recordings are of one sitting",
        )
    best = plausible[0]
    a, b = trains
    n = len(best.pairs)
    coverage = n / min(a.times.size, b.times.size)
    at = _shift(best, a)
    others = [len(f.pairs) for f in plausible if abs(_shift(f, a) - at) > AMBIGUITY_DISTANCE]
    ambiguity = max(others, default=0) / n
    if n < MIN_MATCHED or coverage <= MIN_COVERAGE:
        return Abstention(
            f"low-coverage: {n} of {sizes} align within {tolerance * 1e3:.0f} ms, "
            f"coverage {coverage:.2f} (more than {MIN_COVERAGE} and {MIN_MATCHED} are needed)",
            "check that the recordings are of one sitting and that 'code' names the triggers",
        )
    if ambiguity >= MAX_AMBIGUITY:
        return Abstention(
            f"ambiguous: {n} of {sizes} align at the best offset and {max(others)} at another, "
            f"ratio {ambiguity:.2f} (below {MAX_AMBIGUITY} is needed)",
            "give triggers codes that differ, vary the intervals, record a photodiode, or add an "
            "annotation of one common instant to both recordings",
        )
    chance = _chance(best, trains, tolerance)
    if chance > MAX_CHANCE:
        return Abstention(
            f"chance: {n} of {sizes} align, and unrelated sequences show {chance:.2g} such "
            f"alignments (at most {MAX_CHANCE:g} is allowed)",
            "record more shared triggers, or triggers of more codes",
        )
    return _clock(best, trains, lost, coverage, ambiguity, q, tolerance)


def _shift(fit: Fit, a: Train) -> float:
    middle = float((a.times.min() + a.times.max()) / 2)
    return fit.offset + (fit.slope - 1) * middle


def _chance(fit: Fit, trains: tuple[Train, Train], tolerance: float) -> float:
    """Count the alignments as good to expect between unrelated Poisson sequences."""
    from scipy.special import pdtrc

    a, b = trains
    n_codes = int(max(a.codes.max(), b.codes.max())) + 1
    equal = np.bincount(a.codes, minlength=n_codes) @ np.bincount(b.codes, minlength=n_codes)
    span_a, span_b = float(np.ptp(a.times)), float(np.ptp(b.times))
    expected = equal * 2 * tolerance / max(span_a, span_b, tolerance)
    offsets = (span_a + span_b) / tolerance + 1
    slopes = max(1.0, 2 * MAX_SLOPE * min(span_a, span_b) / tolerance)
    return float(pdtrc(len(fit.pairs) - 1, expected) * offsets * slopes)


def _clock(
    fit: Fit,
    trains: tuple[Train, Train],
    lost: tuple[int, int],
    coverage: float,
    ambiguity: float,
    q: float,
    tolerance: float,
) -> Clock:
    """Least squares over the aligned events: their residuals are bounded by the tolerance."""
    a, b = trains
    x, y = a.times[fit.pairs[:, 0]], b.times[fit.pairs[:, 1]]
    centre, weight = float(x.mean()), prior(tolerance)
    offset, slope = affine(x, y, centre, weight, 1)
    residual = y - offset - slope * x
    spread = float(np.sqrt((residual**2).sum() / (x.size - 2)))
    matched = np.column_stack([a.rows[fit.pairs[:, 0]], b.rows[fit.pairs[:, 1]]])
    return Clock(
        centre=centre,
        centre_b=offset + slope * centre,
        drift_ppm=(slope - 1) * 1e6,
        coverage=coverage,
        ambiguity=ambiguity,
        residual_sd=spread,
        error_sd=spread * trimming(residual, tolerance),
        bias=q,
        tolerance=tolerance,
        matched=matched[np.argsort(x, kind="stable")],
        debounced=lost,
        sum_squares=float(((x - centre) ** 2).sum()) + weight,
    )
