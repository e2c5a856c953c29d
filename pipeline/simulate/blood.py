"""fNIRS and fMRI: the blood that follows the same responses."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuropair.pipeline.simulate.electric import sources
from neuropair.pipeline.simulate.noise import coloured
from neuropair.pipeline.simulate.plan import Run
from neuropair.pipeline.simulate.regions import REGIONS, RESPONSE_SECONDS, response_shapes
from neuropair.pipeline.simulate.rng import generator

Array = NDArray[np.float64]

_FINE = 100.0
"""Hz at which the power of the responses is computed."""
_COARSE = 10.0
"""Hz of the haemodynamic states."""
_BEFORE = 30.0
"""s of states before the sitting's zero, where a recorder may have started already."""


class States(NamedTuple):
    """Haemodynamic state (region, time) on the sitting's clock, s.

    1 is the peak after a response of amplitude 1.
    """

    times: Array
    values: Array

    def at(self, times: Array) -> Array:
        """Give the states (region, time) at `times`, s."""
        return np.array([np.interp(times, self.times, row) for row in self.values])


def hrf(times: Array) -> Array:
    """Give SPM's canonical response (gamma of 6 s less a sixth of a gamma of 16 s), peak 1."""
    positive = np.clip(times, 0, None)
    shape = _gamma(positive, 6.0) - _gamma(positive, 16.0) / 6
    return np.asarray(shape / 0.1754413)  # its maximum, at 5.0 s


def _gamma(times: Array, shape: float) -> Array:
    return times ** (shape - 1) * np.exp(-times) / math.gamma(shape)


def haemodynamic_delay(seed: int, person: str) -> float:
    """Give how much later than the canonical one the person's response is: -0.7 to 0.7 s."""
    return float(generator(seed, "haemodynamic delay", person).uniform(-0.7, 0.7))


def states(run: Run, seed: int, trials: pd.DataFrame, seconds: float) -> States:
    """Turn the power of the responses into haemodynamic states.

    The squared source moment, relative to that of a response of amplitude 1, is convolved with
    the canonical response: a trial of amplitude a adds a peak of a**2.

    Parameters
    ----------
    run : Run
    seed : int
    trials : pandas.DataFrame
        With ``onset_sitting`` and the amplitudes.
    seconds : float
        Length of the sitting.
    """
    count = int((seconds + _BEFORE) * _COARSE)
    ratio = int(_FINE / _COARSE)
    onsets = trials["onset_sitting"].to_numpy() + _BEFORE
    power = sources(trials, onsets, count * ratio, _FINE) ** 2
    drive = power.reshape(len(REGIONS), count, ratio).sum(axis=2)
    unit = response_shapes(np.arange(0, RESPONSE_SECONDS, 1 / _FINE)) ** 2
    kernel = hrf(np.arange(0, 32, 1 / _COARSE) - haemodynamic_delay(seed, run.person))
    drive /= unit.sum(axis=1, keepdims=True)
    values = np.array([np.convolve(row, kernel)[:count] for row in drive])
    return States(np.arange(count) / _COARSE - _BEFORE, values)


def physiology(rng: np.random.Generator, times: Array) -> dict[str, Array]:
    """Give heart beat, breath and Mayer wave at `times`, each of unit SD and of wandering rate."""
    found = {}
    for name, rate in (("cardiac", 1.1), ("respiratory", 0.25), ("mayer", 0.1)):
        step = float(np.median(np.diff(times)))
        wander = coloured(rng, (1, len(times)), 1 / step, exponent=2.0, corner=0.02)[0]
        phase = 2 * np.pi * np.cumsum(rate * (1 + 0.03 * wander)) * step
        wave = np.sin(phase + rng.uniform(0, 2 * np.pi))
        if name == "cardiac":  # a pulse is steeper than a sine
            wave = wave + 0.4 * np.sin(2 * phase)
        found[name] = wave / wave.std()
    return found
