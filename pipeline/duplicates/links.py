"""What the rows of table ``duplicates`` mean for persons and splits."""

from __future__ import annotations

import pandas as pd

from neuropair.schemas.graph import components
from neuropair.schemas.relations import LINKED, ONE_SITTING


def same_recording(duplicates: pd.DataFrame) -> list[tuple[str, str]]:
    """Pairs of recordings of one person, by what decided in table ``duplicates``."""
    return _pairs(duplicates, ONE_SITTING)


def links(duplicates: pd.DataFrame) -> list[tuple[str, str]]:
    """Pairs of recordings that must stay in one split."""
    return _pairs(duplicates, LINKED)


def twins(duplicates: pd.DataFrame) -> dict[str, str]:
    """Map each linked recording to the first of those that are, or may be, one sitting with it."""
    return components(links(duplicates))


def _pairs(duplicates: pd.DataFrame, relations: tuple[str, ...]) -> list[tuple[str, str]]:
    if not len(duplicates):
        return []
    rows = duplicates[duplicates["relation"].isin(relations)]
    return sorted(set(zip(rows["recording_a"], rows["recording_b"], strict=True)))
