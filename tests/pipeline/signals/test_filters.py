"""Invariants of gaps, grids and bands."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropair.pipeline.signals.filters import Band, Grid, fill

RATES = st.one_of(
    st.sampled_from([100.0, 160.0, 200.0, 250.0, 256.0, 500.0, 512.0, 600.614990234375, 2048.0]),
    st.floats(50, 3000),
)


@settings(deadline=None)
@given(RATES, st.floats(20, 400), st.integers(1, 2_000_000))
def test_grid_is_exact_and_inside(source: float, target: float, n_source: int) -> None:
    grid = Grid.of(source, target, n_source)
    assert grid.sfreq == min(source, target) or target == pytest.approx(source)
    last_source, last = (n_source - 1) / source, (grid.n_times - 1) / grid.sfreq
    # as long as the recording allows, to the error of the clock
    assert last <= last_source + 1e-5
    assert last_source - last < 1 / grid.sfreq + 1e-5


@settings(deadline=None, max_examples=20)
@given(RATES, st.floats(3, 12), st.integers(0, 3))
def test_sine_keeps_amplitude_and_phase(source: float, freq: float, seed: int) -> None:
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi)
    grid = Grid.of(source, 200.0, int(20 * source))
    wave = np.sin(2 * np.pi * freq * np.arange(grid.n_source) / source + phase)
    out = grid.resample(wave[np.newaxis])[0]
    middle = slice(len(out) // 4, -len(out) // 4)
    expected = np.sin(2 * np.pi * freq * grid.time + phase)
    assert np.abs(out - expected)[middle].max() < 1e-3


@settings(deadline=None)
@given(RATES, st.integers(0, 900), st.integers(1, 100))
def test_gap_is_masked_and_not_more(source: float, start: int, length: int) -> None:
    grid = Grid.of(source, 200.0, 1000)
    missing = np.zeros((1, 1000), dtype=bool)
    missing[0, start : start + length] = True
    invalid = grid.time[~grid.valid(missing)[0]]
    step = 1 / grid.sfreq
    at = np.flatnonzero(missing[0]) / source
    inside = grid.time[(grid.time >= at.min()) & (grid.time <= at.max())]
    assert np.isin(inside, invalid).all()
    if len(invalid):
        assert invalid.min() >= at.min() - step - 1 / source
        assert invalid.max() <= at.max() + step + 1 / source


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(0, 1000))
def test_fill_changes_gaps_only(gaps: list[bool], seed: int) -> None:
    data = np.random.default_rng(seed).normal(size=(1, len(gaps)))
    before = data.copy()
    missing = np.array([gaps])
    data[missing] = np.nan
    fill(data, missing)
    assert np.isfinite(data).all()
    assert np.array_equal(data[~missing], before[~missing])
    known = before[~missing]
    if len(known):
        assert known.min() <= data.min()
        assert data.max() <= known.max()


@given(st.floats(10, 5000), st.floats(0.01, 5), st.floats(6, 500))
def test_band_ends_below_nyquist(rate: float, highpass: float, lowpass: float) -> None:
    band = Band.of(highpass, lowpass, rate)
    assert band.lowpass is not None
    assert band.lowpass <= min(lowpass, 0.45 * rate)
    assert band.stop <= rate / 2 + 1e-9
    assert 0 < band.high_transition <= highpass
