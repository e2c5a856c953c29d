"""The events of a pairing as pools and blocks: who looks for a partner among whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.pipeline.align.points import OpenByPool, Points, Rules
from neuropair.pipeline.align.types import (
    Bools,
    Floats,
    Integers,
    RecordingPairs,
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
    blocks : tuple of ndarray of int
        Key of each item on side a and b; -1 takes no part.
    groups : tuple of ndarray of int
        Group of each item on side a and b.
    compatible : ndarray of bool
        Which group of a goes with which of b.
    concepts : tuple of ndarray of int
        Number of the concept of each item on side a and b.
    agree : ndarray of bool, shape (n_concepts_a, n_concepts_b)
        Which concepts may be partners, whatever the repetition class.
    spread_by_block : bool
        Whether covariates are standardised by block or by pool.
    """

    blocks: tuple[Integers, Integers]
    groups: tuple[Integers, Integers]
    compatible: Bools
    concepts: tuple[Integers, Integers]
    agree: Bools
    spread_by_block: bool


@dataclass(frozen=True)
class Pooled:
    """Events of one side that have a key, exact columns, and a recording with an open pair.

    Parameters
    ----------
    rows : ndarray of int, shape (n,)
        Rows of the side's items.
    pool : ndarray of int, shape (n,)
    raw : ndarray, shape (n, n_covariates)
        Covariates; NaN unknown.
    seeks : ndarray of int
        Positions of those whose covariates are known, if there is a caliper.
    points : Points
        All of them, standardised.
    """

    rows: Integers
    pool: Integers
    raw: Floats
    seeks: Integers
    points: Points

    def seekers(self) -> Points:
        """Those that look for a partner."""
        rec, block, group, x = self.points
        return Points(rec[self.seeks], block[self.seeks], group[self.seeks], x[self.seeks])


