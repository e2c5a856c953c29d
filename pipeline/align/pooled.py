"""T2 to T5: events of all recordings of a person, or of a split, look for partners together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.pipeline.align.assignment import (
    Assignment,
    Points,
    Rules,
    assign,
    count_admissible,
)
from neuropair.pipeline.align.balance import balance
from neuropair.pipeline.align.losses import loss
from neuropair.pipeline.align.reasons import Abstention
from neuropair.pipeline.align.types import (
    Bools,
    Floats,
    Integers,
    Matched,
    RecordingPair,
    SideTable,
    Work,
)
from neuropair.schemas.study import SameCondition, SameStimulus

MIN_FOR_SPREAD = 8
"""Events of a block on either side from which its own SD is taken; below, that of the pool."""


@dataclass(frozen=True)
class Keys:
    """How a tier forms blocks.

    Parameters
    ----------
    blocks : tuple of ndarray of object
        Key of each item on side a and b; None takes no part.
    groups : tuple of ndarray of int
        Group of each item on side a and b.
    compatible : ndarray of bool
        Which group of a goes with which of b.
    spread_by_block : bool
        Whether covariates are standardised by block or by pool.
    """

    blocks: tuple[npt.NDArray[Any], npt.NDArray[Any]]
    groups: tuple[Integers, Integers]
    compatible: Bools
    spread_by_block: bool


@dataclass(frozen=True)
class _Pooled:
    rows: Integers
    """Rows of the side's items."""
    pool: Integers
    raw: Floats
    """Covariates, shape (n, n_covariates)."""
    points: Points


Explain = Callable[[RecordingPair], Abstention]


def match_pooled(
    work: Work, keys: Keys, *, explain: Explain, evidence: Callable[..., Any]
) -> Matched:
    """Pair or abstain for every open recording pair.

    Parameters
    ----------
    work : Work
    keys : Keys
    explain : callable
        Says why a recording pair that shares no block does not.
    evidence : callable
        ``evidence(rows_a, rows_b)``: what each pair rests on.
    """
    pairing = work.pairing
    assert isinstance(pairing, SameStimulus | SameCondition)
    abstentions = _missing(work)
    allowed = np.zeros((len(work.a.recordings), len(work.b.recordings)), dtype=bool)
    for pair in work.open:
        allowed[pair] = pair not in abstentions
    rules = Rules(allowed, keys.compatible, pairing.caliper, pairing.uses_b)
    a, b = _pools(work, keys, allowed)
    found = assign(a.points, b.points, rules)
    rows_a, rows_b = a.rows[found.a], b.rows[found.b]
    paired = set(zip(a.points.rec[found.a].tolist(), b.points.rec[found.b].tolist(), strict=True))
    for pair in work.open:
        if pair not in abstentions and tuple(pair) not in paired:
            abstentions[pair] = _why(work, pair, (a, b), rules, explain)
    columns = {
        "evidence": evidence(rows_a, rows_b),
        "covariate_distance": found.distance,
        "n_alternatives": found.alternatives,
    }
    losses = _losses(work, keys, (a, b), found, paired)
    report = balance(pairing.name, pairing.covariates, *_for_balance(work, a, b, found))
    return Matched(rows_a, rows_b, columns, abstentions, losses, balance=report)


def _missing(work: Work) -> dict[RecordingPair, Abstention]:
    """Abstain where a covariate (with a caliper) or an exact column is unknown throughout."""
    pairing = work.pairing
    assert isinstance(pairing, SameStimulus | SameCondition)
    wanted: list[str] = list(pairing.covariates) if pairing.caliper is not None else []
    exact: list[str] = list(pairing.exact)
    absent = []
    for side in (work.a, work.b):
        items = side.items[side.items["chosen"] & (side.items["kind"] == "event")]
        known = items[[*wanted, *exact]].notna().groupby(items["rec"]).any()
        known = known.reindex(range(len(side.recordings)), fill_value=True)
        absent.append([[c for c in known.columns if not known.at[r, c]] for r in known.index])
    abstentions: dict[RecordingPair, Abstention] = {}
    for pair in work.open:
        for side, rec, lacking in (
            (work.a, pair.a, absent[0][pair.a]),
            (work.b, pair.b, absent[1][pair.b]),
        ):
            if lacking:
                abstentions[pair] = Abstention(
                    f"covariate-missing: no event of {side.name(rec)} has "
                    f"{' or '.join(sorted(set(lacking)))}",
                    f"remove it from 'covariates' or 'exact' of pairing {pairing.name}, or have "
                    "the recipe read it",
                )
    return abstentions


