"""Start and end marks of stories and films, before their length is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.pipeline.events.tables import RawTable, lines_at
from neuropair.pipeline.events.timing import Floats
from neuropair.pipeline.events.where import holds
from neuropair.pipeline.types import Loss
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.recipe import Rule

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Marks:
    """Which rows become events, and their marks.

    Parameters
    ----------
    rows : numpy.ndarray of int, shape (events,)
        Row of the table; the row of the end mark where a start mark is lost.
    rules : numpy.ndarray of int, shape (events,)
        Rule of each event.
    start, end : numpy.ndarray, shape (events,)
        Start and end mark of a playback, s; NaN where there is none.
    is_media : numpy.ndarray of bool, shape (events,)
    """

    rows: Integers
    rules: Integers
    start: Floats
    end: Floats
    is_media: npt.NDArray[np.bool_]


def find_marks(
    raw: RawTable,
    frame: pd.DataFrame,
    at: Floats,
    rules: list[Rule],
    rule_of: Integers,
    losses: list[Loss],
) -> Marks:
    """Give every playback its marks: an end belongs to the last start before it.

    An end without a start becomes an event of its own where a template names its stimulus;
    otherwise it is recorded as dropped.

    Parameters
    ----------
    raw : RawTable
    frame : pandas.DataFrame
        Rows in order of onset.
    at : numpy.ndarray, shape (rows,)
        Onsets, s.
    rules : list of Rule
    rule_of : numpy.ndarray of int, shape (rows,)
        Rule of each row, -1 for rows that are no event.
    losses : list of Loss
        What could not be used is added.

    Raises
    ------
    DatasetError
        If no end mark is after its start mark.
    """
    start, end = np.full(len(at), np.nan), np.full(len(at), np.nan)
    lost: list[tuple[int, int]] = []
    for number, rule in enumerate(rules):
        if rule.media is None:
            continue
        mine = np.flatnonzero(rule_of == number)
        start[mine] = at[mine]
        if rule.until is None:
            continue
        ends = np.flatnonzero(holds(frame, rule.until))
        _check_order(raw, frame, at, mine, ends)
        alone = _pair(at, mine, ends, end)
        if rule.stimulus is not None and rule.stimulus.template is not None:
            lost += [(position, number) for position in alone]
        elif alone:
            lines = lines_at(raw.path, [int(line) for line in frame.index[alone]])
            reason = "end mark without a start mark, and nothing else names the stimulus"
            losses.append(Loss("events", "event", "dropped", len(alone), reason, lines))
    matched = np.flatnonzero(rule_of >= 0)
    rows = np.concatenate([matched, np.array([p for p, _ in lost], dtype=np.int64)])
    rules_of = np.concatenate([rule_of[matched], np.array([n for _, n in lost], dtype=np.int64)])
    starts = np.concatenate([start[matched], np.full(len(lost), np.nan)])
    ends_of = np.concatenate([end[matched], at[[p for p, _ in lost]] if lost else []])
    order = np.argsort(at[rows], kind="stable")
    is_media = np.array([rules[number].media is not None for number in rules_of], dtype=bool)
    return Marks(rows[order], rules_of[order], starts[order], ends_of[order], is_media[order])


def _check_order(
    raw: RawTable, frame: pd.DataFrame, at: Floats, starts: Integers, ends: Integers
) -> None:
    if len(ends) and len(starts) == len(ends) and (at[ends] <= at[starts]).all():
        one, other = starts[0], ends[0]
        raise DatasetError(
            f"the end mark at {at[other]:g} s is not after the start mark at {at[one]:g} s.",
            where=f"{raw.path}:{frame.index[other]}",
            remedy="check which mark is which in the recipe's 'where' and 'until'; drop marks that "
            "are none",
        )


def _pair(at: Floats, starts: Integers, ends: Integers, end: Floats) -> list[int]:
    """Enter the end of each start; ends that have none are returned."""
    before = np.searchsorted(at[starts], at[ends], side="left") - 1
    alone: list[int] = []
    for position, which in zip(ends.tolist(), before.tolist(), strict=True):
        if which >= 0 and np.isnan(end[starts[which]]):
            end[starts[which]] = at[position]
        else:
            alone.append(position)
    return alone
