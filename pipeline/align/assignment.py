"""Who partners whom: caliper first, then optimal assignment, block by block.

science.md section 3: optimal assignment alone leaves the imbalance of the covariates as it is; a
caliper before it removes it. Section 4 has the timings of the methods.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from math import perm

import numpy as np

from neuropair.pipeline.align.dense import dense, singles, small
from neuropair.pipeline.align.large import cells, sparse
from neuropair.pipeline.align.points import (
    Assignment,
    Found,
    Points,
    Rules,
    common_blocks,
    joined,
)
from neuropair.pipeline.align.types import Integers

DENSE_LIMIT = 1500
"""Events (with their copies) of the larger side; the dense method takes a second there."""
PART = 5000
"""Events of the larger side above which a block is cut into cells: sparse matching takes 0.5 s for
5,000 and 23 s for 25,000."""
TRIED_OUT = 720
"""Ways to pair a small block up to which all are tried, thousands of blocks at once: a stimulus is
shown a few times, and there are as many blocks as stimuli."""


def assign(a: Points, b: Points, rules: Rules) -> Assignment:
    """Assign every event of a at most one of b, as many as possible, then as near as possible."""
    order_a, order_b = (np.argsort(side.block, kind="stable") for side in (a, b))
    blocks = np.flatnonzero(common_blocks(a.block, b.block))
    (first_a, last_a), (first_b, last_b) = (
        [np.searchsorted(side.block[order], blocks, side=where) for where in ("left", "right")]
        for side, order in ((a, order_a), (b, order_b))
    )
    n_a, n_b = last_a - first_a, last_b - first_b
    found: list[Found] = []
    many = np.ones(blocks.size, dtype=bool)
    for p, q in np.unique(np.column_stack([n_a, n_b]), axis=0).tolist():
        if not _is_small(p, q, rules):
            continue
        these = np.flatnonzero((n_a == p) & (n_b == q))
        many[these] = False
        i = order_a[first_a[these][:, None] + np.arange(p)]
        j = order_b[first_b[these][:, None] + np.arange(q)]
        found += [singles(a, b, i, j, rules)] if p == q == 1 else small(a, b, i, j, rules)

    def paired(k: int) -> list[Found]:
        i, j = order_a[first_a[k] : last_a[k]], order_b[first_b[k] : last_b[k]]
        return _block(a, b, i, j, rules)

    # scipy's solver lets other threads run: 1,500 blocks of 125 in 0.91 s on one, 0.50 s on two
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for part in threads.map(paired, np.flatnonzero(many).tolist()):
            found += part
    return joined(found)


def _is_small(p: int, q: int, rules: Rules) -> bool:
    columns = q * min(rules.uses_b, p)
    few, more = min(p, columns), max(p, columns)
    return more <= TRIED_OUT and perm(more, few) <= TRIED_OUT


def _block(a: Points, b: Points, i: Integers, j: Integers, rules: Rules) -> list[Found]:
    columns = j.size * min(rules.uses_b, i.size)
    if max(i.size, columns) <= DENSE_LIMIT:
        return [dense(a, b, i, j, rules)]
    if max(i.size, j.size) <= PART:
        return sparse(a, b, i, j, rules)
    return cells(a, b, i, j, rules)


def count_admissible(
    a: Points, b: Points, i: Integers, j: Integers, rules: Rules
) -> tuple[int, int]:
    """Event pairs of one block among points `i` and `j`, and how many of them are admissible."""
    same, admissible = 0, 0
    for block in np.intersect1d(a.block[i], b.block[j]):
        ib, jb = i[a.block[i] == block], j[b.block[j] == block]
        can, _, together = rules.matrix(a, b, ib[:, None], jb[None, :])
        same += int(together.sum())
        admissible += int(can.sum())
    return same, admissible
