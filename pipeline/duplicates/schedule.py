"""The schedule of a sitting: when stimuli came, how late the responses were, how much it tells."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.schemas.vocabulary import is_within

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

GRAM = 6
"""Successive intervals that one key of the index takes together."""
TOLERANCE = 0.05
"""s. Onsets of one schedule played twice differ by dropped frames: three of 60 Hz are 50 ms."""
TIGHT = 0.005
"""s. Onsets of one recording differ by less, whatever its stamps were rounded to (10 ms at most);
dropped frames do not. Ten residual SD of a duplicate (science.md section 1.6)."""
LEAST_EVENTS = GRAM + 2
NO_STIMULI = ("response", "marker")
"""Concepts of what is not shown to the person."""
_SAMPLE = 128
"""Intervals that the information is estimated from: 8,000 comparisons."""
_PRIOR = 5.0
_STEPS = (1.0, 0.5, 0.1, 0.05, 0.01, 0.005, 0.001, 1e-4)
_GRID = 1e-6
"""s. Tables give microseconds at most; what is nearer to a grid than that is on it."""
_LABELS = ("concept", "value", "trial_type", "stimulus_name")
_CONTENT = ("onset", "duration", *_LABELS, "response_time")
_ENTITIES = ("dataset", "subject", "session", "task", "acquisition", "run")


@dataclass(frozen=True)
class Schedule:
    """What the recordings of one sitting share: one events table.

    Parameters
    ----------
    recordings, modalities : tuple of str
        The recordings (MEG with EEG in one file are two), by id, and their modalities.
    dataset, subject, session : str
        Of all of them; an absent session is empty.
    onsets : ndarray, shape (n_stimuli,)
        Ascending, s. Neither responses nor markers; stimuli that came together count once.
    latencies : ndarray, shape (n_stimuli,)
        From each to the first response before the next, s; NaN where there is none.
    start : float
        Onset of its first event of any kind, s.
    step : float
        Grid that all onsets lie on, s: decimals, or samples of the device; 0 if finer than 0.1 ms.
    decimals : float
        The same, of decimals alone.
    period : float
        Between two samples of the recording, s; 0 where unknown.
    bits, tight_bits : float
        Information of one interval to within `tolerance` and `TIGHT`, bit: 0 for a fixed interval.
        See `information`.
    label_bits : float
        Information of the order of the labels, bit.
    content : str
        Digest of the whole events table.
    events_file : str or None
        The table it was read from, relative to the dataset, where known.
    signals : tuple of (str or None)
        Key of the content of each recording's signal file, where known.
    is_device : bool
        Whether stamps can be a recording device's own: not for fMRI, whose tables are stamped by
        the computer that shows the stimuli.
    """

    recordings: tuple[str, ...]
    modalities: tuple[str, ...]
    dataset: str
    subject: str
    session: str
    onsets: Floats
    latencies: Floats
    start: float
    step: float
    decimals: float
    period: float
    bits: float
    tight_bits: float
    label_bits: float
    content: str
    events_file: str | None
    signals: tuple[str | None, ...]
    is_device: bool

    @property
    def tolerance(self) -> float:
        """How far apart two onsets may be and still be one event's, s."""
        return tolerance(self.onsets)

    @property
    def information(self) -> float:
        """Information of all its intervals, bit."""
        return max(self.bits, self.tight_bits) * max(len(self.onsets) - 1, 0)


def tolerance(onsets: Floats) -> float:
    """`TOLERANCE`, and a tenth of the interval where stimuli come so fast that chance would fit."""
    intervals = np.diff(onsets)
    return min(TOLERANCE, 0.1 * float(np.median(intervals))) if intervals.size else TOLERANCE


