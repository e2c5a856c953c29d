"""Where an alignment ends because a device restarted, and what holds beyond.

A stretch is cut where the events of *both* devices go on and stop falling together. What is left
on either side is aligned by itself, so that every segment of a clock rests on its own events. A
step too small to part events from their partners is found in the residuals.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from neuropair.pipeline.align.cuts import CHANCE_RATE, Piece, between, parted, subset
from neuropair.pipeline.align.judge import MIN_MATCHED, Verdict, candidates, implausible, judge
from neuropair.pipeline.align.reasons import Abstention
from neuropair.pipeline.align.refine import Fit, affine, mutual, prior
from neuropair.pipeline.align.vote import Floats, Integers, Train

CUT_CHANCE = 1e-6
"""A tail is cut off if so few of its events would align with this probability, at the rate at which
the rest aligns. Small because the worst tail of some hundred is looked at."""
ALIGNED_RATE = 0.55
"""Share of events that align within a segment. Between it and `CHANCE_RATE`, at a third, an event
speaks neither way: below the 0.4 that is accepted, above the 0.25 that four codes show."""
STEP_T = 7.0
"""t of a step in the residuals: 1e-8 times some thousand places it could stand at."""


def pieces(a: Train, b: Train, q: float, tolerance: float) -> tuple[list[Piece], Abstention | None]:
    """Find the lines that hold, in order of time, and why there is none.

    Parameters
    ----------
    a, b : Train
        At least one event each.
    q, tolerance : float
        Sample period of the slower device and largest residual, s.
    """
    found, refused = _search(a, b, q, tolerance)
    split = [part for piece in found for part in _at_steps(piece, a, b, q, tolerance)]
    return _joined(sorted(split, key=_start), a, b, q, tolerance), refused


def aligned(piece: Piece, a: Train, b: Train, tolerance: float) -> tuple[Train, Train, Integers]:
    """Events of both devices within a piece, and the positions of those that align."""
    mine = between(a, piece.start, piece.stop)
    ends = piece.offset + piece.slope * np.array([piece.start, piece.stop])
    there = between(b, ends[0] - tolerance, ends[1] + tolerance)
    if not mine.times.size or not there.times.size:
        return mine, there, np.zeros((0, 2), dtype=np.int64)
    return mine, there, mutual(mine, there, piece.offset, piece.slope, tolerance)


def _search(
    a: Train, b: Train, q: float, tolerance: float
) -> tuple[list[Piece], Abstention | None]:
    sizes = f"{a.times.size} and {b.times.size} triggers"
    fits = candidates(a, b, q, tolerance)
    if not fits:
        return [], implausible(sizes)
    best = fits[0]
    verdict = judge(fits, a, b, tolerance)
    ends = _holds(fits, a, b)
    if verdict.refused is not None and _stretch(ends, a, b, q, tolerance) is None:
        # tails are looked at beside a stretch that stands by itself: else unrelated trains would be
        # searched again and again
        return [], verdict.refused
    ends, beyond = _tails(ends, best, a, b, q, tolerance)
    if ends.before is None and ends.after is None:
        if verdict.refused is not None:
            return [], verdict.refused
        return [Piece(best.offset, best.slope, -np.inf, np.inf, verdict)], None
    piece = _stretch(ends, a, b, q, tolerance)
    if piece is None:
        return beyond, verdict.refused or low_ends(verdict, sizes)
    return sorted([*beyond, piece], key=_start), None


def _stretch(ends: Ends, a: Train, b: Train, q: float, tolerance: float) -> Piece | None:
    """Align the stretch within the ends by itself; None also where there are no ends."""
    if ends.before is None and ends.after is None:
        return None
    start = -np.inf if ends.before is None else ends.low
    stop = np.inf if ends.after is None else ends.high
    return _piece(start, stop, a, b, q, tolerance, tries=a.times.size**2 / 2)


def _tails(
    ends: Ends, best: Fit, a: Train, b: Train, q: float, tolerance: float
) -> tuple[Ends, list[Piece]]:
    """Align what is beyond the ends; an unsure end beyond which nothing aligns is none."""
    free = np.ones(b.times.size, dtype=bool)
    free[best.pairs[:, 1]] = False
    beyond: list[Piece] = []
    for tail, number in ((ends.before, 0), (ends.after, 1)):
        if tail is None:
            continue
        mine, there = subset(a, tail.mask), subset(b, free)
        more = _search(mine, there, q, tolerance)[0] if there.times.size else []
        if more and number == 0:
            more[-1] = more[-1]._replace(stop=min(more[-1].stop, float(mine.times.max())))
        elif more:
            more[0] = more[0]._replace(start=max(more[0].start, float(mine.times.min())))
        elif not tail.sure:
            ends = ends._replace(before=None) if number == 0 else ends._replace(after=None)
        beyond += more
    return ends, sorted(beyond, key=_start)


def _start(piece: Piece) -> float:
    return piece.start


def low_ends(verdict: Verdict, sizes: str) -> Abstention:
    """Abstain where the events align as a whole and no stretch of them does by itself."""
    return Abstention(
        f"low-coverage: {sizes} align in part, and no stretch of them is evidence by itself "
        f"(ambiguity {verdict.ambiguity:.2f}, chance {verdict.chance:.2g})",
        "check that no device restarted every few events, and that 'code' names the triggers",
    )


def _piece(
    start: float, stop: float, a: Train, b: Train, q: float, tolerance: float, tries: float
) -> Piece | None:
    """Align the events of a from `start` to `stop` anew, and judge them by themselves."""
    mine = between(a, start, stop)
    if mine.times.size < MIN_MATCHED:
        return None
    fits = candidates(mine, b, q, tolerance)
    if not fits:
        return None
    ends = fits[0].offset + fits[0].slope * np.array([start, stop])
    there = between(b, ends[0] - tolerance, ends[1] + tolerance)
    if not there.times.size:
        return None
    verdict = judge(fits, mine, there, tolerance, tries)
    if verdict.refused is not None:
        return None
    return Piece(fits[0].offset, fits[0].slope, start, stop, verdict)


class Tail(NamedTuple):
    """Events of a beyond the stretch that an alignment holds for.

    Whether it is `sure` that it ends there: b goes on in the same order, without alignment. Else b
    may simply have stopped, unless the tail aligns elsewhere.
    """

    mask: npt.NDArray[np.bool_]
    sure: bool


class Ends(NamedTuple):
    """Stretch on a's clock that an alignment holds for; a tail is None if it holds to that end."""

    low: float
    high: float
    before: Tail | None
    after: Tail | None


