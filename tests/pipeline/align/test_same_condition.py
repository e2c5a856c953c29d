from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neuropair.pipeline.align import align_study

T3 = {"tier": "T3", "covariates": ["run_position"]}


def _tables(make, left, right, persons=("p", "p"), **columns):
    names = (f"{persons[0]}_meg", f"{persons[1]}_eeg")
    recordings = pd.DataFrame([make.recording(name) for name in names])
    events = [
        make.events(name, np.arange(len(c)) * 2.0, c, **{k: v[side] for k, v in columns.items()})
        for side, (name, c) in enumerate(zip(names, (left, right), strict=True))
    ]
    return recordings, pd.concat(events)


def test_equal_concepts_pair_one_to_one(make):
    recordings, events = _tables(make, ["rest", "oddball", "rest"], ["rest", "rest", "response"])
    pairs = align_study(make.study(T3 | {"caliper": 9}), recordings, events).pairs
    assert pairs["concept"].tolist() == ["rest", "rest"]
    assert pairs["window_a"].tolist() == [0, 2]
    assert pairs["n_alternatives"].tolist() == [1, 1]
    assert pairs["evidence"].eq("condition").all()


def test_mapped_concepts_pair_and_only_in_the_mapped_direction(make):
    left = ["motor/fist/left", "motor/fist/right", "motor/tapping/left"]
    right = ["motor/tapping/left", "motor/fist/left", "motor/tapping/right"]
    recordings, events = _tables(make, left, right)
    study = make.study(
        {"tier": "T3", "covariates": [], "concepts": {"motor/fist": "motor/tapping"}}
    )
    pairs = align_study(study, recordings, events).pairs
    partners = {
        (left[a], right[b]) for a, b in zip(pairs["window_a"], pairs["window_b"], strict=True)
    }
    assert partners == {
        ("motor/fist/left", "motor/fist/left"),
        ("motor/fist/right", "motor/tapping/right"),
        ("motor/tapping/left", "motor/tapping/left"),
    }


def test_exact_columns_split_the_block(make):
    recordings, events = _tables(
        make, ["rest"] * 3, ["rest"] * 3, trial_type=(["u", "v", None], ["v", "v", "w"])
    )
    study = make.study({"tier": "T3", "covariates": [], "exact": ["trial_type"]})
    found = align_study(study, recordings, events)
    assert found.pairs["window_a"].tolist() == [1]
    assert "rule-0: a covariate or an exact column is unknown" in set(found.losses["reason"])


def test_the_caliper_comes_before_the_assignment(make):
    position = (np.r_[np.linspace(0, 0.4, 10), 9.0], np.linspace(0, 0.4, 10))
    recordings, events = _tables(make, ["rest"] * 11, ["rest"] * 10, run_position=position)
    pairs = align_study(make.study(T3), recordings, events).pairs
    assert 10 not in pairs["window_a"].tolist()
    far = (np.linspace(0, 1, 10), np.linspace(50, 51, 10))
    recordings, events = _tables(make, ["rest"] * 10, ["rest"] * 10, run_position=far)
    found = align_study(make.study(T3), recordings, events)
    assert found.pairs.empty
    assert found.abstentions["reason"].iloc[0] == (
        "caliper: of 100 event pairs of one key none lies within 0.5 pooled SD in run_position"
    )


def test_a_constant_covariate_pairs_equal_values_only(make):
    for right, n in ((0.5, 4), (0.6, 0)):
        recordings, events = _tables(make, ["rest"] * 4, ["rest"] * 4, run_position=(0.5, right))
        assert len(align_study(make.study(T3), recordings, events).pairs) == n


def test_intervals_above_ten_seconds_are_equal(make):
    recordings, events = _tables(
        make, ["rest"] * 3, ["rest"] * 3, preceding_interval=([12.0] * 3, [60.0] * 3)
    )
    study = make.study({"tier": "T3", "covariates": ["preceding_interval"]})
    assert len(align_study(study, recordings, events).pairs) == 3