def _pools(work: Work, keys: Keys, allowed: Bools) -> tuple[_Pooled, _Pooled]:
    pairing = work.pairing
    assert isinstance(pairing, SameStimulus | SameCondition)
    by = "person" if pairing.tier.same_person else "split"
    rows = [
        _taking_part(side, key, takes, pairing)
        for side, key, takes in (
            (work.a, keys.blocks[0], np.asarray(allowed.any(axis=1))),
            (work.b, keys.blocks[1], np.asarray(allowed.any(axis=0))),
        )
    ]
    frames = []
    for side, mine, key in zip((work.a, work.b), rows, keys.blocks, strict=True):
        items = side.items.iloc[mine]
        frame = items[list(pairing.exact)].astype(object).reset_index(drop=True)
        frame["pool"] = side.recordings[by].to_numpy(dtype=object)[items["rec"].to_numpy()]
        frame["key"] = key[mine]
        frames.append(frame)
    both = pd.concat(frames, ignore_index=True)
    pool, block = _numbered(both[["pool"]]), _numbered(both)
    raw = [
        side.items[list(pairing.covariates)].to_numpy(dtype=float)[mine]
        for side, mine in zip((work.a, work.b), rows, strict=True)
    ]
    n = rows[0].size
    x = _standardised(raw, (block[:n], block[n:]), (pool[:n], pool[n:]), pairing.caliper, keys)
    pooled = [
        _Pooled(
            mine,
            pool[part],
            raw[side],
            Points(
                table.items["rec"].to_numpy()[mine], block[part], keys.groups[side][mine], x[side]
            ),
        )
        for side, (table, mine, part) in enumerate(
            ((work.a, rows[0], slice(None, n)), (work.b, rows[1], slice(n, None)))
        )
    ]
    return pooled[0], pooled[1]


def _numbered(table: pd.DataFrame) -> Integers:
    if table.empty:
        return np.zeros(0, dtype=np.int64)
    numbers = table.groupby(list(table.columns), sort=True).ngroup()
    return np.asarray(numbers, dtype=np.int64)


def _taking_part(
    side: SideTable, key: npt.NDArray[Any], takes: Bools, pairing: SameStimulus | SameCondition
) -> Integers:
    items = side.items
    keep = items["chosen"].to_numpy() & (items["kind"] == "event").to_numpy()
    keep &= takes[items["rec"].to_numpy()] & np.array([k is not None for k in key], dtype=bool)
    wanted = [*(pairing.covariates if pairing.caliper is not None else []), *pairing.exact]
    keep &= items[wanted].notna().all(axis=1).to_numpy()
    return np.flatnonzero(keep)


def _standardised(
    raw: list[Floats],
    block: tuple[Integers, Integers],
    pool: tuple[Integers, Integers],
    caliper: float | None,
    keys: Keys,
) -> list[Floats]:
    """Covariates over their pooled SD, ``sqrt((var_a + var_b) / 2)``.

    A covariate that is constant on both sides has SD 0: with a caliper only equal values go
    together, without one it does not choose.
    """
    if not raw[0].shape[1] or not raw[0].size or not raw[1].size:
        return raw
    spread_pool, _ = _pooled_sd(raw, pool)
    spreads = [spread_pool[pool[side]] for side in (0, 1)]
    if keys.spread_by_block:
        spread_block, few = _pooled_sd(raw, block)
        spreads = [
            np.where(few[block[side]], spreads[side], spread_block[block[side]]) for side in (0, 1)
        ]
    constant = np.inf if caliper is None else 1e-9
    return [raw[side] / np.where(spreads[side] > 1e-9, spreads[side], constant) for side in (0, 1)]