def _holds(fits: list[Fit], a: Train, b: Train) -> Ends:
    """Find where the best alignment holds.

    The events of the shorter sequence, in order of time, count for or against it; the stretch of
    highest sum is where it holds (Kadane's; the maximum-likelihood segment of two Bernoulli rates).
    """
    best = fits[0]
    side = 0 if a.times.size <= b.times.size else 1
    times = (a, b)[side].times
    partner = np.full(times.size, np.nan)
    partner[best.pairs[:, side]] = a.times[best.pairs[:, 0]]
    partner = partner[np.argsort(times, kind="stable")]
    hit = np.isfinite(partner)
    first, last = _best_stretch(hit, _chance_rate(fits, hit.size))
    low, high = np.sort(partner[[first, last]]).tolist()
    rate = float(hit[first : last + 1].mean())
    there = best.offset + best.slope * np.array([low, high])
    paired, free = a.times[best.pairs[:, 0]], b.times.size - len(best.pairs)
    tails: list[Tail | None] = []
    for mask, hits, others in (
        (a.times < low, int((paired < low).sum()), int((b.times < there[0]).sum())),
        (a.times > high, int((paired > high).sum()), int((b.times > there[1]).sum())),
    ):
        ended = _ends(hits, min(int(mask.sum()), free + hits), rate)
        sure = ended and _ends(hits, min(int(mask.sum()), others), rate)
        tails.append(Tail(mask, sure) if ended else None)
    return Ends(low, high, tails[0], tails[1])


def _chance_rate(fits: list[Fit], size: int) -> float:
    shares = [len(fit.pairs) / size for fit in fits[1:]]
    return float(np.clip(np.median(shares) if shares else 0, CHANCE_RATE, 0.5))


def _best_stretch(hit: npt.NDArray[np.bool_], chance: float) -> tuple[int, int]:
    rate = max(ALIGNED_RATE, chance + 0.3)
    score = np.where(hit, np.log(rate / chance), np.log((1 - rate) / (1 - chance)))
    total = np.concatenate([[0.0], np.cumsum(score)])
    lowest = np.minimum.accumulate(total)
    last = int(np.argmax(total[1:] - lowest[:-1]))
    first = int(np.argmin(total[: last + 1]))
    return first, last


def _ends(hits: int, size: int, rate: float) -> bool:
    """Whether so few hits among `size` events beyond a stretch say that it ends there."""
    from scipy.special import bdtr

    if size < MIN_MATCHED:
        return False
    return bool(bdtr(float(hits), int(size), min(rate, 0.99)) < CUT_CHANCE)


def step(x: Floats, y: Floats, weight: float) -> tuple[int, float, float]:
    """Find the likeliest step in ``y - x`` beside an affine clock.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Times of aligned events on either clock, by time, s; at least ten.
    weight : float
        Weight of "no drift", s² (`prior`).

    Returns
    -------
    first : int
        First event after the step.
    size : float
        s.
    t : float
        Size over its standard error.

    Notes
    -----
    Least squares of an offset, a drift and a step behind each event in turn: the step's regressor
    made orthogonal to the other two, all places in one pass.
    """
    n = x.size
    offset, slope = affine(x, y, float(x.mean()), weight, 1)
    residual, lever = y - offset - slope * x, x - x.mean()
    spread = max(float((lever**2).sum()) + weight, 1e-12)
    after = np.arange(n - 1, 0, -1)
    tail = np.cumsum(residual[::-1])[::-1][1:]
    tilt = np.cumsum(lever[::-1])[::-1][1:]
    norm = np.maximum(after * (1 - after / n) - tilt**2 / spread, 1e-9)
    sizes = tail / norm
    inner = slice(MIN_MATCHED - 1, n - MIN_MATCHED)
    gain = (tail**2 / norm)[inner]
    place = int(np.argmax(gain))
    left = max(float((residual**2).sum()) - float(gain[place]), 1e-18) / max(1, n - 3)
    return place + MIN_MATCHED, float(sizes[inner][place]), float(np.sqrt(gain[place] / left))


