"""Why open recording pairs have no pair: counted for a million of them at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neuropair.pipeline.align.points import Points, Rules
from neuropair.pipeline.align.pools import Pooled
from neuropair.pipeline.align.reasons import Abstained, Abstention
from neuropair.pipeline.align.types import Bools, Integers, RecordingPairs, Work

Explain = Callable[[RecordingPairs], Abstained]
"""Says why recording pairs share no block."""
_CELLS = 20_000_000
"""Numbers held at a time."""
MOST_COMPARED = 100_000_000
"""Event pairs that are compared to tell a caliper that is too narrow from partners that are taken;
a few seconds. Beyond, the abstention says that it was not looked into."""


def explained(
    work: Work, a: Pooled, b: Pooled, rules: Rules, pairs: RecordingPairs, explain: Explain
) -> Abstained:
    """Abstain from recording pairs that no event pair joins, by reason.

    Parameters
    ----------
    work : Work
    a, b : Pooled
    rules : Rules
    pairs : RecordingPairs
        Open, with every covariate known, and without a pair.
    explain : callable
        Says why those that share no block do not.
    """
    points = a.seekers(), b.seekers()
    same = _same_block(*points, rules, pairs)
    parts = [explain(pairs.at(same == 0))]
    shared = pairs.at(same > 0)
    near, looked = _admissible(*points, rules, shared)
    covariates = ", ".join(getattr(work.pairing, "covariates", []))
    for which, text, remedy in (
        (
            near,
            "better-partners-elsewhere: of {} event pairs of one key some are admissible, and all "
            "their events have partners in other recordings",
            "none is needed; raise 'uses_b' to let one event have several partners",
        ),
        (
            looked & ~near,
            f"caliper: of {{}} event pairs of one key none lies within {rules.caliper} pooled SD "
            f"in {covariates}",
            "widen 'caliper' or leave a covariate out, if the difference does not matter",
        ),
        (
            ~looked,
            "not-chosen: none of {} event pairs of one key became a pair, and it was not counted "
            "how many lie within the caliper",
            "raise 'uses_b' to let one event have several partners, or widen 'caliper'",
        ),
    ):
        counts, row = np.unique(same[same > 0][which], return_inverse=True)
        why = tuple(Abstention(text.format(count), remedy) for count in counts.tolist())
        chosen = shared.at(which)
        parts.append(Abstained(chosen.a, chosen.b, row.astype(np.int64), why))
    return Abstained.joined(parts)


def _same_block(a: Points, b: Points, rules: Rules, pairs: RecordingPairs) -> Integers:
    """Event pairs of one block and of groups that go together, of each recording pair."""
    from scipy.sparse import csr_array

    if not len(pairs) or not a.rec.size or not b.rec.size:
        return np.zeros(len(pairs), dtype=np.int64)
    n_groups = [int(side.group.max()) + 1 for side in (a, b)]
    kinds, tables = [], []
    for side, n, n_rec in zip((a, b), n_groups, (pairs.a.max(), pairs.b.max()), strict=True):
        values, code = np.unique(side.block * n + side.group, return_inverse=True)
        n_rec = int(max(n_rec, side.rec.max())) + 1
        ones = np.ones(code.size, dtype=np.int64)
        tables.append(csr_array((ones, (side.rec, code)), shape=(n_rec, values.size)))
        kinds.append((values // n, values % n))
    one, other = _of_one_block(kinds[0][0], kinds[1][0])
    together = rules.compatible[kinds[0][1][one], kinds[1][1][other]]
    one, other = one[together], other[together]
    link = csr_array(
        (np.ones(one.size, dtype=np.int64), (one, other)),
        shape=(kinds[0][0].size, kinds[1][0].size),
    )
    reach = csr_array(tables[0] @ link)
    of_b = csr_array(tables[1].T)
    counts = np.zeros(len(pairs), dtype=np.int64)
    asked = np.unique(pairs.a)
    step = max(1, _CELLS // of_b.shape[1])
    for k in range(0, asked.size, step):
        rows = asked[k : k + step]
        first, last = np.searchsorted(pairs.a, [rows[0], rows[-1] + 1])
        product = (reach[rows] @ of_b).toarray()
        mine = slice(int(first), int(last))
        counts[mine] = product[np.searchsorted(rows, pairs.a[mine]), pairs.b[mine]]
    return counts


def _of_one_block(a: Integers, b: Integers) -> tuple[Integers, Integers]:
    """All pairs of positions in two sorted arrays whose values are equal."""
    first, last = np.searchsorted(b, a, side="left"), np.searchsorted(b, a, side="right")
    return _ranges(first, last - first)


def _ranges(first: Integers, counts: Integers) -> tuple[Integers, Integers]:
    """List the values of ranges that begin at `first`: number of the range, and value."""
    row = np.repeat(np.arange(first.size), counts)
    step = np.arange(row.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return row, first[row] + step


def _admissible(a: Points, b: Points, rules: Rules, pairs: RecordingPairs) -> tuple[Bools, Bools]:
    """Whether a recording pair has an admissible event pair, and whether that was looked into.

    Events of a are tried one after the other, the most ordinary first, for one that is near the
    middle of the pool has partners nearly everywhere.
    """
    near, looked = np.zeros(len(pairs), dtype=bool), np.ones(len(pairs), dtype=bool)
    if rules.caliper is None:
        return ~near, looked
    ordinary = np.abs(a.x - np.median(a.x, axis=0)).sum(axis=1) if len(a.x) else np.zeros(0)
    order_a = np.lexsort((ordinary, a.rec))
    first_a, last_a = (np.searchsorted(a.rec[order_a], pairs.a, side=s) for s in ("left", "right"))
    n_blocks = int(max(a.block.max(initial=0), b.block.max(initial=0))) + 1
    code_b = b.rec * n_blocks + b.block
    order_b = np.argsort(code_b, kind="stable")
    code_b = code_b[order_b]
    budget = MOST_COMPARED
    for step in range(int((last_a - first_a).max(initial=0))):
        left = np.flatnonzero(~near & (first_a + step < last_a))
        if not left.size:
            break
        i = order_a[first_a[left] + step]
        wanted = pairs.b[left] * n_blocks + a.block[i]
        start, stop = (np.searchsorted(code_b, wanted, side=s) for s in ("left", "right"))
        budget -= int((stop - start).sum())
        if budget < 0:
            looked[left] = False
            break
        for k in range(0, left.size, _chunk(stop - start)):
            part = slice(k, k + _chunk(stop - start))
            row, at = _ranges(start[part], (stop - start)[part])
            can = rules.matrix(a, b, i[part][row], order_b[at])[0]
            near[left[part][row[can]]] = True
    return near, looked


def _chunk(counts: Integers) -> int:
    return max(1, int(_CELLS // 20 // max(1.0, float(counts.mean()))))
