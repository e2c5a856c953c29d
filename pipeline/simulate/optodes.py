"""fNIRS: the probe, and intensity by the modified Beer-Lambert law."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuropair.pipeline.simulate.blood import physiology, states
from neuropair.pipeline.simulate.noise import coloured
from neuropair.pipeline.simulate.plan import TASKS, Run
from neuropair.pipeline.simulate.regions import (
    HEAD_CENTRE,
    HEAD_RADIUS,
    REGIONS,
    nominal_dipoles,
    person_dipoles,
)
from neuropair.pipeline.simulate.rng import generator
from neuropair.pipeline.simulate.settings import SimulationSettings

Array = NDArray[np.float64]

WAVELENGTHS = (760.0, 850.0)
"""nm."""
EXTINCTION = np.array([[586.0, 1548.52], [1058.0, 691.32]])
"""Molar extinction (wavelength, HbO then HbR), 1/(cm M): S. Prahl's table, omlc.org/spectra,
the one that MNE ships (in 1/(m mM), and with concentrations in mM: a factor of 1,000 to M)."""
PATHLENGTH_FACTOR = 6.0
"""MNE's default partial pathlength factor."""
DEOXY_SHARE = -0.35
"""Deoxygenated over oxygenated haemoglobin in a functional response."""
RESPONSE = 0.6e-6
"""mol/L of oxygenated haemoglobin at the peak after a response of amplitude 1."""
_AREAS = ("M1-L", "M1-R", "DLPFC-L", "DLPFC-R", "V1-L", "V1-R")
_LONG, _SHORT = 0.030, 0.008


class Probe(NamedTuple):
    """Optodes in the head frame, m, and the channels between them.

    Parameters
    ----------
    sources, detectors : array, shape (optode, 3)
    channels : list of (int, int)
        Source and detector of each channel, from 0.
    short : array of bool, shape (channel,)
    """

    sources: Array
    detectors: Array
    channels: list[tuple[int, int]]
    short: NDArray[np.bool_]

    @property
    def distances(self) -> Array:
        """Source to detector, m."""
        pairs = np.array(self.channels)
        between = self.sources[pairs[:, 0]] - self.detectors[pairs[:, 1]]
        return np.asarray(np.linalg.norm(between, axis=1))

    @property
    def midpoints(self) -> Array:
        """Middle of each channel, m."""
        pairs = np.array(self.channels)
        return np.asarray((self.sources[pairs[:, 0]] + self.detectors[pairs[:, 1]]) / 2)


def probe() -> Probe:
    """Give the probe: over each of six areas a source, three detectors 30 mm off, one 8 mm off."""
    dipoles = nominal_dipoles().positions
    sources, detectors, channels, short = [], [], [], []
    for number, area in enumerate(_AREAS):
        radial = dipoles[REGIONS.index(area)] - HEAD_CENTRE
        radial /= np.linalg.norm(radial)
        aside = np.cross(radial, [0.0, 0.0, 1.0] if abs(radial[2]) < 0.8 else [0.0, 1.0, 0.0])
        aside /= np.linalg.norm(aside)
        up = np.cross(aside, radial)
        # the source stands 15 mm beside the area, so that the first channel is above it
        source = _on_scalp(radial, -up, _LONG / 2)
        sources.append(source)
        for place, (distance, angle) in enumerate(
            ((_LONG, 0.0), (_LONG, 1.2), (_LONG, -1.2), (_SHORT, np.pi))
        ):
            towards = np.cos(angle) * up + np.sin(angle) * aside
            detectors.append(_on_scalp(source - HEAD_CENTRE, towards, distance))
            channels.append((number, len(detectors) - 1))
            short.append(place == 3)
    return Probe(np.array(sources), np.array(detectors), channels, np.array(short))


def _on_scalp(start: Array, towards: Array, chord: float) -> Array:
    radial = start / np.linalg.norm(start)
    tangent = towards - radial * (towards @ radial)
    tangent /= np.linalg.norm(tangent)
    angle = 2 * np.arcsin(chord / 2 / HEAD_RADIUS)
    arc = np.cos(angle) * radial + np.sin(angle) * tangent
    return np.asarray(HEAD_CENTRE + HEAD_RADIUS * arc)


