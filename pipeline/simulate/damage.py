"""From trials to the rows of an events table: clocks, quantisation, loss, strangers, bounces."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
    truth: pd.DataFrame, run: Run, settings: SimulationSettings
) -> tuple[pd.DataFrame, NDArray[np.bool_], pd.DataFrame]:
    """Make one recording's events table.

    Returns
    -------
    table : pandas.DataFrame
        Columns ``onset, duration, trial_type, value`` and, for pictures, ``stim_file`` and
        ``response_time``; by onset.
    kept : array of bool
        Which rows of `truth` are in it.
    spurious : pandas.DataFrame
        ``recording, onset, trial_type`` of rows that are in it and no trial made.
    """
    rng = generator(settings.seed, "table", run.sitting, run.modality)
    triggers = truth["onset"].to_numpy() + rng.normal(0, settings.trigger_jitter, len(truth))
    if run.modality is Modality.MEG and TASKS[run.task].shows_pictures:
        triggers -= settings.projector_delay
    kept = np.ones(len(truth), dtype=bool)
    strangers = pd.DataFrame({"onset": np.empty(0), "trial_type": np.empty(0, dtype=str)})
    if run.modality in settings.damaged:
        kept[rng.permutation(len(truth))[: _count(settings.missing, len(truth), rng)]] = False
        strangers = _strangers(triggers, run, settings, rng)
    rows = pd.DataFrame(
        {
            "onset": triggers[kept],
            "duration": truth["duration"].to_numpy()[kept],
            "trial_type": truth["condition"].to_numpy()[kept],
            "stim_file": truth["stim_file"].to_numpy()[kept],
            "response_time": truth["response_time"].to_numpy()[kept],
        }
    )
    extra = strangers.assign(duration=TASKS[run.task].duration, stim_file="", response_time=np.nan)
    parts = [rows, extra, _responses(truth, triggers, run, rng)]
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    table["onset"] = _quantised(table["onset"].to_numpy(), run)
    table = table.sort_values("onset", kind="stable", ignore_index=True)
    table.insert(3, "value", [CODES[kind] for kind in table["trial_type"]])
    if run.modality is Modality.FNIRS:
        table["response_time"] = np.nan
    if not TASKS[run.task].shows_pictures:
        table = table.drop(columns=["stim_file", "response_time"])
    strangers["onset"] = _quantised(strangers["onset"].to_numpy(), run)
    return table, kept, strangers.assign(recording=run.recording)


def _count(share: float, of: int, rng: np.random.Generator) -> int:
    return int(share * of + rng.random())


def _strangers(
    triggers: NDArray[np.float64],
    run: Run,
    settings: SimulationSettings,
    rng: np.random.Generator,
) -> pd.DataFrame:
    count = _count(settings.spurious, len(triggers), rng)
    candidates = rng.uniform(triggers.min(), triggers.max() + 1, 50 * count + 1)
    distance = np.abs(candidates[:, np.newaxis] - triggers).min(axis=1)
    onsets = candidates[distance > _CLEARANCE][:count]
    kinds = rng.choice(TASKS[run.task].conditions, len(onsets))
    return pd.DataFrame({"onset": onsets, "trial_type": kinds.astype(object)})


def _responses(
    truth: pd.DataFrame, triggers: NDArray[np.float64], run: Run, rng: np.random.Generator
) -> pd.DataFrame:
    times = truth["response_time"].to_numpy()
    given = np.isfinite(times) & (run.modality in _RECORDS_RESPONSES)
    onsets = (triggers + times)[given]
    if run.modality is Modality.EEG:
        bouncing = onsets[rng.random(len(onsets)) < _BOUNCING_SHARE]
        onsets = np.concatenate([onsets, bouncing + rng.uniform(0.008, 0.030, len(bouncing))])
    return pd.DataFrame(
        {
            "onset": onsets,
            "duration": 0.0,
            "trial_type": "response",
            "stim_file": "",
            "response_time": np.nan,
        }
    )


def _quantised(onsets: NDArray[np.float64], run: Run) -> NDArray[np.float64]:
    # a scanner's computer logs milliseconds; a recorder marks one of its samples
    rate = 1000.0 if run.modality is Modality.FMRI else run.sfreq
    return (np.round(onsets * rate) / rate).round(6)
