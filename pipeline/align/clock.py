"""Two clocks, aligned by the triggers both recorded (tier T1), or an abstention.

The method is that of science.md section 3: vote, refine against a *fixed* physical tolerance,
accept by coverage and ambiguity. Its thresholds come from the physics of triggers and from
simulation (`tests/benchmarks/clock.py`), never from the recordings it is applied to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.pipeline.align.judge import MIN_COVERAGE, MIN_MATCHED, low_coverage
from neuropair.pipeline.align.misread import other_unit, reversed_time
from neuropair.pipeline.align.reasons import Abstention
from neuropair.pipeline.align.refine import affine, alone, debounced, mutual, prior, trimming
from neuropair.pipeline.align.restarts import Piece, aligned, pieces
from neuropair.pipeline.align.segment import Clock, Segment
from neuropair.pipeline.align.vote import Floats, Integers, Train
from neuropair.schemas.errors import NeuropairError

__all__ = ["Clock", "Segment", "align_clocks"]

MAX_REACH = 2.0
"""Jitter found on an accepted clock counts up to this multiple of the jitter stated: two devices
that both jitter as stated show sqrt(2) of it."""


MAX_SEGMENTS = 3
"""A device restarts once in a sitting, or twice. Two sittings of one schedule in blocks, with
pauses that people end, align block by block: evidence of the schedule, and none of a clock."""


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
        Onsets on each device's own clock, s, in any order.
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
        Codes of abstention: ``not-finite``, ``no-shared-triggers``, ``too-few-triggers``,
        ``other-unit``, ``reversed-time``, ``implausible-drift``, ``low-coverage``, ``ambiguous``,
        ``chance``, ``restarts``.

    Raises
    ------
    NeuropairError
        If times and codes differ in number, or `q` or `jitter` is no positive number.

    Examples
    --------
    >>> times = [3.0, 5.1, 8.3, 9.2, 14.0, 15.7, 19.9, 22.0]
    >>> clock = align_clocks(times, "ABABBAAB", [t + 40 for t in times], "ABABBAAB", q=0.001)
    >>> round(float(clock.to_b(10.0)), 6)
    50.0
    """
    given = _checked(times_a, codes_a, times_b, codes_b, q, jitter)
    if isinstance(given, Abstention):
        return given
    both, lost = _trains(*given)
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
        rows = f"of {given[0].size} and {given[2].size} rows, bounces set aside"
        return Abstention(
            f"too-few-triggers: {sizes} {rows}, {MIN_MATCHED} are needed on either side",
            "record more shared triggers, or give the clock another way",
        )

    def align(x: Train, y: Train) -> Clock | Abstention:
        return _align(x, y, lost, q, jitter)

    # seconds held against milliseconds share next to no offset: the likelier reading first
    odd = other_unit(a, b, q, align)
    if odd is not None:
        return odd
    found = align(a, b)
    return found if isinstance(found, Clock) else reversed_time(a, b, align) or found


def _checked(
    times_a: npt.ArrayLike,
    codes_a: Any,
    times_b: npt.ArrayLike,
    codes_b: Any,
    q: float,
    jitter: float,
) -> tuple[Any, Any, Any, Any] | Abstention:
    sides = []
    for name, times, codes in (("a", times_a, codes_a), ("b", times_b, codes_b)):
        values = np.asarray(times, dtype=float).ravel()
        labels = np.empty(len(codes), dtype=object)
        labels[:] = list(codes)
        if values.size != labels.size:
            raise NeuropairError(
                f"side {name} has {values.size} times and {labels.size} codes.",
                where="align_clocks",
                remedy="give one code a trigger",
            )
        sides += [values, labels]
    for name, value in (("q", q), ("jitter", jitter)):
        if not (np.isfinite(value) and value > 0):
            raise NeuropairError(
                f"{name} is {value}.", where="align_clocks", remedy="give a positive number of s"
            )
    bad = [int((~np.isfinite(times)).sum()) for times in (sides[0], sides[2])]
    if any(bad):
        return Abstention(
            f"not-finite: {bad[0]} of {sides[0].size} and {bad[1]} of {sides[2].size} onsets are "
            "no finite number",
            "mend the onsets in the events tables, or exclude those rows in the recipe",
        )
    return sides[0], sides[1], sides[2], sides[3]


