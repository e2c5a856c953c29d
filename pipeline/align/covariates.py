"""Covariates that the events table does not hold: what came before an event in its run."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.pipeline.align.types import Bools, Floats, Integers
from neuropair.schemas.study import SameCondition, SameStimulus, Study
from neuropair.schemas.vocabulary import is_within

STORED = ["preceding_interval", "run_position", "response_time", "repetition"]
"""Covariates that are columns of table events."""
NO_STIMULI = ("response", "marker")
"""Concepts of what is not shown to the person: it is no trial, and ends no interval."""
FIRST_TRIAL = "(none)"
"""``previous_condition`` of the first stimulus of a run."""


def derived_columns(study: Study) -> frozenset[str]:
    """Covariates and exact columns that the study's pairings ask for and tables do not hold."""
    return frozenset(
        name
        for pairing in study.pairings
        if isinstance(pairing, SameStimulus | SameCondition)
        for name in (*pairing.covariates, *pairing.exact)
        if name in _DERIVED
    )


def add_derived(events: pd.DataFrame, names: frozenset[str]) -> None:
    """Add columns to events, in place.

    Parameters
    ----------
    events : pandas.DataFrame
        ``row`` (of the recording), ``onset, concept, stimulus, repetition``, in any order.
    names : frozenset of str
        Of ``trial_position`` (number of the stimulus in its run), ``repetition_lag`` (trials since
        the same evidenced stimulus was last shown in the run; 0 at the first time; NaN where it was
        shown in an earlier run only), ``previous_condition`` (concept of the stimulus before) and
        ``previous_same`` (1 if that is the event's own concept, else 0; NaN for the first, which
        has none). Responses and markers are no stimuli: what they follow is unknown.
    """
    if not names:
        return
    order = np.lexsort((events["event"], events["onset"], events["row"]))
    trials = order[is_stimulus(events["concept"])[order]]
    run = events["row"].to_numpy(dtype=np.int64)[trials]
    for name in sorted(names):
        values, missing = _DERIVED[name](events, trials, run)
        column = np.full(len(events), missing, dtype=values.dtype)
        column[trials] = values
        events[name] = pd.Series(column, index=events.index, dtype=column.dtype)


def is_stimulus(concepts: pd.Series) -> Bools:
    """Whether events are shown to the person, by their concepts."""
    others = [
        name
        for name in concepts.unique()
        if any(is_within(name, ancestor) for ancestor in NO_STIMULI)
    ]
    return ~concepts.isin(others).to_numpy(dtype=bool)


def _trial_position(_: pd.DataFrame, __: Integers, run: Integers) -> tuple[Floats, float]:
    return _number_in(run).astype(float), np.nan


def _number_in(run: Integers) -> Integers:
    first = np.r_[True, run[1:] != run[:-1]][: run.size]
    start = np.maximum.accumulate(np.where(first, np.arange(run.size), 0))
    return np.arange(run.size) - start


def _repetition_lag(events: pd.DataFrame, trials: Integers, run: Integers) -> tuple[Floats, float]:
    stimulus, _ = pd.factorize(events["stimulus"].to_numpy(dtype=object)[trials])
    repetition = events["repetition"].to_numpy(dtype=float)[trials]
    order = np.lexsort((np.arange(trials.size), stimulus, run))
    again = np.zeros(trials.size, dtype=bool)
    again[1:] = (np.diff(stimulus[order]) == 0) & (np.diff(run[order]) == 0)
    lag = np.where(repetition > 0, np.nan, 0.0)
    lag[order[again]] = np.diff(order, prepend=0)[again]
    lag[stimulus < 0] = np.nan
    return lag, np.nan


def _before(events: pd.DataFrame, trials: Integers, run: Integers) -> npt.NDArray[np.object_]:
    concept = events["concept"].to_numpy(dtype=object)[trials]
    before = np.empty(trials.size, dtype=object)
    before[1:] = concept[:-1]
    before[np.r_[True, run[1:] != run[:-1]][: run.size]] = FIRST_TRIAL
    return before


def _previous_condition(
    events: pd.DataFrame, trials: Integers, run: Integers
) -> tuple[npt.NDArray[np.object_], None]:
    return _before(events, trials, run), None


def _previous_same(events: pd.DataFrame, trials: Integers, run: Integers) -> tuple[Floats, float]:
    before = _before(events, trials, run)
    same = (before == events["concept"].to_numpy(dtype=object)[trials]).astype(float)
    return np.where(before == FIRST_TRIAL, np.nan, same), np.nan


_DERIVED = {
    "trial_position": _trial_position,
    "repetition_lag": _repetition_lag,
    "previous_condition": _previous_condition,
    "previous_same": _previous_same,
}
