"""T2 to T5: events of all recordings of a person, or of a split, look for partners together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neuropair.pipeline.align.alternates import alternates
from neuropair.pipeline.align.assignment import assign
from neuropair.pipeline.align.balance import Part, balance, possible_pairs
from neuropair.pipeline.align.balancing import Balanced, balanced
from neuropair.pipeline.align.losses import candidate_loss, loss
from neuropair.pipeline.align.negatives import negatives
from neuropair.pipeline.align.points import Assignment, common_blocks
from neuropair.pipeline.align.pools import Keys, Pooled, pools
from neuropair.pipeline.align.reasons import Abstained, Abstention
from neuropair.pipeline.align.types import Bools, Integers, Matched, RecordingPairs, Work
from neuropair.pipeline.align.unpaired import Explain, explained
from neuropair.schemas.study import SameCondition, SameStimulus

_LEFT = (
    "every partner is taken or beyond the caliper",
    "a covariate or an exact column is unknown",
    "has no key to match by",
    "the other side has no event of its key",
    "its pair was dropped, so that the sides are alike in the mean of the covariates",
)
"""Why an event of a paired recording has no partner."""


def match_pooled(
    work: Work, keys: Keys, *, explain: Explain, evidence: Callable[[Integers, Integers], Any]
) -> Matched:
    """Pair or abstain for every open recording pair.

    Parameters
    ----------
    work : Work
    keys : Keys
    explain : callable
        Says why recording pairs that share no block do not.
    evidence : callable
        ``evidence(rows_a, rows_b)``: what each pair rests on.
    """
    pairing = work.pairing
    assert isinstance(pairing, SameStimulus | SameCondition)
    able, lacking = _missing(work)
    a, b, rules, names = pools(work, keys, able)
    assigned = _of_all(a, b, assign(a.seekers(), b.seekers(), rules))
    drop = _balanced(pairing, a, b, assigned)
    found = assigned.at(drop.keep)
    rows_a, rows_b = a.rows[found.a], b.rows[found.b]
    n = len(work.b.recordings)
    code = able.a * n + able.b
    before, after = (
        _among(code, a.points.rec[pairs.a] * n + b.points.rec[pairs.b])
        for pairs in (assigned, found)
    )
    abstained = [
        lacking,
        _unbalanced(work, able.at(before & ~after)),
        explained(work, a, b, rules, able.at(~before), explain),
    ]
    common = common_blocks(a.points.block, b.points.block)
    part_a, part_b = (
        Part(side.pool, side.raw, common[side.points.block], paired)
        for side, paired in ((a, found.a), (b, found.b))
    )
    possible = possible_pairs(part_a, part_b, (a.points.block, b.points.block), pairing.uses_b)
    report = balance(pairing.name, pairing.covariates, names, part_a, part_b, possible)
    return Matched(
        rows_a,
        rows_b,
        {
            "evidence": evidence(rows_a, rows_b),
            "covariate_distance": found.distance,
            "n_alternatives": found.alternatives,
        },
        Abstained.joined(abstained),
        _losses(work, keys, (a, b), assigned, drop) + _flags(work, a, found, possible, drop, names),
        balance=report,
        alternates=alternates(work.b, b.rows, found),
        negatives=negatives(work, keys, rows_a, rows_b),
    )


def _among(codes: Integers, given: Integers) -> Bools:
    """Whether each of the sorted `codes` is among those given."""
    found = np.zeros(codes.size, dtype=bool)
    found[np.searchsorted(codes, given)] = True
    return found


def _of_all(a: Pooled, b: Pooled, found: Assignment) -> Assignment:
    """Count positions among all events of the pools, and not among those that looked."""
    return found._replace(a=a.seeks[found.a], b=b.seeks[found.b], other_b=b.seeks[found.other_b])


def _missing(work: Work) -> tuple[RecordingPairs, Abstained]:
    """Abstain where a covariate (with a caliper) or an exact column is unknown throughout."""
    pairing = work.pairing
    assert isinstance(pairing, SameStimulus | SameCondition)
    covariates = list(pairing.covariates) if pairing.caliper is not None else []
    wanted = [*covariates, *pairing.exact]
    why: list[Abstention] = []
    of_rec = []
    for side in (work.a, work.b):
        items = side.items
        rows = np.flatnonzero(items["chosen"].to_numpy() & (items["kind"] == "event").to_numpy())
        rec = items["rec"].to_numpy()[rows]
        n = len(side.recordings)
        some = np.bincount(rec, minlength=n) > 0
        lacks = np.zeros((n, len(wanted)), dtype=bool)
        for column, name in enumerate(wanted):
            known = items[name].notna().to_numpy()[rows]
            lacks[:, column] = some & (np.bincount(rec[known], minlength=n) == 0)
        numbers = np.full(n, -1, dtype=np.int64)
        for row in np.flatnonzero(lacks.any(axis=1)).tolist():
            numbers[row] = len(why)
            absent = sorted({wanted[k] for k in np.flatnonzero(lacks[row])})
            why.append(
                Abstention(
                    f"covariate-missing: no event of {side.name(row)} has {' or '.join(absent)}",
                    f"remove it from 'covariates' or 'exact' of pairing {pairing.name}, or have "
                    "the recipe read it",
                )
            )
        of_rec.append(numbers)
    # where both sides lack one, side b names it
    which = np.where(of_rec[1][work.open.b] >= 0, of_rec[1][work.open.b], of_rec[0][work.open.a])
    out = work.open.at(which >= 0)
    return work.open.at(which < 0), Abstained(out.a, out.b, which[which >= 0], tuple(why))


def _balanced(
    pairing: SameStimulus | SameCondition, a: Pooled, b: Pooled, found: Assignment
) -> Balanced:
    if pairing.max_smd is None:
        return Balanced(np.ones(found.a.size, dtype=bool), {})
    x, y = a.raw[found.a], b.raw[found.b]
    return balanced(x, y, a.pool[found.a], pairing.max_smd, pairing.max_dropped)


def _unbalanced(work: Work, pairs: RecordingPairs) -> Abstained:
    assert isinstance(work.pairing, SameStimulus | SameCondition)
    why = Abstention(
        f"balance: all event pairs were dropped, so that no covariate's SMD reaches "
        f"{work.pairing.max_smd} over the pool",
        f"raise 'max_smd' of pairing {work.pairing.name}, or leave a covariate out",
    )
    return Abstained(pairs.a, pairs.b, np.zeros(len(pairs), dtype=np.int64), (why,))


def _losses(
    work: Work,
    keys: Keys,
    sides: tuple[Pooled, Pooled],
    assigned: Assignment,
    drop: Balanced,
) -> list[dict[str, Any]]:
    """Count the events of paired recordings that have no partner, by reason."""
    rows: list[dict[str, Any]] = []
    for side, table, used in ((0, work.a, assigned.a), (1, work.b, assigned.b)):
        pooled, items = sides[side], table.items
        rec = items["rec"].to_numpy()
        chosen = items["chosen"].to_numpy() & (items["kind"] == "event").to_numpy()
        paired = np.zeros(len(table.recordings), dtype=bool)
        paired[pooled.points.rec[used[drop.keep]]] = True
        why = np.full(len(items), 1)
        why[pooled.rows[pooled.seeks]] = 0
        why[keys.blocks[side] < 0] = 2
        partners = sides[1 - side].seekers().block
        met = common_blocks(pooled.points.block, partners)[pooled.points.block[pooled.seeks]]
        why[pooled.rows[pooled.seeks[~met]]] = 3
        why[pooled.rows[used[~drop.keep]]] = 4
        left = chosen & paired[rec]
        left[pooled.rows[used[drop.keep]]] = False
        counts = np.bincount(rec[left] * len(_LEFT) + why[left])
        for code in np.flatnonzero(counts).tolist():
            reason = f"{work.pairing.name}: {_LEFT[code % len(_LEFT)]}"
            rows.append(loss(table, code // len(_LEFT), int(counts[code]), reason))
    return rows


def _flags(
    work: Work,
    a: Pooled,
    found: Assignment,
    possible: Integers,
    drop: Balanced,
    names: list[str],
) -> list[dict[str, Any]]:
    """Say where balance would cost too much, and where many possible pairs are not made."""
    pairing = work.pairing
    assert isinstance(pairing, SameStimulus | SameCondition)
    rows = [
        candidate_loss(
            pairing,
            of,
            f"{names[pool]}: to bring every covariate's SMD below {pairing.max_smd} would cost "
            f"more than {most} of {of} pairs ('max_dropped'): kept whole",
        )
        for pool, (most, of) in sorted(drop.refused.items())
    ]
    if pairing.caliper is None and pairing.max_smd is None:
        return rows
    made = np.bincount(a.pool[found.a], minlength=possible.size)[: possible.size]
    for pool in np.flatnonzero((made > 0) & (possible - made > pairing.max_dropped * possible)):
        lost = int(possible[pool] - made[pool])
        rows.append(
            candidate_loss(
                pairing,
                lost,
                f"{names[pool]}: caliper and balance leave out {lost} of {possible[pool]} pairs "
                f"possible, more than 'max_dropped' {pairing.max_dropped:g}",
            )
        )
    return rows
