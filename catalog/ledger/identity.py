"""Can the person be told from the features? What a split by windows would let a model learn."""

from __future__ import annotations

import numpy as np

from neuropair.catalog.ledger.intervals import mean_interval
from neuropair.catalog.ledger.maps import COMPONENTS, principal_axes
from neuropair.catalog.ledger.paired import Floats, Ints
from neuropair.catalog.ledger.rows import Measured

FEWEST_PERSONS = 5
"""Runs of five persons can be given away in 120 ways: p can fall to .01."""


def identity(
    values: Floats, recording: Ints, person: Ints, n: int, rng: np.random.Generator
) -> Measured | str:
    """Accuracy of a linear classifier of persons, fitted on some runs and scored on another.

    Ridge regression on indicators of persons; features are as they were recorded, offsets
    included. The i-th run of every person is held out in turn. The null gives whole runs to
    other persons, run number by run number, and refits.

    Parameters
    ----------
    values : array, shape (window, feature)
        NaN counts as the mean.
    recording, person : array of int, shape (window,)
    n : int
        Permutations.
    rng : numpy.random.Generator

    Returns
    -------
    Measured or str
        What is lacking.
    """
    runs, first, run = np.unique(recording, return_index=True, return_inverse=True)
    owner = person[first]
    number = np.array([int((owner[:i] == owner[i]).sum()) for i in range(len(runs))])
    persons = np.intersect1d(owner[number == 0], owner[number == 1])
    if len(persons) < FEWEST_PERSONS:
        return f"fewer than {FEWEST_PERSONS} persons have two runs"
    kept = np.isin(person, persons)
    seen, run = values[kept], run[kept]
    mean = np.nanmean(np.where(np.isfinite(seen).any(0), seen, 0.0), axis=0)
    centred = np.nan_to_num(seen - mean)
    code = np.searchsorted(persons, owner)
    labels = np.stack([code, *(_given_away(code, number, persons, owner, rng) for _ in range(n))])
    right = np.zeros((len(labels), len(centred)))
    for held_out in range(int(number.max()) + 1):
        test = number[run] == held_out
        right[:, test] = _right(centred, test, labels[:, run], len(persons))
    low, high = mean_interval(
        np.array([right[0][code[run] == one].mean() for one in range(len(persons))]), rng
    )
    scores = right.mean(1)
    return Measured(float(scores[0]), scores[1:], low, high)


def _given_away(
    code: Ints, number: Ints, persons: Ints, owner: Ints, rng: np.random.Generator
) -> Ints:
    labels = code.copy()
    for one in range(int(number.max()) + 1):
        runs = np.flatnonzero((number == one) & np.isin(owner, persons))
        labels[runs] = rng.permutation(code[runs])
    return labels


def _right(
    values: Floats, test: np.ndarray[tuple[int], np.dtype[np.bool_]], labels: Ints, n_persons: int
) -> Floats:
    """Whether each test row's person is guessed, shape (labelling, test row)."""
    train = ~test
    axes = principal_axes(values[train], min(COMPONENTS, int(train.sum()) // 2))
    scores = values @ axes
    design = scores[train]
    gram = design.T @ design
    gram += np.eye(len(gram)) * np.trace(gram) / max(len(gram), 1)
    solved = np.linalg.solve(gram, design.T)
    out = np.empty((len(labels), int(test.sum())))
    for place, row in enumerate(labels):
        indicator = np.eye(n_persons)[row[train]]
        guess = (scores[test] @ (solved @ (indicator - indicator.mean(0)))).argmax(1)
        out[place] = guess == row[test]
    return out
