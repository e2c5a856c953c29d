"""fMRI: a small brain, its voxels' BOLD, and what fMRIPrep would make of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuropair.pipeline.simulate.blood import physiology, states
from neuropair.pipeline.simulate.noise import coloured
from neuropair.pipeline.simulate.plan import TASKS, Run
from neuropair.pipeline.simulate.regions import HEAD_CENTRE, nominal_dipoles, person_dipoles
from neuropair.pipeline.simulate.rng import generator
from neuropair.pipeline.simulate.settings import SimulationSettings

Array = NDArray[np.float64]

SHAPE = (16, 18, 12)
VOXEL = 9.0
"""mm."""
TR = 2.0
"""s."""
BASELINE = 800.0
PERCENT = 1.0
"""Signal change at the peak after a response of amplitude 1, %."""
_REGION_RADIUS = 0.015
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
_FD_RADIUS = 50.0
"""mm: rotations in framewise displacement are arcs on this sphere (Power et al. 2012)."""


class Bold(NamedTuple):
    """One run's fMRI.

    Parameters
    ----------
    raw : array, shape (x, y, z, time)
        Slices acquired one after another.
    preprocessed : array, shape (x, y, z, time)
        As if sampled in the middle of every TR, and masked.
    motion : array, shape (time, 6)
        mm and radian, in the order of `MOTION`.
    """

    raw: Array
    preprocessed: Array
    motion: Array


def affine() -> Array:
    """Give the voxel to world matrix: RAS, mm, with the head's centre in the grid's middle."""
    matrix = np.diag([VOXEL, VOXEL, VOXEL, 1.0])
    matrix[:3, 3] = 1000 * HEAD_CENTRE - VOXEL * (np.array(SHAPE) - 1) / 2
    return matrix


def slice_times() -> Array:
    """Give when each slice (along z) is acquired, s after the volume: even ones first."""
    order = [*range(0, SHAPE[2], 2), *range(1, SHAPE[2], 2)]
    times = np.empty(SHAPE[2])
    times[order] = np.arange(SHAPE[2]) * TR / SHAPE[2]
    return times


def voxel_positions() -> Array:
    """Give each voxel's centre (x, y, z, 3) in the head frame, m."""
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    return (grid * VOXEL + affine()[:3, 3]) / 1000


def brain_mask() -> NDArray[np.bool_]:
    """Give the brain: an ellipsoid about the centre of the head."""
    scaled = (voxel_positions() - HEAD_CENTRE) / np.array([0.066, 0.078, 0.068])
    inside: NDArray[np.bool_] = np.linalg.norm(scaled, axis=-1) <= 1
    return inside


def region_labels() -> NDArray[np.int16]:
    """Give the label image: 1 to 10 in the order of `REGIONS`, around the template's dipoles."""
    distance = _distance(nominal_dipoles().positions)
    labels = np.where(distance.min(axis=-1) <= _REGION_RADIUS, distance.argmin(axis=-1) + 1, 0)
    return np.asarray(labels * brain_mask(), dtype=np.int16)


def _distance(positions: Array) -> Array:
    gap = voxel_positions()[..., np.newaxis, :] - positions
    return np.asarray(np.linalg.norm(gap, axis=-1))


def fmri(run: Run, settings: SimulationSettings, trials: pd.DataFrame) -> Bold:
    """Simulate one run, raw and preprocessed, from the same states and the same noise."""
    rng = generator(settings.seed, "bold", run.sitting)
    mask = brain_mask()
    distance = _distance(person_dipoles(settings.seed, run.person).positions)
    # blood spreads over about a voxel beyond the source
    weight = np.exp(-0.5 * (distance / 0.012) ** 2)[mask]
    seen = states(run, settings.seed, trials, TASKS[run.task].seconds(settings) + TR)
    volumes = np.arange(run.n_samples, dtype=np.float64) * TR
    motion = _motion(rng, run.n_samples)
    noise = _noise(rng, mask, volumes, motion)
    height = np.nonzero(mask)[2]
    raw = noise.copy()
    for level, offset in enumerate(slice_times()):
        here = height == level
        raw[here] += PERCENT * weight[here] @ seen.at(volumes + offset)
    middle = noise + PERCENT * weight @ seen.at(volumes + TR / 2)
    scale = BASELINE * (1 + 0.2 * coloured(rng, (1, int(mask.sum())), 1.0, corner=0.05)[0])
    scale = np.clip(scale, 0.4 * BASELINE, None)[:, np.newaxis]
    return Bold(
        _filled(scale * (1 + raw / 100), mask, rng),
        _filled(scale * (1 + middle / 100), mask, None),
        motion,
    )


