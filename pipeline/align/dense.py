"""Optimal assignment where every event of a block is compared with every other."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from neuropair.pipeline.align.points import Found, Points, Rules, nothing, others
from neuropair.pipeline.align.types import Bools, Floats, Integers

_AT_ONCE = 2_000_000
"""Numbers held at a time while small blocks are tried out."""


def singles(a: Points, b: Points, i: Integers, j: Integers, rules: Rules) -> Found:
    """Blocks of one event on either side, all at once: most stimuli are shown once."""
    can, distance, _ = rules.matrix(a, b, i[:, 0], j[:, 0])
    none = np.zeros(0, dtype=np.int64)
    free = np.zeros(int(can.sum()), dtype=np.int64)
    return Found(i[can, 0], j[can, 0], distance[can], free, none, none, np.zeros(0))


def small(a: Points, b: Points, i: Integers, j: Integers, rules: Rules) -> list[Found]:
    """Blocks of one shape, (n_blocks, p) and (n_blocks, q): all ways to pair them are tried."""
    p, q = i.shape[1], j.shape[1]
    copies = min(rules.uses_b, p)
    few, more = min(p, q * copies), max(p, q * copies)
    ways = np.array(list(permutations(range(more), few)), dtype=np.int64)
    step = max(1, _AT_ONCE // ways.size)
    return [
        _tried(a, b, i[k : k + step], j[k : k + step], rules, ways) for k in range(0, len(i), step)
    ]


def _tried(a: Points, b: Points, i: Integers, j: Integers, rules: Rules, ways: Integers) -> Found:
    can, distance, _ = rules.matrix(a, b, i[:, :, None], j[:, None, :])
    n, p, q = can.shape
    copies = min(rules.uses_b, p)
    cost = np.tile(_cost(can, distance, rules.uses_b), (1, 1, copies))
    line = np.arange(ways.shape[1])
    if p <= q * copies:
        best = ways[cost[:, line, ways].sum(axis=-1).argmin(axis=1)]
        left, right = np.broadcast_to(line, best.shape), best % q
    else:
        best = ways[cost[:, ways, line].sum(axis=-1).argmin(axis=1)]
        left, right = best, np.broadcast_to(line, best.shape) % q
    block = np.broadcast_to(np.arange(n)[:, None], left.shape)
    keep = can[block, left, right]
    block, left, right = block[keep], left[keep], right[keep]
    more = others(can[block, left], distance[block, left], right, j[block], rules.alternates)
    one = i[block, left]
    return Found(
        one,
        j[block, right],
        distance[block, left, right],
        can.sum(axis=2)[block, left] - 1,
        one[more[0]],
        *more[1:],
    )


def _cost(can: Bools, distance: Floats, uses_b: int) -> Floats:
    """Distances in which one more pair is worth more than any gain in distance."""
    worst = float(distance[can].max(initial=0.0)) + 1
    return np.where(can, distance, worst * (min(can.shape[-2:]) * uses_b + 1))


def dense(a: Points, b: Points, i: Integers, j: Integers, rules: Rules) -> Found:
    """One block by `scipy.optimize.linear_sum_assignment`."""
    from scipy.optimize import linear_sum_assignment

    can, distance, _ = rules.matrix(a, b, i[:, None], j[None, :])
    rows, columns = np.flatnonzero(can.any(axis=1)), np.flatnonzero(can.any(axis=0))
    if not rows.size:
        return nothing()
    if rows.size < i.size or columns.size < j.size:
        can, distance = can[np.ix_(rows, columns)], distance[np.ix_(rows, columns)]
        i, j = i[rows], j[columns]
    copies = min(rules.uses_b, i.size)
    cost = _cost(can, distance, rules.uses_b)
    left, right = linear_sum_assignment(np.tile(cost, (1, copies)) if copies > 1 else cost)
    right = right % j.size
    keep = can[left, right]
    left, right = left[keep], right[keep]
    more = others(can[left], distance[left], right, j, rules.alternates)
    return Found(
        i[left],
        j[right],
        distance[left, right],
        can.sum(axis=1)[left] - 1,
        i[left][more[0]],
        *more[1:],
    )
