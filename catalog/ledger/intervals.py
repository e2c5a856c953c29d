"""Intervals of scores by resampling persons, then pairs within persons."""

from __future__ import annotations

import numpy as np

from neuropair.catalog.ledger.maps import Scored, correlate
from neuropair.catalog.ledger.paired import Floats, Ints

DRAWS = 999


def score_interval(scored: Scored, group: Ints, rng: np.random.Generator) -> tuple[float, float]:
    """95 % interval of a map's score.

    Groups of persons are drawn with replacement, then rows within each cell; the models stay as
    they were fitted. With few groups it is wide, as it should be: it is about other persons.

    Parameters
    ----------
    scored : Scored
    group : array of int, shape (row of `Paired`,)
    rng : numpy.random.Generator
    """
    cells, starts, sizes = np.unique(scored.cell, return_index=True, return_counts=True)
    _, owner = np.unique(group[scored.row[starts]], return_inverse=True)
    n_groups = int(owner.max()) + 1
    drawn = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), DRAWS)[:, owner]
    weights = drawn * np.where(sizes > 1, sizes, 0)
    correlations = np.empty((DRAWS, len(cells)))
    parts = np.stack([scored.product, scored.predicted, scored.actual], axis=1)
    for place, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        times = rng.multinomial(size, np.full(size, 1 / size), DRAWS)
        correlations[:, place] = correlate(*(times @ parts[start : start + size]).T)
    total = weights.sum(1)
    scores = (weights * correlations).sum(1)[total > 0] / total[total > 0]
    return quantiles(scores)


def mean_interval(values: Floats, rng: np.random.Generator) -> tuple[float, float]:
    """95 % interval of a mean over persons."""
    rows = rng.integers(0, len(values), (DRAWS, len(values)))
    return quantiles(values[rows].mean(1))


def quantiles(values: Floats) -> tuple[float, float]:
    """Quantiles that hold the middle 95 %."""
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
