"""Coloured noise, made in the frequency domain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft


def coloured(
    rng: np.random.Generator,
    shape: tuple[int, int],
    sfreq: float,
    *,
    exponent: float = 1.0,
    corner: float = 1.0,
    band: tuple[float, float] | None = None,
) -> NDArray[np.float32]:
    """Make Gaussian noise of unit SD whose power falls as ``1 / f**exponent``.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple
        (row, time).
    sfreq : float
        Hz.
    exponent : float
        0 is white, 1 pink, 2 brown.
    corner : float
        Hz; the spectrum is flat below it.
    band : tuple of float, optional
        Hz; a Gaussian pass band (centre, SD) in place of the slope.
    """
    rows, count = shape
    length = fft.next_fast_len(count, real=True)
    frequency = fft.rfftfreq(length, 1 / sfreq)
    if band is None:
        gain = np.maximum(frequency, corner) ** (-exponent / 2)
    else:
        gain = np.exp(-0.5 * ((frequency - band[0]) / band[1]) ** 2)
    gain[0] = 0.0
    spectrum = rng.standard_normal((rows, len(frequency), 2), dtype=np.float32)
    spectrum *= gain.astype(np.float32)[:, np.newaxis]
    series = fft.irfft(spectrum.view(np.complex64)[..., 0], length)[:, :count]
    # power is the sum over both halves of the spectrum (Parseval)
    return np.asarray(series / np.sqrt(np.sum(gain**2) * 4) * length, dtype=np.float32)
