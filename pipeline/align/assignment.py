"""Who partners whom: caliper first, then optimal assignment, block by block.

science.md section 3: optimal assignment alone leaves the imbalance of the covariates as it is; a
caliper before it removes it. Section 4 has the timings of the methods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neuropair.pipeline.align.types import Bools, Floats, Integers

DENSE_LIMIT = 1500
"""Events (with their copies) of the larger side; the dense method takes a second there."""
PART = 5000
"""Events of the larger side above which a block is cut along its first covariate: sparse matching
takes 0.5 s for 5,000 and 23 s for 25,000."""
_NEIGHBOURS = (15, 30, 60)
_STRIDES = (1, 6, 36)
"""Neighbours among all, every 6th and every 36th: with the nearest alone, a block whose sides
differ in the mean leaves a tenth of the pairs unmade that the dense method makes."""
_COPIES = 4
"""Copies of one partner that a neighbour may take, where partners may be used many times."""
_TIE = 1e-3
"""pooled SD over a block: spreads events of equal covariates over equal partners."""


class Points(NamedTuple):
    """Events of one side that look for a partner.

    Parameters
    ----------
    rec : ndarray of int, shape (n,)
        Row of the side's recordings.
    block : ndarray of int, shape (n,)
        Only events of one block may be partners.
    group : ndarray of int, shape (n,)
        Finer than the block: `Rules.compatible` says which groups go together.
    x : ndarray, shape (n, n_covariates)
        Standardised covariates; NaN unknown.
    """

    rec: Integers
    block: Integers
    group: Integers
    x: Floats


@dataclass(frozen=True)
class Rules:
    """What else two events of one block need.

    Parameters
    ----------
    allowed : ndarray of bool, shape (n_recordings_a, n_recordings_b)
        Open recording pairs.
    compatible : ndarray of bool, shape (n_groups_a, n_groups_b)
    caliper : float or None
        Largest difference in any covariate, pooled SD.
    uses_b : int
        How often one event of b may be a partner.
    """

    allowed: Bools
    compatible: Bools
    caliper: float | None
    uses_b: int = 1


class Assignment(NamedTuple):
    """Partners: positions in the points of either side, ordered by `a`."""

    a: Integers
    b: Integers
    distance: Floats
    """RMS of the covariate differences, pooled SD."""
    alternatives: Integers
    """Admissible partners of `a` beside `b`; in a block cut into parts, those of its part."""


def assign(a: Points, b: Points, rules: Rules) -> Assignment:
    """Assign every event of a at most one of b, as many as possible, then as near as possible."""
    order_a, order_b = (np.argsort(side.block, kind="stable") for side in (a, b))
    blocks = np.intersect1d(a.block, b.block)
    cuts_a, cuts_b = (
        [np.searchsorted(side.block[order], blocks, side=where) for where in ("left", "right")]
        for side, order in ((a, order_a), (b, order_b))
    )
    single = (cuts_a[1] - cuts_a[0] == 1) & (cuts_b[1] - cuts_b[0] == 1)
    found = [_singles(a, b, order_a[cuts_a[0][single]], order_b[cuts_b[0][single]], rules)]
    for k in np.flatnonzero(~single):
        i = order_a[cuts_a[0][k] : cuts_a[1][k]]
        j = order_b[cuts_b[0][k] : cuts_b[1][k]]
        found += _block(a, b, i, j, rules)
    joined = [np.concatenate(column) for column in zip(*found, strict=True)]
    order = np.lexsort((joined[1], joined[0]))
    return Assignment(*(column[order] for column in joined))


def count_admissible(
    a: Points, b: Points, i: Integers, j: Integers, rules: Rules
) -> tuple[int, int]:
    """Event pairs of one block among points `i` and `j`, and how many of them are admissible."""
    same, admissible = 0, 0
    for block in np.intersect1d(a.block[i], b.block[j]):
        ib, jb = i[a.block[i] == block], j[b.block[j] == block]
        compatible = _compatible(a, b, ib[:, None], jb[None, :], rules)
        same += int(compatible.sum())
        if rules.caliper is not None and compatible.any():
            difference = _difference(a, b, ib[:, None], jb[None, :], rules)
            compatible &= _within(difference, rules.caliper)
        admissible += int(compatible.sum())
    return same, admissible


def _singles(a: Points, b: Points, i: Integers, j: Integers, rules: Rules) -> Assignment:
    """Blocks of one event on either side, all at once: most stimuli are shown once."""
    difference = _difference(a, b, i, j, rules)
    keep = _compatible(a, b, i, j, rules) & _within(difference, rules.caliper)
    n = int(keep.sum())
    return Assignment(i[keep], j[keep], _rms(difference)[keep], np.zeros(n, dtype=np.int64))


def _compatible(a: Points, b: Points, i: Integers, j: Integers, rules: Rules) -> Bools:
    recordings = rules.allowed[a.rec[i], b.rec[j]]
    return np.asarray(recordings & rules.compatible[a.group[i], b.group[j]], dtype=bool)


def _difference(a: Points, b: Points, i: Integers, j: Integers, rules: Rules) -> Floats:
    difference = np.abs(a.x[i] - b.x[j])
    # without a caliper a covariate that one side lacks does not choose; with one, such events
    # were set aside before
    return np.nan_to_num(difference, nan=0.0) if rules.caliper is None else difference


def _within(difference: Floats, caliper: float | None) -> Bools:
    if caliper is None:
        return np.ones(difference.shape[:-1], dtype=bool)
    return np.asarray((difference <= caliper).all(axis=-1), dtype=bool)


def _rms(difference: Floats) -> Floats:
    if difference.shape[-1] == 0:
        return np.zeros(difference.shape[:-1])
    return np.asarray(np.sqrt((difference**2).mean(axis=-1)))


def _block(a: Points, b: Points, i: Integers, j: Integers, rules: Rules) -> list[Assignment]:
    columns = j.size * min(rules.uses_b, i.size)
    if max(i.size, columns) <= DENSE_LIMIT:
        return [_dense(a, b, i, j, rules)]
    n_parts = int(np.ceil(max(i.size, j.size) / PART))
    if n_parts == 1:
        return _sparse(a, b, i, j, rules)
    at_a, at_b = _along(a, i), _along(b, j)
    cuts = np.quantile(np.concatenate([at_a, at_b]), np.arange(1, n_parts) / n_parts)
    part_a, part_b = np.searchsorted(cuts, at_a), np.searchsorted(cuts, at_b)
    return [
        found
        for part in range(n_parts)
        for found in _cut(a, b, i[part_a == part], j[part_b == part], rules)
    ]


def _cut(a: Points, b: Points, i: Integers, j: Integers, rules: Rules) -> list[Assignment]:
    if not i.size or not j.size:
        return []
    if max(i.size, j.size * min(rules.uses_b, i.size)) <= DENSE_LIMIT:
        return [_dense(a, b, i, j, rules)]
    return _sparse(a, b, i, j, rules)


def _along(side: Points, rows: Integers) -> Floats:
    first = np.nan_to_num(side.x[rows, 0]) if side.x.shape[1] else np.zeros(rows.size)
    return np.asarray(first + _TIE * np.arange(rows.size) / rows.size)


def _dense(a: Points, b: Points, i: Integers, j: Integers, rules: Rules) -> Assignment:
    from scipy.optimize import linear_sum_assignment

    difference = _difference(a, b, i[:, None], j[None, :], rules)
    admissible = _compatible(a, b, i[:, None], j[None, :], rules)
    admissible &= _within(difference, rules.caliper)
    distance = _rms(difference)
    alternatives = admissible.sum(axis=1) - 1
    rows, columns = np.flatnonzero(admissible.any(axis=1)), np.flatnonzero(admissible.any(axis=0))
    if not rows.size:
        return _nothing()
    near = distance[np.ix_(rows, columns)]
    can = admissible[np.ix_(rows, columns)]
    # one more pair is worth more than any gain in distance
    worst = (float(near[can].max()) + 1) * (min(near.shape) * rules.uses_b + 1)
    copies = min(rules.uses_b, rows.size)
    cost = np.tile(np.where(can, near, worst), (1, copies))
    left, right = linear_sum_assignment(cost)
    right = right % columns.size
    keep = can[left, right]
    left, right = rows[left[keep]], columns[right[keep]]
    return Assignment(i[left], j[right], distance[left, right], alternatives[left])


def _sparse(a: Points, b: Points, i: Integers, j: Integers, rules: Rules) -> list[Assignment]:
    """Match nearest neighbours; who is left tries again among more of those who are left."""
    counts = np.zeros(i.size, dtype=np.int64)
    for rows, columns in _alike(a, b, i, j, rules):
        counts[rows] = _count_near(a.x[i[rows]], b.x[j[columns]], rules.caliper)
    left = np.ones(i.size, dtype=bool)
    capacity = np.full(j.size, min(rules.uses_b, i.size))
    found: list[Assignment] = []
    for k in _NEIGHBOURS:
        rows, columns = np.flatnonzero(left), np.flatnonzero(capacity > 0)
        if not rows.size or not columns.size:
            break
        edges = _neighbours(a, b, i[rows], j[columns], rules, k)
        pairs = _full_matching(edges, rows.size, capacity[columns])
        if not pairs.size:
            break
        one, other = rows[edges[0][pairs]], columns[edges[1][pairs]]
        left[one] = False
        np.subtract.at(capacity, other, 1)
        found.append(Assignment(i[one], j[other], edges[2][pairs], counts[one] - 1))
    return found


def _alike(
    a: Points, b: Points, i: Integers, j: Integers, rules: Rules
) -> list[tuple[Integers, Integers]]:
    """Events of a that may take the same events of b, with those: as positions in `i` and `j`."""
    _, first, kind = np.unique(
        np.column_stack([a.rec[i], a.group[i]]), axis=0, return_index=True, return_inverse=True
    )
    may = _compatible(a, b, i[first][:, None], j[None, :], rules)
    rows, which = np.unique(may, axis=0, return_inverse=True)
    of_point = which.ravel()[kind.ravel()]
    return [
        (np.flatnonzero(of_point == k), np.flatnonzero(row))
        for k, row in enumerate(rows)
        if row.any()
    ]


def _count_near(x: Floats, y: Floats, caliper: float | None) -> Integers:
    from scipy.spatial import KDTree

    if caliper is None or not x.shape[1]:
        return np.full(len(x), len(y), dtype=np.int64)
    counts = KDTree(y).query_ball_point(x, caliper, p=np.inf, return_length=True)
    return np.asarray(counts, dtype=np.int64)


def _neighbours(
    a: Points, b: Points, i: Integers, j: Integers, rules: Rules, k: int
) -> tuple[Integers, Integers, Floats]:
    sides = []
    for side, rows in ((a, i), (b, j)):
        tie = _TIE * np.arange(rows.size)[:, None] / rows.size
        sides.append(np.column_stack([np.nan_to_num(side.x[rows]), tie]))
    found = [
        (rows[near[0]], columns[near[1]])
        for rows, columns in _alike(a, b, i, j, rules)
        for stride in _STRIDES
        for near in _nearest(sides[0][rows], sides[1][columns], k, stride)
    ]
    if not found:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)
    edges = np.unique(np.concatenate([np.column_stack(near) for near in found]), axis=0)
    one, other = edges[:, 0], edges[:, 1]
    difference = _difference(a, b, i[one], j[other], rules)
    keep = _within(difference, rules.caliper)
    return one[keep], other[keep], _rms(difference)[keep]


def _nearest(x: Floats, y: Floats, k: int, stride: int) -> list[tuple[Integers, Integers]]:
    """Find the `k` nearest of every stride-th point of `y`: positions in `x` and in `y`."""
    from scipy.spatial import KDTree

    found = []
    for phase in range(min(stride, len(x))):
        rows, columns = np.arange(phase, len(x), stride), np.arange(phase, len(y), stride)
        if not columns.size or (stride > 1 and columns.size < k):
            continue
        near = min(k, columns.size)
        _, nearest = KDTree(y[columns]).query(x[rows], k=near)
        found.append((np.repeat(rows, near), columns[np.asarray(nearest).ravel()]))
    return found


def _full_matching(
    edges: tuple[Integers, Integers, Floats], n: int, capacity: Integers
) -> Integers:
    """Minimum weight matching in which staying alone costs more than any partner: edges taken."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    one, other, distance = edges
    if not one.size:
        return np.zeros(0, dtype=np.int64)
    start = np.cumsum(capacity) - capacity
    copies = np.minimum(capacity[other], _COPIES)
    edge = np.repeat(np.arange(one.size), copies)
    step = np.arange(edge.size) - np.repeat(np.cumsum(copies) - copies, copies)
    column = start[other[edge]] + (one[edge] + step) % capacity[other[edge]]
    total = int(capacity.sum())
    # 1 + distance, for scipy takes an explicit 0 for no edge
    alone = 3 * (float(distance.max()) + 1)
    weights = np.concatenate([1 + distance[edge], np.full(n, alone)])
    rows = np.concatenate([one[edge], np.arange(n)])
    columns = np.concatenate([column, total + np.arange(n)])
    graph = csr_array((weights, (rows, columns)), shape=(n, total + n))
    left, right = min_weight_full_bipartite_matching(graph)
    taken = {(int(r), int(c)) for r, c in zip(left, right, strict=True) if c < total}
    keep = [e for e, r, c in zip(edge, one[edge], column, strict=True) if (int(r), int(c)) in taken]
    return np.asarray(keep, dtype=np.int64)


def _nothing() -> Assignment:
    none = np.zeros(0, dtype=np.int64)
    return Assignment(none, none, np.zeros(0), none)