def _pooled_sd(raw: list[Floats], by: tuple[Integers, Integers]) -> tuple[Floats, Bools]:
    """Pooled SD, shape (n_groups, n_covariates), and whether a side has too few events for it."""
    n = int(max(by[0].max(), by[1].max())) + 1
    variances, counts = [], []
    for values, group in zip(raw, by, strict=True):
        frame = pd.DataFrame(values).groupby(group)
        variances.append(frame.var(ddof=1).reindex(range(n)).fillna(0.0).to_numpy())
        counts.append(frame.count().reindex(range(n)).fillna(0).to_numpy())
    few = (counts[0] < MIN_FOR_SPREAD) | (counts[1] < MIN_FOR_SPREAD)
    return np.sqrt((variances[0] + variances[1]) / 2), few


def _why(
    work: Work, pair: RecordingPair, sides: tuple[_Pooled, _Pooled], rules: Rules, explain: Explain
) -> Abstention:
    a, b = sides
    i, j = np.flatnonzero(a.points.rec == pair.a), np.flatnonzero(b.points.rec == pair.b)
    same, admissible = count_admissible(a.points, b.points, i, j, rules)
    if admissible:
        return Abstention(
            f"better-partners-elsewhere: {admissible} event pairs are admissible, and all their "
            "events have nearer partners in other recordings",
            "none is needed; raise 'uses_b' to let one event have several partners",
        )
    if same:
        return Abstention(
            f"caliper: of {same} event pairs of one key none lies within {rules.caliper} pooled SD "
            f"in {', '.join(getattr(work.pairing, 'covariates', []))}",
            "widen 'caliper' or leave a covariate out, if the difference does not matter",
        )
    return explain(pair)


def _losses(
    work: Work,
    keys: Keys,
    sides: tuple[_Pooled, _Pooled],
    found: Assignment,
    paired: set[tuple[int, int]],
) -> list[dict[str, Any]]:
    """Count the events of paired recordings that have no partner, by reason."""
    rows: list[dict[str, Any]] = []
    for side, table, pooled, used in (
        (0, work.a, sides[0], found.a),
        (1, work.b, sides[1], found.b),
    ):
        items = table.items
        partner = sides[1 - side].points.block
        taken = pooled.rows[np.unique(used)]
        lonely = pooled.rows[~np.isin(pooled.points.block, partner)]
        chosen = np.flatnonzero(items["chosen"].to_numpy() & (items["kind"] == "event").to_numpy())
        chosen = chosen[np.isin(items["rec"].to_numpy()[chosen], [pair[side] for pair in paired])]
        reason = np.full(len(items), "every partner is taken or beyond the caliper", dtype=object)
        reason[np.setdiff1d(chosen, pooled.rows)] = "a covariate or an exact column is unknown"
        reason[[row for row in chosen if keys.blocks[side][row] is None]] = "has no key to match by"
        reason[lonely] = "the other side has no event of its key"
        left = np.setdiff1d(chosen, taken)
        whose = zip(items["rec"].to_numpy()[left].tolist(), reason[left].tolist(), strict=True)
        for (rec, why), n in sorted(Counter(whose).items()):
            rows.append(loss(table, rec, n, f"{work.pairing.name}: {why}"))
    return rows


def _for_balance(work: Work, a: _Pooled, b: _Pooled, found: Assignment) -> tuple[Any, ...]:
    by = "person" if work.pairing.tier.same_person else "split"
    names = work.a.recordings[by].to_numpy(dtype=object)[a.points.rec]
    common = np.intersect1d(a.points.block, b.points.block)
    in_a, in_b = np.isin(a.points.block, common), np.isin(b.points.block, common)
    pools = {int(code): str(name) for code, name in zip(a.pool, names, strict=True)}
    return pools, (a.pool, a.raw, in_a, found.a), (b.pool, b.raw, in_b, found.b)
