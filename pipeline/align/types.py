"""What the matchers take and give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.pipeline.align.clock import Clock
from neuropair.pipeline.align.reasons import Abstained, Abstention
from neuropair.schemas.study import Pairing

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SLIDING = "sliding"
"""Kind and concept of windows that no event marks."""


class RecordingPair(NamedTuple):
    """Rows of `SideTable.recordings` of side a and of side b."""

    a: int
    b: int


@dataclass(frozen=True)
class RecordingPairs:
    """Many recording pairs: two columns, for there are millions of them in T4 and T5.

    Parameters
    ----------
    a, b : ndarray of int
        Rows of ``SideTable.recordings`` of either side; by `a`, then `b`, each pair once.
    """

    a: Integers
    b: Integers

    def __len__(self) -> int:
        return self.a.size

    def __iter__(self) -> Iterator[RecordingPair]:
        pairs = zip(self.a.tolist(), self.b.tolist(), strict=True)
        return (RecordingPair(a, b) for a, b in pairs)

    def at(self, rows: Bools | Integers) -> RecordingPairs:
        """Those at the positions given, or where the mask given is true."""
        return RecordingPairs(self.a[rows], self.b[rows])


@dataclass(frozen=True)
class SideTable:
    """One side of a pairing.

    Parameters
    ----------
    recordings : pandas.DataFrame
        The recordings that the side selects, by id; rows count from 0.
    items : pandas.DataFrame
        Their windows with what is known of the events, by recording and window. ``rec`` is the
        row in `recordings`, ``chosen`` whether the side's concepts select the event.
    soa : ndarray, shape (n_recordings,)
        Median interval between events, s; NaN where unknown.
    """

    recordings: pd.DataFrame
    items: pd.DataFrame
    soa: Floats

    def rows(self, rec: int, kind: str) -> Integers:
        """Rows of `items` of one recording and kind, in order of event or window."""
        first, last = np.searchsorted(self.items["rec"].to_numpy(), [rec, rec + 1])
        kinds = self.items["kind"].to_numpy()[first:last]
        return np.asarray(first + np.flatnonzero(kinds == kind), dtype=np.int64)

    def name(self, rec: int) -> str:
        """Id of a recording."""
        return str(self.recordings["recording"].iloc[rec])


@dataclass(frozen=True)
class Work:
    """What one matcher is asked: a pairing, and the recording pairs that are open."""

    pairing: Pairing
    a: SideTable
    b: SideTable
    open: RecordingPairs


@dataclass
class Matched:
    """What one matcher answers.

    Parameters
    ----------
    a, b : ndarray of int
        Rows of ``Work.a.items`` and ``Work.b.items``; row k of both is pair k.
    columns : Mapping of str to ndarray
        Further columns of table ``pairs``, by name.
    abstentions : Mapping or Abstained
        Every open recording pair that has no pair, with the reason.
    losses : list of dict
        Rows of table ``losses`` without ``study``.
    clocks : Mapping
        T1: the clock of each aligned recording pair.
    balance : list of dict
        T2 to T5: rows of table ``balance`` without ``study``.
    alternates, negatives : pandas.DataFrame
        T2 to T5: rows of the tables of that name, ``pair`` (position in `a`) for ``pair_id``.
    """

    a: Integers
    b: Integers
    columns: Mapping[str, npt.NDArray[Any]]
    abstentions: Mapping[RecordingPair, Abstention] | Abstained
    losses: list[dict[str, Any]] = field(default_factory=list)
    clocks: Mapping[RecordingPair, Clock] = field(default_factory=dict)
    balance: list[dict[str, Any]] = field(default_factory=list)
    alternates: pd.DataFrame = field(default_factory=pd.DataFrame)
    negatives: pd.DataFrame = field(default_factory=pd.DataFrame)


class Matcher(Protocol):
    """The one function that a tier's module provides, under the name ``match``."""

    def __call__(self, work: Work) -> Matched:
        """Pair or abstain for every recording pair of ``work.open``."""
        ...


@dataclass(frozen=True)
class AlignResult:
    """Everything that matching a study gives.

    Parameters
    ----------
    pairs : pandas.DataFrame
        Table ``pairs`` without ``study``, by pairing (in the study's order), recordings, windows.
    abstentions : pandas.DataFrame
        Table ``abstentions`` without ``study``. No recording pair is in both.
    losses : pandas.DataFrame
        Table ``losses`` without ``study``: events of paired recordings that have no partner, and
        pairings that name no recording pair at all.
    clocks : Mapping
        Clock by (rule, recording of a, recording of b), for every T1 pair of recordings.
    clock_rows, balance, alternates, negatives : pandas.DataFrame
        Tables ``clocks``, ``balance``, ``alternates`` and ``negatives`` without ``study``.
    """

    pairs: pd.DataFrame
    abstentions: pd.DataFrame
    losses: pd.DataFrame
    clocks: Mapping[tuple[str, str, str], Clock]
    clock_rows: pd.DataFrame
    balance: pd.DataFrame
    alternates: pd.DataFrame
    negatives: pd.DataFrame

    def tables(self) -> dict[str, pd.DataFrame]:
        """Rows by name of the table."""
        return {
            "pairs": self.pairs,
            "abstentions": self.abstentions,
            "clocks": self.clock_rows,
            "balance": self.balance,
            "alternates": self.alternates,
            "negatives": self.negatives,
        }
