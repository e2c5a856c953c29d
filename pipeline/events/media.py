"""Media clocks: when a story or film began on a recording's clock, and how fast it ran.

The start and end mark and the length of the media give an affine clock: media time ``t`` is at
``onset + t * (1 + rate)``. Marks lie: in two MEG runs of ds004078 the start trigger was not
recorded, and what stands in its place is 6.05 and 7.50 s late. So a distance of the marks is
believed only where a player could have made it (`bound`); else the start mark is set aside, and
the start recovered from the end mark where the recipe says why that one is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from neuropair.pipeline.events.keyed import keyed_events, with_attributes
from neuropair.pipeline.events.lists import Lists
from neuropair.pipeline.events.nominal import MAX_PPM, Nominals, bound, check_unit
from neuropair.pipeline.events.playback import (
    MEASURED,
    ONE_MARK,
    START_ONLY,
    UNKNOWN,
    Playback,
    Span,
    expected_span,
)
from neuropair.pipeline.events.run import Run
from neuropair.pipeline.types import Loss
from neuropair.schemas.errors import NeuropairError
from neuropair.schemas.kinds import Modality
from neuropair.schemas.tables import MEDIA_CLOCKS

MEDIA_COLUMNS = tuple(name for name in MEDIA_CLOCKS.names if name not in ("study", "recording"))
"""Columns of a recording's media clocks, in order."""

_JITTER = 0.005
"""s; of a trigger (science.md section 3)."""
_NORMAL = 1.959964
"""Half width of a normal distribution's 95 % interval, in standard deviations."""


def add_media(root: Path, runs: Mapping[str, Run], lists: Lists) -> dict[str, NeuropairError]:
    """Give runs with media their clocks and what is keyed to them, in place.

    Parameters
    ----------
    root : Path
        The dataset's folder.
    runs : mapping
        Recording id -> run, with stimulus keys.
    lists : Lists
        Tables of the dataset, for annotations.

    Returns
    -------
    dict
        Recording id -> error, for runs whose media have no length or no annotations.
    """
    nominals = Nominals(root, runs.values())
    errors: dict[str, NeuropairError] = {}
    playbacks: dict[str, list[Playback]] = {}
    for name, run in runs.items():
        try:
            found = list(_playbacks(run, nominals))
        except NeuropairError as error:
            errors[name] = error
            continue
        if found:
            playbacks[name] = found
    everything = [one for found in playbacks.values() for one in found]
    groups: dict[tuple[str, int], list[Playback]] = {}
    for one in everything:
        groups.setdefault((one.run.where, one.number), []).append(one)
    for group in groups.values():
        _recover(group)
    for name, found in playbacks.items():
        try:
            _write(runs[name], found, lists)
        except NeuropairError as error:
            errors[name] = error
    return errors


def _playbacks(run: Run, nominals: Nominals) -> Iterator[Playback]:
    with_media = [n for n, rule in enumerate(run.entry.rules) if rule.media is not None]
    table = run.draft.table
    for position in np.flatnonzero(table["rule"].isin(with_media)).tolist():
        row = table.iloc[position]
        number = int(row["rule"])
        if not isinstance(row["stimulus"], str):
            yield Playback(
                run,
                position,
                number,
                f"unknown:{row['stimulus_name']}",
                UNKNOWN,
                reason="the identity of the stimulus is unknown",
            )
            continue
        nominal, source = nominals.length(run, number, row)
        yield _classified(run, position, number, row, nominal, source)


def _classified(
    run: Run, position: int, number: int, row: pd.Series, nominal: float, source: str
) -> Playback:
    rule = run.entry.rules[number]
    assert rule.media is not None
    start, end = float(row["mark_start"]), float(row["mark_end"])
    one = Playback(
        run,
        position,
        number,
        str(row["stimulus"]),
        MEASURED,
        start=start,
        end=end,
        nominal=nominal,
        nominal_source=source,
    )
    if np.isnan(end):
        one.status = START_ONLY
        one.reason = "the table marks no end" if rule.until is None else "the end mark is missing"
        return one
    if np.isnan(start):
        one.status, one.reason = UNKNOWN, "the start mark is missing"
        return one
    span = end - start
    check_unit(nominal, span, run, source)
    limit = bound(rule.media, nominal)
    if abs(span - nominal) > limit:
        one.status = UNKNOWN
        one.reason = (
            f"the marks lie {span:.3f} s apart and the media lasts {nominal:.3f} s: "
            f"{span - nominal:+.3f} s is more than a player can differ ({limit:.3f} s)"
        )
    return one


