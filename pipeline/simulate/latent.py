"""From what is shown to how strongly each region answers: eight latent dimensions a trial."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuropair.pipeline.simulate.regions import REGIONS, response_levels
from neuropair.pipeline.simulate.rng import generator

DIMENSIONS = 8
_STIMULUS_SD = 0.25
_NOISE_SD = 0.2
_AUTOREGRESSION = 0.4
_SUPPRESSION = 0.8
"""A repetition answers with this share of the first response, a further one no less."""


def amplitudes(
    seed: int,
    sitting: str,
    person: str,
    conditions: list[str],
    stimuli: list[str],
    repetitions: NDArray[np.int64],
    stimulus_effect: float = 1.0,
) -> NDArray[np.float64]:
    """Give the amplitude (trial, region) of each response, in units of 20 nAm.

    The logarithm of an amplitude is a fixed mixture of eight latent dimensions, which are the sum
    of what is particular to the picture and of noise that is autoregressive from trial to trial;
    level by condition, repetition suppression and the person's gain multiply it.

    Parameters
    ----------
    seed : int
    sitting : str
        Key of the noise: recordings of one sitting share it.
    person : str
        Key of the gains, lognormal with SD 0.2 per region.
    conditions, stimuli : list of str
        By trial. A stimulus of empty name has nothing particular.
    repetitions : array of int, shape (trial,)
        How often the stimulus was shown before.
    stimulus_effect : float
        Scale of what is particular to a picture.
    """
    mixture = generator(seed, "mixture").standard_normal((DIMENSIONS, len(REGIONS)))
    mixture /= np.linalg.norm(mixture, axis=0)
    own = {
        name: generator(seed, "stimulus", name).standard_normal(DIMENSIONS) if name else 0.0
        for name in sorted(set(stimuli))
    }
    particular = np.array([own[name] * np.ones(DIMENSIONS) for name in stimuli])
    rng = generator(seed, "noise", sitting)
    noise = _autoregressive(rng.standard_normal((len(stimuli), DIMENSIONS)))
    latent = stimulus_effect * _STIMULUS_SD * particular + _NOISE_SD * noise
    gain = np.exp(0.2 * generator(seed, "gain", person).standard_normal(len(REGIONS)))
    suppression = np.where(repetitions > 0, _SUPPRESSION, 1.0)[:, np.newaxis]
    return response_levels(conditions) * gain * suppression * np.exp(latent @ mixture)


def _autoregressive(white: NDArray[np.float64]) -> NDArray[np.float64]:
    coloured = white.copy()
    for trial in range(1, len(white)):
        coloured[trial] = (
            _AUTOREGRESSION * coloured[trial - 1] + np.sqrt(1 - _AUTOREGRESSION**2) * white[trial]
        )
    return coloured
