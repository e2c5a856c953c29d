"""Families of evidence, and the components that tell their right pairs from their wrong ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.pipeline.align.types import SLIDING

Floats = npt.NDArray[np.float64]
Rows = slice | npt.NDArray[np.int64]


class Component(NamedTuple):
    """How a component is read from table ``pairs``, and the way it may count."""

    columns: tuple[str, ...]
    value: Callable[..., Floats]
    """Of the columns, by pair."""
    sign: int
    """1 if more of it speaks for the pair, -1 if it speaks against it."""


def _itself(values: Floats) -> Floats:
    return values


def _log_seconds(values: Floats) -> Floats:
    return np.log10(np.maximum(values, 1e-6))


def _log_count(values: Floats) -> Floats:
    return np.asarray(np.log2(1 + np.maximum(values, 0.0)))


def _residual(difference: Floats, bias: Floats) -> Floats:
    """Time difference that the stamps' step does not explain, s: a stamp is half of it off."""
    return np.maximum(np.abs(difference) - np.nan_to_num(bias) / 2, 0.0)


_CLOCK = {
    "coverage": Component(("coverage",), _itself, 1),
    "ambiguity": Component(("ambiguity",), _itself, -1),
    "clock_interval": Component(("clock_interval",), _log_seconds, -1),
}
_RESIDUAL = {"residual": Component(("time_difference", "clock_bias"), _residual, -1)}
# a row that names another stimulus than was shown is one partner too many for that stimulus
_STIMULUS = {"n_alternatives": Component(("n_alternatives",), _log_count, -1)}
# wrong labels weigh most in rare conditions, whose events have few partners
_CONDITION = {
    "n_alternatives": Component(("n_alternatives",), _log_count, 1),
    "covariate_distance": Component(("covariate_distance",), _itself, -1),
}
_BY_TIER: dict[str, dict[str, Component]] = {
    "T0": {},
    "T1": {**_CLOCK, **_RESIDUAL},
    "T2": _STIMULUS,
    "T3": _CONDITION,
    "T4": _STIMULUS,
    "T5": _CONDITION,
}
"""``quality`` is none of them: a noisy window is of the right event all the same."""


def components_of(family: str) -> dict[str, Component]:
    """Give the components of a family, by name."""
    if family.endswith(f"/{SLIDING}"):
        return dict(_CLOCK)
    return dict(_BY_TIER.get(family.split("/", 1)[0], {}))


def components(pairs: pd.DataFrame, rows: Rows, family: str) -> dict[str, Floats]:
    """Read the components of some pairs.

    Parameters
    ----------
    pairs : pandas.DataFrame
    rows : slice or ndarray of int
    family : str

    Returns
    -------
    dict
        Name -> values, shape (n_rows,); NaN where a column is null or absent.
    """

    def column(name: str) -> Floats:
        if name not in pairs.columns:
            return np.full(len(pairs), np.nan)[rows]
        return pairs[name].to_numpy(dtype=float, na_value=np.nan)[rows]

    return {
        name: component.value(*(column(given) for given in component.columns))
        for name, component in components_of(family).items()
    }


def families(pairs: pd.DataFrame) -> Iterator[tuple[str, Rows]]:
    """Give each family of evidence that is there, with its rows.

    Its name is ``tier/evidence``, and for windows that no event marks ``T1/triggers/sliding``.
    """
    tiers, tier_names = pd.factorize(pairs["tier"])
    kinds, kind_names = pd.factorize(pairs["evidence"])
    clocked = [code for code, name in enumerate(tier_names) if name == "T1"]
    sliding = np.zeros(len(pairs), dtype=np.int64)
    if clocked:
        sliding = ((pairs["concept"] == SLIDING).to_numpy() & np.isin(tiers, clocked)).astype(int)
    codes = (tiers * (len(kind_names) + 1) + kinds + 1) * 2 + sliding
    present = np.sort(pd.unique(codes))  # by hash: a sort of 10^7 codes takes a second
    for code in present.tolist():
        tier, kind = divmod(code // 2, len(kind_names) + 1)
        if tier < 0 or kind == 0:
            continue
        name = f"{tier_names[tier]}/{kind_names[kind - 1]}"
        rows: Rows = slice(None) if len(present) == 1 else np.flatnonzero(codes == code)
        yield (f"{name}/{SLIDING}" if code % 2 else name), rows
