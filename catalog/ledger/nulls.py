"""Partners moved about: what the pairs would score if they held no more than a null keeps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

from neuropair.catalog.ledger.paired import Ints, Paired, _codes, quarters

NULLS = ("L1", "L2", "L3", "L4")


class Room(NamedTuple):
    """What a null can move.

    Parameters
    ----------
    rows : int
        Pairs whose partner can change.
    arrangements : float
        Natural logarithm of the number of distinct arrangements, at least.
    """

    rows: int
    arrangements: float


def room(paired: Paired, null: str) -> Room:
    """Count what a null (a name in `NULLS`) can move."""
    if null == "L4":
        sizes = np.bincount(_run(paired))
        moved = sizes[sizes > 1]
        return Room(int(moved.sum()), float(np.log(moved).sum()))
    block, keys = _block(paired, null), _keys(paired)
    distinct = np.unique(np.stack([block, keys]), axis=1)[0]
    movable = np.bincount(distinct, minlength=block.max(initial=0) + 1) > 1
    rows = movable[block]
    # stimuli move alike in all persons: they count once, whoever sees them
    place = _place(paired, null)
    kind = np.where(paired.stimulus >= 0, place, place.max(initial=0) + 1 + block)
    alone = np.unique(np.stack([kind[rows], keys[rows]]), axis=1)[0]
    _, sizes = np.unique(alone, return_counts=True)
    return Room(int(rows.sum()), float(gammaln(sizes + 1).sum()))


def as_paired(n_pairs: int) -> Ints:
    """Make the one arrangement that leaves all pairs as they are, shape (1, pair)."""
    return np.arange(n_pairs)[None]


def moved(paired: Paired, null: str, n: int, rng: np.random.Generator) -> Ints:
    """Draw arrangements of partners under a null.

    L1 moves partners within a person (or pair of persons), L2 within person and condition, L3
    within these and a quarter of the run; L4 shifts the partners of a run in a circle. Where
    stimuli are known, L1 to L3 move stimuli whole and alike in all persons: repetitions of a
    picture are not exchangeable with other pictures, nor are the persons who saw it independent
    where it is wrongly paired in all of them. A stimulus shown more often than the one it is given
    takes that one's rows in turn.

    Parameters
    ----------
    paired : Paired
    null : str
        A name in `NULLS`.
    n : int
    rng : numpy.random.Generator

    Returns
    -------
    array of int, shape (n, pair)
        Row of side b that each row of side a is given.
    """
    if null == "L4":
        return _shifted(paired, n, rng)
    partner = np.empty((n, len(paired)), np.int64)
    unit, place, known = paired.unit, _place(paired, null), paired.stimulus >= 0
    for rows in _members(np.where(known, -1, _codes(unit, place))):
        if not known[rows[0]]:
            partner[:, rows] = rng.permuted(np.tile(rows, (n, 1)), axis=1)
    for rows in _members(np.where(known, place, -1)):
        if known[rows[0]]:
            stimuli, own = np.unique(paired.stimulus[rows], return_inverse=True)
            order_a, order_b = (rng.random((n, len(stimuli))).argsort(axis=1) for _ in "ab")
            for members in _members(unit[rows]):
                shown = _Shown.of(rows[members], own[members], len(stimuli))
                partner[:, rows[members]] = shown.given(order_a, order_b)
    return partner


class _Shown(NamedTuple):
    """Rows of one person by stimulus."""

    stimulus: Ints
    turn: Ints
    shown: Ints
    rows: Ints

    @classmethod
    def of(cls, rows: Ints, stimulus: Ints, n_stimuli: int) -> _Shown:
        count = np.bincount(stimulus, minlength=n_stimuli)
        order = np.argsort(stimulus, kind="stable")
        turn = np.empty(len(rows), np.int64)
        turn[order] = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
        table = np.zeros((n_stimuli, int(count.max())), np.int64)
        table[stimulus, turn] = rows
        return cls(stimulus, turn, count, table)

    def given(self, order: Ints, other: Ints) -> Ints:
        """Give the i-th stimulus of one order the rows of the i-th of the other.

        Where the person has not seen that one, of the next that was seen.
        """
        n = other.shape[1]
        place = np.argsort(order, axis=1)[:, self.stimulus]
        seen = np.where(self.shown[other] > 0, np.arange(n), 2 * n)
        following = np.minimum.accumulate(seen[:, ::-1], axis=1)[:, ::-1]
        following = np.where(following < n, following, seen.min(axis=1, keepdims=True))
        next_seen = np.take_along_axis(following, place, axis=1)
        chosen = np.take_along_axis(other, next_seen, axis=1)
        taken: Ints = self.rows[chosen, self.turn % self.shown[chosen]]
        return taken


def replaced(paired: Paired, share: float, n: int, rng: np.random.Generator) -> Ints:
    """Give a share of the pairs of every person (two at least) a wrong partner of that person."""
    partner = np.tile(np.arange(len(paired)), (n, 1))
    for rows in _members(paired.unit):
        wrong = min(len(rows), max(2, round(share * len(rows))))
        if wrong < 2:
            continue
        chosen = rng.permuted(np.tile(rows, (n, 1)), axis=1)[:, :wrong]
        # in a circle: every one of them gets another's
        np.put_along_axis(partner, chosen, np.roll(chosen, 1, axis=1), axis=1)
    return partner


def _members(codes: Ints) -> list[Ints]:
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1) if len(codes) else []


def _keys(paired: Paired) -> Ints:
    """Code what moves as one: a stimulus, or a row where it is unknown."""
    alone = paired.stimulus.max(initial=-1) + 1 + np.arange(len(paired))
    return np.where(paired.stimulus >= 0, paired.stimulus, alone)


def _place(paired: Paired, null: str) -> Ints:
    quarter = quarters(paired.position)
    nothing = np.zeros(len(paired), np.int64)
    return {
        "L1": nothing,
        "L2": paired.cell,
        "L3": _codes(paired.cell, quarter) if len(paired) else nothing,
    }[null]


def _block(paired: Paired, null: str) -> Ints:
    return _codes(paired.unit, _place(paired, null))


def _run(paired: Paired) -> Ints:
    return _codes(paired.recording_a, paired.recording_b)


def _shifted(paired: Paired, n: int, rng: np.random.Generator) -> Ints:
    run = _run(paired)
    partner = np.empty((n, len(paired)), np.int64)
    for members in _members(run):
        rows = members[np.argsort(paired.onset_a[members], kind="stable")]
        shift = rng.integers(0, len(rows), (n, 1))
        partner[:, rows] = rows[(np.arange(len(rows)) + shift) % len(rows)]
    return partner
