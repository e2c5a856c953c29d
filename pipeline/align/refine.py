"""A guessed clock, refined against a fixed tolerance: mutual nearest neighbours, robust fit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from neuropair.pipeline.align.vote import MAX_DRIFT, Floats, Guess, Integers, Train

DEBOUNCE = 0.05
"""s. Events of one code closer than this are bounces (science.md section 3)."""
_HUBER = 1.345
"""95 % efficient under normal noise (Huber 1981)."""


_MIN_ALONE = 5
"""As many as an alignment needs."""


class Fit(NamedTuple):
    """``b = offset + slope * a``, and the events that it aligns."""

    offset: float
    slope: float
    pairs: Integers
    """Shape (n, 2): positions in the trains."""


def debounced(times: Floats, codes: Integers) -> tuple[Train, int]:
    """Sort into a train, without codes below 0 and bounces; and the number of bounces."""
    index = np.flatnonzero((codes >= 0) & np.isfinite(times))
    index = index[np.lexsort((index, times[index], codes[index]))]
    times, codes = times[index], codes[index]
    keep = np.ones(index.size, dtype=bool)
    close = np.flatnonzero((np.diff(codes) == 0) & (np.diff(times) < DEBOUNCE)) + 1
    last = -1
    for row in close.tolist():
        if keep[row - 1]:
            last = row - 1
        keep[row] = times[row] - times[last] >= DEBOUNCE
    return Train(times[keep], codes[keep], index[keep]), int((~keep).sum())


def refine(a: Train, b: Train, guess: Guess, tolerance: float) -> Fit | None:
    """Widen the span from the anchors to all events, then shrink to the fixed tolerance."""
    middle = float((a.times.min() + a.times.max()) / 2)
    far = float(np.abs(a.times - guess.centre).max())
    slope = 1 + guess.drift
    offset = guess.centre + guess.offset - slope * guess.centre
    radius, wide = max(guess.radius, 1e-9), 2 * guess.bin + tolerance
    weight = prior(tolerance)
    previous: Integers | None = None
    for _ in range(40):
        inside = np.abs(a.times - guess.centre) <= radius
        pairs = mutual(a, b, offset, slope, wide, inside)
        if not len(pairs):
            return None
        offset, slope = affine(a.times[pairs[:, 0]], b.times[pairs[:, 1]], middle, weight, 3)
        if radius < far:
            radius *= 2
        elif wide > tolerance:
            wide = max(tolerance, wide * 0.6)
        elif previous is not None and np.array_equal(pairs, previous):
            break
        else:
            previous = pairs
    return Fit(offset, slope, mutual(a, b, offset, slope, tolerance))


def mutual(
    a: Train,
    b: Train,
    offset: float,
    slope: float,
    tolerance: float,
    inside: npt.NDArray[np.bool_] | None = None,
) -> Integers:
    """Mutual nearest neighbours of equal code, closer than the tolerance; of a only those inside.

    Returns
    -------
    ndarray of int, shape (n, 2)
        Positions in the trains.
    """
    rows = np.arange(a.times.size) if inside is None else np.flatnonzero(inside)
    mapped = offset + slope * a.times[rows]
    low = min(float(mapped.min()), float(b.times.min()))
    gap = 2 * (max(float(mapped.max()), float(b.times.max())) - low) + 1
    key_a = a.codes[rows] * gap + (mapped - low)
    key_b = b.codes * gap + (b.times - low)
    to_b, to_a = _nearest(key_a, key_b), _nearest(key_b, key_a)
    mutual = to_a[to_b] == np.arange(rows.size)
    close = np.abs(key_b[to_b] - key_a) <= tolerance
    keep = np.flatnonzero(mutual & close)
    return np.column_stack([rows[keep], to_b[keep]])


def alone(a: Train, b: Train, pairs: Integers, distance: float) -> Integers:
    """Keep the pairs whose events have no other event of their code within `distance`, s.

    Of two events within the tolerance the nearer is aligned, whichever is the right one. That pulls
    a line towards where it was (a duplicate 0.1 s late is nearest exactly when its stamp was cut
    down by 0.1 s), and makes its residuals smaller than its error. On simulated trains with up to
    40 % damage 95 % intervals covered 93 % with all pairs and 95 % with these; with damage on both
    sides 88 and 90 %. Where hardly an event is alone, all are kept.
    """
    free = _apart(a, distance)[pairs[:, 0]] & _apart(b, distance)[pairs[:, 1]]
    return pairs[free] if free.sum() >= max(_MIN_ALONE, len(pairs) / 4) else pairs


def _apart(train: Train, distance: float) -> npt.NDArray[np.bool_]:
    close = (np.diff(train.codes) == 0) & (np.diff(train.times) <= distance)
    crowded = np.zeros(train.times.size, dtype=bool)
    crowded[:-1] |= close
    crowded[1:] |= close
    return ~crowded


def _nearest(points: Floats, among: Floats) -> Integers:
    right = np.minimum(np.maximum(np.searchsorted(among, points), 1), among.size - 1)
    left = np.maximum(right - 1, 0)
    nearer_left = points - among[left] <= among[right] - points
    return np.where(nearer_left, left, right).astype(np.int64)


def prior(tolerance: float) -> float:
    """Weight of "no drift" in the fit, s².

    Drift is within `MAX_DRIFT`; a recording too short to say more than that keeps this knowledge.
    It is as a normal prior of that width, for residuals of half the tolerance: nothing beside the
    10⁹ s² of an hour of triggers.
    """
    return float((tolerance / 2 / MAX_DRIFT) ** 2)


def affine(x: Floats, y: Floats, middle: float, prior: float, rounds: int) -> tuple[float, float]:
    """Fit ``y - x`` as an affine function of `x`; with Huber's weights after the first round."""
    lever, shift = x - middle, y - x
    weights = np.ones(x.size)
    if x.size < 3:
        return float(np.median(shift)), 1.0
    offset = drift = 0.0
    for _ in range(rounds):
        total = weights.sum()
        mean_x, mean_y = (weights @ lever) / total, (weights @ shift) / total
        spread = weights @ (lever - mean_x) ** 2
        drift = float(weights @ ((lever - mean_x) * (shift - mean_y)) / (spread + prior))
        offset = float(mean_y - drift * mean_x)
        residual = np.abs(shift - offset - drift * lever)
        # a partition and not numpy's median, which takes half of the whole alignment's time
        middling = float(np.partition(residual, x.size // 2)[x.size // 2])
        scale = _HUBER * max(1.4826 * middling, 1e-6)
        weights = np.minimum(1.0, scale / np.maximum(residual, 1e-12))
    return offset - drift * middle, 1 + drift


def trimming(residual: Floats, tolerance: float) -> float:
    """By how much the tolerance makes the fit less certain than its residuals look.

    Events beyond the tolerance are not aligned, so a shift of the clock takes events in at one edge
    and loses them at the other. The standard error of such a trimmed fit is that of its residuals
    over ``1 - 2 T f(T) / F``, T the tolerance, f the density at it, F the share within (Huber 1981,
    section 3.3). f comes from a normal of the residuals' truncated spread, and is no more than what
    lies in the outer tenth: residuals of a slow sampler are uniform and end before the tolerance.
    """
    from scipy.optimize import brentq
    from scipy.special import erf

    def edge(z: float) -> float:
        return float(2 * z * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) / erf(z / np.sqrt(2)))

    ratio = float((residual**2).mean()) / tolerance**2
    low, high = 0.5, 8.0

    def gap(z: float) -> float:
        return (1 - edge(z)) / z**2 - ratio

    if gap(low) <= 0:
        z = low
    elif gap(high) >= 0:
        return 1.0
    else:
        z = float(brentq(gap, low, high))
    outer = float((np.abs(residual) > 0.9 * tolerance).mean()) / 0.1
    return 1 / (1 - min(edge(z), outer, 0.8))
