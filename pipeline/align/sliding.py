"""Windows on a common clock for recordings made together."""

from __future__ import annotations

import numpy as np

from neuropair.pipeline.align.clock import Clock
from neuropair.pipeline.align.vote import Floats


def sliding_onsets(
    clock: Clock | None, duration_a: float, duration_b: float, length: float, step: float
) -> tuple[Floats, Floats]:
    """Onsets of windows that lie within both recordings and one segment, on either clock.

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
    if clock is None:
        onsets = _grid(0.0, min(duration_a, duration_b), length, step)
        return onsets, onsets.copy()
    parts_a, parts_b = [np.zeros(0)], [np.zeros(0)]
    for segment in clock.segments:
        first = max(0.0, segment.start, float(segment.to_a(0.0)))
        last = min(duration_a, segment.stop, float(segment.to_a(duration_b)))
        onsets = _grid(first, last, length, step)
        parts_a.append(onsets)
        parts_b.append(segment.to_b(onsets))
    return np.concatenate(parts_a), np.concatenate(parts_b)


def held(clock: Clock, onsets: Floats, length: float) -> Floats:
    """Keep the windows on a's clock that lie within one segment of the clock."""
    at = clock.segment_at(onsets)
    kept: Floats = onsets[(at >= 0) & (at == clock.segment_at(onsets + length))]
    return kept


def _grid(first: float, last: float, length: float, step: float) -> Floats:
    n = max(0, int(np.floor((last - first - length) / step + 1e-9)) + 1)
    onsets: Floats = first + step * np.arange(n, dtype=np.float64)
    return onsets
