"""Whether the two sides of the pairs are alike in the covariates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neuropair.pipeline.align.types import Bools, Floats, Integers

Part = tuple[Integers, Floats, Bools, Integers]
"""Pool of each event, covariates, whether its block is on both sides, and the events of pairs."""


def smd(a: Floats, b: Floats) -> float:
    """Standardised mean difference, by the pooled SD of the two samples.

    Examples
    --------
    >>> round(smd(np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0])), 3)
    1.0
    """
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if a.size < 2 or b.size < 2:
        return float("nan")
    spread = float(np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2))
    difference = abs(float(a.mean() - b.mean()))
    if spread == 0:
        return 0.0 if difference == 0 else float("inf")
    return difference / spread


def balance(
    rule: str, covariates: Sequence[str], pools: Mapping[int, str], a: Part, b: Part
) -> list[dict[str, Any]]:
    """Compare the covariates of the two sides before and after, pool by pool.

    Before: events whose key stands on both sides. After: events of pairs. Either is standardised by
    its own SD: the stricter way, for pauses that the caliper removes widen that of "before".
    """
    rows: list[dict[str, Any]] = []
    for pool in sorted(pools):
        before = [part[1][(part[0] == pool) & part[2]] for part in (a, b)]
        after = [part[1][part[3]][part[0][part[3]] == pool] for part in (a, b)]
        for column, name in enumerate(covariates):
            x, y = (side[:, column] for side in before)
            u, v = (side[:, column] for side in after)
            rows.append(
                {
                    "rule": rule,
                    "pool": pools[pool],
                    "covariate": name,
                    "n_a": len(x),
                    "n_b": len(y),
                    "n_pairs": len(u),
                    "smd_before": smd(x, y),
                    "smd_after": smd(u, v),
                    "variance_ratio_after": _ratio(u, v),
                }
            )
    return rows


def _ratio(u: Floats, v: Floats) -> float:
    u, v = u[np.isfinite(u)], v[np.isfinite(v)]
    if u.size < 2 or v.size < 2 or v.var() == 0:
        return float("nan")
    return float(u.var(ddof=1) / v.var(ddof=1))