def information(intervals: Floats, within: float) -> float:
    """Bits that one interval tells, given the one before it (collision entropy).

    Two intervals drawn from the sequence agree within the tolerance with a probability that is
    counted over all pairs; so do two that follow agreeing ones. The larger probability counts, so
    that neither a fixed interval nor an alternation tells anything; and a sequence that repeats
    itself tells as much as the part that it repeats.

    Parameters
    ----------
    intervals : ndarray, shape (n,)
        s.
    within : float
        Tolerance, s.

    Returns
    -------
    float
        0 for fewer than `GRAM` + 1 intervals.
    """
    d = intervals[:_SAMPLE]
    n = d.size
    if n <= GRAM:
        return 0.0
    agree = np.abs(d[:, None] - d[None, :]) <= within
    np.fill_diagonal(agree, False)
    alone = (agree.sum() / 2 + 1) / (n * (n - 1) / 2 + 1)
    before, after = agree[:-1, :-1], agree[1:, 1:]
    n_before, n_both = before.sum() / 2, (before & after).sum() / 2
    given = (n_both + _PRIOR * alone) / (n_before + _PRIOR)
    grams = agree[: n - GRAM + 1, : n - GRAM + 1].copy()
    for k in range(1, GRAM):
        grams &= agree[k : n - GRAM + 1 + k, k : n - GRAM + 1 + k]
    distinct = float(np.mean(1.0 / (1.0 + grams.sum(axis=1))))
    return max(0.0, -float(np.log2(max(alone, given)))) * distinct


def stamp_step(onsets: Floats, sfreq: float | None = None) -> float:
    """Coarsest grid that all onsets lie on, s: decimals, or samples of the device; 0 if none."""
    if onsets.size < 2:
        return 0.0
    since = onsets - onsets[0]
    samples = [1.0 / sfreq] if sfreq else []
    for step in sorted([*_STEPS, *samples], reverse=True):
        if _on_grid(since[:4], step) and _on_grid(since, step):
            return step
    return 0.0


def _on_grid(times: Floats, step: float) -> bool:
    return bool(np.all(np.abs(times - np.round(times / step) * step) <= _GRID))


def schedules(
    recordings: pd.DataFrame, events: pd.DataFrame, files: pd.DataFrame | None = None
) -> list[Schedule]:
    """Read the schedules of all sittings, by the id of their first recording.

    Parameters
    ----------
    recordings, events : pandas.DataFrame
        Tables ``recordings`` and ``events`` without ``study``.
    files : pandas.DataFrame, optional
        Columns ``recording, events_file, signal``: what is known of each recording's files.
    """
    known = recordings.drop_duplicates("recording").reset_index(drop=True)
    rows = _records(known)
    of_files = {} if files is None else {row["recording"]: row for row in _records(files)}
    groups: dict[tuple[str, ...], list[int]] = {}
    tables: dict[int, _Table] = {}
    for number, table in _tables(known["recording"], events):
        key = (*(_text(rows[number].get(entity)) for entity in _ENTITIES), table.content)
        groups.setdefault(key, []).append(number)
        tables.setdefault(number, table)
    found = []
    for numbers in groups.values():
        ordered = sorted(numbers, key=lambda number: str(rows[number]["recording"]))
        members = [rows[number] for number in ordered]
        found.append(_schedule(members, tables[ordered[0]], of_files))
    return sorted(found, key=lambda one: one.recordings)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


class _Table(NamedTuple):
    start: float
    onsets: Floats
    latencies: Floats
    label_bits: float
    content: str