def _at_steps(piece: Piece, a: Train, b: Train, q: float, tolerance: float) -> list[Piece]:
    """Split a piece at steps larger than a residual may be; each part must stand by itself."""
    mine, there, pairs = aligned(piece, a, b, tolerance)
    if len(pairs) < 2 * MIN_MATCHED:
        return [piece]
    x, y = mine.times[pairs[:, 0]], there.times[pairs[:, 1]]
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    first, size, t = step(x, y, prior(tolerance))
    if abs(size) <= _smallest(q, tolerance) or t < STEP_T:
        return [piece]
    parts = [
        _piece(piece.start, x[first - 1], a, b, q, tolerance, tries=x.size),
        _piece(x[first], piece.stop, a, b, q, tolerance, tries=x.size),
    ]
    return [
        further
        for part in parts
        if part is not None
        for further in _at_steps(part, a, b, q, tolerance)
    ]


def _smallest(q: float, tolerance: float) -> float:
    """Smallest step that is a restart's, s: what jitter and one step of the stamps cannot do.

    Intervals that are multiples of the stamps' step drift across it all at once (measured on fixed
    intervals of 2 s and steps of 0.2 s: one recording in ten shows a step of `q`).
    """
    return tolerance + 0.4 * q


def _joined(found: list[Piece], a: Train, b: Train, q: float, tolerance: float) -> list[Piece]:
    """Join neighbours that are one clock."""
    kept: list[Piece] = []
    for piece in found:
        if not kept:
            kept.append(piece)
            continue
        last = kept[-1]
        both = _one_clock(last, piece, a, b, q, tolerance)
        if both is None:
            kept[-1:] = parted(*_meet(last, piece, a, b, tolerance), a, b, tolerance)
        else:
            kept[-1] = both
    return kept


def _meet(left: Piece, right: Piece, a: Train, b: Train, tolerance: float) -> tuple[Piece, Piece]:
    """Let two pieces reach towards each other, to where their events fit either line best."""
    mine = between(a, left.stop, right.start)
    if not mine.times.size:
        return left, right
    fits = np.zeros((2, mine.times.size))
    for row, piece in zip(fits, (left, right), strict=True):
        pairs = mutual(mine, b, piece.offset, piece.slope, tolerance)
        mapped = piece.offset + piece.slope * mine.times[pairs[:, 0]]
        row[pairs[:, 0]] = 1 - (np.abs(b.times[pairs[:, 1]] - mapped) / tolerance) ** 2
    order = np.argsort(mine.times, kind="stable")
    times, (of_left, of_right) = mine.times[order], fits[:, order]
    gain = np.cumsum(of_left)[:-1] + (of_right.sum() - np.cumsum(of_right)[:-1])
    if not gain.size:
        return left, right
    last = int(np.argmax(gain))
    left_hits = times[: last + 1][of_left[: last + 1] > 0]
    right_hits = times[last + 1 :][of_right[last + 1 :] > 0]
    stop = max(left.stop, left_hits.max(initial=left.stop))
    start = min(right.start, right_hits.min(initial=right.start))
    return left._replace(stop=float(stop)), right._replace(start=float(start))


def _one_clock(
    left: Piece, right: Piece, a: Train, b: Train, q: float, tolerance: float
) -> Piece | None:
    parts = [aligned(piece, a, b, tolerance) for piece in (left, right)]
    x = np.concatenate([mine.times[pairs[:, 0]] for mine, _, pairs in parts])
    y = np.concatenate([there.times[pairs[:, 1]] for _, there, pairs in parts])
    middle = float(x.mean())
    n = len(parts[0][2])
    after = (np.arange(x.size) >= n).astype(float)
    design = np.column_stack([np.ones(x.size), x - middle, after])
    # the prior keeps the slope of short pieces within what quartz does
    design = np.vstack([design, [0.0, np.sqrt(prior(tolerance)), 0.0]])
    coefficients = np.linalg.lstsq(design, np.append(y - x, 0.0), rcond=None)[0]
    if abs(coefficients[2]) > _smallest(q, tolerance):
        return None
    offset, slope = affine(x, y, middle, prior(tolerance), 3)
    worse = max(left.verdict, right.verdict, key=lambda verdict: verdict.ambiguity)
    return Piece(offset, slope, left.start, right.stop, worse)
