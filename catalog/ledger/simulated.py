"""Pairs drawn at the level of features, with what a null must bear and what it must find."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from neuropair.catalog.ledger.paired import Floats, Ints, Paired


@dataclass(frozen=True)
class World:
    """What is in the pairs; every strength is a standard deviation against noise of 1.

    Parameters
    ----------
    persons, runs, trials : int
        Trials a run are drawn from 0.6 to 1.4 times `trials`.
    features_a, features_b : int
    conditions : int
    stimuli : int
        Stimuli a condition, the same for all persons; 0 for none.
    condition : float
        Effect of the condition on both sides, the same in all persons.
    stimulus : float
        Effect of the stimulus on each side; the two are unrelated but for `instance`.
    instance : float
        What a pair's two sides share beyond condition and stimulus effects.
    drift : float
        Effect of the quarter of the run on both sides, the same in all runs.
    offset : float
        Of persons and of runs, on both sides.
    autocorrelation : float
        From trial to trial, of the noise of both sides.
    rank : int
        Dimensions of what is shared.
    jumbled : bool
        Whether side b was recorded in another order (T2 to T5), or in the same (T0, T1).
    """

    persons: int = 6
    runs: int = 2
    trials: int = 20
    features_a: int = 14
    features_b: int = 10
    conditions: int = 2
    stimuli: int = 0
    condition: float = 0.0
    stimulus: float = 0.0
    instance: float = 0.0
    drift: float = 0.0
    offset: float = 1.0
    autocorrelation: float = 0.3
    rank: int = 3
    jumbled: bool = False


def draw(world: World, rng: np.random.Generator) -> Paired:
    """Draw the pairs of one corpus."""
    runs = world.persons * world.runs
    sizes = np.maximum(4, (world.trials * rng.uniform(0.6, 1.4, runs)).astype(int))
    run = np.repeat(np.arange(runs), sizes)
    person = run // world.runs
    cell = rng.integers(0, world.conditions, len(run))
    stimulus = np.full(len(run), -1)
    if world.stimuli:
        stimulus = _shown(world, person, rng)
        cell = stimulus // world.stimuli
    onset = np.concatenate([np.arange(size, dtype=float) for size in sizes])
    onset_b = onset
    if world.jumbled:
        onset_b = np.concatenate([rng.permutation(size).astype(float) for size in sizes])
    shared = rng.standard_normal((len(run), world.rank)) * world.instance
    position = onset / sizes[run]
    quarter = (position * 4).astype(np.int64)
    sides = {
        side: _side(world, rng, n, (run, person, cell, stimulus, quarter), order, shared)
        for side, n, order in (("a", world.features_a, onset), ("b", world.features_b, onset_b))
    }
    return Paired(
        a=sides["a"],
        b=sides["b"],
        recording_a=run,
        recording_b=runs + run,
        onset_a=onset,
        onset_b=onset_b,
        person_a=person,
        person_b=person,
        group=np.arange(world.persons),
        cell=cell,
        position=position,
        stimulus=stimulus,
    )


def _shown(world: World, person: Ints, rng: np.random.Generator) -> Ints:
    """Every stimulus once before any is shown again, in an order of the person's own."""
    n = world.conditions * world.stimuli
    out = np.empty(len(person), np.int64)
    for code in range(world.persons):
        own = np.flatnonzero(person == code)
        rounds = rng.permuted(np.tile(np.arange(n), (-(-len(own) // n), 1)), axis=1)
        out[own] = rounds.reshape(-1)[: len(own)]
    return out


def _side(
    world: World,
    rng: np.random.Generator,
    n: int,
    who: tuple[Ints, Ints, Ints, Ints, Ints],
    order: Floats,
    shared: Floats,
) -> Floats:
    run, person, cell, stimulus, quarter = who
    mixing = rng.standard_normal((n, n)) / np.sqrt(n) + np.eye(n) * 0.5
    values: Floats = _noise(world, rng, run, order, n) @ mixing
    values += world.offset * rng.standard_normal((world.persons, n))[person]
    values += world.offset * rng.standard_normal((world.persons * world.runs, n))[run]
    values += world.condition * rng.standard_normal((world.conditions, n))[cell]
    values += world.drift * rng.standard_normal((4, n))[quarter]
    if world.stimuli:
        effects = rng.standard_normal((world.conditions * world.stimuli, n))
        values += world.stimulus * effects[stimulus]
    if world.instance:
        values += shared @ rng.standard_normal((world.rank, n)) / np.sqrt(world.rank)
    return values


def _noise(world: World, rng: np.random.Generator, run: Ints, order: Floats, n: int) -> Floats:
    rho = world.autocorrelation
    noise = rng.standard_normal((len(run), n))
    out = noise.copy()
    sequence = np.lexsort((order, run))
    for before, now in pairwise(sequence):
        if run[before] == run[now]:
            out[now] = rho * out[before] + np.sqrt(1 - rho**2) * noise[now]
    return out
