"""Other tables of a dataset: a stimulus list joined by order, events where no table has them.

MEG and EEG of NOD name no image in their events tables: 200 and 125 triggers a run, and the images
stand in another file, in the order of their showing. A join by order is right only if not one row
is missing on either side, so it is refused where the counts, or a column that both have, differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from neuropair.pipeline.events.tables import RawTable, read_table
from neuropair.pipeline.events.templates import fill
from neuropair.pipeline.events.where import holds, key_equals, number
from neuropair.pipeline.types import Loss, Recording
from neuropair.schemas.errors import AssertionFailedError, DatasetError, RecipeError
from neuropair.schemas.recipe import Join, Rows, Synthesise

Entities = Mapping[str, str | None]


class Lists:
    """Lists of a dataset, each read once.

    Parameters
    ----------
    root : Path
        The dataset's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read: dict[PurePosixPath, RawTable] = {}

    def rows(self, given: Rows, entities: Entities, where: str) -> RawTable:
        """Rows of a list that are a recording's.

        Parameters
        ----------
        given : Rows
            With a path.
        entities : mapping
            The recording's.
        where : str
            Names recipe and entry in errors.

        Raises
        ------
        RecipeError
            If the recipe names an entity, a file or a column that is not there.
        DatasetError
            If the file cannot be read as a table.
        """
        assert given.path is not None
        path = PurePosixPath(fill(given.path, entities, f"{where}.path"))
        if path not in self._read:
            if not (self._root / path).is_file():
                raise RecipeError(
                    f"{path} is not there.",
                    where=f"{where}.path",
                    remedy="fetch the file, or mend the path",
                )
            self._read[path] = read_table(self._root, path)
        table = self._read[path]
        chosen = np.ones(len(table.frame), dtype=bool)
        for column, value in given.rows.items():
            require_column(table, column, f"{where}.rows")
            wanted = fill(str(value), entities, f"{where}.rows.{column}")
            equal = [c is not None and key_equals(c, wanted) for c in table.frame[column]]
            chosen &= np.array(equal, dtype=bool)
        return RawTable(table.path, table.frame[chosen], table.losses)


def require_column(table: RawTable, column: str, where: str) -> None:
    """Refuse a column that a table has not.

    Raises
    ------
    RecipeError
        Naming recipe, key, column and table, and the columns that there are.
    """
    if column in table.columns:
        return
    close = get_close_matches(column, table.columns, n=1)
    meant = f"did you mean {close[0]!r}? " if close else ""
    raise RecipeError(
        f"column {column!r} is not in {table.path}.",
        where=where,
        remedy=f"{meant}its columns are {', '.join(table.columns)}",
    )


def join_by_order(
    raw: RawTable,
    frame: pd.DataFrame,
    join: Join,
    listed: RawTable,
    recording: Recording,
    where: str,
) -> tuple[pd.DataFrame, Loss]:
    """Add columns of a list to the rows of an events table, by order.

    Parameters
    ----------
    raw : RawTable
        The events table, for errors.
    frame : pandas.DataFrame
        Its rows in order of onset, without drops and bounces.
    join : Join
    listed : RawTable
        The recording's rows of the list.
    recording : Recording
    where : str
        Names recipe and key in errors.

    Returns
    -------
    pandas.DataFrame
        With the new columns, None where `join.where` does not hold.
    Loss
        What was joined.

    Raises
    ------
    RecipeError
        If the recipe names a column that is not there, or one that there is already.
    AssertionFailedError
        If the counts, or cells that must agree, differ.
    """
    _check_columns(raw, join, listed, where)
    mine = np.flatnonzero(holds(frame, join.where))
    if len(mine) != len(listed.frame):
        raise AssertionFailedError(
            f"{len(mine)} rows of {raw.path} hold the join's 'where', and {listed.path} lists "
            f"{len(listed.frame)} for {recording.id}: by order they cannot be joined.",
            where=where,
            remedy="find the missing row; or drop this recording in the study ('exclude')",
        )
    for ours, theirs in join.agree.items():
        both = zip(frame[ours].iloc[mine], listed.frame[theirs], strict=True)
        wrong = [i for i, (one, other) in enumerate(both) if not _agree(one, other)]
        if wrong:
            first = wrong[0]
            raise AssertionFailedError(
                f"{ours} and {theirs} of {listed.path}:{listed.frame.index[first]} differ in "
                f"{len(wrong)} of {len(mine)} rows ({recording.id}): the first is "
                f"{frame[ours].iloc[mine[first]]!r} and {listed.frame[theirs].iloc[first]!r}.",
                where=where,
                remedy="the order of the two tables differs; do not join them by order",
            )
    joined = frame.copy()
    for new, theirs in join.columns.items():
        cells = np.full(len(frame), None, dtype=object)
        cells[mine] = listed.frame[theirs].to_numpy(dtype=object)
        joined[new] = pd.Series(cells, index=frame.index, dtype=object)
    guards = f", {', '.join(join.agree)} agree" if join.agree else ""
    reason = (
        f"{', '.join(join.columns)} joined by order, {len(mine)} rows on both sides{guards}: "
        f"{join.because}"
    )
    return joined, Loss("events", "event", "flagged", len(mine), reason, listed.path)


