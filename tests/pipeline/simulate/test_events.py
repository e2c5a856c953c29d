from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from neuropair.pipeline.simulate import SimulationSettings, simulate_events
from neuropair.pipeline.simulate.plan import Clock
from neuropair.pipeline.simulate.truth import clocks, duplicates, right_pairs
from neuropair.schemas.kinds import Modality

simulated = st.builds(
    SimulationSettings,
    subjects=st.integers(1, 5),
    seconds=st.sampled_from([60.0, 180.0, 400.0]),
    seed=st.integers(0, 2**40),
    missing=st.floats(0, 0.5),
    spurious=st.floats(0, 0.5),
    damaged=st.sampled_from([(), (Modality.FNIRS,), (Modality.EEG, Modality.FNIRS)]),
    drift_ppm=st.floats(0, 500),
)


@settings(max_examples=25, deadline=None)
@given(simulated)
def test_tables_hold_the_kept_trials_the_strangers_and_nothing_else(
    chosen: SimulationSettings,
) -> None:
    happened = simulate_events(chosen)
    for run in happened.runs:
        table = happened.tables[run.recording]
        truth = happened.trials[happened.trials["recording"] == run.recording]
        strangers = happened.spurious[happened.spurious["recording"] == run.recording]
        rows = table[table["trial_type"] != "response"]
        assert len(rows) == truth["in_table"].sum() + len(strangers)
        assert table["onset"].is_monotonic_increasing
        assert table["onset"].between(0, run.seconds).all()
        assert truth["onset"].between(0, run.seconds - 18).all()
        if run.modality not in chosen.damaged:
            assert truth["in_table"].all()
            assert strangers.empty


@settings(max_examples=25, deadline=None)
@given(simulated)
def test_the_clock_of_the_truth_takes_eeg_onsets_to_fnirs_onsets(
    chosen: SimulationSettings,
) -> None:
    happened = simulate_events(chosen)
    onsets = happened.trials.set_index(["recording", "trial"])["onset"]
    table = clocks(happened)
    assert len(table) == 3 * chosen.subjects
    assert table["drift_ppm"].abs().max() <= chosen.drift_ppm
    for clock in table.itertuples():
        a, b = onsets[clock.recording_a], onsets[clock.recording_b]
        expected = clock.offset + (1 + clock.drift_ppm * 1e-6) * a
        np.testing.assert_allclose(b, expected.loc[b.index], atol=1e-9)


def test_recorded_onsets_are_the_true_ones_up_to_sample_and_jitter() -> None:
    happened = simulate_events(SimulationSettings(missing=0, spurious=0, seed=3))
    for run in happened.runs:
        table = happened.tables[run.recording]
        rows = table[table["trial_type"] != "response"]
        truth = happened.trials[happened.trials["recording"] == run.recording]
        late = np.sort(truth["onset"].to_numpy()) - rows["onset"].to_numpy()
        pictures = run.modality is Modality.MEG and run.task != "tapping"
        assert np.abs(late - (0.034 if pictures else 0)).max() < 0.5 / run.sfreq + 0.012
        if run.modality is Modality.FNIRS:
            steps = rows["onset"].to_numpy() * 10
            np.testing.assert_allclose(steps, np.round(steps), atol=1e-6)


def test_a_twentieth_of_the_triggers_is_missing_and_a_twentieth_spurious() -> None:
    happened = simulate_events(SimulationSettings(subjects=30))
    fnirs = happened.trials[happened.trials["modality"] == "fnirs"]
    assert 1 - fnirs["in_table"].mean() == pytest.approx(0.05, abs=0.01)
    assert len(happened.spurious) / len(fnirs) == pytest.approx(0.05, abs=0.01)


def test_the_fixed_task_tells_no_trial_from_another() -> None:
    happened = simulate_events(SimulationSettings(missing=0, spurious=0, trigger_jitter=0))
    table = happened.tables["sub-01/ses-eegnirs/task-fixed_eeg"]
    assert table["value"].nunique() == 1
    np.testing.assert_allclose(np.diff(table["onset"]), 3.0, atol=0.005)


def test_the_collision_has_equal_names_and_no_equal_picture() -> None:
    happened = simulate_events()
    shown = happened.trials[happened.trials["task"] == "collision"]
    shown = shown.assign(name=shown["stim_file"].str.rsplit("/", n=1).str[-1])
    by = dict(tuple(shown.groupby("modality")))
    assert set(by["meg"]["name"]) == set(by["fmri"]["name"])
    assert not set(by["meg"]["stimulus"]) & set(by["fmri"]["stimulus"])
    pairs = right_pairs(happened)
    pairs = pairs[pairs["stimulus"].str.startswith("collision")]
    assert set(pairs["tier"]) == {"T4"}
    modality = [pairs[side].str.rsplit("_", n=1).str[-1] for side in ("recording_a", "recording_b")]
    assert (modality[0] == modality[1]).all()


def test_pools_of_pictures_are_apart_and_each_picture_comes_twice_a_run() -> None:
    happened = simulate_events()
    faces = happened.trials[happened.trials["task"] == "faces"]
    pools = faces.groupby("person")["stimulus"].agg(lambda names: frozenset(names))
    assert pools["01"] == pools["02"]
    assert not pools["01"] & pools["03"]
    counts = faces.groupby(["recording", "stimulus"]).size()
    assert (counts == 2).all()
    assert set(faces["repetition"]) == {0, 1}
    assert len(counts) == 6 * 4 * 16


