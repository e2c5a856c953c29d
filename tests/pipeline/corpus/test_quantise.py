from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neuropair.pipeline.corpus.quantise import LARGEST, dequantise, quantise
from neuropair.schemas.errors import CorpusError

_SHAPES = hnp.array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=5)


@given(
    shape=_SHAPES,
    exponent=st.integers(-30, 30),
    dtype=st.sampled_from(["f4", "f8"]),
    data=st.data(),
)
def test_the_error_is_80_db_below_the_peak_at_every_magnitude(shape, exponent, dtype, data):
    unit = data.draw(hnp.arrays(dtype, shape, elements=st.floats(-1, 1, width=16)))
    signal = (unit * 10.0**exponent).astype(dtype)
    values, scale = quantise(signal)
    peak = np.abs(signal).max(axis=-1, initial=0.0).astype(float)
    step = scale.astype(float)[..., None]
    error = np.abs(values * step - signal.astype(float)).max(axis=-1, initial=0.0)
    assert values.dtype == np.int16
    assert scale.dtype == np.float32
    assert (scale > 0).all()
    assert (error <= peak * 10 ** (-80 / 20)).all()


@pytest.mark.parametrize("peak", [1e-15, 5e-14, 2e-5, 1.0, 1e6])
def test_a_peak_takes_the_whole_range_and_keeps_its_value(peak):
    values, scale = quantise(np.array([[[peak, -peak, peak / 3]]]))
    assert values[0, 0, :2].tolist() == [LARGEST, -LARGEST]
    np.testing.assert_allclose(dequantise(values, scale)[0, 0, :2], [peak, -peak], rtol=1e-6)


def test_zeros_stay_zero_with_a_scale_of_one():
    values, scale = quantise(np.zeros((2, 3, 4)))
    assert not values.any()
    assert (scale == 1).all()


def test_more_windows_than_a_block_are_all_written():
    signal = np.random.default_rng(0).standard_normal((150, 2, 8))
    values, scale = quantise(signal)
    np.testing.assert_allclose(dequantise(values, scale), signal, atol=np.abs(signal).max() / 6e4)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(value):
    signal = np.zeros((70, 2, 4))
    signal[66, 1, 2] = value
    with pytest.raises(CorpusError, match=r"NaN or infinity.*mask"):
        quantise(signal)
