"""What happened, when, and what the event tables say of it: the fast part, without signals."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuropair.pipeline.simulate.columns import Columns, stacked
from neuropair.pipeline.simulate.damage import table_of
from neuropair.pipeline.simulate.latent import amplitudes
from neuropair.pipeline.simulate.plan import LEAD_IN, LEAD_OUT, TASKS, Run, pool_of, runs
from neuropair.pipeline.simulate.regions import REGIONS
from neuropair.pipeline.simulate.rng import generator
from neuropair.pipeline.simulate.settings import SimulationSettings
from neuropair.schemas.kinds import Modality

CONCEPTS = {
    "face": "perception/visual/face",
    "house": "perception/visual/house",
    "object": "perception/visual/object",
    "flash": "perception/visual/checkerboard",
    "tap_left": "motor/tapping/left",
    "tap_right": "motor/tapping/right",
}
"""Condition -> concept, as the shipped recipe maps them too."""

AMPLITUDE_COLUMNS = [f"amplitude_{region}" for region in REGIONS]


@dataclass(frozen=True)
class SimulatedEvents:
    """Everything about a simulated dataset but its signals.

    Parameters
    ----------
    runs : tuple of Run
        Its recordings.
    trials : pandas.DataFrame
        The truth, one row a trial and recording: ``trial`` (the same in recordings made
        together), ``recording``, ``person``, ``session``, ``task``, ``modality``, ``onset``
        (true, on the recording's own clock, s), ``onset_sitting`` (s on the clock of the
        sitting), ``duration``, ``condition``, ``concept``, ``stimulus`` (content; empty for none),
        ``stim_file``, ``repetition``, ``response_time``, ``in_table``, and
        ``amplitude_<region>`` in units of 20 nAm.
    spurious : pandas.DataFrame
        Rows of tables that no trial made: ``recording``, ``onset``, ``trial_type``.
    tables : dict
        By recording: the events table as it is written, s, missing cells NaN or empty.
    """

    runs: tuple[Run, ...]
    trials: pd.DataFrame
    spurious: pd.DataFrame
    tables: dict[str, pd.DataFrame]


def simulate_events(settings: SimulationSettings | None = None) -> SimulatedEvents:
    """Simulate the events of a dataset and their tables; no signal is computed.

    Takes some 10 ms a person, for studies of pairing on thousands of seeded corpora.

    Parameters
    ----------
    settings : SimulationSettings
        The defaults unless given.

    Returns
    -------
    SimulatedEvents
    """
    settings = settings or SimulationSettings()
    planned = tuple(runs(settings))
    sittings = {run.sitting: run for run in planned}
    shown = {key: _trials(run, settings) for key, run in sittings.items()}
    truths, spurious, tables = [], [], {}
    for run in planned:
        truth = _as_recorded(shown[run.sitting], run)
        table, kept, strangers = table_of(truth, run, settings)
        truths.append(truth | {"in_table": kept})
        spurious.append(strangers | {"recording": np.full(len(strangers["onset"]), run.recording)})
        tables[run.recording] = table
    return SimulatedEvents(planned, stacked(truths), stacked(spurious), tables)


def _trials(run: Run, settings: SimulationSettings) -> Columns:
    rng = generator(settings.seed, "trials", run.sitting)
    conditions, files = _order(run, settings, rng)
    count = len(conditions)
    seen: Counter[str] = Counter()
    repetitions = np.zeros(count, dtype=np.int64)
    for index, file in enumerate(files):
        repetitions[index] = seen[file] if file else 0
        seen[file] += 1
    effect = settings.stimulus_effect
    levels = amplitudes(
        settings.seed, run.sitting, run.person, conditions, files, repetitions, effect
    )
    response = np.full(count, np.nan)
    if run.task == "faces":
        response = np.exp(rng.normal(np.log(0.55), 0.2, count)).round(3)
        response[rng.random(count) < 0.05] = np.nan
    return {
        "trial": np.array([f"{run.sitting}/trial-{n:03d}" for n in range(1, count + 1)], object),
        "onset_sitting": _onsets(run.task, count, settings, rng),
        "duration": np.full(count, TASKS[run.task].duration),
        "condition": np.array(conditions, object),
        "concept": np.array([CONCEPTS[condition] for condition in conditions], object),
        "stimulus": np.array(files, object),
        "stim_file": np.array(files, object),
        "repetition": repetitions,
        "response_time": response,
        **dict(zip(AMPLITUDE_COLUMNS, levels.T, strict=True)),
    }


def _order(
    run: Run, settings: SimulationSettings, rng: np.random.Generator
) -> tuple[list[str], list[str]]:
    """Give condition and picture by trial; no picture is an empty name."""
    task = TASKS[run.task]
    each = task.n_trials(settings) // len(task.conditions)
    if not task.shows_pictures:
        conditions = rng.permutation(np.repeat(task.conditions, each)).tolist()
        return conditions, [""] * len(conditions)
    pool = pool_of(run.person, settings)
    shown = [(kind, number) for kind in task.conditions for number in range(1, each // 2 + 1)] * 2
    order = [shown[index] for index in rng.permutation(len(shown))]
    files = [picture_file(run.task, run.modality, pool, kind, number) for kind, number in order]
    return [kind for kind, _ in order], files


def picture_file(task: str, modality: Modality, pool: int, kind: str, number: int) -> str:
    """Give the path of a picture below ``stimuli``.

    Those of the task `collision` have equal base names in MEG and fMRI, and other content, as in
    ds000117.
    """
    if task == "collision":
        return f"collision/pool{pool}/{modality.datatype}/c{number:02d}.png"
    return f"faces/pool{pool}_{kind}{number:02d}.png"


def _onsets(
    task: str, count: int, settings: SimulationSettings, rng: np.random.Generator
) -> NDArray[np.float64]:
    low, high = TASKS[task].interval
    intervals = rng.uniform(low, high, count - 1)
    room = TASKS[task].seconds(settings) - LEAD_IN - LEAD_OUT - 1.0
    slack = room - low * (count - 1)
    surplus = intervals - low
    if surplus.sum() > slack:
        surplus *= max(slack, 0.0) / surplus.sum()
    first = LEAD_IN + rng.uniform(0, 1)
    return np.concatenate([[first], first + np.cumsum(low + surplus)])


def _as_recorded(trials: Columns, run: Run) -> Columns:
    count = len(trials["trial"])
    identity = {
        "recording": run.recording,
        "person": run.person,
        "session": run.session,
        "task": run.task,
        "modality": str(run.modality),
    }
    columns = {name: np.full(count, value, object) for name, value in identity.items()}
    onset = run.clock.reading(trials["onset_sitting"])
    return {"trial": trials["trial"], **columns, "onset": onset, **trials}