def test_recordings_of_one_sitting_share_amplitudes_and_others_do_not() -> None:
    trials = simulate_events().trials
    level = trials.set_index(["recording", "trial"])["amplitude_FFA-R"]
    together = level["sub-01/ses-eegnirs/task-faces_eeg"]
    pd.testing.assert_series_equal(together, level["sub-01/ses-eegnirs/task-faces_fnirs"])
    meg = trials[trials["recording"] == "sub-01/ses-meg/task-faces_meg"]
    assert not np.isin(meg["amplitude_FFA-R"], together).any()
    assert (trials.filter(like="amplitude_") >= 0).all(axis=None)


def test_pictures_carry_information_only_where_the_settings_say_so() -> None:
    def explained(effect: float) -> float:
        chosen = SimulationSettings(subjects=12, stimulus_effect=effect, subjects_per_pool=12)
        trials = simulate_events(chosen).trials
        faces = trials[(trials["task"] == "faces") & (trials["condition"] == "face")]
        level = np.log(faces["amplitude_FFA-R"])
        level -= level.groupby(faces["person"]).transform("mean")
        level -= level.groupby(faces["repetition"]).transform("mean")
        return float(level.groupby(faces["stimulus"]).mean().var() / level.var())

    assert explained(1.0) > 0.3
    assert explained(0.0) < 0.05


def test_right_pairs_are_what_the_tiers_say() -> None:
    happened = simulate_events(SimulationSettings(missing=0, spurious=0, subjects=2))
    counts = right_pairs(happened).groupby("tier").size()
    # 32 + 16 + 14 trials together; 16 pictures x 2 x 2 in each of the other pairs of recordings
    assert counts["T1"] == 2 * (32 + 16 + 14)
    assert counts["T2"] == 2 * 5 * 64
    # the collision's pictures are two persons' too: 6 pictures x 2 x 2, in MEG and in fMRI
    assert counts["T4"] == 16 * 64 + 2 * 24


def test_the_duplicate_is_the_same_recording() -> None:
    happened = simulate_events()
    row = duplicates(happened).iloc[0]
    pd.testing.assert_frame_equal(
        happened.tables[row["recording"]], happened.tables[row["duplicate_of"]]
    )


def test_equal_seeds_give_equal_events_and_others_do_not() -> None:
    first, again, other = (simulate_events(SimulationSettings(seed=seed)) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first.trials, again.trials)
    assert not np.array_equal(first.trials["onset"], other.trials["onset"])


def test_one_person_is_the_same_whatever_the_number_of_persons() -> None:
    one = simulate_events(SimulationSettings(subjects=1)).trials
    many = simulate_events(SimulationSettings(subjects=4)).trials
    same = many[many["recording"].isin(one["recording"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(one, same)


@pytest.mark.parametrize("wrong", [{"subjects": 0}, {"seconds": 30}, {"missing": 1}, {"colour": 1}])
def test_settings_out_of_bounds_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        SimulationSettings.model_validate(wrong)


@settings(max_examples=25, deadline=None)
@given(simulated)
def test_a_restarted_recorder_has_two_segments_and_nothing_between(
    chosen: SimulationSettings,
) -> None:
    happened = simulate_events(chosen.model_copy(update={"restart": True}))
    trials = happened.trials.set_index(["recording", "trial"])
    table = clocks(happened)
    assert table["segment"].tolist() == [0, 1, 0, 0] * chosen.subjects
    for (recording_a, recording_b), segments in table.groupby(["recording_a", "recording_b"]):
        here = trials.loc[recording_b]
        at = trials.loc[recording_a]["onset"].loc[here.index].to_numpy()
        stands = np.ones(len(here), dtype=bool)
        for one in segments.itertuples():
            inside = (at >= one.start) & (at < one.stop)
            stands &= ~inside
            expected = one.offset + (1 + one.drift_ppm * 1e-6) * at[inside]
            np.testing.assert_allclose(here["onset"][inside], expected, atol=1e-9)
        assert not here["in_table"][stands].any()
        if len(segments) == 2:
            first, second = segments["offset"]
            assert 2.9 < first - second < 8.1


def test_a_restart_changes_nothing_but_the_recorder_that_is_restarted() -> None:
    usual = simulate_events(SimulationSettings(seed=3))
    restarted = simulate_events(SimulationSettings(seed=3, restart=True))
    for run in usual.runs:
        same = usual.tables[run.recording].equals(restarted.tables[run.recording])
        assert same != (run.task == "faces" and run.modality is Modality.FNIRS)


def test_the_clock_of_a_restarted_recorder_turns_back() -> None:
    clock = Clock(start=-3.0, drift=50e-6, stop=40.0, pause=5.0)
    times = np.concatenate([np.linspace(0, 39.9, 50), np.linspace(45, 90, 50)])
    assert clock.runs_at(times).all()
    np.testing.assert_allclose(clock.sitting_time(clock.reading(times)), times, atol=1e-9)
    assert not clock.runs_at([40.0, 42.0, 44.9]).any()
    assert np.ptp(clock.reading([40.0, 42.0, 45.0])) == 0.0


def test_wrong_labels_are_as_many_as_asked_for_and_the_truth_keeps_the_right_ones() -> None:
    usual = simulate_events(SimulationSettings(seed=3, missing=0, spurious=0))
    wrong = simulate_events(SimulationSettings(seed=3, missing=0, spurious=0, mislabelled=0.2))
    pd.testing.assert_frame_equal(usual.trials, wrong.trials)
    differ = [
        (usual.tables[name]["trial_type"] != table["trial_type"]).to_numpy()
        for name, table in wrong.tables.items()
        if "tapping" in name
    ]
    assert 0.15 < np.concatenate(differ).mean() < 0.25
    for name, table in wrong.tables.items():
        assert table["onset"].equals(usual.tables[name]["onset"])
