"""Sensors, and what the dipoles look like from there: forward models of a sphere."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuropair.pipeline.simulate.regions import (
    HEAD_CENTRE,
    HEAD_RADIUS,
    Dipoles,
    person_dipoles,
)
from neuropair.pipeline.simulate.rng import generator

if TYPE_CHECKING:
    import mne

N_BACKGROUND = 24
"""Dipoles of brain activity that has nothing to do with the task."""
N_MAGNETOMETERS = 48
# the helmet sits around the head: so placed, the closest magnetometer of Vectorview is 13 mm off
# the scalp, about the thickness of the dewar
_DEVICE_TO_HEAD = HEAD_CENTRE + np.array([0.0, 0.0, 0.010])


class LeadField(NamedTuple):
    """Sensor values of a 1 Am moment: of the regions and of the background dipoles.

    Parameters
    ----------
    regions : array, shape (channel, region)
        V/Am or T/Am.
    background : array, shape (channel, N_BACKGROUND)
    """

    regions: NDArray[np.float64]
    background: NDArray[np.float64]


@cache
def eeg_info() -> mne.Info:
    """Give 32 electrodes of the BioSemi cap on the template head, head frame."""
    import mne

    montage = mne.channels.make_standard_montage("biosemi32")
    info = mne.create_info(montage.ch_names, 250.0, "eeg", verbose="error")
    info.set_montage(montage)
    return info


@cache
def meg_info() -> mne.Info:
    """Give every second magnetometer of the Neuromag Vectorview helmet, device frame."""
    import mne

    full = mne.channels.read_meg_canonical_info("neuromag", verbose="error")
    coil = mne.io.constants.FIFF.FIFFV_COIL_VV_MAG_T3
    magnetometers = [i for i, ch in enumerate(full["chs"]) if ch["coil_type"] == coil]
    every = np.linspace(0, len(magnetometers) - 1, N_MAGNETOMETERS).round().astype(int)
    info = mne.pick_info(full, [magnetometers[i] for i in every], verbose="error")
    transform = np.eye(4)
    transform[:3, 3] = _DEVICE_TO_HEAD
    with info._unlock():
        info["dev_head_t"] = mne.transforms.Transform("meg", "head", transform)
        info["dig"] = eeg_info()["dig"][:3]
    return info


def lead_field(seed: int, person: str, kind: str) -> LeadField:
    """Compute one person's lead field.

    Parameters
    ----------
    seed : int
    person : str
    kind : str
        ``eeg`` or ``meg``.
    """
    import mne

    info = eeg_info() if kind == "eeg" else meg_info()
    dipoles = _with_background(person_dipoles(seed, person), seed, person)
    sphere = mne.make_sphere_model(HEAD_CENTRE, HEAD_RADIUS, verbose="error")
    source = mne.setup_volume_source_space(
        pos={"rr": dipoles.positions, "nn": dipoles.orientations},
        sphere_units="m",
        verbose="error",
    )
    forward = mne.make_forward_solution(
        info, trans=None, src=source, bem=sphere, eeg=kind == "eeg", meg=kind == "meg",
        verbose="error",
    )  # fmt: skip
    free = forward["sol"]["data"].reshape(len(info["chs"]), -1, 3)
    fixed = np.einsum("csx,sx->cs", free, dipoles.orientations)
    if kind == "eeg":
        fixed -= fixed.mean(axis=0)
    return LeadField(fixed[:, :-N_BACKGROUND], fixed[:, -N_BACKGROUND:])


def _with_background(dipoles: Dipoles, seed: int, person: str) -> Dipoles:
    rng = generator(seed, "background dipoles", person)
    directions = rng.standard_normal((N_BACKGROUND, 3))
    directions[:, 2] = np.abs(directions[:, 2])  # the brain fills the upper part of the sphere
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    positions = HEAD_CENTRE + directions * rng.uniform(0.045, 0.075, (N_BACKGROUND, 1))
    orientations = rng.standard_normal((N_BACKGROUND, 3))
    orientations /= np.linalg.norm(orientations, axis=1, keepdims=True)
    return Dipoles(
        np.concatenate([dipoles.positions, positions]),
        np.concatenate([dipoles.orientations, orientations]),
    )