def _trains(
    times_a: Floats, codes_a: Any, times_b: Floats, codes_b: Any
) -> tuple[tuple[Train, Train], tuple[int, int]]:
    joint = np.concatenate([codes_a, codes_b])
    joint = np.array([None if pd.isna(c) else str(c) for c in joint], dtype=object)
    numbers, _ = pd.factorize(joint, sort=True)
    codes = numbers.astype(np.int64)
    a, lost_a = debounced(times_a, codes[: times_a.size])
    b, lost_b = debounced(times_b, codes[times_a.size :])
    return (a, b), (lost_a, lost_b)


def _align(
    a: Train, b: Train, lost: tuple[int, int], q: float, jitter: float
) -> Clock | Abstention:
    tolerance = 0.6 * q + 4 * jitter
    found, refused = pieces(a, b, q, tolerance)
    if not found:
        assert refused is not None
        return refused
    if len(found) > MAX_SEGMENTS:
        return Abstention(
            f"restarts: the triggers align in {len(found)} stretches with a step between any two "
            f"(at most {MAX_SEGMENTS} are taken for a device that restarted): two sittings of one "
            "schedule look like this",
            "check that the recordings are of one sitting, or split the recording that lost "
            "samples where it did",
        )
    segments = tuple(_segment(piece, a, b, q, jitter) for piece in found)
    n = sum(segment.n_matched for segment in segments)
    coverage = n / min(a.times.size, b.times.size)
    if coverage <= MIN_COVERAGE:
        sizes = f"{a.times.size} and {b.times.size} triggers in {len(segments)} segments"
        return low_coverage(n, sizes, coverage, tolerance)
    return Clock(segments, coverage=coverage, bias=q, debounced=lost)


def _segment(piece: Piece, a: Train, b: Train, q: float, jitter: float) -> Segment:
    """Least squares over the aligned events: their residuals are bounded by the tolerance."""
    tolerance = 0.6 * q + 4 * jitter
    weight = prior(tolerance)
    mine, there, pairs = aligned(piece, a, b, tolerance)
    x, residual, (offset, slope) = _line(mine, there, pairs, weight)
    reach = 0.6 * q + 4 * _jitter(residual, tolerance, q, jitter)
    if reach > tolerance:
        pairs = mutual(mine, there, offset, slope, reach)
    fitted = alone(mine, there, pairs, 2 * reach)
    x, residual, (offset, slope) = _line(mine, there, fitted, weight)
    at = mine.times[pairs[:, 0]]
    centre = float(x.mean())
    spread = float(np.sqrt((residual**2).sum() / (x.size - 2)))
    return Segment(
        start=piece.start if np.isinf(piece.start) else float(at.min()),
        stop=piece.stop if np.isinf(piece.stop) else float(at.max()),
        centre=centre,
        centre_b=offset + slope * centre,
        drift_ppm=(slope - 1) * 1e6,
        n_a=mine.times.size,
        n_b=there.times.size,
        ambiguity=piece.verdict.ambiguity,
        chance=piece.verdict.chance,
        n_fitted=x.size,
        residual_sd=spread,
        error_sd=spread * trimming(residual, reach),
        tolerance=reach,
        matched=np.column_stack([mine.rows[pairs[:, 0]], there.rows[pairs[:, 1]]])[
            np.argsort(at, kind="stable")
        ],
        sum_squares=float(((x - centre) ** 2).sum()) + weight,
    )


def _line(
    a: Train, b: Train, pairs: Integers, weight: float
) -> tuple[Floats, Floats, tuple[float, float]]:
    x, y = a.times[pairs[:, 0]], b.times[pairs[:, 1]]
    offset, slope = affine(x, y, float(x.mean()), weight, 1)
    return x, y - offset - slope * x, (offset, slope)


def _jitter(residual: Floats, tolerance: float, q: float, jitter: float) -> float:
    """Jitter of an accepted clock, from the one stated to `MAX_REACH` times it.

    The clock was accepted against the fixed tolerance; only then may events that jitter more be
    its events, too. A tolerance that adapts *before* accepts an alignment that is off by one.
    """
    widened = float(np.sqrt((residual**2).mean())) * trimming(residual, tolerance)
    own = np.sqrt(max(0.0, widened**2 - q**2 / 12))
    return float(np.clip(own, jitter, MAX_REACH * jitter))
