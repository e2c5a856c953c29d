"""What a rule says about its rows beyond their time: stimulus, attributes, response."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.pipeline.events.columns import measure
from neuropair.pipeline.events.tables import RawTable
from neuropair.pipeline.events.templates import fill
from neuropair.pipeline.events.timing import Floats, optional_seconds
from neuropair.pipeline.events.where import equals, key_equals
from neuropair.pipeline.types import Loss
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.recipe import Column, EventsRecipe, Measure, Rule, Scalar, Stimulus

Columns = dict[str, npt.NDArray[Any]]
_TEXT = ("concept", "stimulus_name", "folder", "hed", "attributes", "repetition_class")


def describe(
    raw: RawTable,
    frame: pd.DataFrame,
    entry: EventsRecipe,
    entities: Mapping[str, str | None],
    rule_of: npt.NDArray[np.int64],
) -> tuple[Columns, list[Loss]]:
    """Fill the columns of canonical events that do not depend on other events.

    Parameters
    ----------
    raw : RawTable
    frame : pandas.DataFrame
        The rows that became events.
    entry : EventsRecipe
    entities : mapping
        The recording's, for templates.
    rule_of : numpy.ndarray of int, shape (rows,)
        Number of each row's rule.

    Returns
    -------
    dict of str to numpy.ndarray, shape (rows,)
    list of Loss

    Raises
    ------
    DatasetError
        If a cell is none of the values that the recipe lists for its column.
    RecipeError
        If a template names an entity that the recording has not.
    """
    columns: Columns = {name: np.full(len(frame), None, dtype=object) for name in _TEXT}
    columns["value"] = _cells(frame, entry.value, "value")
    columns["trial_type"] = _cells(frame, entry.trial_type, "trial_type")
    columns["response_time"] = np.full(len(frame), np.nan)
    columns["source_row"] = frame.index.to_numpy(dtype=np.int64)
    columns["rule"] = rule_of
    losses: list[Loss] = []
    for number, rule in enumerate(entry.rules):
        mine = np.flatnonzero(rule_of == number)
        if not len(mine):
            continue
        rows = frame.iloc[mine]
        columns["concept"][mine] = rule.concept
        columns["hed"][mine] = rule.hed
        if rule.stimulus is not None:
            columns["stimulus_name"][mine] = _names(rows, rule.stimulus, entities, raw)
            columns["folder"][mine] = fill(rule.stimulus.folder, entities, raw.path)
        if rule.repetition_column is not None:
            columns["repetition_class"][mine] = _values(raw, rows, rule.repetition_column)
        if rule.response_time is not None:
            times, refused = _times(raw, rows, measure(rule.response_time))
            columns["response_time"][mine] = times
            losses += refused
        if rule.attributes:
            columns["attributes"][mine] = _attributes(raw, rows, rule)
    return columns, losses


def _cells(frame: pd.DataFrame, named: str | None, default: str) -> npt.NDArray[Any]:
    column = named or default
    if column not in frame.columns:
        return np.full(len(frame), None, dtype=object)
    return frame[column].to_numpy(dtype=object)


def _names(
    rows: pd.DataFrame, stimulus: Stimulus, entities: Mapping[str, str | None], raw: RawTable
) -> Any:
    if stimulus.template is None:
        return rows[stimulus.column].to_numpy(dtype=object)
    return fill(stimulus.template, entities, raw.path)


def _times(raw: RawTable, rows: pd.DataFrame, how: Measure) -> tuple[Floats, list[Loss]]:
    cells = rows[how.column]
    answered = [not any(equals(cell, gone) for gone in how.missing) for cell in cells]
    given = pd.DataFrame({how.column: cells.where(pd.Series(answered, index=cells.index), None)})
    return optional_seconds(raw, given, how.column, how.unit)


def _attributes(raw: RawTable, rows: pd.DataFrame, rule: Rule) -> list[str]:
    columns: dict[str, list[Scalar | None]] = {
        name: _values(raw, rows, value) if isinstance(value, Column) else [value] * len(rows)
        for name, value in rule.attributes.items()
    }
    return [
        json.dumps(
            {name: values[i] for name, values in columns.items()},
            sort_keys=True,
            ensure_ascii=False,
        )
        for i in range(len(rows))
    ]


def _values(raw: RawTable, rows: pd.DataFrame, column: Column) -> list[Scalar | None]:
    cells = rows[column.column]
    if column.values is None:
        return [None if cell is None else str(cell) for cell in cells]
    found: dict[str, Scalar] = {}
    for line, cell in cells.items():
        if cell is None or cell in found:
            continue
        known = [value for key, value in column.values.items() if key_equals(cell, key)]
        if not known:
            raise DatasetError(
                f"column {column.column} has {cell!r}, which the recipe does not list.",
                where=f"{raw.path}:{line}",
                remedy=f"add it to 'values'; listed are {', '.join(column.values)}",
            )
        found[cell] = known[0]
    return [None if cell is None else found[cell] for cell in cells]
