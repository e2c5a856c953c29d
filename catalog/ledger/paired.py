"""Pairs of one rule as rows of numbers, made comparable between recordings and persons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuropair.schemas.errors import QueryError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CLIP = 5.0
"""Standard deviations of a feature in its recording beyond which it is clipped: a blink that the
cleaning missed would else outweigh a whole run in a correlation."""
POSITION_BINS = 4
"""Quarters of a run, which L3 keeps: what drifts in a run does so over minutes."""
_MOST_AUTOCORRELATION = 0.95
_ROUNDS = 20
"""Of backfitting; the additive model of recording and condition settles in a few."""


@dataclass(frozen=True)
class Paired:
    """Pairs of one rule; every array has one row a pair, in the order of the pairs' ids.

    Parameters
    ----------
    a, b : array of float, shape (pair, feature)
        Features of each side; NaN where a channel is bad.
    recording_a, recording_b : array of int
        Codes of the recordings.
    onset_a, onset_b : array of float
        Onset of each window on its recording's clock, s.
    person_a, person_b : array of int
        Codes of persons, one code for both sides.
    group : array of int
        By person code: what may not be parted between fitting and scoring.
    cell : array of int
        Condition and repetition class of side a: what L2 keeps.
    position : array of float
        Where side a's window lies in its run, 0 to 1: what L3 keeps, in bins.
    stimulus : array of int
        Code of the evidenced stimulus that both sides share; -1 unknown.
    left_out : tuple of str
        What did not make it, with numbers and reasons.
    """

    a: Floats
    b: Floats
    recording_a: Ints
    recording_b: Ints
    onset_a: Floats
    onset_b: Floats
    person_a: Ints
    person_b: Ints
    group: Ints
    cell: Ints
    position: Floats
    stimulus: Ints
    left_out: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.a)

    @property
    def unit(self) -> Ints:
        """Code of the person, or of the pair of persons: no partner is ever moved out of it."""
        return _codes(self.person_a, self.person_b)

    def take(self, rows: NDArray[Any]) -> Paired:
        """Choose rows; ``group``, which is by person, stays."""
        kept = {
            name: value[rows]
            for name, value in vars(self).items()
            if name not in ("group", "left_out")
        }
        return replace(self, **kept)


def _codes(*columns: Ints) -> Ints:
    """Code the distinct rows of columns, 0 for the smallest."""
    stacked = np.stack(columns, axis=1)
    _, codes = np.unique(stacked, axis=0, return_inverse=True)
    return np.asarray(codes.reshape(-1), np.int64)


def checked(paired: Paired) -> Paired:
    """Refuse pairs that cannot be measured.

    Raises
    ------
    QueryError
        If lengths differ, or a feature is infinite.
    """
    lengths = {
        name: len(value)
        for name, value in vars(paired).items()
        if name not in ("group", "left_out")
    }
    if len(set(lengths.values())) != 1:
        raise QueryError(
            f"columns have different lengths: {lengths}.",
            where="ledger",
            remedy="give one row a pair in every column",
        )
    if np.isinf(paired.a).any() or np.isinf(paired.b).any():
        raise QueryError(
            "features are infinite.",
            where="ledger",
            remedy="run `neuropair verify`; mark what is missing as NaN",
        )
    return paired


def comparable(paired: Paired) -> Paired:
    """Take away what tells recordings apart, and what one trial leaves in the next.

    Each feature loses its recording's offset, is clipped, and is rid of its autocorrelation from
    window to window. Without the last, two slow signals that share nothing correlate more often
    than partners drawn at random (``tests/benchmarks/ledger.py`` measures it). Missing values
    become 0, the mean.

    Raises
    ------
    QueryError
        As `checked`.
    """
    checked(paired)
    place = (paired.cell, quarters(paired.position))
    a = _side(paired.a, paired.person_a, paired.recording_a, paired.onset_a, place)
    b = _side(paired.b, paired.person_b, paired.recording_b, paired.onset_b, place)
    unit = paired.unit
    return replace(paired, a=_less_means(a, unit), b=_less_means(b, unit))


def quarters(position: Floats) -> Ints:
    """Give the part of the run, of `POSITION_BINS`, that a position lies in."""
    return np.minimum((position * POSITION_BINS).astype(np.int64), POSITION_BINS - 1)


def _side(
    values: Floats, person: Ints, recording: Ints, onset: Floats, place: tuple[Ints, Ints]
) -> Floats:
    cell, quarter = place
    # a window in many pairs is cleaned once, and in each case with its own cell
    where = np.stack([recording.astype(float), onset, cell.astype(float)], axis=1)
    _, first, back = np.unique(where, axis=0, return_index=True, return_inverse=True)
    recording, condition = recording[first], _codes(person[first], cell[first])
    level = _clipped(_less_offsets(values[first], recording, condition), recording)
    part = _codes(person[first], quarter[first])
    rows: Floats = _whitened(level, recording, condition, part)[back.reshape(-1)]
    return rows


def _less_offsets(values: Floats, recording: Ints, condition: Ints) -> Floats:
    """Take away the recordings' part of an additive model of recording and condition.

    Not the recordings' means: those differ by how often each condition came, on both sides alike
    where they were recorded together, and L2 would take that for information about the pair.
    """
    seen = np.isfinite(values)
    offsets, _ = _additive(np.where(seen, values, 0.0), seen, recording, condition)
    return np.where(seen, np.nan_to_num(values) - offsets, 0.0)


def _additive(
    values: Floats, seen: NDArray[np.bool_], one: Ints, other: Ints
) -> tuple[Floats, Floats]:
    """Fit values by the sum of two factors' effects."""
    by_one, by_other = _Means(one, seen), _Means(other, seen)
    effects = by_one.of(values)
    others = np.zeros_like(values)
    for _ in range(_ROUNDS):
        others = by_other.of(values - effects)
        effects = by_one.of(values - others)
    return effects, others


