from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropair.pipeline.align import (
    align_recordings,
    align_study,
    common_onsets,
    sliding_onsets,
)

DRIFT, OFFSET = 40e-6, 12.5


def _tables(make, n=40, seed=0, **columns):
    rng = np.random.default_rng(seed)
    onsets = 5 + np.cumsum(rng.uniform(2, 6, n))
    code = rng.choice(["1", "2", "3"], n)
    concepts = np.where(code == "1", "motor/tapping/left", "motor/tapping")
    there = np.floor((OFFSET + (1 + DRIFT) * onsets) * 8) / 8
    recordings = pd.DataFrame(
        [
            make.recording("p_eeg", duration_s=300.0),
            make.recording("p_fnirs", sfreq_source=8.0, duration_s=280.0, task="other"),
        ]
    )
    events = pd.concat(
        [
            make.events("p_eeg", onsets, concepts, value=code),
            make.events("p_fnirs", np.delete(there, 7), "motor/tapping", value=np.delete(code, 7)),
        ]
    )
    return recordings, events.assign(**columns)


PAIRING = {"tier": "T1", "a": {"modality": "eeg"}, "b": {"modality": "fnirs"}}


def test_triggers_pair_the_events_and_carry_the_clock(make):
    recordings, events = _tables(make)
    found = align_study(make.study(PAIRING), recordings, events)
    assert len(found.pairs) == 39
    expected = [k - (k > 7) for k in found.pairs["window_a"]]
    assert found.pairs["window_b"].tolist() == expected
    assert found.pairs["clock_bias"].eq(0.125).all()
    assert found.pairs["time_difference"].abs().max() <= 0.125
    assert found.pairs["clock_interval"].between(0.001, 0.1).all()
    assert found.pairs["coverage"].eq(1).all()
    assert set(found.pairs["concept"]) == {"motor/tapping"}
    (clock,) = found.clocks.values()
    assert clock.offset == pytest.approx(OFFSET - 1 / 16, abs=0.1)
    reasons = found.losses.set_index("recording")["reason"]
    assert list(reasons.index) == ["ds/sub-p/p_eeg"]
    assert found.losses["count"].tolist() == [1]


def test_sittings_are_told_apart_by_the_entities_of_together(make):
    recordings, events = _tables(make)
    tasks = PAIRING | {"together": ["subject", "session", "task"]}
    found = align_study(make.study(tasks), recordings, events)
    assert found.pairs.empty
    assert found.losses["item"].tolist() == ["candidate"]


def test_a_concept_that_contradicts_is_no_pair(make):
    recordings, events = _tables(make)
    events.loc[events["recording"].str.endswith("fnirs"), "concept"] = "rest"
    found = align_study(make.study(PAIRING), recordings, events)
    assert found.pairs.empty
    assert found.abstentions["reason"].iloc[0].startswith("no-common-concept: 39 events align")
    assert not found.clocks


def test_a_copy_of_a_recording_makes_both_ambiguous(make):
    recordings, events = _tables(make)
    copy = make.recording("p_2_fnirs", sfreq_source=8.0)
    mine = events[events["recording"].str.endswith("fnirs")]
    recordings = pd.concat([recordings, pd.DataFrame([copy])])
    events = pd.concat([events, mine.assign(recording=copy["recording"])])
    found = align_study(make.study(PAIRING), recordings, events)
    assert found.pairs.empty
    assert found.abstentions["reason"].str.startswith("ambiguous: ds/sub-p/p_eeg aligns").all()
    assert len(found.abstentions) == 2


def test_an_unknown_rate_abstains_and_a_stated_step_unlocks(make):
    recordings, events = _tables(make)
    recordings["sfreq_source"] = [1000.0, None]
    found = align_study(make.study(PAIRING), recordings, events)
    assert found.abstentions["reason"].iloc[0] == "no-sampling-rate: ds/sub-p/p_fnirs"
    found = align_study(make.study(PAIRING | {"quantum": 0.125}), recordings, events)
    assert len(found.pairs) == 39


def test_codes_come_from_the_column_that_the_study_names(make):
    recordings, events = _tables(make, value=None)
    found = align_study(make.study(PAIRING), recordings, events)
    assert found.abstentions["reason"].iloc[0].startswith("no-shared-triggers: 0 and 0 triggers")
    assert len(align_study(make.study(PAIRING | {"code": "none"}), recordings, events).pairs) == 39


@settings(max_examples=20, deadline=None)
@given(
    duration_a=st.floats(1, 500),
    duration_b=st.floats(1, 500),
    length=st.floats(0.5, 20),
    step=st.floats(0.5, 20),
)
def test_sliding_windows_lie_within_both_recordings(make, duration_a, duration_b, length, step):
    recordings, events = _tables(make)
    (clock,) = align_recordings(make.study(PAIRING), recordings, events).values()
    for one in (None, clock):
        a, b = sliding_onsets(one, duration_a, duration_b, length, step)
        assert len(a) == len(b)
        if not len(a):
            continue
        assert a.min() >= 0
        assert b.min() >= -1e-9
        assert a.max() + length <= duration_a + 1e-6
        assert b.max() + length <= duration_b + length * 2e-3 + 1e-6
        np.testing.assert_allclose(b, a if one is None else one.to_b(a))
        np.testing.assert_allclose(np.diff(a), step)


def test_sliding_windows_of_two_clocks_pair_where_they_are_one_instant(make):
    recordings, events = _tables(make)
    study = make.study(PAIRING, windows={"sliding": {"length": 10, "step": 5}})
    onsets = common_onsets(study, recordings.drop(columns="split"), events)
    assert set(onsets) == {"ds/sub-p/p_eeg", "ds/sub-p/p_fnirs"}
    rows = [
        pd.DataFrame({"recording": name, "onset": at, "window": 100 + np.arange(at.size)})
        for name, at in onsets.items()
    ]
    windows = pd.concat(rows).assign(kind="sliding", event=pd.NA, quality=1.0)
    cut = events[["recording", "event", "onset"]].assign(kind="event", window=events["event"])
    windows = pd.concat([cut.assign(quality=1.0), windows])
    found = align_study(study, recordings, events, windows)
    pairs = found.pairs[found.pairs["concept"] == "sliding"]
    n = onsets["ds/sub-p/p_eeg"].size
    assert n == len(pairs) == (280 - 12.5 - 10) // 5 + 1
    assert (pairs["window_a"] == pairs["window_b"]).all()
    assert pairs["time_difference"].abs().max() < 1e-6
    moved = windows.copy()
    moved.loc[moved["recording"].str.endswith("eeg") & (moved["kind"] == "sliding"), "onset"] += 0.5
    assert "sliding" not in set(align_study(study, recordings, events, moved).pairs["concept"])


def test_one_file_slides_on_one_clock(make):
    recordings = pd.DataFrame(
        [
            make.recording("p_meg", source_file="f", duration_s=20.0),
            make.recording("p_eeg", source_file="f", duration_s=None),
            make.recording("q_eeg", duration_s=20.0),
        ]
    )
    events = pd.concat([make.events("p_meg", [1, 14.0]), make.events("p_eeg", [1, 14.0])])
    study = make.study({"tier": "T0"}, windows={"sliding": {"length": 2, "step": 2}})
    onsets = common_onsets(study, recordings, events)
    assert {name: at.tolist() for name, at in onsets.items()} == {
        "ds/sub-p/p_meg": [0, 2, 4, 6, 8, 10, 12],
        "ds/sub-p/p_eeg": [0, 2, 4, 6, 8, 10, 12],
    }
