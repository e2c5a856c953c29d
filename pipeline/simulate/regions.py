"""The ten dipoles: where they lie, and how they answer to what happens."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuropair.pipeline.simulate.rng import generator

HEAD_CENTRE = np.array([0.0, 0.0, 0.04014873])
"""m, head frame: where the sphere of MNE's template montages lies in it."""
HEAD_RADIUS = 0.095
"""m, MNE's default head size."""

_LEFT = {
    # offset from the centre of the head, m: about where the areas are on a sphere of 95 mm,
    # at a depth of 20 to 40 mm; made up for the simulator, no atlas's
    "V1": (-0.012, -0.066, 0.004),
    "FFA": (-0.036, -0.046, -0.024),
    "M1": (-0.037, -0.010, 0.054),
    "A1": (-0.058, -0.014, 0.006),
    "DLPFC": (-0.036, 0.046, 0.030),
}
REGIONS: tuple[str, ...] = tuple(f"{area}-{side}" for area in _LEFT for side in ("L", "R"))
"""Names of the dipoles; every amplitude array has them in this order along its last axis."""

# moment of a response in units of 20 nAm, by condition: (left, right) of each area
_RESPONSE: dict[str, dict[str, tuple[float, float]]] = {
    "face": {"V1": (0.8, 0.8), "FFA": (1.0, 1.25), "DLPFC": (0.5, 0.5)},
    "house": {"V1": (0.9, 0.9), "FFA": (0.5, 0.6), "DLPFC": (0.5, 0.5)},
    "object": {"V1": (0.8, 0.8), "FFA": (0.7, 0.7), "DLPFC": (0.4, 0.4)},
    "flash": {"V1": (1.3, 1.3)},
    "tap_left": {"A1": (0.8, 0.8), "M1": (0.3, 1.4), "DLPFC": (0.5, 0.5)},
    "tap_right": {"A1": (0.8, 0.8), "M1": (1.4, 0.3), "DLPFC": (0.5, 0.5)},
}

# weight, latency and width in s of the components of a response
_COMPONENTS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "V1": ((1.0, 0.100, 0.018), (-0.7, 0.150, 0.028)),
    "FFA": ((1.2, 0.170, 0.024), (-0.4, 0.260, 0.050)),
    "M1": tuple((0.9, 0.150 + 0.5 * tap, 0.050) for tap in range(4)),
    "A1": ((0.9, 0.100, 0.022), (-0.5, 0.190, 0.040)),
    "DLPFC": ((0.5, 0.350, 0.080),),
}
RESPONSE_SECONDS = 2.2


class Dipoles(NamedTuple):
    """Current dipoles in the head frame: positions (n, 3) in m, unit orientations (n, 3)."""

    positions: NDArray[np.float64]
    orientations: NDArray[np.float64]


def nominal_dipoles() -> Dipoles:
    """Give the dipoles of the template head, in the order of `REGIONS`."""
    offsets = np.array([(x * side, y, z) for x, y, z in _LEFT.values() for side in (1, -1)])
    radial = offsets / np.linalg.norm(offsets, axis=1, keepdims=True)
    forward = np.where(np.abs(radial[:, 1:2]) > 0.8, [[0.0, 0.0, 1.0]], [[0.0, 1.0, 0.0]])
    tangential = np.cross(radial, forward)
    tangential /= np.linalg.norm(tangential, axis=1, keepdims=True)
    # a radial dipole is silent outside a sphere: MEG sees the tangential part only
    orientations = tangential + 0.5 * radial
    orientations /= np.linalg.norm(orientations, axis=1, keepdims=True)
    return Dipoles(HEAD_CENTRE + offsets, orientations)


def person_dipoles(seed: int, person: str) -> Dipoles:
    """Give one person's dipoles: the template's, each moved by 3 to 5 mm."""
    rng = generator(seed, "dipoles", person)
    positions, orientations = nominal_dipoles()
    direction = rng.standard_normal(positions.shape)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    shift = direction * rng.uniform(0.003, 0.005, (len(positions), 1))
    return Dipoles(positions + shift, orientations)


def response_levels(conditions: list[str]) -> NDArray[np.float64]:
    """Give the mean moment (trial, region) of each condition, in units of 20 nAm."""
    rows = {
        condition: [level for area in _LEFT for level in levels.get(area, (0.0, 0.0))]
        for condition, levels in _RESPONSE.items()
    }
    return np.array([rows[condition] for condition in conditions]).reshape(-1, len(REGIONS))


def response_shapes(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the time course (region, time) of a response at `times` s after its event."""
    shapes = [
        sum(w * np.exp(-0.5 * ((times - at) / width) ** 2) for w, at, width in _COMPONENTS[area])
        for area in _LEFT
    ]
    return np.repeat(np.array(shapes), 2, axis=0)