def keys_of(
    work: Work,
    agree: Callable[[str, str], bool],
    stimuli: tuple[Integers, Integers] | None,
) -> Keys:
    """Give numbers to concepts and repetition classes, and form blocks of what may be partners.

    Parameters
    ----------
    agree : callable
        Whether an event of one concept of a may partner one of another of b.
    stimuli : tuple of ndarray of int or None
        What must be equal, beside concepts that agree: -1 for unknown.

    Notes
    -----
    A repetition class that one side does not know goes with any. Blocks are made of all groups that
    are tied together, directly or by others.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    assert isinstance(work.pairing, SameStimulus | SameCondition)
    coded = [_coded(side, work.pairing.repetition_class == "exact") for side in (work.a, work.b)]
    (concept_a, names_a, group_a, kinds_a), (concept_b, names_b, group_b, kinds_b) = coded
    may = np.array([[agree(one, other) for other in names_b] for one in names_a], dtype=bool)
    may = may.reshape(len(names_a), len(names_b))
    class_a, class_b = kinds_a[:, 1][:, None], kinds_b[:, 1][None, :]
    compatible = may[np.ix_(kinds_a[:, 0].astype(int), kinds_b[:, 0].astype(int))]
    compatible &= (class_a == class_b) | (class_a == _UNKNOWN) | (class_b == _UNKNOWN)
    one, other = np.nonzero(compatible)
    n = len(kinds_a) + len(kinds_b)
    tied = csr_array((np.ones(one.size), (one, len(kinds_a) + other)), shape=(n, n))
    component = connected_components(tied, directed=False)[1].astype(np.int64)
    blocks = component[: len(kinds_a)][group_a], component[len(kinds_a) :][group_b]
    if stimuli is not None:
        both = combined(*(np.concatenate(parts) for parts in (stimuli, blocks)))
        blocks = both[: group_a.size], both[group_a.size :]
    return Keys(
        blocks,
        (group_a, group_b),
        compatible,
        (concept_a, concept_b),
        may,
        spread_by_block=stimuli is None,
    )


_UNKNOWN = ""


def _coded(side: SideTable, exact: bool) -> tuple[Integers, list[str], Integers, npt.NDArray[Any]]:
    """Concept of each item with the names, its group, and (concept, class) of each group."""
    concept, names = pd.factorize(side.items["concept"].to_numpy(dtype=object), sort=True)
    again, classes = pd.factorize(side.items["repetition_class"].to_numpy(dtype=object), sort=True)
    again = again + 1 if exact else np.zeros(len(again), dtype=np.int64)
    values, group = np.unique(concept * (len(classes) + 1) + again, return_inverse=True)
    kinds = np.empty((values.size, 2), dtype=object)
    kinds[:, 0] = values // (len(classes) + 1)
    kinds[:, 1] = np.array([_UNKNOWN, *classes], dtype=object)[values % (len(classes) + 1)]
    numbers = np.asarray(concept, dtype=np.int64)
    return numbers, [str(name) for name in names], group.astype(np.int64), kinds


def combined(*codes: Integers) -> Integers:
    """Give a number to each combination of several numbers; -1 where one of them is -1."""
    result = codes[0].astype(np.int64)
    unknown = result < 0
    for code in codes[1:]:
        unknown |= code < 0
        mixed = result * (int(code.max(initial=0)) + 1) + code
        result = np.asarray(pd.factorize(mixed)[0], dtype=np.int64)
    return np.where(unknown, -1, result)


def text_codes(a: pd.Series, b: pd.Series) -> tuple[Integers, Integers]:
    """Give numbers to the texts of two columns together; -1 for none."""
    both = np.concatenate([a.to_numpy(dtype=object), b.to_numpy(dtype=object)])
    codes = np.asarray(pd.factorize(both)[0], dtype=np.int64)
    return codes[: len(a)], codes[len(a) :]


def pools(
    work: Work, keys: Keys, open_pairs: RecordingPairs
) -> tuple[Pooled, Pooled, Rules, list[str]]:
    """Form pools and blocks from the recording pairs that are open.

    Returns
    -------
    a, b : Pooled
    rules : Rules
    names : list of str
        Name of each pool: a person, or a split where persons are mixed.
    """
    pairing = work.pairing
    assert isinstance(pairing, SameStimulus | SameCondition)
    by = "person" if pairing.tier.same_person else "split"
    tables = (work.a, work.b)
    known = [table.recordings[by].fillna("").to_numpy(dtype=object) for table in tables]
    codes, names = pd.factorize(np.concatenate(known), sort=True)
    n_a = len(work.a.recordings)
    of_rec = np.asarray(codes[:n_a], dtype=np.int64), np.asarray(codes[n_a:], dtype=np.int64)
    allowed = OpenByPool.of(of_rec[0], of_rec[1], open_pairs.a, open_pairs.b)
    rules = Rules(allowed, keys.compatible, pairing.caliper, pairing.uses_b, pairing.alternates)

    exact = [text_codes(*(table.items[name] for table in tables)) for name in pairing.exact]
    rows, parts = [], []
    for side, table in enumerate(tables):
        takes = np.zeros(len(table.recordings), dtype=bool)
        takes[(open_pairs.a, open_pairs.b)[side]] = True
        rec = table.items["rec"].to_numpy()
        keep = table.items["chosen"].to_numpy() & (table.items["kind"] == "event").to_numpy()
        keep = keep & takes[rec] & (keys.blocks[side] >= 0)
        for code in exact:
            keep &= code[side] >= 0
        mine = np.flatnonzero(keep)
        rows.append(mine)
        parts.append(
            [of_rec[side][rec[mine]], keys.blocks[side][mine], *(c[side][mine] for c in exact)]
        )
    n = rows[0].size
    block = combined(*(np.concatenate(both) for both in zip(*parts, strict=True)))
    blocks, pool = (block[:n], block[n:]), (parts[0][0], parts[1][0])
    raw = [
        table.items[list(pairing.covariates)].to_numpy(dtype=float)[mine]
        for table, mine in zip(tables, rows, strict=True)
    ]
    complete = [np.isfinite(values).all(axis=1) | (pairing.caliper is None) for values in raw]
    x = _standardised(raw, complete, blocks, pool, pairing.caliper, keys)
    pooled = [
        Pooled(
            rows[side],
            pool[side],
            raw[side],
            np.flatnonzero(complete[side]),
            Points(
                table.items["rec"].to_numpy()[rows[side]],
                blocks[side],
                keys.groups[side][rows[side]],
                x[side],
            ),
        )
        for side, table in enumerate(tables)
    ]
    return pooled[0], pooled[1], rules, [str(name) for name in names]


def _standardised(
    raw: list[Floats],
    complete: list[Bools],
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
    given = [values[keep] for values, keep in zip(raw, complete, strict=True)]
    spread_pool, _ = _pooled_sd(given, [p[c] for p, c in zip(pool, complete, strict=True)], pool)
    spreads = [spread_pool[pool[side]] for side in (0, 1)]
    if keys.spread_by_block:
        own, few = _pooled_sd(given, [b[c] for b, c in zip(block, complete, strict=True)], block)
        spreads = [np.where(few[block[k]], spreads[k], own[block[k]]) for k in (0, 1)]
    constant = np.inf if caliper is None else 1e-9
    return [raw[side] / np.where(spreads[side] > 1e-9, spreads[side], constant) for side in (0, 1)]


def _pooled_sd(
    raw: list[Floats], by: list[Integers], everyone: tuple[Integers, Integers]
) -> tuple[Floats, Bools]:
    """Pooled SD, shape (n_groups, n_covariates), and whether a side has too few events for it."""
    n = int(max(everyone[0].max(), everyone[1].max())) + 1
    total, few = np.zeros((n, raw[0].shape[1])), np.zeros((n, raw[0].shape[1]), dtype=bool)
    for values, group in zip(raw, by, strict=True):
        for column in range(values.shape[1]):
            variance, count = variances(values[:, column], group, n)
            total[:, column] += variance
            few[:, column] |= count < MIN_FOR_SPREAD
    return np.sqrt(total / 2), few


def variances(values: Floats, group: Integers, n: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Variance (n - 1) of the known values of each group, 0 for fewer than two; their number."""
    known = np.isfinite(values)
    values, group = values[known], group[known]
    count = np.bincount(group, minlength=n)
    mean = np.bincount(group, values, minlength=n) / np.maximum(count, 1)
    square = np.bincount(group, (values - mean[group]) ** 2, minlength=n)
    return square / np.maximum(count - 1, 1), count
