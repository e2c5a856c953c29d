"""From trials to the rows of an events table: clocks, quantisation, loss, strangers, bounces."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuropair.pipeline.simulate.columns import Columns
from neuropair.pipeline.simulate.plan import TASKS, Run
from neuropair.pipeline.simulate.rng import generator
from neuropair.pipeline.simulate.settings import SimulationSettings
from neuropair.schemas.kinds import Modality

CODES = {
    "face": 11,
    "house": 12,
    "tap_left": 21,
    "tap_right": 22,
    "object": 31,
    "response": 64,
    "flash": 255,
}
"""Trigger codes; every row of the task `fixed` has the same."""

_RECORDS_RESPONSES = (Modality.EEG, Modality.MEG)
_BOUNCING_SHARE = 0.3
_CLEARANCE = 1.0
"""s; a spurious trigger this close to a trial's would be no stranger."""


def table_of(
    truth: Columns, run: Run, settings: SimulationSettings
) -> tuple[pd.DataFrame, NDArray[np.bool_], Columns]:
    """Make one recording's events table.

    Returns
    -------
    table : pandas.DataFrame
        Columns ``onset, duration, trial_type, value`` and, for pictures, ``stim_file`` and
        ``response_time``; by onset.
    kept : array of bool
        Which rows of `truth` are in it.
    spurious : Columns
        ``onset, trial_type`` of rows that are in it and no trial made.
    """
    rng = generator(settings.seed, "table", run.sitting, run.modality)
    task = TASKS[run.task]
    count = len(truth["onset"])
    triggers = truth["onset"] + rng.normal(0, settings.trigger_jitter, count)
    if run.modality is Modality.MEG and task.shows_pictures:
        triggers -= settings.projector_delay
    kept = np.ones(count, dtype=bool)
    strangers: Columns = {"onset": np.empty(0), "trial_type": np.empty(0, object)}
    if run.modality in settings.damaged:
        kept[rng.permutation(count)[: _count(settings.missing, count, rng)]] = False
        strangers = _strangers(triggers, run, settings, rng)
    kept &= run.clock.runs_at(truth["onset_sitting"])
    presses = _responses(truth, triggers, run, rng)
    conditions, pictures = _labels(truth, run, settings)
    kinds = np.concatenate(
        [
            conditions[kept],
            strangers["trial_type"],
            np.full(len(presses), "response", object),
        ]
    )
    is_response = kinds == "response"
    beyond = len(kinds) - int(kept.sum())
    onsets = _quantised(np.concatenate([triggers[kept], strangers["onset"], presses]), run)
    columns: Columns = {
        "onset": onsets,
        "duration": np.where(is_response, 0.0, task.duration),
        "trial_type": kinds,
        "value": np.array([CODES[kind] for kind in kinds]),
    }
    if task.shows_pictures:
        columns["stim_file"] = np.append(pictures[kept], np.full(beyond, "", object))
        times = truth["response_time"][kept]
        if run.modality is Modality.FNIRS:
            times = np.full(len(times), np.nan)
        columns["response_time"] = np.append(times, np.full(beyond, np.nan))
    order = np.argsort(onsets, kind="stable")
    table = pd.DataFrame({name: values[order] for name, values in columns.items()})
    return table, kept, strangers | {"onset": _quantised(strangers["onset"], run)}


def _labels(
    truth: Columns, run: Run, settings: SimulationSettings
) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Give the condition and picture that each trial's row names.

    Where a row is wrong, those of a trial of another condition; of any other trial where the task
    has one condition only.
    """
    rng = generator(settings.seed, "labels", run.sitting, run.modality)
    conditions = truth["condition"]
    named = np.arange(len(conditions))
    for trial in np.flatnonzero(rng.random(named.size) < settings.mislabelled).tolist():
        others = np.flatnonzero(conditions != conditions[trial])
        named[trial] = rng.choice(others if others.size else named.size)
    return conditions[named], truth["stim_file"][named]


def _count(share: float, of: int, rng: np.random.Generator) -> int:
    return int(share * of + rng.random())


def _strangers(
    triggers: NDArray[np.float64],
    run: Run,
    settings: SimulationSettings,
    rng: np.random.Generator,
) -> Columns:
    count = _count(settings.spurious, len(triggers), rng)
    candidates = rng.uniform(triggers.min(), triggers.max() + 1, 50 * count + 1)
    distance = np.abs(candidates[:, np.newaxis] - triggers).min(axis=1)
    onsets = candidates[distance > _CLEARANCE][:count]
    kinds = rng.choice(TASKS[run.task].conditions, len(onsets))
    return {"onset": onsets, "trial_type": kinds.astype(object)}


def _responses(
    truth: Columns, triggers: NDArray[np.float64], run: Run, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Give the onsets of button presses, with the bounces that the EEG amplifier adds."""
    times = truth["response_time"]
    given = np.isfinite(times) & (run.modality in _RECORDS_RESPONSES)
    onsets = (triggers + times)[given]
    if run.modality is Modality.EEG:
        bouncing = onsets[rng.random(len(onsets)) < _BOUNCING_SHARE]
        onsets = np.append(onsets, bouncing + rng.uniform(0.008, 0.030, len(bouncing)))
    return np.asarray(onsets)


def _quantised(onsets: NDArray[np.float64], run: Run) -> NDArray[np.float64]:
    # a scanner's computer logs milliseconds; a recorder marks one of its samples
    rate = 1000.0 if run.modality is Modality.FMRI else run.sfreq
    return np.asarray((np.round(onsets * rate) / rate).round(6))
