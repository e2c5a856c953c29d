"""Bad input of clocks: a clear error, or an abstention that says what is wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropair.pipeline.align import Abstention, Clock, align_clocks, align_study
from neuropair.pipeline.align.simulated import Damage, trains
from neuropair.schemas.errors import NeuropairError


def _drawn(seed=0, **damage):
    return trains(np.random.default_rng(seed), Damage(**{"n": 60, "jitter": 0.003} | damage))


@pytest.mark.parametrize(("factor", "unit"), [(1e3, "milliseconds"), (1e6, "microseconds")])
@pytest.mark.parametrize("side", ["a", "b"])
def test_another_unit_is_named(factor, unit, side):
    drawn = _drawn()
    scale = {"a": (factor, 1), "b": (1, factor)}[side]
    found = align_clocks(
        drawn.times_a * scale[0], drawn.codes_a, drawn.times_b * scale[1], drawn.codes_b, q=0.001
    )
    assert isinstance(found, Abstention)
    assert found.code == "other-unit"
    assert unit in found.reason
    assert f"side {side}" in found.remedy


def test_counts_of_samples_are_named():
    drawn = _drawn()
    samples = np.round(drawn.times_b * 128)
    found = align_clocks(drawn.times_a, drawn.codes_a, samples, drawn.codes_b, q=1 / 128)
    assert isinstance(found, Abstention)
    assert found.code == "other-unit"
    assert "samples" in found.reason


def test_reversed_time_is_named():
    drawn = _drawn()
    found = align_clocks(drawn.times_a, drawn.codes_a, -drawn.times_b, drawn.codes_b, q=0.001)
    assert isinstance(found, Abstention)
    assert found.code == "reversed-time"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_onsets_that_are_no_number_are_counted(bad):
    drawn = _drawn()
    times = drawn.times_a.copy()
    times[[3, 9]] = bad
    found = align_clocks(times, drawn.codes_a, drawn.times_b, drawn.codes_b, q=0.001)
    assert isinstance(found, Abstention)
    assert found.reason.startswith(f"not-finite: 2 of {times.size} and 0 of")


def test_all_equal_times_abstain():
    found = align_clocks([7.0] * 40, [1, 2] * 20, [3.0] * 40, [1, 2] * 20, q=0.001)
    assert isinstance(found, Abstention)
    assert found.reason.startswith("too-few-triggers: 2 and 2 triggers of 40 and 40 rows")


@pytest.mark.parametrize("wrong", [{"q": 0.0}, {"q": np.nan}, {"q": 0.1, "jitter": -1.0}])
def test_a_step_or_jitter_that_is_none_is_an_error(wrong):
    with pytest.raises(NeuropairError, match="positive number"):
        align_clocks([1, 2.0], [1, 1], [1, 2.0], [1, 1], **wrong)


def test_a_code_for_each_trigger_is_needed():
    with pytest.raises(NeuropairError, match="2 times and 1 codes"):
        align_clocks([1, 2.0], [1], [1, 2.0], [1, 1], q=0.1)


PAIRING = {"tier": "T1", "a": {"modality": "eeg"}, "b": {"modality": "fnirs"}}


def _tables(make, drawn, times, **fields):
    recordings = [make.recording("p_eeg"), make.recording("p_fnirs")]
    for row, name in zip(recordings, ("a", "b"), strict=True):
        row.update(fields.get(name, {}))
    events = [
        make.events("p_eeg", drawn.times_a, "motor", value=drawn.codes_a.astype(str)),
        make.events("p_fnirs", times, "motor", value=drawn.codes_b.astype(str)),
    ]
    return pd.DataFrame(recordings), pd.concat(events)


def test_two_tasks_given_as_simultaneous_abstain_and_scans_are_quoted(make):
    drawn = _drawn(unrelated=True)
    times = {"a": {"acq_time": "2020-01-01T10:00:00"}, "b": {"acq_time": "2020-01-03T10:00:00"}}
    found = align_study(make.study(PAIRING), *_tables(make, drawn, drawn.times_b, **times))
    assert found.pairs.empty
    (reason,) = found.abstentions["reason"]
    assert reason.startswith("low-coverage: ")
    assert reason.endswith("scans.tsv has them start 48.0 h apart")


@pytest.mark.parametrize(
    ("acq_b", "warns"),
    [("2020-01-01T10:00:30", False), ("2020-01-01T15:00:00", True), ("n/a", False), (None, False)],
)
def test_start_times_only_warn(make, acq_b, warns):
    drawn = _drawn()
    times = {"a": {"acq_time": "2020-01-01T10:00:00"}, "b": {"acq_time": acq_b}}
    found = align_study(make.study(PAIRING), *_tables(make, drawn, drawn.times_b, **times))
    assert len(found.pairs) > 40
    warning = found.clock_rows["warning"].iloc[0] or ""
    assert ("scans.tsv has b start 5.0 h after a" in warning) == warns


def test_odd_drift_and_a_wrong_step_warn(make):
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(2, 4, 300))
    there = np.floor(times * (1 + 3e-4) / 0.1) * 0.1
    drawn = _drawn()
    recordings, _ = _tables(make, drawn, drawn.times_b)
    recordings["sfreq_source"] = [1000.0, 5.0]
    events = pd.concat(
        [
            make.events("p_eeg", times, "motor", value="1"),
            make.events("p_fnirs", there, "motor", value="1"),
        ]
    )
    (row,) = align_study(make.study(PAIRING), recordings, events).clock_rows.to_dict("records")
    assert row["quantum"] == 0.2
    assert row["residual_ratio"] == pytest.approx(0.5, abs=0.05)
    assert "ppm, above 200" in row["warning"]
    assert "check the step" in row["warning"]


def test_names_rank_rivals_and_pair_none(make):
    drawn = _drawn(missing=0, spurious=0, duplicated=0)
    recordings, events = _tables(make, drawn, drawn.times_b)
    recordings["run"] = ["1", "1"]
    copy = make.recording("p_2_fnirs", run="2")
    mine = events[events["recording"].str.endswith("fnirs")]
    recordings = pd.concat([recordings, pd.DataFrame([copy])])
    events = pd.concat([events, mine.assign(recording=copy["recording"])])
    found = align_study(make.study(PAIRING), recordings, events)
    assert found.pairs.empty
    favour = "names and start times favour ds/sub-p/p_eeg with ds/sub-p/p_fnirs"
    assert found.abstentions["reason"].str.endswith(favour).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.floats(-1e5, 1e5), rate=st.floats(-100e-6, 100e-6))
def test_shifting_and_stretching_time_moves_the_clock_along(seed, shift, rate):
    drawn = _drawn(seed, drift_ppm=100)
    clock = align_clocks(drawn.times_a, drawn.codes_a, drawn.times_b, drawn.codes_b, q=0.001)
    moved = shift + (1 + rate) * drawn.times_b
    other = align_clocks(drawn.times_a, drawn.codes_a, moved, drawn.codes_b, q=0.001)
    assert isinstance(clock, Clock)
    assert isinstance(other, Clock)
    at = np.linspace(drawn.times_a.min(), drawn.times_a.max(), 5)
    expected = shift + (1 + rate) * clock.to_b(at)
    assert (np.abs(other.to_b(at) - expected) <= clock.half_width(at) + 1e-3).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_swapping_the_sides_gives_the_inverse_clock(seed):
    drawn = _drawn(seed)
    clock = align_clocks(drawn.times_a, drawn.codes_a, drawn.times_b, drawn.codes_b, q=0.001)
    swapped = align_clocks(drawn.times_b, drawn.codes_b, drawn.times_a, drawn.codes_a, q=0.001)
    assert isinstance(clock, Clock)
    assert isinstance(swapped, Clock)
    at = np.linspace(drawn.times_a.min(), drawn.times_a.max(), 5)
    back = swapped.to_b(clock.to_b(at))
    assert (np.abs(back - at) <= clock.half_width(at) + swapped.half_width(clock.to_b(at))).all()
    assert swapped.debounced == clock.debounced[::-1]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.05, 0.6))
def test_spurious_triggers_that_meet_no_other_never_raise_coverage(seed, share):
    drawn = _drawn(seed, missing=0.0, spurious=0.0, duplicated=0.0, jitter=0.002)
    clock = align_clocks(drawn.times_a, drawn.codes_a, drawn.times_b, drawn.codes_b, q=0.001)
    rng = np.random.default_rng(seed)
    k = rng.choice(drawn.times_b.size - 1, int(share * drawn.times_b.size), replace=False)
    middle = (drawn.times_b[k] + drawn.times_b[k + 1]) / 2
    more = np.concatenate([drawn.times_b, middle])
    codes = np.concatenate([drawn.codes_b, drawn.codes_b[k]])
    other = align_clocks(drawn.times_a, drawn.codes_a, more, codes, q=0.001)
    assert isinstance(clock, Clock)
    assert isinstance(other, Clock)
    assert other.coverage <= clock.coverage
