"""Confidence: the probability that a pair is right, from the components of its evidence.

No product of heuristics. The components stay columns of table ``pairs``. Per family of evidence
(a tier and what the pair rests on) they are joined to one score, a logistic model in which every
component may only count the way it should, and isotonic regression turns the score into how often
pairs of that score were right in simulated corpora whose truth is known
(`neuropair.pipeline.align.confidence.fit`). `neuropair calibrate` fits anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.pipeline.align.confidence.components import components, families
from neuropair.schemas.calibration import Calibration, Component, Family, calibration
from neuropair.schemas.errors import NeuropairError

UNKNOWN = 0.5
"""Confidence of a pair whose kind of evidence no simulation has shown: nothing is known of it."""

__all__ = ["UNKNOWN", "confidence", "judged_by", "scores"]

_IN_USE: ContextVar[Calibration | None] = ContextVar("calibration", default=None)


@contextmanager
def judged_by(fitted: Calibration) -> Iterator[None]:
    """Judge pairs by another calibration than the shipped one for a while.

    A fit pairs corpora, too, and must not need a file that it is about to write.
    """
    token = _IN_USE.set(fitted)
    try:
        yield
    finally:
        _IN_USE.reset(token)


def confidence(pairs: pd.DataFrame, fitted: Calibration | None = None) -> npt.NDArray[np.float64]:
    """Probability that a pair is right, from the columns of its evidence.

    Parameters
    ----------
    pairs : pandas.DataFrame
        Columns ``tier, evidence, concept`` and the components of table ``pairs``. A component
        that is null counts as it did on average.
    fitted : Calibration, optional
        That of `judged_by`, else the shipped one, unless given.

    Returns
    -------
    ndarray, shape (n_pairs,)
        Between 0 and 1, never either; `UNKNOWN` for evidence of a kind that was not calibrated.
    """
    judges = (fitted or _IN_USE.get() or calibration()).families
    found = np.full(len(pairs), UNKNOWN)
    for name, rows in families(pairs):
        if name in judges:
            family = judges[name]
            found[rows] = np.interp(
                scores(pairs, rows, name, family), family.score, family.probability
            )
    return found


def scores(
    pairs: pd.DataFrame, rows: slice | npt.NDArray[np.int64], name: str, family: Family
) -> npt.NDArray[np.float64]:
    """Sum the log-odds that the components of a family's pairs add.

    Parameters
    ----------
    pairs : pandas.DataFrame
    rows : slice or ndarray of int
        Rows of `pairs` that are of the family.
    name : str
        Name of the family.
    family : Family

    Raises
    ------
    NeuropairError
        If the calibration lacks a component: it was fitted by another version.
    """
    n = len(range(*rows.indices(len(pairs)))) if isinstance(rows, slice) else len(rows)
    total = np.zeros(n)
    for component, values in components(pairs, rows, name).items():
        curve = _curve(family, component, name)
        added = np.interp(values, curve.at, curve.adds)
        total += np.where(np.isnan(values), curve.absent, added)
    return total


def _curve(family: Family, component: str, name: str) -> Component:
    if component not in family.components:
        raise NeuropairError(
            f"lacks component {component!r}, which this version of neuropair reads.",
            where=f"calibration, family {name}",
            remedy="fit it anew with `neuropair calibrate`",
        )
    return family.components[component]