def _check_columns(raw: RawTable, join: Join, listed: RawTable, where: str) -> None:
    for column in (*join.where, *join.agree):
        require_column(raw, column, where)
    for column in (*join.columns.values(), *join.agree.values()):
        require_column(listed, column, where)
    if twice := sorted(set(join.columns) & set(raw.columns)):
        raise RecipeError(
            f"column {twice[0]!r} is in {raw.path} already.",
            where=f"{where}.columns",
            remedy="give the joined column a name of its own",
        )


def _agree(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return one is other
    return one == other or (number(one) is not None and number(one) == number(other))


def synthesised_table(
    given: Synthesise, lists: Lists, recording: Recording, entities: Entities, where: str
) -> RawTable:
    """Give the rows that become events of a recording without an events table.

    Parameters
    ----------
    given : Synthesise
    lists : Lists
    recording : Recording
    entities : mapping
        The recording's.
    where : str
        Names recipe and key in errors.

    Raises
    ------
    RecipeError
        If the recipe names a file, column or key that is not there.
    DatasetError
        If the recording has a table of its own, or the sidecar's lists differ in length.
    """
    if recording.events_path is not None:
        raise DatasetError(
            f"the recording has an events table, and {where} would put another in its place.",
            where=str(recording.events_path),
            remedy="read the table ('source: table'), or select other recordings",
        )
    if given.sidecar:
        table = _of_sidecar(given, recording, where)
    else:
        table = lists.rows(given, entities, where)
    reason = f"events synthesised from {table.path}: {given.because}"
    loss = Loss("events", "row", "flagged", len(table.frame), reason, table.path)
    return RawTable(table.path, table.frame, (*table.losses, loss))


def _of_sidecar(given: Synthesise, recording: Recording, where: str) -> RawTable:
    path = str(recording.sidecar_paths[-1]) if recording.sidecar_paths else str(recording.path)
    columns: dict[str, list[str | None]] = {}
    for column, key in given.sidecar.items():
        values = recording.sidecar.get(key)
        if not isinstance(values, list):
            raise RecipeError(
                f"the sidecar has no list {key!r}.",
                where=f"{where}.sidecar.{column}",
                remedy=f"name a key of {path} that holds one entry an event",
            )
        columns[column] = [None if value is None else str(value) for value in values]
    lengths = {column: len(values) for column, values in columns.items()}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{column} {count}" for column, count in lengths.items())
        raise DatasetError(
            f"the lists of the sidecar differ in length ({counts}).",
            where=path,
            remedy="mend the sidecar: one entry an event in each",
        )
    index = pd.RangeIndex(1, max(lengths.values()) + 1, name="line")
    return RawTable(path, pd.DataFrame(columns, index=index, dtype=object))
