"""Drop as few pairs as needed until the sides are alike in the mean, pool by pool.

The caliper bounds the difference in each pair; where all pairs differ in one direction, their
mean differs, too. science.md section 8 asks for |SMD| < 0.1 in every subject.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropair.pipeline.align.types import Bools, Floats, Integers


@dataclass(frozen=True)
class Balanced:
    """What balancing did.

    Parameters
    ----------
    keep : ndarray of bool, shape (n_pairs,)
    refused : dict
        Pools that it would cost more than the bound, and were kept whole: pairs that were dropped
        when it gave up, of how many.
    """

    keep: Bools
    refused: dict[int, tuple[int, int]]


def balanced(x: Floats, y: Floats, pool: Integers, max_smd: float, max_dropped: float) -> Balanced:
    """Choose the pairs to keep.

    Parameters
    ----------
    x, y : ndarray, shape (n_pairs, n_covariates)
        Covariates of side a and b of each pair; NaN unknown.
    pool : ndarray of int, shape (n_pairs,)
    max_smd : float
        Every covariate's absolute SMD is to be below this.
    max_dropped : float
        Largest share of a pool's pairs that may be dropped.
    """
    keep = np.ones(pool.size, dtype=bool)
    refused: dict[int, tuple[int, int]] = {}
    if not x.size:
        return Balanced(keep, refused)
    order = np.argsort(pool, kind="stable")
    pools, first = np.unique(pool[order], return_index=True)
    for name, rows in zip(pools.tolist(), np.split(order, first[1:]), strict=True):
        most = int(max_dropped * rows.size)
        dropped = _to_drop(x[rows], y[rows], max_smd, most)
        if dropped is None:
            refused[name] = (most, rows.size)
        else:
            keep[rows[dropped]] = False
    return Balanced(keep, refused)


class _Sums:
    """Sums of the kept pairs, from which the SMD follows without another pass."""

    def __init__(self, x: Floats, y: Floats) -> None:
        self._sides = [_moments(side) for side in (x, y)]
        self._now = [part.sum(axis=1) for part in self._sides]

    def move(self, pairs: Integers, sign: int) -> None:
        """Take pairs out (-1) or in again (+1)."""
        for side in (0, 1):
            self._now[side] = self._now[side] + sign * self._sides[side][:, pairs].sum(axis=1)

    def smd(self) -> tuple[Floats, Floats]:
        """Give the signed SMD of each covariate, and the SD it is in; 0 and 1 where not defined."""
        (n, one, two), (m, other, three) = self._now
        enough = (n > 1) & (m > 1)
        safe_n, safe_m = np.maximum(n, 2), np.maximum(m, 2)
        variance = (two - one**2 / safe_n) / (safe_n - 1)
        variance = variance + (three - other**2 / safe_m) / (safe_m - 1)
        sd = np.sqrt(np.maximum(variance, 0.0) / 2)
        difference = one / safe_n - other / safe_m
        level = enough & (sd > 1e-12)
        unequal = enough & ~level & (np.abs(difference) > 1e-12)
        sd = np.where(level, sd, 1.0)
        return np.where(level, difference / sd, np.where(unequal, np.inf, 0.0)), sd


def _moments(values: Floats) -> Floats:
    """Count, value and square of each pair's covariates, shape (3, n_pairs, n_covariates)."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    return np.stack([known.astype(float), filled, filled**2])


def _to_drop(x: Floats, y: Floats, max_smd: float, most: int) -> Integers | None:
    """Pairs to drop; None if more than `most` would be.

    With one covariate, taking the pairs that pull hardest is the least that does it; with several,
    what pulls hardest on all that differ is taken, and what proves needless is put back.
    """
    both = np.concatenate([x, y])
    known = np.isfinite(both)
    # from the mean, for squares of large numbers lose the small ones
    centre = np.where(known, both, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    x, y = x - centre, y - centre
    sums = _Sums(x, y)
    pull = np.nan_to_num(x - y, nan=0.0)
    kept = np.ones(len(x), dtype=bool)
    dropped: list[int] = []
    while True:
        value, sd = sums.smd()
        beyond = np.abs(value) >= max_smd
        if not beyond.any():
            break
        if not np.isfinite(value).all():
            return None
        gain = (pull / sd) @ np.where(beyond, value - np.sign(value) * max_smd, 0.0)
        gain[~kept] = -np.inf
        n = int(kept.sum())
        # no fewer than this: as if each dropped pair pulled as hard as the hardest
        hardest = np.abs(pull[kept] / sd).max(axis=0)[beyond]
        excess = (np.abs(value) - max_smd)[beyond] * n
        needed = int(np.max(excess / np.maximum(hardest, 1e-12)))
        batch = np.argsort(-gain, kind="stable")[: max(1, needed)]
        batch = batch[gain[batch] > 0]
        if not batch.size or len(dropped) + batch.size > most:
            return None
        sums.move(batch, -1)
        kept[batch] = False
        dropped += batch.tolist()
    needless = _needless(sums, dropped, max_smd)
    return np.array([pair for pair in dropped if pair not in needless], dtype=np.int64)


def _needless(sums: _Sums, dropped: list[int], max_smd: float) -> set[int]:
    back: set[int] = set()
    for pair in reversed(dropped):
        one = np.array([pair])
        sums.move(one, 1)
        if (np.abs(sums.smd()[0]) < max_smd).all():
            back.add(pair)
        else:
            sums.move(one, -1)
    return back