def sensitivity(seed: int, person: str) -> Array:
    """Give how much of each region's blood each channel sees (channel, region), 1 at best."""
    layout = probe()
    scalp = person_dipoles(seed, person).positions - HEAD_CENTRE
    scalp = HEAD_CENTRE + HEAD_RADIUS * scalp / np.linalg.norm(scalp, axis=1, keepdims=True)
    deep = np.array([name.startswith(("FFA", "A1")) for name in REGIONS])
    distance = np.linalg.norm(layout.midpoints[:, np.newaxis] - scalp, axis=2)
    weight = np.exp(-0.5 * (distance / 0.020) ** 2) * np.where(deep, 0.4, 1.0)
    weight[layout.short] = 0.0  # light that travels 8 mm does not reach the cortex
    return np.asarray(weight)


def haemoglobin(
    run: Run, settings: SimulationSettings, trials: pd.DataFrame
) -> tuple[Array, Array]:
    """Simulate concentration changes of HbO and HbR, each (channel, time) in mol/L.

    The task's response, and in short channels as in long ones heart beat, breath, Mayer wave.
    """
    times = np.arange(run.n_samples) / run.sfreq
    sitting_times = run.clock.sitting_time(times)
    seen = states(run, settings.seed, trials, TASKS[run.task].seconds(settings))
    functional = (
        RESPONSE * sensitivity(settings.seed, run.person) @ seen.at(sitting_times)
    )  # fmt: skip
    rng = generator(settings.seed, "scalp", run.sitting)
    waves = physiology(rng, sitting_times)
    gains = rng.lognormal(0, 0.2, (len(functional), 1))
    slow = 0.25e-6 * waves["respiratory"] + 0.35e-6 * waves["mayer"]
    oxy = functional + gains * (slow + 0.5e-6 * waves["cardiac"])
    oxy += 0.3e-6 * coloured(rng, oxy.shape, run.sfreq, exponent=2.0, corner=0.01)
    deoxy = DEOXY_SHARE * functional + gains * (0.05e-6 * waves["cardiac"] - 0.1 * slow)
    return oxy, deoxy


def intensity(oxy: Array, deoxy: Array) -> Array:
    """Turn concentration changes (channel, time) into relative light (wavelength, channel, time).

    ``I = exp(-ln(10) * extinction @ concentration * distance * pathlength factor)``
    """
    centimetres = 100 * probe().distances[:, np.newaxis] * PATHLENGTH_FACTOR
    absorbed = np.einsum("wh,hct->wct", EXTINCTION, np.array([oxy, deoxy]))
    return np.asarray(np.exp(-np.log(10) * absorbed * centimetres))


def fnirs(run: Run, settings: SimulationSettings, trials: pd.DataFrame) -> Array:
    """Simulate raw intensity, V, shape (wavelength, channel, time): with shot noise and motion."""
    light = intensity(*haemoglobin(run, settings, trials))
    rng = generator(settings.seed, "fnirs artefacts", run.sitting)
    light *= 1 + 0.002 * rng.standard_normal(light.shape)
    times = np.arange(run.n_samples) / run.sfreq
    for onset in rng.uniform(5, times[-1], max(1, int(times[-1] / 60))):
        moved = rng.random(light.shape[1]) < 0.3
        spike = rng.uniform(0.05, 0.2) * np.exp(-np.clip(times - onset, 0, None) / 0.8)
        light[:, moved] *= 1 - spike * (times >= onset)
        light[:, moved] *= 1 + rng.normal(0, 0.02) * (times >= onset)
    light *= rng.uniform(0.3, 1.5, (*light.shape[:2], 1))
    loose = loose_channel(settings.seed, run.person)
    light[:, loose] = 0.02 * (1 + 0.2 * rng.standard_normal((2, run.n_samples)))
    return np.maximum(light, 1e-4)


def loose_channel(seed: int, person: str) -> int:
    """Give the index of the person's uncoupled long channel, the same in every run."""
    long = np.flatnonzero(~probe().short)
    # the channels above the motor areas stay: they carry the only response of the task tapping
    return int(generator(seed, "loose channel", person).choice(long[long >= 8]))
