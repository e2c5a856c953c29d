"""Windows on a common clock for recordings made together."""

from __future__ import annotations

import numpy as np

from neuropair.pipeline.align.clock import Clock
from neuropair.pipeline.align.vote import Floats


def sliding_onsets(
    clock: Clock | None, duration_a: float, duration_b: float, length: float, step: float
) -> tuple[Floats, Floats]:
    """Onsets of windows that lie within both recordings, on either clock.

    Parameters
    ----------
    clock : Clock or None
        Clock of b as a function of that of a; None where both are one clock (T0).
    duration_a, duration_b : float
        Lengths of the recordings, s on their own clocks.
    length, step : float
        Of the windows, s.

    Returns
    -------
    onsets_a, onsets_b : ndarray, shape (n,)
        s; empty if the recordings do not overlap for one window's length.

    Examples
    --------
    >>> sliding_onsets(None, 10.0, 7.5, 2.0, 2.0)[0].tolist()
    [0.0, 2.0, 4.0]
    """
    first, last = 0.0, min(duration_a, duration_b)
    if clock is not None:
        first = max(0.0, float(clock.to_a(0.0)))
        last = min(duration_a, float(clock.to_a(duration_b)))
    n = max(0, int(np.floor((last - first - length) / step + 1e-9)) + 1)
    onsets: Floats = np.asarray(first + step * np.arange(n), dtype=float)
    return onsets, (onsets.copy() if clock is None else clock.to_b(onsets))
