"""Turn one table into canonical events by the recipe's rules."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.pipeline.events.columns import require_columns
from neuropair.pipeline.events.describe import describe
from neuropair.pipeline.events.lists import join_by_order
from neuropair.pipeline.events.marks import find_marks
from neuropair.pipeline.events.tables import RawTable, lines_at
from neuropair.pipeline.events.timing import (
    Floats,
    check_extent,
    check_units,
    onsets,
    optional_seconds,
)
from neuropair.pipeline.events.where import holds
from neuropair.pipeline.sources.selection import selects
from neuropair.pipeline.types import Loss, Recording
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.recipe import ENTITIES, Drop, EventsRecipe, Rule, Selection

Integers = npt.NDArray[np.int64]

_SLACK = 1e-9
"""s; an interval that is written as the limit is not below it by a rounding error."""


@dataclass
class Draft:
    """The events of a recording before the session is known.

    Parameters
    ----------
    table : pandas.DataFrame
        ``onset, duration, concept, stimulus_name, value, trial_type, hed, response_time,
        attributes, source_row`` sorted by onset, ``rule`` (number of the rule that made the
        event), ``folder`` (of its stimulus), ``repetition_class`` where a column gives it,
        ``stated`` (the duration that table or rule give, s), and for media ``mark_start,
        mark_end`` (s, NaN where there is no such mark).
    losses : list of Loss
    """

    table: pd.DataFrame
    losses: list[Loss] = field(default_factory=list)


def entities(recording: Recording) -> dict[str, str | None]:
    """Entities of a recording, by the names that selections and templates use."""
    return {name: getattr(recording, name) for name in ENTITIES}


def is_selected(selection: Selection, recording: Recording) -> bool:
    """Whether a selection holds for a recording."""
    return selects(selection, recording.modality, entities(recording))


def draft_events(
    raw: RawTable,
    entry: EventsRecipe,
    recording: Recording,
    *,
    where: str,
    length: float | None = None,
    listed: RawTable | None = None,
) -> Draft:
    """Apply drops, units, debouncing, the join, rules and delay, in this order.

    Parameters
    ----------
    raw : RawTable
    entry : EventsRecipe
    recording : Recording
    where : str
        Names recipe and entry in errors.
    length : float or None
        Length of the recording, s, where it is known.
    listed : RawTable or None
        The recording's rows of the list that the entry joins.

    Raises
    ------
    RecipeError
        If the recipe names a column that the table has not.
    AssertionFailedError
        If a join by order does not hold.
    DatasetError
        If a cell cannot be read, a row fits no rule, or the unit of time cannot be right.
    """
    drops = [drop for drop in entry.drop if is_selected(drop.recordings, recording)]
    require_columns(entry, drops, raw, where)
    losses = list(raw.losses)
    frame = _drop(raw, raw.frame, drops, losses)
    frame = _drop_without_onset(raw, frame, entry.onset, losses)
    at = onsets(raw, frame, entry.onset, entry.onset_unit)
    frame, at = _sorted(raw, frame, at, losses)
    lasting = _durations(raw, frame, entry, losses)
    check_units(raw, frame, at, lasting, entry, recording, length)
    kept = _debounce(raw, frame, at, entry, losses)
    frame, at, lasting = frame[kept], at[kept], lasting[kept]
    if entry.join is not None and listed is not None:
        at_join = f"{where}, key join"
        frame, joined = join_by_order(raw, frame, entry.join, listed, recording, at_join)
        losses.append(joined)
    rule_of = _assign(raw, frame, entry, where, losses)
    stated = _stated(lasting, entry.rules, rule_of)
    lasting = _ruled_durations(frame, at, lasting, entry.rules, rule_of)
    at = at + _shift(entry, int((rule_of >= 0).sum()), losses)
    marks = find_marks(raw, frame, at, entry.rules, rule_of, losses)
    rows, rule_of = marks.rows, marks.rules
    frame, at = frame.iloc[rows], at[rows]
    lasting = np.where(np.isnan(marks.start) & marks.is_media, np.nan, lasting[rows])
    losses += check_extent(raw, frame, at, length)
    columns, refused = describe(raw, frame, entry, entities(recording), rule_of)
    # pandas would read an object array of text as its own string type, with NaN in place of None
    series = {name: pd.Series(values, dtype=values.dtype) for name, values in columns.items()}
    times = {"stated": stated[rows], "mark_start": marks.start, "mark_end": marks.end}
    return Draft(
        pd.DataFrame({"onset": at, "duration": lasting, **series, **times}), losses + refused
    )


def _drop(
    raw: RawTable, frame: pd.DataFrame, drops: list[Drop], losses: list[Loss]
) -> pd.DataFrame:
    for drop in drops:
        mask = holds(frame, drop.where)
        if mask.any():
            lines = lines_at(raw.path, frame.index[mask])
            losses.append(Loss("events", "row", "dropped", int(mask.sum()), drop.because, lines))
            frame = frame[~mask]
    return frame


def _drop_without_onset(
    raw: RawTable, frame: pd.DataFrame, column: str, losses: list[Loss]
) -> pd.DataFrame:
    absent = frame[column].isna().to_numpy()
    if not absent.any():
        return frame
    lines = lines_at(raw.path, frame.index[absent])
    reason = f"{column} is missing"
    losses.append(Loss("events", "row", "dropped", int(absent.sum()), reason, lines))
    return frame[~absent]


def _sorted(
    raw: RawTable, frame: pd.DataFrame, at: Floats, losses: list[Loss]
) -> tuple[pd.DataFrame, Floats]:
    if not len(at):
        return frame, at
    late = at < np.maximum.accumulate(at)
    if late.any():
        lines = lines_at(raw.path, frame.index[late])
        reason = "row stands after a later onset, sorted"
        losses.append(Loss("events", "row", "repaired", int(late.sum()), reason, lines))
    order = np.argsort(at, kind="stable")
    return frame.iloc[order], at[order]


def _durations(
    raw: RawTable, frame: pd.DataFrame, entry: EventsRecipe, losses: list[Loss]
) -> Floats:
    if entry.duration is None:
        return np.full(len(frame), np.nan)
    values, refused = optional_seconds(raw, frame, entry.duration, entry.duration_unit)
    losses += refused
    return values


def _debounce(
    raw: RawTable, frame: pd.DataFrame, at: Floats, entry: EventsRecipe, losses: list[Loss]
) -> npt.NDArray[np.bool_]:
    kept = np.ones(len(frame), dtype=bool)
    for debounce in entry.debounce:
        among = kept & holds(frame, debounce.where) & frame[debounce.by].notna().to_numpy()
        bounced = among & ~first_of_bounces(
            at, np.where(among, pd.factorize(frame[debounce.by])[0], -1), debounce.seconds
        )
        if bounced.any():
            reason = f"bounce: same {debounce.by} within {debounce.seconds:g} s of the one before"
            lines = lines_at(raw.path, frame.index[bounced])
            losses.append(Loss("events", "row", "dropped", int(bounced.sum()), reason, lines))
            kept &= ~bounced
    return kept


def first_of_bounces(at: Floats, keys: Integers, seconds: float) -> npt.NDArray[np.bool_]:
    """Mark what stays when bounces go: per key, nothing closer than `seconds` to the last kept.

    Parameters
    ----------
    at : numpy.ndarray, shape (n,)
        Onsets in ascending order, s.
    keys : numpy.ndarray of int, shape (n,)
        Key of each; negative keys always stay.
    seconds : float

    Returns
    -------
    numpy.ndarray of bool, shape (n,)
    """
    kept = np.ones(len(at), dtype=bool)
    last: dict[int, float] = {}
    for position in np.flatnonzero(keys >= 0):
        key = int(keys[position])
        if key in last and at[position] - last[key] < seconds - _SLACK:
            kept[position] = False
        else:
            last[key] = float(at[position])
    return kept


def _assign(
    raw: RawTable, frame: pd.DataFrame, entry: EventsRecipe, where: str, losses: list[Loss]
) -> Integers:
    rule_of = np.full(len(frame), -1, dtype=np.int64)
    for number, rule in enumerate(entry.rules):
        rule_of[(rule_of < 0) & holds(frame, rule.where)] = number
    unmatched = np.flatnonzero(rule_of < 0)
    if not len(unmatched):
        return rule_of
    lines = [int(line) for line in frame.index[unmatched]]
    if entry.unmatched == "error":
        row = frame.iloc[unmatched[0]].dropna().to_dict()
        raise DatasetError(
            f"{len(lines)} row(s) hold no rule of {where}; the first reads {row}.",
            where=lines_at(raw.path, lines),
            remedy="add a rule or a drop to the recipe, or 'unmatched: count'",
        )
    reason = "no rule of the recipe holds"
    losses.append(Loss("events", "row", "dropped", len(lines), reason, lines_at(raw.path, lines)))
    return rule_of


def _stated(lasting: Floats, rules: list[Rule], rule_of: Integers) -> Floats:
    stated = lasting.copy()
    for number, rule in enumerate(rules):
        if rule.duration is not None:
            stated[(rule_of == number) & np.isnan(lasting)] = rule.duration
    return stated


def _ruled_durations(
    frame: pd.DataFrame, at: Floats, lasting: Floats, rules: list[Rule], rule_of: Integers
) -> Floats:
    lasting = lasting.copy()
    for number, rule in enumerate(rules):
        mine = np.flatnonzero(rule_of == number)
        if rule.until is not None:
            ends = at[holds(frame, rule.until)]
            after = np.searchsorted(ends, at[mine], side="right")
            found = after < len(ends)
            lasting[mine[found]] = ends[after[found]] - at[mine[found]]
            lasting[mine[~found]] = np.nan
        if rule.duration is not None:
            mine = mine[np.isnan(lasting[mine])]
            lasting[mine] = rule.duration
    return lasting


def _shift(entry: EventsRecipe, count: int, losses: list[Loss]) -> float:
    seconds = 0.0
    if entry.synthesise is not None and entry.synthesise.offset and count:
        seconds = entry.synthesise.offset
        reason = f"offset of {seconds:g} s applied: {entry.synthesise.offset_source}"
        losses.append(Loss("events", "event", "repaired", count, reason))
    if entry.delay is None or not count:
        return seconds
    delay, source = entry.delay.seconds, entry.delay.source
    if entry.delay.in_table:
        reason = f"the table has a delay of {delay:g} s already: {source}"
        losses.append(Loss("events", "event", "flagged", count, reason))
        return seconds
    reason = f"delay of {delay:g} s applied: {source}"
    losses.append(Loss("events", "event", "repaired", count, reason))
    return seconds + delay
