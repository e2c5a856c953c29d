"""Table ``duplicates`` of a study, from its recordings and events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from neuropair.pipeline.duplicates.compare import Comparison, compare
from neuropair.pipeline.duplicates.decide import (
    LEAST_BITS,
    PLAN,
    Pair,
    Verdict,
    decide,
    has_fingerprint,
)
from neuropair.pipeline.duplicates.index import candidates
from neuropair.pipeline.duplicates.schedule import Schedule, schedules
from neuropair.schemas.errors import NeuropairError
from neuropair.schemas.tables import DUPLICATES, LOSSES

_COLUMNS = [name for name in DUPLICATES.names if name != "study"]
_LOSSES = [name for name in LOSSES.names if name != "study"]
_NEEDED = {
    "recordings": ("recording", "dataset", "subject", "modality"),
    "events": ("recording", "onset", "concept"),
}
_ANOMALIES = {
    "shared-events": "two signal files have one events table",
    "shared-signal": "one signal file stands under two names",
}


@dataclass(frozen=True)
class Found:
    """What looks alike in a study.

    Parameters
    ----------
    rows : pandas.DataFrame
        Table ``duplicates`` without ``study``.
    losses : pandas.DataFrame
        Table ``losses`` without ``study``: anomalies, and recordings without a fingerprint.
    """

    rows: pd.DataFrame
    losses: pd.DataFrame


def find_duplicates(
    recordings: pd.DataFrame, events: pd.DataFrame, files: pd.DataFrame | None = None
) -> Found:
    """Find recordings that are, or look like, one recording.

    Sittings are compared by the intervals between their stimuli, so that neither other labels nor
    another zero of time, unit or rate of the clock hides one. What fits is decided on by responses
    and, where a table has none, by the clock: see `neuropair.pipeline.duplicates.decide`. Signal
    files of equal content need no schedule.

    Parameters
    ----------
    recordings, events : pandas.DataFrame
        Tables ``recordings`` and ``events`` without ``study``.
    files : pandas.DataFrame, optional
        Columns ``recording, events_file`` (relative to the dataset) and ``signal`` (a key of the
        signal's content), null where unknown. Recordings that one table is inherited by are told
        by it from those that have copies of one.

    Returns
    -------
    Found
        The same whatever the order of the rows given.

    Raises
    ------
    NeuropairError
        If a table lacks a column.
    """
    _check_columns(recordings, "recordings")
    _check_columns(events, "events")
    recordings = recordings.sort_values("recording", kind="stable")
    units = schedules(recordings, events, files)
    lone, copied, inherited = _by_table(units)
    told = [k for k in lone if has_fingerprint(units[k])]
    compared = _compare(units, told)
    copies = {k: len(group) for group in (*copied, *inherited) for k in group[:1]}
    verdicts = decide(units, compared, copies)
    for group in copied:
        verdicts |= _of_copies(units, group)
    rows = [row for pair, v in verdicts.items() for row in _rows(units, pair, v, compared)]
    rows = _with_signals(rows, recordings, files)
    table = pd.DataFrame(rows, columns=_COLUMNS)
    table = table.sort_values(["recording_a", "recording_b", "relation"], ignore_index=True)
    datasets = dict(zip(recordings["recording"], recordings["dataset"], strict=True))
    losses = [*_anomalies(table, datasets), *_inherited(units, inherited), *_untold(units)]
    return Found(table, pd.DataFrame(losses, columns=_LOSSES))


def _check_columns(frame: pd.DataFrame, table: str) -> None:
    missing = [name for name in _NEEDED[table] if name not in frame.columns]
    if missing and (len(frame) or table == "recordings"):
        raise NeuropairError(
            f"has no columns {missing}.",
            where=f"table {table}",
            remedy="give the table as neuropair.schemas.tables declares it",
        )


def _by_table(units: Sequence[Schedule]) -> tuple[list[int], list[list[int]], list[list[int]]]:
    """One unit for each table of a dataset; copies of a table; heirs of one table."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for k, unit in enumerate(units):
        groups[unit.dataset, unit.content].append(k)
    copied, inherited = [], []
    for group in groups.values():
        files: dict[str, list[int]] = defaultdict(list)
        for k in group:
            files[units[k].events_file or f"unknown {k}"].append(k)
        inherited += [heirs for heirs in files.values() if len(heirs) > 1]
        if len(files) > 1:
            copied.append([heirs[0] for heirs in files.values()])
    return [group[0] for group in groups.values()], copied, inherited


def _compare(units: Sequence[Schedule], told: Sequence[int]) -> dict[Pair, Comparison]:
    """Compare what has n-grams of stimuli, or of responses, in common."""
    found: dict[Pair, Comparison] = {}
    pressed = [units[k].onsets + units[k].latencies for k in told]
    for sequences in ([units[k].onsets for k in told], [t[np.isfinite(t)] for t in pressed]):
        for seen in candidates(sequences):
            pair = told[seen.a], told[seen.b]
            if pair not in found:
                found[pair] = compare(units[pair[0]], units[pair[1]], seen)
    return found


def _of_copies(units: Sequence[Schedule], group: Sequence[int]) -> dict[Pair, Verdict]:
    """Judge sittings of one dataset whose tables are equal in every cell that is read."""
    first = units[group[0]]
    n = int(np.isfinite(first.latencies).sum())
    if max(first.information, first.label_bits) < LEAST_BITS:
        return {}
    if n == 0 and len(group) >= PLAN:
        reason = f"plan: {len(group)} sittings of {first.dataset} have one table, no responses"
        return {(group[0], other): Verdict("same-schedule", reason) for other in group[1:]}
    reason = f"equal tables in {first.dataset}: {len(first.onsets)} stimuli and {n} responses"
    return {(group[0], other): Verdict("shared-events", reason) for other in group[1:]}


def _rows(
    units: Sequence[Schedule], pair: Pair, verdict: Verdict, compared: Mapping[Pair, Comparison]
) -> Iterator[dict[str, Any]]:
    a, b = units[pair[0]], units[pair[1]]
    names = _same_modality(a, b)
    relation = verdict.relation
    if not names:
        names = [(a.recordings[0], b.recordings[0])]
        relation = "simultaneous" if relation == "duplicate" else relation
    numbers = _numbers(compared[pair]) if pair in compared else _equal(a)
    for one, other in names:
        swapped = one > other
        row = numbers | {"relation": relation, "reason": verdict.reason}
        if swapped and row["offset"] is not None:
            row |= {"offset": -row["offset"], "drift_ppm": -row["drift_ppm"]}
        first, second = (other, one) if swapped else (one, other)
        yield row | {"recording_a": first, "recording_b": second}


def _same_modality(a: Schedule, b: Schedule) -> list[tuple[str, str]]:
    return [
        (one, other)
        for one, kind in zip(a.recordings, a.modalities, strict=True)
        for other, kind_b in zip(b.recordings, b.modalities, strict=True)
        if kind == kind_b
    ]


def _numbers(found: Comparison) -> dict[str, Any]:
    return {
        "n_events": found.n_events,
        "share": found.share,
        "offset": found.offset,
        "drift_ppm": 1e6 * found.drift,
        "residual_sd": found.residual_sd,
        "responses": found.responses,
    }


def _equal(one: Schedule) -> dict[str, Any]:
    known = bool(np.isfinite(one.latencies).any())
    return {
        "n_events": len(one.onsets),
        "share": 1.0,
        "offset": 0.0,
        "drift_ppm": 0.0,
        "residual_sd": 0.0,
        "responses": "equal" if known else "unknown",
    }


def _with_signals(
    rows: list[dict[str, Any]], recordings: pd.DataFrame, files: pd.DataFrame | None
) -> list[dict[str, Any]]:
    """Put signal files of equal content in place of what the events said of them."""
    if files is None or "signal" not in files.columns:
        return rows
    known = files.dropna(subset=["signal"]).merge(recordings, on="recording")
    by_pair = {(row["recording_a"], row["recording_b"]): row for row in rows}
    for key, group in known.groupby(["signal", "modality"], sort=True):
        sources = group.drop_duplicates(["dataset", "source_file"])["recording"].sort_values()
        first = sources.iloc[0]
        for other in sources.iloc[1:]:
            before = by_pair.get((first, other), {})
            nothing = dict.fromkeys(("share", "offset", "drift_ppm", "residual_sd"))
            by_pair[first, other] = {
                **nothing,
                "n_events": 0,
                "responses": "unknown",
                **before,
                "recording_a": first,
                "recording_b": other,
                "relation": "shared-signal",
                "reason": f"equal signal files: {key[0]}",
            }
    return list(by_pair.values())


def _anomalies(table: pd.DataFrame, datasets: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for row in table.itertuples(index=False):
        if row.relation in _ANOMALIES:
            problem = f"{_ANOMALIES[str(row.relation)]}: {row.recording_a} and {row.recording_b}"
            yield _flag(datasets[str(row.recording_b)], str(row.recording_b), 1, problem)


def _inherited(
    units: Sequence[Schedule], groups: Sequence[Sequence[int]]
) -> Iterator[dict[str, Any]]:
    for group in groups:
        first = units[group[0]]
        problem = "one events table is inherited by sittings: it is a plan, and tells none apart"
        yield _flag(first.dataset, None, len(group), problem) | {"where": first.events_file}


def _untold(units: Sequence[Schedule]) -> Iterator[dict[str, Any]]:
    counts: dict[str, int] = defaultdict(int)
    for unit in units:
        if not has_fingerprint(unit):
            counts[unit.dataset] += 1
    problem = (
        f"no fingerprint: fixed or few intervals (under {LEAST_BITS:.0f} bits), so that a "
        "duplicate would show by its signal file only"
    )
    for dataset, n in sorted(counts.items()):
        yield _flag(dataset, None, n, problem)


def _flag(dataset: str, recording: str | None, count: int, reason: str) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "recording": recording,
        "stage": "pairing",
        "item": "candidate",
        "action": "flagged",
        "count": count,
        "reason": reason,
        "where": None,
    }
