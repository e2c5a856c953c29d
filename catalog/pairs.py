"""Pairs that a condition selects: look at them, split them, stream them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from neuropair.catalog.leaks import find_leaks
from neuropair.catalog.splits import SPLIT_NAMES
from neuropair.catalog.stream.selection import Selection, resolve
from neuropair.catalog.stream.stream import PairStream
from neuropair.schemas.errors import CorpusError, QueryError

if TYPE_CHECKING:
    from neuropair.catalog.corpus import Corpus

_ORDER = "study, pair_id"


@dataclass(frozen=True, repr=False)
class Pairs:
    """Pairs of one release; made by `Corpus.pairs`.

    Parameters
    ----------
    corpus : Corpus
    where : str or None
        SQL condition on the columns of table ``pairs``; all pairs if None.
    split_name : str or None
        Only this split.
    """

    corpus: Corpus
    where: str | None = None
    split_name: str | None = None

    def split(self, name: str) -> Pairs:
        """Only the pairs of a split: train, validation or test.

        Raises
        ------
        QueryError
            If there is no such split.
        """
        if name not in SPLIT_NAMES:
            raise QueryError(
                f"there is no split {name!r}.",
                where="split",
                remedy=f"the splits are {', '.join(SPLIT_NAMES)}",
            )
        return replace(self, split_name=name)

    def __len__(self) -> int:
        return self.corpus.database.count("pairs", self._condition)

    def to_arrow(self) -> pa.Table:
        """All columns, sorted by study and pair id."""
        return self.corpus.database.filter("pairs", self._condition, _ORDER)

    def to_pandas(self) -> pd.DataFrame:
        """All columns, sorted by study and pair id."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame

    def counts(self) -> pd.DataFrame:
        """Count pairs by tier, modalities and split."""
        by = ["tier", "modality_a", "modality_b", "split"]
        table = self.corpus.database.filter("pairs", self._condition, _ORDER, ", ".join(by))
        frame: pd.DataFrame = table.to_pandas()
        return frame.value_counts(by, sort=False).sort_index().rename("pairs").reset_index()

    def stream(self, batch_size: int, **options: Any) -> PairStream:
        """Stream the pairs in batches.

        Parameters
        ----------
        batch_size : int
        **options
            ``seed, rank, world_size, epochs, shuffle, drop_last, pad, threads, prefetch`` of
            `neuropair.catalog.stream.PairStream`, which describes the batches too.

        Raises
        ------
        QueryError
            If an option cannot be, or no pair is selected.
        CorpusError
            If a split is asked for, and the splits of its study leak under the study's policy.
        DamagedError
            If a recording of the pairs cannot be read.
        """
        return PairStream(self.select(), batch_size, **options)

    def select(self) -> Selection:
        """Resolve the pairs to rows of arrays: what several streams can share.

        Raises
        ------
        CorpusError
            If a split is asked for, and the splits of its study leak under the study's policy.
        DamagedError
            If a recording of the pairs cannot be read.
        """
        pairs = self.to_arrow()
        if self.split_name is not None:
            self._refuse_leaks(pairs)
        database = self.corpus.database
        condition = "TRUE" if self._condition is None else self._condition
        # the line break ends a comment that the condition may end with
        selected = " UNION ".join(
            f"SELECT recording_{side} FROM pairs WHERE ({condition}\n)" for side in "ab"
        )
        recordings = database.filter("recordings", f"recording IN ({selected})", "recording")
        self._require_signals(recordings)
        channels = database.filter(
            "channels", f'"row" >= 0 AND recording IN ({selected})', 'recording, "row"'
        )
        location, release = self.corpus.location, self.corpus.release.id
        return resolve(location, release, pairs, recordings, channels)

    def _refuse_leaks(self, pairs: pa.Table) -> None:
        """Refuse a split whose study has something in two splits; looked for once a release."""
        studies = set(pc.unique(pairs["study"]).to_pylist())
        leaks = [leak for leak in find_leaks(self.corpus.database) if leak.study in studies]
        if leaks:
            raise CorpusError(
                f"the splits of study {leaks[0].study} leak: {leaks[0]}.",
                where=f"release {self.corpus.release.id}, split {self.split_name}",
                remedy="ingest the study again, which assigns its splits anew; without .split() "
                "the pairs can be streamed as they are",
            )

    def _require_signals(self, recordings: pa.Table) -> None:
        rehearsed = pc.equal(recordings["status"], "rehearsed")
        n = int(pc.sum(rehearsed).as_py() or 0)
        if n:
            raise QueryError(
                f"{n} recordings were rehearsed from their tables: there are no signals to stream.",
                where=f"release {self.corpus.release.id}",
                remedy="run `neuropair ingest` of the study into a corpus of its own",
            )

    @property
    def _condition(self) -> str | None:
        if self.split_name is None:
            return self.where
        chosen = f"split = '{self.split_name}'"
        return chosen if self.where is None else f"({self.where}\n) AND {chosen}"

    def __repr__(self) -> str:
        counts = self.counts()
        total = int(counts["pairs"].sum())
        lines = [f"<Pairs: {total:,} of {self._described}>"]
        lines += [
            f"  {row.tier} {row.modality_a}-{row.modality_b} {row.split}: {row.pairs:,}"
            for row in counts.itertuples()
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        counts = self.counts()
        total = int(counts["pairs"].sum())
        head = f"<p><b>Pairs</b>: {total:,} of {escape(self._described)}</p>"
        return head + str(counts.to_html(index=False, border=0))

    @property
    def _described(self) -> str:
        parts = [f"release {self.corpus.release.id}"]
        parts += [f"split {self.split_name}"] if self.split_name else []
        parts += [f"where {self.where}"] if self.where else []
        return ", ".join(parts)
