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
    bounced: float = 0.0
    """Share of events that are followed by one to four bounces, 1 to 40 ms later."""
    jitter: float = 0.008
    """Standard deviation, s."""
    drift_ppm: float = 400.0
    """Drawn from -drift_ppm..drift_ppm."""
    step: float = 0.0
    """Stamps are cut down to multiples of this, s; 0 for none."""
    interval: Literal["drawn", "fixed", "grid"] = "drawn"
    """Intervals of 1.5 to 3.5 s, exactly 2 s, or 2, 4 or 6 s."""
    unrelated: bool = False
    """The second device saw another sequence of the same kind."""
    both: bool = False
    """The first device loses and invents triggers, too."""
    gap: float = 0.0
    """Share of the events that the second device loses in one stretch, its clock going on."""
    restart: float = 0.0
    """Share of the events that the second device loses while it restarts, in the middle half."""
    jump: float = 0.0
    """s by which a restart sets the second device's clock; below 0 sets it back."""


@dataclass(frozen=True)
class Trains:
    """Two trains with what is true of them.

    ``truth_a`` and ``truth_b`` number the event behind a trigger; -1 for none (spurious, or the
    second of a duplicate). ``restarted`` is the instant of a restart on a's clock, infinite if
    there is none; ``jump`` what it adds to b's clock from there on.
    """

    times_a: Floats
    codes_a: Integers
    truth_a: Integers
    times_b: Floats
    codes_b: Integers
    truth_b: Integers
    offset: float
    slope: float
    restarted: float = np.inf
    jump: float = 0.0

    @property
    def n_true(self) -> int:
        """Events that both devices kept."""
        return int(np.isin(self.truth_a[self.truth_a >= 0], self.truth_b).sum())

    def true_b(self, t: npt.ArrayLike) -> Floats:
        """Compute the true time on b's clock of times `t` on a's clock, s, not cut to steps."""
        t = np.asarray(t, dtype=float)
        return np.asarray(self.offset + self.slope * t + self.jump * (t >= self.restarted))


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
    keep, restarted = _stretches(rng, damage, seen)
    there = offset + slope * seen + damage.jump * (seen >= restarted)
    b = _damaged(rng, damage, there[keep], seen_codes[keep], seen_number[keep])
    a = (times, codes, number)
    if damage.both:
        a = _damaged(rng, damage, times, codes, number)
    times_b = np.floor(b[0] / damage.step) * damage.step if damage.step else b[0]
    return Trains(
        *a,
        times_b,
        b[1],
        b[2],
        offset=offset,
        slope=float(slope),
        restarted=restarted,
        jump=damage.jump,
    )


def _sequence(rng: np.random.Generator, damage: Damage) -> tuple[Floats, Integers]:
    if damage.interval == "fixed":
        steps = np.full(damage.n, 2.0)
    elif damage.interval == "grid":
        steps = rng.choice([2.0, 4.0, 6.0], damage.n)
    else:
        steps = rng.uniform(1.5, 3.5, damage.n)
    return 10 + np.cumsum(steps), rng.integers(0, damage.n_codes, damage.n)


def _stretches(
    rng: np.random.Generator, damage: Damage, times: Floats
) -> tuple[npt.NDArray[np.bool_], float]:
    """Mark the events outside a gap and a restart, and say when the restart is over."""
    keep = np.ones(times.size, dtype=bool)
    restarted = np.inf
    if damage.gap:
        lost = round(damage.gap * times.size)
        first = int(rng.integers(0, times.size - lost + 1))
        keep[first : first + lost] = False
    if damage.restart or damage.jump:
        lost = round(damage.restart * times.size)
        first = int(
            rng.integers(times.size // 4, max(times.size // 4 + 1, 3 * times.size // 4 - lost))
        )
        keep[first : first + lost] = False
        last = first + lost
        restarted = float(times[last] + times[last - 1]) / 2
    return keep, restarted


def _damaged(
    rng: np.random.Generator, damage: Damage, times: Floats, codes: Integers, number: Integers
) -> tuple[Floats, Integers, Integers]:
    kept = np.flatnonzero(rng.random(times.size) >= damage.missing)
    real = times[kept] + rng.normal(0, damage.jitter, kept.size)
    twice = np.flatnonzero(rng.random(kept.size) < damage.duplicated)
    n_false = rng.binomial(times.size, damage.spurious)
    stamps = [
        real,
        real[twice] + rng.uniform(0.01, 0.3, twice.size),
        rng.uniform(times.min(), times.max(), n_false),
    ]
    marks = [codes[kept], codes[kept][twice], rng.integers(0, damage.n_codes, n_false)]
    if damage.bounced:
        bouncy = np.flatnonzero(rng.random(kept.size) < damage.bounced)
        bouncy = np.repeat(bouncy, rng.integers(1, 5, bouncy.size))
        stamps.append(real[bouncy] + rng.uniform(0.001, 0.04, bouncy.size))
        marks.append(codes[kept][bouncy])
    onsets, all_codes = np.concatenate(stamps), np.concatenate(marks)
    truth = np.concatenate([number[kept], np.full(onsets.size - kept.size, -1)])
    order = np.argsort(onsets, kind="stable")
    return onsets[order], all_codes[order], truth[order].astype(np.int64)
