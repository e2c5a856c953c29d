"""When two concepts are one: equal, mapped by the study, or one below the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.schemas.vocabulary import is_within


def mapped(concept: str, concepts: Mapping[str, str]) -> str | None:
    """Apply a study's mapping to a concept: the longest key that contains it wins.

    Examples
    --------
    >>> mapped("motor/fist/left", {"motor/fist": "motor/tapping"})
    'motor/tapping/left'
    """
    keys = [key for key in concepts if is_within(concept, key)]
    if not keys:
        return None
    key = max(keys, key=len)
    return concepts[key] + concept[len(key) :]


def agree(a: str, b: str, concepts: Mapping[str, str]) -> bool:
    """Whether an event of concept `a` may partner one of concept `b`."""
    target = mapped(a, concepts)
    return a == b or (target is not None and is_within(b, target))


def shared(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Concept that two equally long arrays share, row by row: equal, or the one above the other.

    None where neither contains the other: two recipes then contradict each other.
    """
    code_a, names_a = pd.factorize(a)
    code_b, names_b = pd.factorize(b)
    together, which = np.unique(code_a * max(len(names_b), 1) + code_b, return_inverse=True)
    found = np.empty(together.size, dtype=object)
    for row, code in enumerate(together.tolist()):
        first, second = names_a[code // len(names_b)], names_b[code % len(names_b)]
        below = first if is_within(second, first) else None
        found[row] = second if is_within(first, second) else below
    return found[which]
