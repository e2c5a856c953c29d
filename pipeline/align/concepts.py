"""When two concepts are one: equal, mapped by the study, or one below the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

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


def classes(
    of_a: Sequence[str], of_b: Sequence[str], concepts: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Every concept of a with every one of b that agrees with it."""
    return [(a, b) for a in sorted(set(of_a)) for b in sorted(set(of_b)) if agree(a, b, concepts)]


def shared(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Concept that two equally long arrays share, row by row: equal, or the one above the other.

    None where neither contains the other: two recipes then contradict each other.
    """
    known: dict[tuple[str, str], str | None] = {}
    result = np.empty(len(a), dtype=object)
    for row, pair in enumerate(zip(a.tolist(), b.tolist(), strict=True)):
        if pair not in known:
            first, second = pair
            below = first if is_within(second, first) else None
            known[pair] = second if is_within(first, second) else below
        result[row] = known[pair]
    return result
