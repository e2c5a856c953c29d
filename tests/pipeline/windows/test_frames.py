from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropair.pipeline.windows.frames import Extent, nearest_frames, sample_range

_RATES = st.sampled_from([0.4, 1 / 2.4, 1.0, 5.0, 7.8125, 8.0, 160.0, 200.0])


def _extent(onsets, first, last, kind="event"):
    return Extent(kind, np.asarray(onsets, float), first, last)


@given(
    sfreq=_RATES,
    n=st.integers(1, 60),
    start=st.floats(-5, 5),
    first=st.integers(-8, 2),
    length=st.integers(0, 12),
    onsets=st.lists(st.floats(-60, 120), max_size=6),
)
def test_every_sample_is_the_nearest_one_and_is_masked_only_where_none_was_taken(
    sfreq, n, start, first, length, onsets
):
    times = start + np.arange(n) / sfreq
    frames = nearest_frames(times, sfreq, [_extent(onsets, first, first + length)])
    step = 1 / sfreq
    np.testing.assert_allclose(frames.time * sfreq, np.arange(first, first + length + 1))
    for window, onset in enumerate(onsets):
        target = onset + frames.time
        distance = np.abs(times[None, :] - target[:, None])
        found = np.abs(times[frames.index[window]] - target)
        recorded = frames.recorded[window]
        assert (found <= distance.min(axis=1) + 2e-6 * step).all()
        assert (recorded == (distance.min(axis=1) <= step / 2 * (1 + 2e-6))).all()
        assert abs(frames.offset[window]) <= step / 2 * (1 + 3e-6)
        assert frames.clipped[window] == (not recorded.all())
        true = onset + frames.time + frames.offset[window]
        np.testing.assert_allclose(
            times[frames.index[window]][recorded], true[recorded], atol=3e-6 * step
        )
        assert (np.diff(frames.index[window][recorded]) == 1).all()


@given(sfreq=_RATES, onset=st.floats(0, 20), jitter=st.floats(0, 0.2), seed=st.integers(0, 99))
def test_a_jittering_clock_loses_no_sample(sfreq, onset, jitter, seed):
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, 200) * jitter
    times = (np.arange(200) + noise) / sfreq
    frames = nearest_frames(times, sfreq, [_extent([onset / sfreq + 20 / sfreq], 0, 50)])
    assert frames.recorded.all()
    error = times[frames.index[0]] - (onset + 20) / sfreq - frames.time
    assert (np.abs(error) <= 0.5 * (1 + jitter) / sfreq * (1 + 1e-5)).all()


def test_a_gap_in_the_recording_is_masked_and_not_bridged():
    times = np.concatenate([np.arange(10), np.arange(15, 30)]).astype(float)
    frames = nearest_frames(times, 1.0, [_extent([8.0], 0, 9)])
    assert frames.recorded[0].tolist() == [True] * 2 + [False] * 5 + [True] * 3
    assert not frames.clipped[0]


def test_a_tie_goes_to_the_earlier_sample_throughout_the_window():
    times = np.arange(1000) / 200.0
    frames = nearest_frames(times, 200.0, [_extent([1.0025], 0, 100)])
    assert (np.diff(frames.index[0]) == 1).all()
    assert frames.offset[0] == pytest.approx(-0.0025)


def test_kinds_share_one_axis_and_keep_their_own_extent():
    times = np.arange(100.0)
    frames = nearest_frames(times, 1.0, [_extent([50], -2, 3), _extent([10, 97], 0, 9, "sliding")])
    assert frames.time.tolist() == list(range(-2, 10))
    assert frames.own.sum(axis=1).tolist() == [6, 10, 10]
    assert frames.clipped.tolist() == [False, False, True]


def test_a_recording_without_samples_gives_masked_windows():
    frames = nearest_frames(np.empty(0), 10.0, [_extent([1.0, 2.0], -1, 1)])
    assert not frames.recorded.any()
    assert frames.clipped.all()


@pytest.mark.parametrize(
    ("tmin", "tmax", "sfreq", "expected"),
    [
        (-0.2, 1.0, 200.0, (-40, 200)),
        (-0.1, 0.3, 10.0, (-1, 3)),
        (-5.0, 20.0, 7.8125, (-39, 156)),
        (-4.0, 20.0, 1 / 2.4, (-1, 8)),
        (0.1, 0.2, 1.0, (1, 1)),
    ],
)
def test_whole_samples_within_the_window(tmin, tmax, sfreq, expected):
    assert sample_range(tmin, tmax, sfreq) == expected