def _noise(
    rng: np.random.Generator, mask: NDArray[np.bool_], volumes: Array, motion: Array
) -> Array:
    """Percent of the baseline, (voxel, time): thermal, drift, physiology, motion."""
    shape = (int(mask.sum()), len(volumes))
    noise = 0.8 * rng.standard_normal(shape)
    noise += 0.6 * coloured(rng, shape, 1 / TR, exponent=2.0, corner=0.003)
    # scanned every 2 s the heart is far above the Nyquist rate: it comes back as an alias
    for name, size in (("cardiac", 0.3), ("respiratory", 0.3), ("mayer", 0.2)):
        wave = physiology(rng, volumes)[name]
        noise += size * rng.lognormal(0, 0.3, (shape[0], 1)) * wave
    moved = motion - motion.mean(axis=0)
    moved[:, 3:] *= _FD_RADIUS
    return np.asarray(noise + 1.5 * rng.standard_normal((shape[0], 6)) @ moved.T)


def _motion(rng: np.random.Generator, count: int) -> Array:
    motion = np.cumsum(rng.standard_normal((count, 6)) * 0.012, axis=0)
    for at in rng.integers(5, count - 2, max(1, count // 60)):
        motion[at : at + 2] += rng.standard_normal(6) * 0.35
    motion[:, 3:] /= _FD_RADIUS
    return np.asarray(motion - motion[0])


def framewise_displacement(motion: Array) -> Array:
    """Give Power's framewise displacement, mm; 0 for the first volume."""
    scaled = motion * np.array([1, 1, 1, *[_FD_RADIUS] * 3])
    return np.concatenate([[0.0], np.abs(np.diff(scaled, axis=0)).sum(axis=1)])


def _filled(
    voxels: Array, mask: NDArray[np.bool_], rng: np.random.Generator | None
) -> Array:  # fmt: skip
    volume = np.zeros((*SHAPE, voxels.shape[1]))
    if rng is not None:
        volume += np.abs(rng.normal(0, 8.0, volume.shape))
    volume[mask] = voxels
    return volume


def confounds(bold: Bold) -> pd.DataFrame:
    """Give the table that fMRIPrep would write: motion, tissue signals, CompCor, cosines.

    "White matter" and "CSF" are the shells of the brain that hold no region.
    """
    mask = brain_mask()
    free = mask & (_distance(nominal_dipoles().positions).min(axis=-1) > 0.030)
    radius = np.linalg.norm(voxel_positions() - HEAD_CENTRE, axis=-1)
    white, fluid = free & (radius < 0.05), free & (radius >= 0.05)
    series = {
        "csf": bold.preprocessed[fluid].mean(axis=0),
        "white_matter": bold.preprocessed[white].mean(axis=0),
        "global_signal": bold.preprocessed[mask].mean(axis=0),
        **dict(zip(MOTION, bold.motion.T, strict=True)),
    }
    columns: dict[str, Array] = {}
    for name, values in series.items():
        change = np.concatenate([[np.nan], np.diff(values)])
        columns |= {name: values, f"{name}_derivative1": change}
        columns |= {f"{name}_power2": values**2, f"{name}_derivative1_power2": change**2}
    brain = bold.preprocessed[mask]
    dvars = np.sqrt(np.mean(np.diff(brain, axis=1) ** 2, axis=0))
    columns["dvars"] = np.concatenate([[np.nan], dvars])
    columns["std_dvars"] = columns["dvars"] / np.median(dvars)
    displacement = framewise_displacement(bold.motion)
    columns["framewise_displacement"] = np.where(
        np.arange(len(displacement)) == 0, np.nan, displacement
    )
    components = _components(bold.preprocessed[white | fluid], 5)
    columns |= {f"a_comp_cor_{i:02d}": row for i, row in enumerate(components)}
    columns |= {f"cosine{i:02d}": row for i, row in enumerate(_cosines(len(bold.motion)))}
    outliers = np.flatnonzero((displacement > 0.5) | (columns["std_dvars"] > 1.5))
    for number, at in enumerate(outliers):
        columns[f"motion_outlier{number:02d}"] = (np.arange(len(displacement)) == at) * 1.0
    return pd.DataFrame(columns)


def _components(voxels: Array, count: int) -> Array:
    centred = voxels - voxels.mean(axis=1, keepdims=True)
    leading = np.linalg.eigh(centred.T @ centred).eigenvectors[:, ::-1][:, :count].T
    # the sign of an eigenvector is the library's choice
    return np.asarray(
        leading * np.sign(leading[np.arange(count), np.abs(leading).argmax(1)])[:, None]
    )


def _cosines(count: int) -> Array:
    """FMRIPrep's discrete cosine basis above 128 s."""
    order = int(np.floor(2 * count * TR / 128))
    steps = (np.arange(count) + 0.5)[np.newaxis] * np.arange(1, order + 1)[:, np.newaxis]
    return np.asarray(np.sqrt(2 / count) * np.cos(np.pi * steps / count))
