"""Events that look for partners, what two of them need, and the partners found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from neuropair.pipeline.align.types import Bools, Floats, Integers


class Points(NamedTuple):
    """Events of one side that look for a partner.

    Parameters
    ----------
    rec : ndarray of int, shape (n,)
        Row of the side's recordings.
    block : ndarray of int, shape (n,)
        Only events of one block may be partners.
    group : ndarray of int, shape (n,)
        Finer than the block: `Rules.compatible` says which groups go together.
    x : ndarray, shape (n, n_covariates)
        Standardised covariates; NaN unknown.
    """

    rec: Integers
    block: Integers
    group: Integers
    x: Floats


class Open(Protocol):
    """Which recording pairs are open: an array, or what is read like one."""

    def __getitem__(self, key: tuple[Integers, Integers]) -> Bools: ...


@dataclass(frozen=True)
class OpenByPool:
    """The open recording pairs as one small table a pool, not one of all recordings.

    Twenty thousand recordings of five thousand persons make 10^8 pairs, of which T2 and T3 can use
    some ten thousand. What is asked for must be of one pool.
    """

    flat: Bools
    start: Integers
    """Where the row of each recording of a begins in `flat`."""
    column: Integers
    """Column of each recording of b in its pool's table."""

    @staticmethod
    def of(pool_a: Integers, pool_b: Integers, a: Integers, b: Integers) -> OpenByPool:
        """Put recording pairs `a`, `b` into the tables of their pools."""
        n = int(max(pool_a.max(initial=-1), pool_b.max(initial=-1))) + 1
        n_a, n_b = np.bincount(pool_a, minlength=n), np.bincount(pool_b, minlength=n)
        first = np.cumsum(n_a * n_b) - n_a * n_b
        start = first[pool_a] + _number_within(pool_a) * n_b[pool_a]
        column = _number_within(pool_b)
        flat = np.zeros(int((n_a * n_b).sum()), dtype=bool)
        flat[start[a] + column[b]] = True
        return OpenByPool(flat, start, column)

    def __getitem__(self, key: tuple[Integers, Integers]) -> Bools:
        return np.asarray(self.flat[self.start[key[0]] + self.column[key[1]]], dtype=bool)


def _number_within(group: Integers) -> Integers:
    order = np.argsort(group, kind="stable")
    numbers = np.empty(group.size, dtype=np.int64)
    first = np.searchsorted(group[order], group[order])
    numbers[order] = np.arange(group.size) - first
    return numbers


@dataclass(frozen=True)
class Rules:
    """What else two events of one block need.

    Parameters
    ----------
    allowed : Open
        Open recording pairs, by row of a and of b.
    compatible : ndarray of bool, shape (n_groups_a, n_groups_b)
    caliper : float or None
        Largest difference in any covariate, pooled SD.
    uses_b : int
        How often one event of b may be a partner.
    alternates : int
        How many further partners to tell.
    """

    allowed: Open
    compatible: Bools
    caliper: float | None
    uses_b: int = 1
    alternates: int = 0

    def matrix(self, a: Points, b: Points, i: Integers, j: Integers) -> tuple[Bools, Floats, Bools]:
        """Compare points `i` of a with points `j` of b, which broadcast against each other.

        Returns
        -------
        admissible : ndarray of bool
            Together, and within the caliper.
        distance : ndarray
            RMS of the covariate differences, pooled SD.
        together : ndarray of bool
            Of an open recording pair, and of groups that go together.
        """
        together = self.allowed[a.rec[i], b.rec[j]] & self.compatible[a.group[i], b.group[j]]
        admissible = together.copy()
        total = np.zeros(together.shape)
        n = a.x.shape[1]
        for column in range(n):
            difference = np.abs(a.x[i, column] - b.x[j, column])
            if self.caliper is None:
                # a covariate that one side lacks does not choose; with a caliper, such events were
                # set aside before
                difference = np.nan_to_num(difference, copy=False, nan=0.0)
            else:
                admissible &= difference <= self.caliper
            total += difference**2
        return admissible, np.sqrt(total / max(n, 1)), together


class Found(NamedTuple):
    """Partners found in a block, and the partners that the events of a could have had besides.

    Those of one event stand nearest first.
    """

    a: Integers
    b: Integers
    distance: Floats
    alternatives: Integers
    other_a: Integers
    other_b: Integers
    other_distance: Floats


class Assignment(NamedTuple):
    """Partners: positions in the points of either side, ordered by `a`."""

    a: Integers
    b: Integers
    distance: Floats
    """RMS of the covariate differences, pooled SD."""
    alternatives: Integers
    """Admissible partners of `a` beside `b`; in a block cut into cells, an estimate."""
    other_pair: Integers
    """Pair (position in `a`) of each further partner; by pair, nearest first."""
    other_b: Integers
    other_distance: Floats

    def at(self, keep: Bools) -> Assignment:
        """Keep some pairs, with their further partners."""
        number = np.cumsum(keep) - 1
        others = keep[self.other_pair]
        return Assignment(
            self.a[keep],
            self.b[keep],
            self.distance[keep],
            self.alternatives[keep],
            number[self.other_pair[others]],
            self.other_b[others],
            self.other_distance[others],
        )


def joined(found: Sequence[Found]) -> Assignment:
    """Put the blocks' partners together."""
    if not found:
        found = [nothing()]
    a, b, distance, alternatives, other_a, other_b, other_distance = (
        np.concatenate(column) for column in zip(*found, strict=True)
    )
    order = np.argsort(a, kind="stable")
    number = np.zeros(int(a.max(initial=-1)) + 1, dtype=np.int64)
    number[a[order]] = np.arange(a.size)
    pair = number[other_a]
    others = np.argsort(pair, kind="stable")
    return Assignment(
        a[order],
        b[order],
        distance[order],
        alternatives[order],
        pair[others],
        other_b[others],
        other_distance[others],
    )


def common_blocks(a: Integers, b: Integers) -> Bools:
    """Whether each block, by number, is on both sides."""
    n = int(max(a.max(initial=-1), b.max(initial=-1))) + 1
    here, there = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    here[a], there[b] = True, True
    return here & there


def nothing() -> Found:
    """No partner for anyone."""
    none = np.zeros(0, dtype=np.int64)
    return Found(none, none, np.zeros(0), none, none, none, np.zeros(0))


def others(
    can: Bools, distance: Floats, own: Integers, j: Integers, k: int
) -> tuple[Integers, Integers, Floats]:
    """Find the nearest `k` admissible partners of rows beside their `own`.

    Parameters
    ----------
    can, distance : ndarray, shape (n, m)
        Rows that have a partner.
    own : ndarray of int, shape (n,)
        Column of the partner.
    j : ndarray of int, shape (m,) or (n, m)
        Point of b in each column.

    Returns
    -------
    row : ndarray of int
    b : ndarray of int
        Point of b.
    distance : ndarray
    """
    n, m = can.shape
    k = min(k, m)
    if not k or not n:
        none = np.zeros(0, dtype=np.int64)
        return none, none, np.zeros(0)
    far = np.where(can, distance, np.inf)
    far[np.arange(n), own] = np.inf
    near = np.argpartition(far, k - 1, axis=1)[:, :k] if k < m else np.tile(np.arange(m), (n, 1))
    values = np.take_along_axis(far, near, axis=1)
    nearest = np.argsort(values, axis=1, kind="stable")
    near, values = (np.take_along_axis(table, nearest, axis=1) for table in (near, values))
    row, column = np.nonzero(np.isfinite(values))
    taken = near[row, column]
    return row, (j[taken] if j.ndim == 1 else j[row, taken]), values[row, column]