class _Means:
    """Means of the rows of each code, over the values that are there."""

    def __init__(self, codes: Ints, seen: NDArray[np.bool_]) -> None:
        from scipy.sparse import csr_array

        _, back = np.unique(codes, return_inverse=True)
        self._back = back.reshape(-1)
        ones = np.ones(len(codes))
        self._sum = csr_array((ones, (self._back, np.arange(len(codes)))))
        self._seen = seen
        self._counts = np.maximum(self._sum @ seen.astype(float), 1)

    def of(self, values: Floats) -> Floats:
        """Give every row its code's mean."""
        sums = self._sum @ np.where(self._seen, values, 0.0)
        means: Floats = (sums / self._counts)[self._back]
        return means


def _clipped(values: Floats, recording: Ints) -> Floats:
    power = _Means(recording, np.ones_like(values, bool)).of(values**2)
    limit = CLIP * np.sqrt(power)
    return np.clip(values, -limit, limit)


def _less_means(values: Floats, codes: Ints) -> Floats:
    return values - _Means(codes, np.ones_like(values, bool)).of(values)


def _whitened(values: Floats, recording: Ints, condition: Ints, part: Ints) -> Floats:
    """Filter each feature by its lag-1 autocorrelation, about condition and part of the run.

    About the person's means of those, because the filter would else write the previous trial's
    condition or part into both sides, which L2 or L3 would take for information about the pair.
    Rows come by recording and onset.
    """
    if len(values) < 2:
        return values
    conditions, parts = _additive(values, np.ones_like(values, bool), condition, part)
    rest = values - conditions - parts
    follows = np.flatnonzero(recording[1:] == recording[:-1]) + 1
    power = (rest**2).mean(0)
    lagged = (rest[follows] * rest[follows - 1]).sum(0) / max(1, len(follows))
    rho = np.divide(lagged, power, out=np.zeros_like(power), where=power > 0)
    # a mean taken from n values takes (1 + 3 rho) / n from their autocorrelation (Kendall 1954,
    # Biometrika 41:403); uncorrected, empty corpora passed L1 in 6.6 % at 5 %
    means = (len(np.unique(condition)) + len(np.unique(part))) / len(values)
    rho = (rho + means) / max(0.5, 1 - 3 * means)
    out = values.copy()
    out[follows] -= np.clip(rho, 0, _MOST_AUTOCORRELATION) * rest[follows - 1]
    return out


def joined(parts: Sequence[str]) -> str | None:
    """Put remarks together; None where there are none."""
    return "; ".join(parts) or None