def test_a_covariate_that_one_side_lacks_abstains_with_the_way_out(make):
    recordings, events = _tables(
        make, ["rest"] * 3, ["rest"] * 3, response_time=([1.0, 2.0, 3.0], [np.nan] * 3)
    )
    study = make.study({"tier": "T3", "covariates": ["response_time"]})
    row = align_study(study, recordings, events).abstentions.iloc[0]
    assert row["reason"] == "covariate-missing: no event of ds/sub-p/p_eeg has response_time"
    assert "remove it from 'covariates'" in row["remedy"]


def test_one_event_of_b_may_partner_many(make):
    recordings, events = _tables(make, ["rest"] * 10, ["rest"] * 2, persons=("p", "q"))
    for uses, n in ((1, 2), (3, 6), (100, 10)):
        study = make.study({"tier": "T5", "covariates": [], "uses_b": uses})
        pairs = align_study(study, recordings, events).pairs
        assert len(pairs) == n
        assert pairs["window_a"].is_unique
        assert pairs.groupby("window_b").size().max() <= uses


def test_recordings_without_a_common_concept_abstain(make):
    recordings, events = _tables(make, ["rest"], ["oddball"])
    reason = align_study(make.study(T3), recordings, events).abstentions["reason"].iloc[0]
    assert reason == "no-common-concept: rest and oddball: no events of agreeing concept"


def test_a_recording_whose_partners_went_elsewhere_says_so(make):
    names = ["p_meg", "q_eeg", "r_eeg"]
    recordings = pd.DataFrame([make.recording(name) for name in names])
    positions = {"p_meg": [0.5], "q_eeg": [0.5], "r_eeg": [0.6]}
    events = pd.concat(
        [make.events(n, [1.0], "rest", run_position=positions[n]) for n in names]
        + [make.events(n, [9.0], "oddball", event=1, run_position=[0.0]) for n in ["q_eeg"]]
    )
    study = make.study({"tier": "T5", "covariates": ["run_position"], "caliper": 5.0})
    found = align_study(study, recordings, events)
    assert found.pairs["recording_b"].tolist() == ["ds/sub-q/q_eeg"]
    assert found.abstentions["reason"].iloc[0].startswith("better-partners-elsewhere: of 1 event")


@pytest.mark.real
def test_the_caliper_balances_ds000117(make, faces):
    """science.md section 3: SMD 0.33 unmatched and assigned alone, below 0.1 with 0.5 SD."""
    recordings, events = faces
    pairing = {
        "tier": "T3",
        "b": {"modality": "fmri"},
        "covariates": ["preceding_interval"],
        "exact": ["value"],
    }
    found = align_study(make.study(pairing), recordings, events)
    assert found.balance["smd_before"].between(0.30, 0.35).all()
    assert found.balance["smd_after"].max() < 0.1
    assert found.balance["variance_ratio_after"].between(0.5, 2).all()
    kept = found.pairs.groupby("person_a").size()
    assert len(kept) == 6
    assert kept.between(721, 800).all()
    wide = pairing | {"caliper": 100, "max_smd": None}
    alone = align_study(make.study(wide), recordings, events).balance
    assert alone["smd_after"].min() > 0.3


def test_an_imbalance_within_the_caliper_is_flagged(make):
    rng = np.random.default_rng(0)
    position = (rng.normal(0, 1, 60), rng.normal(0.6, 1, 60))
    recordings, events = _tables(make, ["rest"] * 60, ["rest"] * 60, run_position=position)
    found = align_study(make.study(T3 | {"caliper": 2.0}), recordings, events)
    assert found.balance["smd_after"].iloc[0] > 0.1
    flagged = found.losses[found.losses["action"] == "flagged"]
    assert flagged["count"].tolist() == [60, 60]
    assert (
        flagged["reason"]
        .iloc[0]
        .startswith(
            "rule-0: p: to bring every covariate's SMD below 0.1 would cost more than 12 of 60"
        )
    )
    assert flagged["reason"].iloc[1].startswith("rule-0: run_position differs by 0.")
    assert len(found.pairs) == 60
