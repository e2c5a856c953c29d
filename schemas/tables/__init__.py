"""The tables of a corpus: one Arrow schema each, with the unit and meaning of every column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

from neuropair.schemas.errors import CorpusError
from neuropair.schemas.tables.evidence import (
    ALTERNATES,
    BALANCE,
    CLOCKS,
    DUPLICATES,
    LEDGER,
    MEDIA_CLOCKS,
    NEGATIVES,
    PERSONS,
)
from neuropair.schemas.tables.pairing import ABSTENTIONS, PAIRS
from neuropair.schemas.tables.recordings import CHANNELS, DATASETS, EVENTS, RECORDINGS, WINDOWS
from neuropair.schemas.tables.releases import LOSSES, RELEASES, SPLITS

TABLES: Mapping[str, pa.Schema] = {
    "datasets": DATASETS,
    "recordings": RECORDINGS,
    "channels": CHANNELS,
    "events": EVENTS,
    "windows": WINDOWS,
    "pairs": PAIRS,
    "abstentions": ABSTENTIONS,
    "splits": SPLITS,
    "losses": LOSSES,
    "persons": PERSONS,
    "clocks": CLOCKS,
    "media_clocks": MEDIA_CLOCKS,
    "balance": BALANCE,
    "alternates": ALTERNATES,
    "negatives": NEGATIVES,
    "duplicates": DUPLICATES,
    "ledger": LEDGER,
}
"""Every table that a release names; ``releases`` itself stands beside them."""

KEYS: Mapping[str, tuple[str, ...]] = {
    "datasets": ("study", "dataset"),
    "recordings": ("recording",),
    "channels": ("recording", "channel"),
    "events": ("recording", "event"),
    "windows": ("recording", "window"),
    "pairs": ("study", "pair_id"),
    "abstentions": (),
    "splits": ("study", "kind", "key"),
    "losses": (),
    "persons": ("study", "dataset", "subject"),
    "clocks": ("study", "rule", "recording_a", "recording_b", "segment"),
    "media_clocks": ("study", "recording", "stimulus", "onset"),
    "balance": ("study", "rule", "pool", "covariate"),
    "alternates": ("study", "pair_id", "rank"),
    "negatives": ("study", "pair_id", "kind", "recording_b", "window_b"),
    "duplicates": ("study", "recording_a", "recording_b", "relation"),
    "ledger": ("study", "tier", "rule", "measure", "null"),
    "releases": ("release",),
}
"""The columns that no two rows of a table share; empty where rows may be alike."""

ORDER: Mapping[str, tuple[str, ...]] = {
    "datasets": ("dataset",),
    "recordings": ("recording",),
    "channels": ("recording", "row", "channel"),
    "events": ("recording", "event"),
    "windows": ("recording", "window"),
    "pairs": ("tier", "rule", "recording_a", "recording_b", "window_a", "window_b", "pair_id"),
    "abstentions": ("tier", "rule", "recording_a", "recording_b", "reason"),
    "splits": ("kind", "key"),
    "persons": ("dataset", "subject"),
    "clocks": ("rule", "recording_a", "recording_b", "segment"),
    "media_clocks": ("recording", "stimulus", "onset"),
    "balance": ("rule", "pool", "covariate"),
    "alternates": ("pair_id", "rank"),
    "negatives": ("pair_id", "grade", "kind", "recording_b", "window_b"),
    "duplicates": ("recording_a", "recording_b", "relation"),
    "ledger": ("tier", "rule", "measure", "null"),
    "losses": ("dataset", "recording", "stage", "item", "action", "reason", "where", "count"),
    "releases": ("sequence",),
}
"""How the rows of one study are sorted in a table; `KEYS` then decide what is left."""


def conform(rows: pd.DataFrame | list[dict[str, Any]], table: str) -> pa.Table:
    """Turn rows into an Arrow table of exactly the table's schema.

    Parameters
    ----------
    rows : pandas.DataFrame or list of dict
        Rows by column name. Nullable columns may be absent.
    table : str
        A name in `TABLES`, or ``releases``.

    Raises
    ------
    CorpusError
        If a column is unknown, missing, of another type, or null where it may not be.
    """
    schema = RELEASES if table == "releases" else TABLES[table]
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows)
    unknown = [name for name in frame.columns if name not in schema.names]
    missing = [f.name for f in schema if not f.nullable and f.name not in frame.columns]
    if unknown or (missing and len(frame)):
        raise CorpusError(
            f"unknown columns {unknown}, missing columns {missing}.",
            where=f"table {table}",
            remedy=f"the columns are {', '.join(schema.names)}",
        )
    columns = [_array(frame, field, table) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _array(frame: pd.DataFrame, field: pa.Field, table: str) -> pa.Array:
    if field.name not in frame.columns:
        return pa.nulls(len(frame), field.type)
    try:
        array = pa.array(frame[field.name], type=field.type, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise CorpusError(
            f"{error}.", where=f"table {table}, column {field.name}", remedy=f"give {field.type}"
        ) from error
    if array.null_count and not field.nullable:
        raise CorpusError(
            f"{array.null_count} values are null.",
            where=f"table {table}, column {field.name}",
            remedy="every row needs a value",
        )
    return array


__all__ = [
    "ABSTENTIONS",
    "ALTERNATES",
    "BALANCE",
    "CHANNELS",
    "CLOCKS",
    "DATASETS",
    "DUPLICATES",
    "EVENTS",
    "KEYS",
    "LEDGER",
    "LOSSES",
    "MEDIA_CLOCKS",
    "NEGATIVES",
    "ORDER",
    "PAIRS",
    "PERSONS",
    "RECORDINGS",
    "RELEASES",
    "SPLITS",
    "TABLES",
    "WINDOWS",
    "conform",
]
