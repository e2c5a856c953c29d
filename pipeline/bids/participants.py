"""participants.tsv: only the columns that a recipe names leave it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from neuropair.pipeline.bids.tables import MISSING, parse_tsv
from neuropair.pipeline.types import Dataset
from neuropair.schemas.errors import DatasetError

FILE = "participants.tsv"


def read_participants(dataset: Dataset, columns: Sequence[str]) -> pd.DataFrame:
    """Read the named columns of participants.tsv, and nothing else.

    Parameters
    ----------
    dataset : Dataset
    columns : sequence of str
        `Persons.columns` of the recipe. None named: the file is not opened.

    Returns
    -------
    pandas.DataFrame
        ``subject`` (label without ``sub-``) and `columns`, as text; None where ``n/a``.

    Raises
    ------
    DatasetError
        If the file is absent or has no such column.
    """
    if not columns:
        return pd.DataFrame(columns=["subject"], dtype=object)
    path = dataset.root / FILE
    try:
        rows = parse_tsv(path.read_bytes(), str(path))
    except OSError as error:
        raise DatasetError(
            f"cannot be read ({error.strerror}).",
            where=str(path),
            remedy="the recipe names columns of it: add the file, or empty persons.columns",
        ) from error
    known = list(rows[0]) if rows else []
    for column in ("participant_id", *columns):
        if column not in known:
            raise DatasetError(
                f"has no column {column!r}.",
                where=str(path),
                remedy=f"its columns are {', '.join(known)}; correct persons.columns",
            )
    subjects = [row["participant_id"].removeprefix("sub-") for row in rows]
    cells = {
        name: [None if row[name] in MISSING else row[name] for row in rows] for name in columns
    }
    return pd.DataFrame({"subject": subjects, **cells}, dtype=object)
