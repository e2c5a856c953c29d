"""Conditions on the cells of a table."""

from __future__ import annotations

import math
import re
from functools import reduce

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.pipeline.events.tables import is_missing
from neuropair.schemas.recipe import Match, OneOrMany, Scalar, Where

Mask = npt.NDArray[np.bool_]


def number(cell: str | None) -> float | None:
    """Read the finite number of a cell; None where it is none.

    Examples
    --------
    >>> number("1.0"), number("2.9999.1"), number(None), number("inf")
    (1.0, None, None, None)
    """
    if cell is None:
        return None
    try:
        value = float(cell)
    except ValueError:
        return None
    # int("1_0") and float("1_0") are numbers to Python only
    return value if math.isfinite(value) and "_" not in cell else None


def equals(cell: str | None, value: Scalar) -> bool:
    """Whether a cell is a value: numbers compare as numbers, text exactly.

    Examples
    --------
    >>> equals("1.0", 1), equals("1.0", "1"), equals(None, "n/a"), equals("true", True)
    (True, False, True, True)
    """
    if isinstance(value, str):
        return is_missing(value) if cell is None else cell == value
    if cell is None:
        return False
    if isinstance(value, bool):
        return cell.lower() == str(value).lower()
    return number(cell) == float(value)


def key_equals(cell: str, key: str) -> bool:
    """Whether a cell is a mapping's key, which YAML gives as text: ``'7'`` is also ``7.0``."""
    return cell == key or (number(cell) is not None and number(cell) == number(key))


def holds(frame: pd.DataFrame, where: Where) -> Mask:
    """Rows that hold all conditions.

    Parameters
    ----------
    frame : pandas.DataFrame
        Cells as text, None where missing.
    where : Where
        Column -> value, list of values or `Match`. A missing cell matches ``n/a``, fails every
        bound and regular expression, and is none of the values of ``exclude``.

    Returns
    -------
    numpy.ndarray of bool, shape (rows,)
    """
    everything = np.ones(len(frame), dtype=bool)
    return reduce(np.logical_and, (_column(frame[c], t) for c, t in where.items()), everything)


def _column(cells: pd.Series, test: OneOrMany | Match) -> Mask:
    codes, distinct = pd.factorize(cells, use_na_sentinel=False)
    passed = [_passes(None if pd.isna(cell) else str(cell), test) for cell in distinct]
    if not passed:
        return np.zeros(len(cells), dtype=bool)
    mask: Mask = np.asarray(passed, dtype=bool)[codes]
    return mask


def _passes(cell: str | None, test: OneOrMany | Match) -> bool:
    if isinstance(test, Match):
        return _matches(cell, test)
    values = test if isinstance(test, list) else [test]
    return any(equals(cell, value) for value in values)


def _matches(cell: str | None, test: Match) -> bool:
    if test.present is not None and test.present != (cell is not None):
        return False
    if test.exclude is not None and any(equals(cell, value) for value in test.exclude):
        return False
    if test.regex is not None and (cell is None or re.fullmatch(test.regex, cell) is None):
        return False
    if test.minimum is None and test.maximum is None:
        return True
    value = number(cell)
    low = -math.inf if test.minimum is None else test.minimum
    high = math.inf if test.maximum is None else test.maximum
    return value is not None and low <= value <= high
