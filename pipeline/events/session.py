"""What depends on the events around an event: intervals, position, repetition."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.pipeline.types import Recording
from neuropair.schemas.recipe import Rule
from neuropair.schemas.vocabulary import is_within

FIRST, IMMEDIATE, DELAYED = "first", "immediate", "delayed"
_NOT_STIMULATION = ("response", "marker")


def add_intervals(table: pd.DataFrame) -> None:
    """Add ``preceding_interval`` (s) and ``run_position`` (0 to 1) in place.

    The interval runs from the previous event that is neither a response nor a marker: it is what
    the person's nervous system was doing, and a late key press is not.
    """
    at = table["onset"].to_numpy(dtype=np.float64)
    stimulates = np.array([_stimulates(concept) for concept in table["concept"]], dtype=bool)
    times = at[stimulates]
    # events of equal onset do not precede each other
    before = np.searchsorted(times, at, side="left") - 1
    interval = np.full(len(at), np.nan)
    found = before >= 0
    interval[found] = at[found] - times[before[found]]
    table["preceding_interval"] = interval
    span = float(at[-1] - at[0]) if len(at) else 0.0
    table["run_position"] = (at - at[0]) / span if span > 0 else np.zeros(len(at))


def _stimulates(concept: str) -> bool:
    return not any(is_within(concept, other) for other in _NOT_STIMULATION)


def sessions(recordings: Iterable[Recording]) -> list[list[Recording]]:
    """Group recordings that one person saw one after the other, in their order.

    A group is one subject, session, modality and acquisition: two modalities recorded together
    show the same events, and must not count them twice. The order is that of ``acq_time`` where
    all have it, else task and run.
    """
    groups: dict[tuple[str, ...], list[Recording]] = {}
    for recording in recordings:
        key = (
            recording.subject,
            recording.session or "",
            recording.modality,
            recording.acquisition or "",
        )
        groups.setdefault(key, []).append(recording)
    return [_in_order(group) for _, group in sorted(groups.items())]


def _in_order(group: Sequence[Recording]) -> list[Recording]:
    timed = all(recording.acq_time for recording in group)
    times = {recording.acq_time for recording in group}
    by_time = timed and len(times) == len(group)

    def order(recording: Recording) -> tuple[str, str, tuple[tuple[int, int | str], ...]]:
        first = str(recording.acq_time) if by_time else ""
        return first, recording.task or "", natural(recording.run or "")

    return sorted(group, key=order)


def natural(label: str) -> tuple[tuple[int, int | str], ...]:
    """Key that sorts ``2`` before ``10``.

    Examples
    --------
    >>> sorted(["10", "2", "01"], key=natural)
    ['01', '2', '10']
    """
    parts = re.findall(r"\d+|\D+", label)
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in parts)


def add_repetition(tables: Sequence[pd.DataFrame | None], rules: Sequence[Sequence[Rule]]) -> bool:
    """Add ``repetition`` and ``repetition_class`` to the runs of a session, in place.

    Parameters
    ----------
    tables : sequence of pandas.DataFrame or None
        Runs in order, with columns ``rule``, ``stimulus``, ``stimulus_name`` and the
        ``repetition_class`` that a column gave; None for a run that could not be read.
    rules : sequence of sequence of Rule
        Rules of each run.

    Returns
    -------
    bool
        Whether a run was missing, so that what comes after it is unknown.
    """
    shown: dict[str, int] = {}
    gap = False
    for table, run_rules in zip(tables, rules, strict=True):
        if table is None:
            gap = True
            continue
        previous: str | None = None
        counts = np.full(len(table), -1, dtype=np.int64)
        classes = table["repetition_class"].to_numpy(dtype=object).copy()
        modes = [run_rules[rule].repetition for rule in table["rule"].tolist()]
        for position, (mode, key) in enumerate(zip(modes, _keys(table, modes), strict=True)):
            if key is None:
                continue
            count = shown.get(key, 0)
            if not gap:
                counts[position] = count
                if mode == "stimulus":
                    classes[position] = _class(count, key == previous)
            shown[key], previous = count + 1, key
        table["repetition"] = _nullable(counts)
        table["repetition_class"] = pd.Series(classes, index=table.index, dtype=object)
    return gap


def _class(count: int, again: bool) -> str:
    if count == 0:
        return FIRST
    return IMMEDIATE if again else DELAYED


def _keys(table: pd.DataFrame, modes: Sequence[str]) -> list[str | None]:
    """Give what tells stimuli apart: the evidenced key, else the name; None if not counted."""
    return [
        (stimulus or name) if mode != "none" else None
        for mode, stimulus, name in zip(
            modes, table["stimulus"], table["stimulus_name"], strict=True
        )
    ]


def _nullable(counts: npt.NDArray[np.int64]) -> pd.Series:
    series = pd.Series(counts, dtype="Int32")
    return series.mask(series < 0)
