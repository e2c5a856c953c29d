"""A device that restarts in the middle: found, and not averaged away."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropair.pipeline.align import Abstention, Clock, align_clocks, align_study, sliding_onsets
from neuropair.pipeline.align.restarts import step
from neuropair.pipeline.align.simulated import Damage, Trains, trains


def _align(drawn: Trains, q: float = 0.001) -> Clock | Abstention:
    return align_clocks(drawn.times_a, drawn.codes_a, drawn.times_b, drawn.codes_b, q=q)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    jump=st.sampled_from([-120.0, -2.0, -0.1, 0.1, 0.7, 30.0, 900.0]),
    lost=st.sampled_from([0.02, 0.15]),
)
def test_a_restart_gives_two_segments_and_no_clock_between(seed, jump, lost):
    drawn = trains(np.random.default_rng(seed), Damage(restart=lost, jump=jump, jitter=0.004))
    clock = _align(drawn)
    assert isinstance(clock, Clock)
    assert len(clock.segments) == 2
    first, second = clock.segments
    assert first.start == -np.inf
    assert second.stop == np.inf
    assert first.stop < second.start
    # an event or two beside a restart, or a spurious one in what it lost, may fit by chance
    slack = 8 + lost * 200 * 3.5
    assert first.stop - slack <= drawn.restarted <= second.start + slack
    assert second.offset - first.offset == pytest.approx(jump, abs=0.3)
    between = (first.stop + second.start) / 2
    assert np.isnan(clock.to_b(between))
    assert np.isnan(clock.half_width(between))
    at = np.array([drawn.times_a[0], first.stop - 20, second.start + 20, drawn.times_a[-1]])
    np.testing.assert_allclose(clock.to_b(at), drawn.true_b(at), atol=0.02)
    assert clock.segment_at(at).tolist() == [0, 0, 1, 1]
    for segment in clock.segments:
        assert segment.coverage > 0.4
        assert segment.ambiguity < 0.8
        assert segment.chance <= 1e-3
    assert clock.n_matched == sum(segment.n_matched for segment in clock.segments)


def test_a_clock_that_was_set_back_maps_no_time_of_b_that_stands_twice():
    drawn = trains(np.random.default_rng(1), Damage(restart=0.02, jump=-100.0, jitter=0.003))
    clock = _align(drawn)
    assert isinstance(clock, Clock)
    twice = float(clock.segments[1].to_b(clock.segments[1].start)) + 10
    assert np.isnan(clock.to_a(twice))


@pytest.mark.parametrize("seed", range(8))
def test_an_undisturbed_recording_is_one_segment(seed):
    rng = np.random.default_rng(seed)
    damage = Damage(missing=0.3, spurious=0.3, step=float(rng.choice([0, 0.2])), interval="grid")
    clock = _align(trains(rng, damage), q=damage.step or 0.001)
    assert isinstance(clock, Clock)
    assert len(clock.segments) == 1
    assert np.isfinite(clock.to_b([-1e4, 1e4])).all()


def test_a_stretch_without_triggers_is_no_restart():
    drawn = trains(np.random.default_rng(3), Damage(n=300, missing=0, spurious=0, gap=0.3))
    clock = _align(drawn)
    assert isinstance(clock, Clock)
    assert len(clock.segments) == 1


def test_sliding_windows_do_not_cross_a_restart():
    drawn = trains(np.random.default_rng(5), Damage(restart=0.1, jump=40.0, jitter=0.003))
    clock = _align(drawn)
    assert isinstance(clock, Clock)
    onsets_a, onsets_b = sliding_onsets(clock, 900.0, 1200.0, 10.0, 5.0)
    assert len(onsets_a) == len(onsets_b) > 40
    assert (clock.segment_at(onsets_a) == clock.segment_at(onsets_a + 10)).all()
    assert (clock.segment_at(onsets_a) >= 0).all()
    np.testing.assert_allclose(clock.to_b(onsets_a), onsets_b)
    inside = (onsets_a + 10 > clock.segments[0].stop) & (onsets_a < clock.segments[1].start)
    assert not inside.any()


def test_tables_carry_the_segment(make):
    drawn = trains(np.random.default_rng(7), Damage(restart=0.1, jump=25.0, jitter=0.003))
    recordings = pd.DataFrame([make.recording("p_eeg"), make.recording("p_fnirs")])
    events = pd.concat(
        [
            make.events("p_eeg", drawn.times_a, "motor", value=drawn.codes_a.astype(str)),
            make.events("p_fnirs", drawn.times_b, "motor", value=drawn.codes_b.astype(str)),
        ]
    )
    pairing = {"tier": "T1", "a": {"modality": "eeg"}, "b": {"modality": "fnirs"}}
    found = align_study(make.study(pairing), recordings, events)
    assert found.clock_rows["segment"].tolist() == [0, 1]
    assert found.clock_rows["warning"].str.contains("2 segments").all()
    assert (found.clock_rows["start"] < found.clock_rows["stop"]).all()
    assert found.clock_rows["drift_interval_ppm"].between(0.01, 500).all()
    assert found.clock_rows["n_matched"].sum() == len(found.pairs)
    by_segment = found.pairs.groupby("segment")["coverage"].unique()
    for number, row in found.clock_rows.iterrows():
        assert by_segment[number].tolist() == [row["coverage"]]
    assert found.pairs["time_difference"].abs().max() < 0.05


def test_a_step_is_found_where_it_stands():
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.uniform(1, 3, 100))
    y = 5 + x * (1 + 5e-5) + 0.05 * (np.arange(100) >= 37) + rng.normal(0, 0.003, 100)
    first, size, t = step(x, y, 1.0)
    assert first == 37
    assert size == pytest.approx(0.05, abs=0.003)
    assert t > 20


def test_one_schedule_in_blocks_with_other_pauses_is_no_clock():
    rng = np.random.default_rng(0)
    blocks = np.cumsum(rng.uniform(1, 3, (6, 40)), axis=1)
    codes = rng.integers(0, 4, 240)
    starts = [np.cumsum(120 + rng.uniform(5, 60, 6)) for _ in range(2)]
    a, b = ((start[:, None] + blocks).ravel() for start in starts)
    found = align_clocks(a, codes, b, codes, q=0.001)
    assert isinstance(found, Abstention)
    assert found.code == "restarts"
    assert "one sitting" in found.remedy
