"""Who is fitted on and who is scored: never one person, nor one stimulus, on both sides."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from neuropair.catalog.ledger.paired import Ints, Paired

MOST_FOLDS = 5
"""Folds over persons: with five, models see 80 % of the persons; more cost time for little."""
FEWEST_GROUPS = 3
"""Groups of persons below which nothing is measured: a map fitted on one group tells that group."""
_STIMULUS_FOLDS = 2


class Fold(NamedTuple):
    """One fit and what it is scored on.

    Parameters
    ----------
    basis : array of int
        All rows of the persons fitted on: features are put into principal components of these.
    train : array of int
        Rows fitted on: those of `basis` whose stimulus is not scored.
    test : array of int
        Rows scored, sorted by unit.
    """

    basis: Ints
    train: Ints
    test: Ints


def make_folds(paired: Paired) -> list[Fold]:
    """Part persons, and stimuli where persons share them, into folds.

    Groups of persons go to at most `MOST_FOLDS` folds, the largest first to the smallest fold. A
    pair of two persons is scored where both are held out, fitted on where neither is. Where one
    stimulus stands in several folds, stimuli are halved as well and a fold fits on the half that
    it does not score: a wrong partner that all persons share (two pictures of one name) would
    else be learned from some and found again in the others.

    Parameters
    ----------
    paired : Paired

    Returns
    -------
    list of Fold
        Empty where there are fewer than `FEWEST_GROUPS` groups, or none can be fitted and scored.
    """
    fold_of = _fold_of_groups(paired)
    if not fold_of:
        return []
    of_person = np.array([fold_of.get(int(group), -1) for group in paired.group])
    side_a, side_b = of_person[paired.person_a], of_person[paired.person_b]
    half = _halves(paired, np.where(side_a == side_b, side_a, -1))
    unit = paired.unit
    folds = []
    for number in range(max(fold_of.values()) + 1):
        held_out = (side_a == number) & (side_b == number)
        basis = (side_a != number) & (side_b != number)
        for scored in range(int(half.max()) + 1):
            test = np.flatnonzero(held_out & (np.maximum(half, 0) == scored))
            train = np.flatnonzero(basis & ((half != scored) | (half.max() < 1)))
            test = test[np.argsort(unit[test], kind="stable")]
            if len(test) > 1 and len(train) > 3:
                folds.append(Fold(np.flatnonzero(basis), train, test))
    return folds


def _fold_of_groups(paired: Paired) -> dict[int, int]:
    groups, counts = np.unique(paired.group[paired.person_a], return_counts=True)
    more = np.setdiff1d(paired.group[paired.person_b], groups)
    groups, counts = np.append(groups, more), np.append(counts, np.ones(len(more), int))
    crosses = (paired.group[paired.person_a] != paired.group[paired.person_b]).any()
    # two persons of a fold are paired with each other where pairs join two groups
    n_folds = min(MOST_FOLDS, len(groups) // 2 if crosses else len(groups))
    if n_folds < FEWEST_GROUPS:
        return {}
    load = [0] * n_folds
    fold_of: dict[int, int] = {}
    for place in np.lexsort((groups, -counts)):
        smallest = load.index(min(load))
        fold_of[int(groups[place])] = smallest
        load[smallest] += int(counts[place])
    return fold_of


def _halves(paired: Paired, fold: Ints) -> Ints:
    """Half of each row's stimulus; -1 where it has none, and 0 for all where none is shared."""
    known = paired.stimulus >= 0
    shown = np.unique(np.stack([paired.stimulus[known], fold[known]]), axis=1)
    if len(np.unique(shown[0])) == shown.shape[1]:
        return np.zeros(len(paired), np.int64)
    stimuli = np.unique(paired.stimulus[known])
    # by digest: not by order, in which a stimulus's condition often lies
    ranked = sorted(stimuli, key=lambda code: hashlib.sha256(str(int(code)).encode()).digest())
    half_of = {int(code): place % _STIMULUS_FOLDS for place, code in enumerate(ranked)}
    return np.array([half_of.get(int(code), -1) for code in paired.stimulus], np.int64)