def _recover(group: Sequence[Playback]) -> None:
    """Find onset, rate and uncertainty of the playbacks of one rule."""
    spans = [
        Span(one.key, (one.end - one.start) / one.nominal)
        for one in group
        if one.status == MEASURED
    ]
    for one in group:
        stamp = _stamp(one.run)
        if one.status == MEASURED:
            one.onset, one.rate = one.start, (one.end - one.start) / one.nominal - 1
            one.uncertainty = one.uncertainty_end = stamp
        elif one.status == START_ONLY:
            one.onset, one.uncertainty = one.start, stamp
            one.uncertainty_end = float(np.hypot(stamp, MAX_PPM * 1e-6 * one.nominal))
        elif np.isfinite(one.end) and np.isfinite(one.nominal):
            _from_the_end(one, spans, stamp)


def _from_the_end(one: Playback, spans: Sequence[Span], stamp: float) -> None:
    media = one.run.entry.rules[one.number].media
    assert media is not None
    if media.lost_start is None:
        one.reason += "; the recipe has no 'lost_start' that says why the end mark is right"
        return
    limit = bound(media, one.nominal)
    span, half, basis = expected_span(one.key, one.nominal, spans, limit)
    onset, half = one.end - span, float(np.hypot(half, stamp))
    if onset + half < 0:
        one.reason += f"; by the end mark it began {-onset:.3f} s before the recording"
        return
    one.status, one.onset = ONE_MARK, onset
    one.uncertainty, one.uncertainty_end = half, stamp
    one.rate = span / one.nominal - 1
    one.reason += (
        f"; start = end mark - {span:.3f} s ({basis}), because: {media.lost_start.because}"
    )


def _stamp(run: Run) -> float:
    """Half width of the 95 % interval of one mark, s: trigger jitter, and the sample's length."""
    rate = run.recording.sidecar.get("SamplingFrequency")
    sampled = run.recording.modality is not Modality.FMRI and isinstance(rate, int | float)
    step = 1 / float(rate) if sampled and rate else 0.0
    return float(_NORMAL * np.hypot(_JITTER, step / np.sqrt(12)))


def _write(run: Run, playbacks: Sequence[Playback], lists: Lists) -> None:
    table = run.draft.table.reset_index(drop=True)
    segments: list[pd.DataFrame] = []
    gone: list[int] = []
    for one in playbacks:
        at = one.position
        if one.status == UNKNOWN:
            gone.append(at)
            continue
        table.loc[at, "onset"] = one.onset
        table.loc[at, "duration"] = one.nominal * (1 + one.rate)
        if one.status != MEASURED:
            known = {"media_status": one.status, "media_uncertainty": round(one.uncertainty, 6)}
            table.loc[at, "attributes"] = with_attributes(table.loc[at, "attributes"], known)
        segments.append(keyed_events(table.loc[[at]], one, lists, run.draft.losses))
    run.draft.losses += [loss for one in playbacks if (loss := _loss(one)) is not None]
    made = sum(len(frame) for frame in segments)
    if made:
        reason = "synthesised from the media clock: stretches and annotations at their media times"
        run.draft.losses.append(Loss("events", "event", "flagged", made, reason))
    parts = [table.drop(index=gone), *(frame for frame in segments if len(frame))]
    run.draft.table = (
        pd.concat(parts, ignore_index=True)
        .sort_values("onset", kind="stable")
        .reset_index(drop=True)
    )
    rows = pd.DataFrame([one.row() for one in playbacks], columns=list(MEDIA_COLUMNS))
    run.media = rows.sort_values(["onset", "stimulus"], kind="stable").reset_index(drop=True)


def _loss(one: Playback) -> Loss | None:
    if one.status == MEASURED or one.run.entry.rules[one.number].until is None:
        return None
    if one.status == UNKNOWN:
        return Loss("events", "event", "dropped", 1, f"no media clock: {one.reason}", one.key)
    reason = f"media clock from one mark, +/- {one.uncertainty:.3f} s: {one.reason}"
    return Loss("events", "event", "flagged", 1, reason, one.key)
