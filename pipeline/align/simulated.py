"""Trigger trains with a known clock and known damage, for the calibration and the benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Damage:
    """What happens to triggers on their way to the second device."""

    n: int = 200
    n_codes: int = 4
    missing: float = 0.1
    spurious: float = 0.1
    duplicated: float = 0.1
    """Share of events that come a second time, 10 to 300 ms later."""
    jitter: float = 0.008
    """Standard deviation, s."""
    drift_ppm: float = 400.0
    """Drawn from -drift_ppm..drift_ppm."""
    step: float = 0.0
    """Stamps are cut down to multiples of this, s; 0 for none."""
    interval: Literal["drawn", "fixed"] = "drawn"
    """Intervals of 1.5 to 3.5 s, or exactly 2 s."""
    unrelated: bool = False
    """The second device saw another sequence of the same kind."""
    both: bool = False
    """The first device loses and invents triggers, too."""


@dataclass(frozen=True)
class Trains:
    """Two trains with what is true of them.

    ``truth_a`` and ``truth_b`` number the event behind a trigger; -1 for none (spurious, or the
    second of a duplicate).
    """

    times_a: Floats
    codes_a: Integers
    truth_a: Integers
    times_b: Floats
    codes_b: Integers
    truth_b: Integers
    offset: float
    slope: float

    @property
    def n_true(self) -> int:
        """Events that both devices kept."""
        return int(np.isin(self.truth_a[self.truth_a >= 0], self.truth_b).sum())


def trains(rng: np.random.Generator, damage: Damage) -> Trains:
    """Draw one pair of trains.

    Examples
    --------
    >>> drawn = trains(np.random.default_rng(0), Damage(n=100, missing=0.0))
    >>> drawn.n_true
    100
    """
    times, codes = _sequence(rng, damage)
    number = np.arange(damage.n)
    slope = 1 + rng.uniform(-damage.drift_ppm, damage.drift_ppm) * 1e-6
    offset = float(rng.uniform(-60, 60))
    seen, seen_codes, seen_number = times, codes, number
    if damage.unrelated:
        seen, seen_codes = _sequence(rng, damage)
        seen_number = np.full(damage.n, -1)
    b = _damaged(rng, damage, offset + slope * seen, seen_codes, seen_number)
    a = (times, codes, number)
    if damage.both:
        a = _damaged(rng, damage, times, codes, number)
    times_b = np.floor(b[0] / damage.step) * damage.step if damage.step else b[0]
    return Trains(*a, times_b, b[1], b[2], offset=offset, slope=float(slope))


def _sequence(rng: np.random.Generator, damage: Damage) -> tuple[Floats, Integers]:
    fixed = damage.interval == "fixed"
    steps = np.full(damage.n, 2.0) if fixed else rng.uniform(1.5, 3.5, damage.n)
    return 10 + np.cumsum(steps), rng.integers(0, damage.n_codes, damage.n)


def _damaged(
    rng: np.random.Generator, damage: Damage, times: Floats, codes: Integers, number: Integers
) -> tuple[Floats, Integers, Integers]:
    kept = np.flatnonzero(rng.random(times.size) >= damage.missing)
    real = times[kept] + rng.normal(0, damage.jitter, kept.size)
    twice = np.flatnonzero(rng.random(kept.size) < damage.duplicated)
    n_false = rng.binomial(times.size, damage.spurious)
    stamps = np.concatenate(
        [
            real,
            real[twice] + rng.uniform(0.01, 0.3, twice.size),
            rng.uniform(times.min(), times.max(), n_false),
        ]
    )
    all_codes = np.concatenate(
        [codes[kept], codes[kept][twice], rng.integers(0, damage.n_codes, n_false)]
    )
    truth = np.concatenate([number[kept], np.full(twice.size + n_false, -1)])
    order = np.argsort(stamps, kind="stable")
    return stamps[order], all_codes[order], truth[order].astype(np.int64)
