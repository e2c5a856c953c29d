"""The tables of a study, brought into the form that matchers work on."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.pipeline.align.covariates import STORED, add_derived, is_stimulus
from neuropair.pipeline.align.types import SLIDING, Bools, Floats, Integers, SideTable
from neuropair.schemas.errors import NeuropairError
from neuropair.schemas.study import Side
from neuropair.schemas.vocabulary import is_within

_TEXTS = [
    "concept",
    "stimulus",
    "stimulus_name",
    "identity",
    "value",
    "trial_type",
    "repetition_class",
]
MAX_INTERVAL = 10.0
"""s. Longer intervals are equal: what a pause of a minute does, one of ten seconds does (science.md
section 4)."""
_NEEDED = {
    "recordings": [
        "recording",
        "dataset",
        "subject",
        "modality",
        "person",
        "split",
        "status",
        "source_file",
    ],
    "events": ["recording", "event", "onset", "concept"],
    "windows": ["recording", "window", "kind", "event", "onset"],
}
_OPTIONAL = ["session", "task", "run", "reason", "acq_time", "sfreq_source"]


def check_columns(frame: pd.DataFrame, table: str) -> None:
    """Refuse a table that lacks what matching needs.

    Raises
    ------
    NeuropairError
        Naming the table and the columns, or the recording that stands twice.
    """
    missing = [name for name in _NEEDED[table] if name not in frame.columns]
    if missing and (len(frame) or table == "recordings"):
        raise NeuropairError(
            f"has no columns {missing}.",
            where=f"table {table}, given to pairing",
            remedy=f"give at least {', '.join(_NEEDED[table])}",
        )
    if table == "recordings":
        twice = frame["recording"][frame["recording"].duplicated()]
        if len(twice):
            raise NeuropairError(
                f"recording {twice.iloc[0]} stands {(frame['recording'] == twice.iloc[0]).sum()} "
                "times.",
                where="table recordings, given to pairing",
                remedy="give each recording once",
            )


def sorted_recordings(recordings: pd.DataFrame) -> pd.DataFrame:
    """Sort the recordings by id, with every column that matching reads; absent text is None."""
    check_columns(recordings, "recordings")
    table = recordings.sort_values("recording", kind="stable").reset_index(drop=True)
    for name in _OPTIONAL:
        if name not in table.columns:
            table[name] = None
    for name in [*_NEEDED["recordings"], "session", "task", "run", "reason", "acq_time"]:
        table[name] = _text(table[name])
    table["sfreq_source"] = pd.to_numeric(table["sfreq_source"]).astype(float)
    return table


def windows_with_events(
    recordings: pd.DataFrame,
    events: pd.DataFrame,
    windows: pd.DataFrame | None,
    derived: frozenset[str] = frozenset(),
) -> pd.DataFrame:
    """One row a window of a recording that could be read, with what is known of its event.

    Parameters
    ----------
    recordings : pandas.DataFrame
        From `sorted_recordings`.
    events, windows : pandas.DataFrame
        Tables ``events`` and ``windows`` without ``study``. Without windows, the event's number
        stands for the window's, and quality is unknown.
    derived : frozenset of str
        Columns of `add_derived` to add; they are found among all events, those without a window
        included.

    Returns
    -------
    pandas.DataFrame
        Columns ``row`` (of `recordings`), ``window, kind, event, onset, quality``, the event's
        texts, and its covariates as float (NaN unknown); by row and window.
    """
    check_columns(events, "events")
    table = _events(recordings, events)
    _check_once(recordings, table, "event")
    add_derived(table, derived)
    if windows is None or not len(windows):
        table["window"], table["kind"], table["quality"] = table["event"], "event", np.nan
    else:
        check_columns(windows, "windows")
        table = _windows(recordings, windows, table)
    order = np.lexsort((table["window"], table["row"]))
    if (np.diff(order) == 1).all():
        return table.reset_index(drop=True)
    return table.iloc[order].reset_index(drop=True)


def _check_once(recordings: pd.DataFrame, table: pd.DataFrame, number: str) -> None:
    """Refuse an event or a window that stands twice: its pairs would, too."""
    order = np.lexsort((table[number], table["row"]))
    row, event = table["row"].to_numpy()[order], table[number].to_numpy()[order]
    twice = np.flatnonzero((np.diff(row) == 0) & (np.diff(event) == 0))
    if twice.size:
        raise NeuropairError(
            f"{number} {event[twice[0]]} stands more than once ({twice.size} such {number}s).",
            where=f"table {number}s, recording {recordings['recording'].iloc[int(row[twice[0]])]}",
            remedy=f"give each {number} of a recording once",
        )


def _rows(recordings: pd.DataFrame, frame: pd.DataFrame) -> Integers:
    readable = recordings.index[recordings["status"] == "ok"]
    rows = pd.Index(recordings["recording"].iloc[readable]).get_indexer(frame["recording"])
    found: Integers = np.where(rows >= 0, np.asarray(readable)[rows], -1).astype(np.int64)
    return found


def _events(recordings: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    if "recording" not in events.columns:
        events = pd.DataFrame({name: [] for name in _NEEDED["events"]})
    rows = _rows(recordings, events) if len(events) else np.zeros(0, dtype=np.int64)
    events = events[rows >= 0].reset_index(drop=True)
    table = pd.DataFrame(
        {
            "row": rows[rows >= 0],
            "event": events["event"].astype(np.int64),
            "onset": events["onset"].astype(float),
        }
    )
    for name in _TEXTS:
        table[name] = _text(events[name]) if name in events.columns else None
        table[name] = table[name].astype(object)
    for name in STORED:
        given = name in events.columns
        table[name] = pd.to_numeric(events[name]).astype(float) if given else np.nan
    table["preceding_interval"] = table["preceding_interval"].clip(upper=MAX_INTERVAL)
    return table


def _windows(recordings: pd.DataFrame, windows: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    rows = _rows(recordings, windows)
    windows = windows[rows >= 0]
    table = pd.DataFrame(
        {
            "row": rows[rows >= 0],
            "window": windows["window"].astype(np.int64).to_numpy(),
            "kind": windows["kind"].astype(object).to_numpy(),
            "event": windows["event"].astype("Int64").fillna(-1).astype(np.int64).to_numpy(),
            "onset": windows["onset"].astype(float).to_numpy(),
            "quality": windows["quality"].astype(float).to_numpy()
            if "quality" in windows.columns
            else np.nan,
        }
    )
    _check_once(recordings, table, "window")
    known = events.drop(columns="onset")
    merged = table.merge(known, on=["row", "event"], how="left", validate="many_to_one")
    sliding = merged["kind"].to_numpy() == SLIDING
    merged.loc[sliding, "concept"] = SLIDING
    for name in _TEXTS:
        merged[name] = _text(merged[name])
    known_event = sliding | merged["concept"].notna().to_numpy()
    if not known_event.all():
        first = merged.loc[~known_event].iloc[0]
        raise NeuropairError(
            f"window {first['window']} names event {first['event']}, which is not in table events "
            f"({(~known_event).sum()} such windows).",
            where=f"table windows, recording {recordings['recording'].iloc[int(first['row'])]}",
            remedy="give the events that the windows were cut around",
        )
    return merged


def without_window(
    recordings: pd.DataFrame, events: pd.DataFrame, items: pd.DataFrame
) -> list[dict[str, Any]]:
    """Count the events that have no window, as rows of table ``losses``."""
    if "recording" not in events.columns or not len(events):
        return []
    rows = _rows(recordings, events)
    given = rows[rows >= 0], events["event"].to_numpy(dtype=np.int64)[rows >= 0]
    of_event = (items["kind"] == "event").to_numpy()
    cut = items["row"].to_numpy()[of_event], items["event"].to_numpy()[of_event]
    span = int(max((part[1].max(initial=0) for part in (given, cut)), default=0)) + 1
    left = given[0][~np.isin(given[0] * span + given[1], cut[0] * span + cut[1])]
    return [
        {
            "dataset": recordings["dataset"].iloc[row],
            "recording": recordings["recording"].iloc[row],
            "stage": "pairing",
            "item": "event",
            "action": "dropped",
            "count": n,
            "reason": "the event has no window",
            "where": None,
        }
        for row, n in sorted(Counter(left.tolist()).items())
    ]


def _text(column: pd.Series) -> pd.Series:
    values = column.astype(object)
    return values.where(values.notna(), None)


def selects(side: Side, recordings: pd.DataFrame) -> Bools:
    """Which recordings a side takes, by modality, dataset and task."""
    keep = (recordings["modality"] == str(side.modality)).to_numpy()
    if side.dataset is not None:
        keep = keep & recordings["dataset"].isin(side.dataset).to_numpy()
    if side.task is not None:
        keep = keep & recordings["task"].isin(side.task).to_numpy()
    return np.asarray(keep, dtype=bool)


def side_table(side: Side, recordings: pd.DataFrame, windows: pd.DataFrame) -> SideTable:
    """Cut one side of a pairing out of the study's tables."""
    keep = selects(side, recordings)
    number = np.cumsum(keep) - 1
    items = windows[keep[windows["row"].to_numpy()]].reset_index(drop=True)
    items["rec"] = number[items["row"].to_numpy()]
    items["chosen"] = _chosen(side, items["concept"])
    return SideTable(
        recordings=recordings[keep].reset_index(drop=True),
        items=items,
        soa=_median_interval(items, int(keep.sum())),
    )


def _chosen(side: Side, concepts: pd.Series) -> npt.NDArray[np.bool_]:
    if side.concept is None:
        return np.ones(len(concepts), dtype=bool)
    # sliding windows are of no event, so that no choice of events can leave them out
    below = [
        name
        for name in concepts.unique()
        if any(is_within(name, ancestor) for ancestor in side.concept)
    ]
    return concepts.isin([SLIDING, *below]).to_numpy(dtype=bool)


def _median_interval(items: pd.DataFrame, n: int) -> Floats:
    """Median time between successive stimuli: responses and marks between them do not count."""
    shown = is_stimulus(items["concept"]) & (items["concept"] != SLIDING).to_numpy(dtype=bool)
    rec, onset = items["rec"].to_numpy()[shown], items["onset"].to_numpy()[shown]
    order = np.lexsort((onset, rec))
    between = np.diff(onset[order], prepend=np.nan)
    between[np.r_[True, np.diff(rec[order]) != 0][: rec.size]] = np.nan
    medians = pd.Series(between).groupby(rec[order]).median()
    return np.asarray(medians.reindex(range(n)), dtype=np.float64)
