"""How alike the two sides are, before and after: table ``balance``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from neuropair.pipeline.align.types import Bools, Floats, Integers

POOLED = "pooled"
"""Pool of the rows that compare all events at once."""


class Part(NamedTuple):
    """One side of a pairing.

    Parameters
    ----------
    pool : ndarray of int, shape (n,)
    raw : ndarray, shape (n, n_covariates)
    common : ndarray of bool, shape (n,)
        Whether the event's block is on both sides.
    paired : ndarray of int, shape (n_pairs,)
        Event of each pair.
    """

    pool: Integers
    raw: Floats
    common: Bools
    paired: Integers


def smd(a: Floats, b: Floats) -> float:
    """Absolute standardised mean difference, by the pooled SD of the two samples.

    Examples
    --------
    >>> round(smd(np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0])), 3)
    1.0
    """
    return _smd(_means(a), _means(b))


class _Means(NamedTuple):
    n: int
    mean: float
    variance: float


def _means(values: Floats) -> _Means:
    known = values[np.isfinite(values)]
    if known.size < 2:
        return _Means(known.size, float("nan"), float("nan"))
    mean = float(known.mean())
    variance = float(((known - mean) ** 2).sum() / (known.size - 1))
    # passages cut every 10 s are 10 s apart to 1e-12: what rounding leaves is no variance
    rounding = (1e-9 * max(1.0, abs(mean))) ** 2
    return _Means(known.size, mean, variance if variance > rounding else 0.0)


def _smd(a: _Means, b: _Means) -> float:
    if a.n < 2 or b.n < 2:
        return float("nan")
    spread = float(np.sqrt((a.variance + b.variance) / 2))
    difference = abs(a.mean - b.mean)
    if spread == 0:
        return 0.0 if difference <= 1e-9 * max(1.0, abs(a.mean)) else float("inf")
    return difference / spread


def _variance_ratio(a: _Means, b: _Means) -> float:
    """Variance of `a` over that of `b`; NaN where it is not defined."""
    return a.variance / b.variance if b.variance > 0 else float("nan")


def ks(a: Floats, b: Floats) -> float:
    """Kolmogorov-Smirnov distance: largest difference of the two distribution functions.

    Examples
    --------
    >>> ks(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    1.0
    """
    a, b = np.sort(a[np.isfinite(a)]), np.sort(b[np.isfinite(b)])
    if not a.size or not b.size:
        return float("nan")
    at = np.concatenate([a, b])
    below = (np.searchsorted(side, at, side="right") / side.size for side in (a, b))
    return float(np.abs(np.subtract(*below)).max())


def balance(
    rule: str,
    covariates: Sequence[str],
    names: Sequence[str],
    a: Part,
    b: Part,
    possible: Integers,
) -> list[dict[str, Any]]:
    """Compare the covariates of the two sides before and after, pool by pool and pooled.

    Before: events whose key stands on both sides. After: events of pairs. Either is standardised by
    its own SD: the stricter way, for pauses that the caliper removes widen that of "before".

    Parameters
    ----------
    names : sequence of str
        Name of each pool.
    possible : ndarray of int, shape (n_pools,)
        Pairs that are possible without a caliper.
    """
    if not covariates:
        return []
    before = [(part.pool[part.common], part.raw[part.common]) for part in (a, b)]
    after = [(part.pool[part.paired], part.raw[part.paired]) for part in (a, b)]
    cuts = [_by_pool(pool, values, len(names)) for pool, values in (*before, *after)]
    rows: list[dict[str, Any]] = []
    for pool in np.flatnonzero(possible).tolist():
        samples = [values[first[pool] : first[pool + 1]] for values, first in cuts]
        rows += _rows(rule, names[pool], covariates, samples, int(possible[pool]))
    if rows:
        samples = [values for values, _ in cuts]
        rows += _rows(rule, POOLED, covariates, samples, int(possible.sum()))
    return rows


def _by_pool(pool: Integers, values: Floats, n: int) -> tuple[Floats, Integers]:
    order = np.argsort(pool, kind="stable")
    return values[order], np.searchsorted(pool[order], np.arange(n + 1))


def _rows(
    rule: str, pool: str, covariates: Sequence[str], samples: list[Floats], possible: int
) -> list[dict[str, Any]]:
    rows = []
    for column, name in enumerate(covariates):
        x, y, u, v = (sample[:, column] for sample in samples)
        before, after = (_means(x), _means(y)), (_means(u), _means(v))
        rows.append(
            {
                "rule": rule,
                "pool": pool,
                "covariate": name,
                "n_a": len(x),
                "n_b": len(y),
                "n_pairs": len(u),
                "dropped_fraction": 1 - len(u) / possible,
                "smd_before": _smd(*before),
                "smd_after": _smd(*after),
                "variance_ratio_before": _variance_ratio(*before),
                "variance_ratio_after": _variance_ratio(*after),
                "ks_before": ks(x, y),
                "ks_after": ks(u, v),
            }
        )
    return rows


def possible_pairs(a: Part, b: Part, blocks: tuple[Integers, Integers], uses_b: int) -> Integers:
    """Pairs possible in each pool without a caliper, were every event of a block admissible.

    A bound: groups that do not go together, and closed recording pairs, can make it fewer.
    """
    n = int(max(a.pool.max(initial=-1), b.pool.max(initial=-1))) + 1
    n_blocks = int(max(part.max(initial=-1) for part in blocks)) + 1
    counts = [np.bincount(block, minlength=n_blocks) for block in blocks]
    pool_of = np.zeros(n_blocks, dtype=np.int64)
    pool_of[blocks[0]] = a.pool
    most = np.minimum(counts[0], counts[1] * uses_b)
    return np.bincount(pool_of, most, minlength=n).astype(np.int64)
