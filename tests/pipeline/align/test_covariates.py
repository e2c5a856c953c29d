"""What came before an event in its run, and covariates that cannot be had."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from neuropair.pipeline.align import align_study
from neuropair.pipeline.align.covariates import FIRST_TRIAL, add_derived
from neuropair.schemas.errors import NeuropairError


def test_derived_covariates_count_trials_of_their_own_run():
    events = pd.DataFrame(
        {
            "row": [0, 0, 0, 0, 0, 1, 1],
            "event": [0, 1, 2, 3, 4, 0, 1],
            "onset": [0.0, 1, 2, 3, 4, 0, 1],
            "concept": ["face", "response", "face", "house", "face", "face", "house"],
            "stimulus": ["x", None, "y", "x", "x", "x", None],
            "repetition": [0.0, np.nan, 0, 1, 2, 3, np.nan],
        }
    )
    names = frozenset({"trial_position", "repetition_lag", "previous_condition", "previous_same"})
    shuffled = events.iloc[[6, 2, 4, 0, 5, 3, 1]].copy()
    add_derived(shuffled, names)
    found = shuffled.sort_index()
    nan = np.nan
    np.testing.assert_array_equal(found["trial_position"], [0, nan, 1, 2, 3, 0, 1])
    # shown in an earlier run only: how long ago is not known
    np.testing.assert_array_equal(found["repetition_lag"], [0, nan, 0, 2, 1, nan, nan])
    np.testing.assert_array_equal(found["previous_same"], [nan, nan, 1, 0, 0, nan, 0])
    assert found["previous_condition"].tolist() == [
        *[FIRST_TRIAL, None, "face", "face", "house", FIRST_TRIAL, "face"]
    ]


def _tables(make, **columns):
    names = ("p_meg", "p_eeg")
    recordings = pd.DataFrame([make.recording(name) for name in names])
    events = pd.concat(
        make.events(name, 2.0 * np.arange(6), ["rest", "oddball"] * 3).assign(
            **{k: v[side] for k, v in columns.items()}
        )
        for side, name in enumerate(names)
    )
    return recordings, events


@pytest.mark.parametrize(
    "covariate", ["preceding_interval", "run_position", "response_time", "repetition"]
)
@pytest.mark.parametrize("side", [0, 1])
def test_a_covariate_that_one_side_lacks_is_named_with_the_side(make, covariate, side):
    values = [np.arange(6.0), np.arange(6.0)]
    values[side] = np.full(6, np.nan)
    recordings, events = _tables(make, **{covariate: values})
    found = align_study(make.study({"tier": "T3", "covariates": [covariate]}), recordings, events)
    assert found.pairs.empty
    name = ("ds/sub-p/p_meg", "ds/sub-p/p_eeg")[side]
    assert found.abstentions["reason"].tolist() == [
        f"covariate-missing: no event of {name} has {covariate}"
    ]
    assert "remove it from 'covariates'" in found.abstentions["remedy"].iloc[0]


def test_previous_condition_is_an_exact_column(make):
    recordings, events = _tables(make)
    study = make.study({"tier": "T3", "covariates": [], "exact": ["previous_condition"]})
    found = align_study(study, recordings, events)
    assert len(found.pairs) == 6
    first = found.pairs[found.pairs["window_a"] == 0]
    assert first["window_b"].tolist() == [0]


def test_repetition_classes_are_matched_exactly_where_known_and_the_study_can_opt_out(make):
    classes = (["first"] * 6, ["delayed"] * 6)
    recordings, events = _tables(make, repetition_class=classes)
    given = {"tier": "T3", "covariates": []}
    found = align_study(make.study(given), recordings, events)
    assert found.pairs.empty
    assert "repetition class" in found.abstentions["reason"].iloc[0]
    anyway = align_study(make.study(given | {"repetition_class": "any"}), recordings, events)
    assert len(anyway.pairs) == 6


@pytest.mark.parametrize("caliper", [0, -1, float("nan"), float("inf")])
@pytest.mark.parametrize("tier", ["T2", "T3"])
def test_a_caliper_that_is_none_is_refused(make, caliper, tier):
    with pytest.raises(ValidationError, match="caliper"):
        make.study({"tier": tier, "caliper": caliper})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("exact", ["colour"]),
        ("covariates", ["mood"]),
        ("max_smd", float("nan")),
        ("max_dropped", 1.5),
        ("alternates", -1),
        ("negatives", -1),
    ],
)
def test_settings_that_cannot_be_are_refused(make, field, value):
    with pytest.raises(ValidationError, match=field):
        make.study({"tier": "T3", field: value})


def test_a_concept_map_that_maps_two_ways_is_refused(make):
    two = {"motor/fist": "motor/tapping", "motor/fist/left": "motor/foot"}
    with pytest.raises(ValidationError, match="two ways: to motor/foot, and by motor/fist to"):
        make.study({"tier": "T5", "concepts": two})
    same = {"motor/fist": "motor/tapping", "motor/fist/left": "motor/tapping/left/index"}
    make.study({"tier": "T5", "concepts": same})


def test_an_event_that_stands_twice_is_refused(make):
    recordings, events = _tables(make)
    with pytest.raises(NeuropairError, match="event 5 stands more than once"):
        align_study(make.study({"tier": "T3"}), recordings, pd.concat([events, events.iloc[[5]]]))


def test_events_of_unknown_covariates_are_counted(make):
    values = (np.r_[np.nan, np.arange(5.0)], np.arange(6.0))
    recordings, events = _tables(make, run_position=values)
    study = make.study({"tier": "T3", "covariates": ["run_position"], "caliper": 9.0})
    found = align_study(study, recordings, events)
    assert 0 not in found.pairs["window_a"].tolist()
    assert "rule-0: a covariate or an exact column is unknown" in set(found.losses["reason"])
