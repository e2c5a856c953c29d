"""EEG and MEG: dipoles through the forward model, with everything that is in the way."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuropair.pipeline.simulate.events import AMPLITUDE_COLUMNS
from neuropair.pipeline.simulate.heads import N_BACKGROUND, LeadField, eeg_info
from neuropair.pipeline.simulate.noise import coloured
from neuropair.pipeline.simulate.plan import Run
from neuropair.pipeline.simulate.regions import REGIONS, RESPONSE_SECONDS, response_shapes
from neuropair.pipeline.simulate.rng import generator

MOMENT = 20e-9
"""Am of a response of amplitude 1: gives 3 to 6 uV and 40 to 230 fT."""
LINE_FREQUENCY = 50.0
_BACKGROUND_MOMENT = 18e-9
_ALPHA_MOMENT = 12e-9

Array = NDArray[np.float64]


def sources(trials: pd.DataFrame, onsets: Array, n_samples: int, sfreq: float) -> Array:
    """Give the moments (region, time) of the trials' responses, in units of 20 nAm.

    Parameters
    ----------
    trials : pandas.DataFrame
        With the amplitude columns.
    onsets : array
        Onset of each trial from the first sample, s.
    n_samples : int
    sfreq : float
        Hz.
    """
    moments = np.zeros((len(REGIONS), n_samples))
    length = int(RESPONSE_SECONDS * sfreq)
    for onset, levels in zip(onsets, trials[AMPLITUDE_COLUMNS].to_numpy(), strict=True):
        first = int(np.ceil(onset * sfreq))
        samples = np.arange(first, min(first + length, n_samples))
        shape = response_shapes(samples / sfreq - onset)
        moments[:, samples] += levels[:, np.newaxis] * shape
    return moments


def _brain(run: Run, seed: int, trials: pd.DataFrame, field: LeadField) -> Array:
    rng = generator(seed, "brain", run.sitting, run.modality)
    evoked = sources(trials, trials["onset"].to_numpy(), run.n_samples, run.sfreq)
    shape = (N_BACKGROUND, run.n_samples)
    idle = coloured(rng, shape, run.sfreq, exponent=1.2, corner=2.0) * _BACKGROUND_MOMENT
    alpha = coloured(rng, (4, run.n_samples), run.sfreq, band=(10.0, 0.7)) * _ALPHA_MOMENT
    visual = field.regions[:, :4] @ alpha
    return MOMENT * field.regions @ evoked + field.background @ idle + visual


def eeg(run: Run, seed: int, trials: pd.DataFrame, field: LeadField) -> tuple[Array, Array]:
    """Simulate EEG.

    Returns
    -------
    eeg : array, shape (32, time)
        V, average reference; brain, blinks, muscle, line, drifts, sensor noise, one bad channel.
    veog : array, shape (time,)
        V.
    """
    signal = _brain(run, seed, trials, field)
    rng = generator(seed, "eeg artefacts", run.sitting)
    times = np.arange(run.n_samples) / run.sfreq
    veog = _blinks(rng, times)
    places = _places()
    frontal = np.clip((places[:, 1] - 0.035) / 0.055, 0, None) ** 2
    signal += 0.6 * frontal[:, np.newaxis] * veog
    temporal = np.clip((np.abs(places[:, 0]) - 0.055) / 0.040, 0, None) ** 2
    signal += temporal[:, np.newaxis] * _muscle(rng, times, run.sfreq)
    line = np.sin(2 * np.pi * (LINE_FREQUENCY * times + rng.random()))
    signal += rng.uniform(0.5e-6, 2.5e-6, (len(signal), 1)) * line
    signal += 0.7e-6 * coloured(rng, signal.shape, run.sfreq, exponent=0.0)
    signal += 4e-6 * coloured(rng, signal.shape, run.sfreq, exponent=2.0, corner=0.05)
    bad = bad_electrode(seed, run.person)
    signal[bad] += 80e-6 * coloured(rng, (1, run.n_samples), run.sfreq, exponent=0.5)[0]
    noise = 5e-6 * coloured(rng, (1, run.n_samples), run.sfreq)[0]
    return signal, veog + noise


def bad_electrode(seed: int, person: str) -> int:
    """Give the index of the person's loose electrode, the same in every run."""
    return int(generator(seed, "bad electrode", person).integers(len(eeg_info()["chs"])))


def meg(run: Run, seed: int, trials: pd.DataFrame, field: LeadField) -> Array:
    """Simulate magnetometers: brain, line, sensor noise, far fields; T, shape (48, time)."""
    signal = _brain(run, seed, trials, field)
    rng = generator(seed, "meg artefacts", run.sitting)
    times = np.arange(run.n_samples) / run.sfreq
    line = np.sin(2 * np.pi * (LINE_FREQUENCY * times + rng.random()))
    signal += rng.uniform(50e-15, 200e-15, (len(signal), 1)) * line
    # 3 fT/sqrt(Hz) up to 100 Hz
    signal += 30e-15 * coloured(rng, signal.shape, run.sfreq, exponent=0.0)
    far = coloured(rng, (3, run.n_samples), run.sfreq, exponent=2.0, corner=0.05)
    return np.asarray(signal + 150e-15 * rng.standard_normal((len(signal), 3)) @ far)


def _places() -> Array:
    return np.array([channel["loc"][:3] for channel in eeg_info()["chs"]])


def _blinks(rng: np.random.Generator, times: Array) -> Array:
    signal = np.zeros(len(times))
    at = np.cumsum(rng.exponential(5.0, int(times[-1] / 2)) + 1.0)
    for onset in at[at < times[-1]]:
        signal += rng.uniform(120e-6, 220e-6) * np.exp(-0.5 * ((times - onset) / 0.08) ** 2)
    return signal


def _muscle(rng: np.random.Generator, times: Array, sfreq: float) -> Array:
    gate = np.zeros(len(times))
    for onset in rng.uniform(0, times[-1], max(1, int(times[-1] / 45))):
        gate += np.exp(-0.5 * ((times - onset) / 0.35) ** 2)
    noise = coloured(rng, (1, len(times)), sfreq, band=(55.0, 20.0))[0]
    return np.asarray(25e-6 * gate * noise)
