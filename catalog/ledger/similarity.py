"""Representational similarity: whether both sides order the distances of stimuli alike.

Kriegeskorte et al. 2008, Front. Syst. Neurosci. 2:4; noise ceiling of Nili et al. 2014, PLoS
Comput. Biol. 10:e1003553.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from neuropair.catalog.ledger.intervals import mean_interval
from neuropair.catalog.ledger.paired import Floats, Ints, Paired
from neuropair.catalog.ledger.rows import Measured

FEWEST_STIMULI = 8
FEWEST_CONDITIONS = 5
"""Five labels have 120 orders, the fewest that can reach p = .01."""
MOST_LABELS = 200


@dataclass(frozen=True)
class _Person:
    labels: Ints
    place: Ints
    ranks_a: Floats
    ranks_b: Floats
    person_b: int


@dataclass(frozen=True)
class Similarity:
    """Agreement of the two sides' distances.

    Parameters
    ----------
    measured : Measured
        Spearman correlation, averaged over persons.
    ceiling : tuple of float or None
        How well side b's distances agree between persons, lower and upper; None where fewer than
        two persons share their labels.
    n_labels, n_persons : int
    """

    measured: Measured
    ceiling: tuple[float, float] | None
    n_labels: int
    n_persons: int


def similarity(paired: Paired, null: str, n: int, rng: np.random.Generator) -> Similarity | str:
    """Compare distances between stimuli, or conditions where stimuli are too few.

    Parameters
    ----------
    paired : Paired
        As `comparable` makes it.
    null : str
        L1 permutes all labels of side b, L2 those within a condition; alike in all persons.
    n : int
        Permutations.
    rng : numpy.random.Generator

    Returns
    -------
    Similarity or str
        What is lacking.
    """
    by_stimulus = len(np.unique(paired.stimulus[paired.stimulus >= 0])) >= FEWEST_STIMULI
    if null == "L2" and not by_stimulus:
        return f"fewer than {FEWEST_STIMULI} evidenced stimuli"
    labels = paired.stimulus if by_stimulus else paired.cell
    fewest = FEWEST_STIMULI if by_stimulus else FEWEST_CONDITIONS
    persons = [
        _person(paired, rows, labels, fewest)
        for rows in (np.flatnonzero(paired.unit == code) for code in np.unique(paired.unit))
    ]
    found = [person for person in persons if person is not None]
    if not found:
        return f"no person has {FEWEST_STIMULI} stimuli or {FEWEST_CONDITIONS} conditions"
    n_labels = int(max(person.labels.max() for person in found)) + 1
    keys = rng.random((n, 2, n_labels))
    scores = np.array([_agreement(person, None) for person in found])
    moved = np.stack([_permuted(person, keys, null) for person in found])
    measured = Measured(float(scores.mean()), moved.mean(0), *mean_interval(scores, rng))
    return Similarity(measured, _ceiling(found), _count(found), len(found))


def _count(found: list[_Person]) -> int:
    return len(np.unique(np.concatenate([person.labels for person in found])))


def _person(paired: Paired, rows: Ints, labels: Ints, fewest: int) -> _Person | None:
    rows = rows[labels[rows] >= 0]
    kept, back, counts = np.unique(labels[rows], return_inverse=True, return_counts=True)
    if len(kept) < fewest:
        return None
    kept = kept[:MOST_LABELS]
    averaging = (back[None] == np.arange(len(kept))[:, None]) / counts[: len(kept), None]
    place = np.array([paired.cell[rows[back == code][0]] for code in range(len(kept))])
    return _Person(
        kept,
        place,
        _ranks(averaging @ paired.a[rows]),
        _ranks(averaging @ paired.b[rows]),
        int(paired.person_b[rows[0]]),
    )


def _ranks(means: Floats) -> Floats:
    """Standardised ranks of distances (1 - correlation), shape (label, label)."""
    n = len(means)
    centred = means - means.mean(1, keepdims=True)
    norms = np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-300)
    unit = centred / norms
    upper = np.triu_indices(n, 1)
    ranks = rankdata((1 - unit @ unit.T)[upper].round(12))
    ranks -= ranks.mean()
    square = np.zeros((n, n))
    square[upper] = ranks / max(float(np.linalg.norm(ranks)), 1e-300)
    symmetric: Floats = square + square.T
    return symmetric


def _agreement(person: _Person, order: Ints | None) -> float:
    moved = person.ranks_b if order is None else person.ranks_b[np.ix_(order, order)]
    return float((person.ranks_a * moved).sum() / 2)


def _permuted(person: _Person, keys: Floats, null: str) -> Floats:
    block = person.place if null == "L2" else np.zeros(len(person.labels), np.int64)
    out = np.empty(len(keys))
    for number, (u, v) in enumerate(keys):
        order = np.empty(len(block), np.int64)
        order[np.lexsort((u[person.labels], block))] = np.lexsort((v[person.labels], block))
        out[number] = _agreement(person, order)
    return out


def _ceiling(found: list[_Person]) -> tuple[float, float] | None:
    same = [person for person in found if np.array_equal(person.labels, found[0].labels)]
    by_person = {person.person_b: person.ranks_b for person in same}
    ranks = np.stack(list(by_person.values()))
    if len(ranks) < 2:
        return None
    total = ranks.sum(0)
    lower = np.mean([_cosine(own, total - own) for own in ranks])
    upper = np.mean([_cosine(own, total) for own in ranks])
    return float(lower), float(upper)


def _cosine(one: Floats, other: Floats) -> float:
    scale = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float((one * other).sum() / scale) if scale > 0 else 0.0
