"""Sliding windows for recordings made together: their onsets, from tables alone."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neuropair.pipeline.align.candidates import candidates
from neuropair.pipeline.align.clock import Clock
from neuropair.pipeline.align.run import align_study
from neuropair.pipeline.align.sides import side_table, sorted_recordings, windows_with_events
from neuropair.pipeline.align.sliding import held, sliding_onsets
from neuropair.pipeline.align.vote import Floats
from neuropair.schemas.kinds import Tier
from neuropair.schemas.study import Study

Clocks = dict[tuple[str, str, str], Clock]


def align_recordings(study: Study, recordings: pd.DataFrame, events: pd.DataFrame) -> Clocks:
    """Find the clocks of the study's T1 pairings, before there are windows and splits.

    Parameters
    ----------
    study : Study
    recordings, events : pandas.DataFrame
        As for `align_study`; ``split`` is not needed.

    Returns
    -------
    dict
        Clock by (rule, recording of a, recording of b).
    """
    simultaneous = [p for p in study.pairings if p.tier is Tier.T1]
    alone = study.model_copy(update={"pairings": simultaneous})
    # splits say what may be trained together, and have no bearing on clocks
    return dict(align_study(alone, recordings.assign(split="train"), events).clocks)


def common_onsets(
    study: Study, recordings: pd.DataFrame, events: pd.DataFrame
) -> dict[str, Floats]:
    """Onsets of the study's sliding windows, for every recording of a T0 or an aligned T1 pair.

    Parameters
    ----------
    study : Study
        With ``windows.sliding``.
    recordings : pandas.DataFrame
        As for `align_study`, with ``duration_s``; where that is unknown the last event ends it.
        ``split`` is not needed.
    events : pandas.DataFrame
        Table ``events`` without ``study``.

    Returns
    -------
    dict
        Recording -> onsets, s on its own clock. Partners' onsets are the same instants, one by
        one, wherever both have one.
    """
    sliding = study.windows.sliding
    if sliding is None or recordings.empty:
        return {}
    durations = _durations(recordings, events)
    onsets: dict[str, Floats] = {}
    for a, b, clock in _together(study, recordings, events):
        if a in onsets and b in onsets:
            continue
        if a not in onsets and b not in onsets:
            onsets[a], onsets[b] = sliding_onsets(
                clock, durations[a], durations[b], sliding.length, sliding.step
            )
        elif a in onsets:
            there = onsets[a]
            if clock is not None:
                there = clock.to_b(held(clock, there, sliding.length))
            onsets[b] = _inside(there, durations[b], sliding.length)
        else:
            there = onsets[b]
            if clock is not None:
                there = clock.to_a(there)
                there = held(clock, there[np.isfinite(there)], sliding.length)
            onsets[a] = _inside(there, durations[a], sliding.length)
    return {name: found for name, found in onsets.items() if found.size}


def _together(
    study: Study, recordings: pd.DataFrame, events: pd.DataFrame
) -> list[tuple[str, str, Clock | None]]:
    table = sorted_recordings(recordings.assign(split="train"))
    items = windows_with_events(table, events, None)
    pairs: list[tuple[str, str, Clock | None]] = []
    for pairing in study.pairings:
        if pairing.tier is Tier.T0:
            a, b = side_table(pairing.a, table, items), side_table(pairing.b, table, items)
            pairs += [(a.name(i), b.name(j), None) for i, j in candidates(pairing, a, b)]
    clocks = align_recordings(study, recordings, events)
    return pairs + [(a, b, clock) for (_, a, b), clock in sorted(clocks.items(), key=_names)]


def _names(item: tuple[tuple[str, str, str], Clock]) -> tuple[str, str, str]:
    return item[0]


def _durations(recordings: pd.DataFrame, events: pd.DataFrame) -> dict[str, float]:
    given = recordings.set_index("recording")
    known = (
        pd.to_numeric(given["duration_s"]).astype(float)
        if "duration_s" in given.columns
        else pd.Series(np.nan, index=given.index)
    )
    if len(events):
        known = known.fillna(events.groupby("recording")["onset"].max())
    return {str(name): float(value) for name, value in known.fillna(0.0).items()}


def _inside(onsets: Floats, duration: float, length: float) -> Floats:
    return onsets[(onsets >= -1e-9) & (onsets + length <= duration + 1e-9)]