def _tables(names: pd.Series, events: pd.DataFrame) -> Iterator[tuple[int, _Table]]:
    """Events of each recording, by its number."""
    if not len(events):
        return
    number = pd.Index(names).get_indexer(events["recording"])
    onset = events["onset"].to_numpy(dtype=float)
    order = np.lexsort((onset, number))
    order = order[number[order] >= 0]
    events, number, onset = events.iloc[order], number[order], onset[order]
    content = [name for name in _CONTENT if name in events.columns]
    digests = pd.util.hash_pandas_object(
        events[content].astype({name: object for name in _LABELS if name in content}), index=False
    ).to_numpy()
    labels = [name for name in _LABELS if name in events.columns]
    label = np.asarray(events.groupby(labels, dropna=False, sort=False).ngroup(), dtype=np.int64)
    is_stimulus = ~_within(events["concept"], NO_STIMULI)
    is_response = _within(events["concept"], ("response",))
    given = "response_time" in events.columns
    late = pd.to_numeric(events["response_time"]).to_numpy(dtype=float) if given else onset * np.nan
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    for start, stop in zip(starts, np.append(starts[1:], number.size), strict=True):
        part = slice(start, stop)
        shown = np.flatnonzero(is_stimulus[part]) + start
        onsets, first = np.unique(onset[shown], return_index=True)
        pressed = onset[part][is_response[part]]
        unit = _unit(onsets)
        yield (
            int(number[start]),
            _Table(
                start=float(onset[start]) * unit,
                onsets=onsets * unit,
                latencies=_latencies(onsets, late[shown][first], pressed) * unit,
                label_bits=_label_bits(label[part]),
                content=hashlib.sha256(digests[part].tobytes()).hexdigest(),
            ),
        )


def _within(concepts: pd.Series, ancestors: tuple[str, ...]) -> Bools:
    named = [
        concept for concept in concepts.unique() if any(is_within(concept, a) for a in ancestors)
    ]
    return concepts.isin(named).to_numpy(dtype=bool)


def _schedule(
    members: Sequence[Mapping[str, Any]], table: _Table, files: Mapping[str, Mapping[str, Any]]
) -> Schedule:
    names = tuple(str(row["recording"]) for row in members)
    known = [files.get(name, {}) for name in names]
    modalities = tuple(str(row["modality"]) for row in members)
    rates = [_number(row.get("sfreq_source")) for row in members]
    rate = next((rate for rate in rates if rate is not None), None)
    return Schedule(
        recordings=names,
        modalities=modalities,
        dataset=str(members[0]["dataset"]),
        subject=str(members[0]["subject"]),
        session=_text(members[0].get("session")),
        onsets=table.onsets,
        latencies=table.latencies,
        start=table.start,
        step=stamp_step(table.onsets, rate),
        decimals=stamp_step(table.onsets),
        period=0.0 if rate is None else 1.0 / rate,
        bits=information(np.diff(table.onsets), tolerance(table.onsets)),
        tight_bits=information(np.diff(table.onsets), TIGHT),
        label_bits=table.label_bits,
        content=table.content,
        events_file=_text(known[0].get("events_file")) or None,
        signals=tuple(_text(one.get("signal")) or None for one in known),
        is_device="fmri" not in modalities,
    )


def _unit(onsets: Floats) -> float:
    """Take a table for milliseconds whose stimuli would come minutes apart for hours."""
    return 1e-3 if onsets.size >= LEAST_EVENTS and np.median(np.diff(onsets)) > 100 else 1.0


def _latencies(onsets: Floats, given: Floats, pressed: Floats) -> Floats:
    """Time to the first response before the next stimulus; as given where responses are no rows."""
    if not pressed.size or not onsets.size:
        return given
    after = np.searchsorted(pressed, onsets, side="right")
    at = np.append(pressed, np.inf)[after]
    following = np.append(onsets[1:], np.inf)
    return np.where(at < following, at - onsets, np.nan)


def _label_bits(labels: Integers) -> float:
    """Collision entropy of the rows' labels, times their number."""
    n = len(labels)
    if n < LEAST_EVENTS:
        return 0.0
    counts = np.unique(labels, return_counts=True)[1].astype(float)
    collide = (float((counts * (counts - 1)).sum()) / 2 + 1) / (n * (n - 1) / 2 + 1)
    return -float(np.log2(collide)) * n


def _text(value: object) -> str:
    return "" if value is None or value is pd.NA or value != value else str(value)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and 0 < value < np.inf else None
