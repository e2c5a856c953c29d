"""Assignment in blocks too large to compare every event with every other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neuropair.pipeline.align.dense import dense
from neuropair.pipeline.align.points import Found, Points, Rules
from neuropair.pipeline.align.types import Floats, Integers

CELL = 128
"""Events of the larger side of a cell: `linear_sum_assignment` takes 4 us an event there, 14 at 256
and 72 at 512."""
_ROUNDS = 6
"""Who finds no partner in a cell tries again, in cells of those who are left."""
_SAMPLE = 64
"""Events of b by which the admissible partners are estimated in a block cut into cells."""
_NEIGHBOURS = (15, 30, 60)
_STRIDES = (1, 6, 36)
"""Neighbours among all, every 6th and every 36th: with the nearest alone, a block whose sides
differ in the mean leaves a tenth of the pairs unmade that the dense method makes."""
_COPIES = 4
"""Copies of one partner that a neighbour may take, where partners may be used many times."""
_TIE = 1e-3
"""pooled SD over a block: spreads events of equal covariates over equal partners."""
_GOLDEN = (np.sqrt(5) - 1) / 2


def cells(a: Points, b: Points, i: Integers, j: Integers, rules: Rules) -> list[Found]:
    """Cut a block at the medians of its covariates, again and again, and assign in each cell."""
    estimated = _estimated(a, b, i, j, rules)
    copies = min(rules.uses_b, max(1, -(-4 * i.size // j.size)))
    once = Rules(rules.allowed, rules.compatible, rules.caliper, 1, rules.alternates)
    free_a, free_b = np.arange(i.size), np.repeat(np.arange(j.size), copies)
    found: list[Found] = []
    for _ in range(_ROUNDS):
        here: list[tuple[Integers, Integers]] = []
        for rows, columns in _cut(a, b, i, j, free_a, free_b):
            part = dense(a, b, i[free_a[rows]], j[free_b[columns]], once)
            taken_a = rows[np.isin(i[free_a[rows]], part.a)]
            here.append((taken_a, columns[_first_of_each(j[free_b[columns]], part.b)]))
            found.append(_without_repeats(part))
        gone_a, gone_b = (np.concatenate([x[side] for x in here]) for side in (0, 1))
        if not gone_a.size:
            break
        free_a, free_b = np.delete(free_a, gone_a), np.delete(free_b, gone_b)
        if not free_a.size or not free_b.size:
            break
    at = np.zeros(int(i.max()) + 1, dtype=np.int64)
    at[i] = np.maximum(estimated - 1, 0)
    return [part._replace(alternatives=at[part.a]) for part in found]


def _first_of_each(points: Integers, taken: Integers) -> Integers:
    """Positions in `points` of the events taken; one that was taken twice gives two copies."""
    order = np.argsort(points, kind="stable")
    wanted = np.sort(taken)
    number = np.arange(wanted.size) - np.searchsorted(wanted, wanted)
    return order[np.searchsorted(points[order], wanted) + number]


def _without_repeats(part: Found) -> Found:
    """Tell each further partner once, and not the partner itself, where b stands in copies."""
    pair = np.column_stack([part.other_a, part.other_b])
    _, first = np.unique(pair, axis=0, return_index=True)
    own = np.zeros(int(part.a.max(initial=-1)) + 1, dtype=np.int64)
    own[part.a] = part.b
    first = np.sort(first[own[part.other_a[first]] != part.other_b[first]])
    return part._replace(
        other_a=part.other_a[first],
        other_b=part.other_b[first],
        other_distance=part.other_distance[first],
    )


def _cut(
    a: Points, b: Points, i: Integers, j: Integers, rows: Integers, columns: Integers
) -> Iterator[tuple[Integers, Integers]]:
    """Cells, as positions in `rows` and in `columns`."""
    x, y = np.nan_to_num(a.x[i[rows]]), np.nan_to_num(b.x[j[columns]])
    # equal covariates: the sides are spread over each other, so that no cell has one side alone,
    # and scattered, so that recordings in one order do not meet themselves only
    tie = np.arange(rows.size) / rows.size, (np.arange(columns.size) * _GOLDEN) % 1
    values = np.concatenate([x, y])
    ties = np.concatenate(tie)
    stack = [np.arange(len(values))]
    while stack:
        these = stack.pop()
        n = int((these < rows.size).sum())
        if not 0 < n < these.size:
            continue
        if max(n, these.size - n) <= CELL:
            yield these[these < rows.size], these[these >= rows.size] - rows.size
            continue
        inside = values[these]
        if inside.shape[1]:
            widest = int(np.ptp(inside, axis=0).argmax())
            order = np.lexsort((ties[these], inside[:, widest]))
        else:
            order = np.argsort(ties[these], kind="stable")
        half = these.size // 2
        stack += [np.sort(these[order[half:]]), np.sort(these[order[:half]])]


def _estimated(a: Points, b: Points, i: Integers, j: Integers, rules: Rules) -> Integers:
    """Estimate how many admissible partners each event of a has, by some of them."""
    some = j[np.unique(np.linspace(0, j.size - 1, min(j.size, _SAMPLE)).astype(np.int64))]
    counts = [
        rules.matrix(a, b, i[k : k + 1024, None], some[None, :])[0].sum(axis=1)
        for k in range(0, i.size, 1024)
    ]
    return np.rint(np.concatenate(counts) * (j.size / some.size)).astype(np.int64)


def sparse(a: Points, b: Points, i: Integers, j: Integers, rules: Rules) -> list[Found]:
    """Match nearest neighbours; who is left tries again among more of those who are left."""
    counts = np.zeros(i.size, dtype=np.int64)
    for rows, columns in _alike(a, b, i, j, rules):
        counts[rows] = _count_near(a.x[i[rows]], b.x[j[columns]], rules.caliper)
    left = np.ones(i.size, dtype=bool)
    capacity = np.full(j.size, min(rules.uses_b, i.size))
    found: list[Found] = []
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
        more = _nearest_edges(edges, pairs, rules.alternates)
        found.append(
            Found(
                i[one],
                j[other],
                edges[2][pairs],
                counts[one] - 1,
                i[rows[edges[0][more]]],
                j[columns[edges[1][more]]],
                edges[2][more],
            )
        )
    return found


def _nearest_edges(edges: tuple[Integers, Integers, Floats], taken: Integers, k: int) -> Integers:
    """Edges to the nearest `k` neighbours of each matched event, its partner left out."""
    one, other, distance = edges
    free = np.isin(one, one[taken])
    free[taken] = False
    rows = np.flatnonzero(free)
    rows = rows[np.lexsort((other[rows], distance[rows], one[rows]))]
    rank = np.arange(rows.size) - np.searchsorted(one[rows], one[rows])
    return rows[rank < k]


def _alike(
    a: Points, b: Points, i: Integers, j: Integers, rules: Rules
) -> list[tuple[Integers, Integers]]:
    """Events of a that may take the same events of b, with those: as positions in `i` and `j`."""
    _, first, kind = np.unique(
        np.column_stack([a.rec[i], a.group[i]]), axis=0, return_index=True, return_inverse=True
    )
    may = rules.matrix(a, b, i[first][:, None], j[None, :])[2]
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
    codes = np.unique(np.concatenate([one * j.size + other for one, other in found]))
    one, other = codes // j.size, codes % j.size
    keep, distance, _ = rules.matrix(a, b, i[one], j[other])
    return one[keep], other[keep], distance[keep]


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
    matched = left[right < total] * total + right[right < total]
    return edge[np.isin(one[edge] * total + column, matched)]
