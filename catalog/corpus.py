"""A corpus as its users see it: tables to query, pairs to stream, recordings to open."""

from __future__ import annotations

import os
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from neuropair.catalog.location import Location
from neuropair.catalog.pairs import Pairs
from neuropair.catalog.query import Database
from neuropair.catalog.release import Release, choose_release, read_releases
from neuropair.schemas import layout
from neuropair.schemas.errors import QueryError
from neuropair.schemas.tables import TABLES

if TYPE_CHECKING:
    import xarray as xr


class Corpus:
    """One release of a corpus; made by `Corpus.open`.

    Parameters
    ----------
    location : Location
    release : Release

    Examples
    --------
    >>> corpus = Corpus.open("demo/corpus")                             # doctest: +SKIP
    >>> corpus.sql("SELECT tier, count(*) FROM pairs GROUP BY tier")    # doctest: +SKIP
    >>> pairs = corpus.pairs("modality_a = 'eeg' AND tier = 'T1'")      # doctest: +SKIP
    >>> for batch in pairs.split("train").stream(batch_size=64, seed=0):    # doctest: +SKIP
    ...     batch["eeg"]["signal"].shape
    (64, 32, 241)
    """

    def __init__(self, location: Location, release: Release) -> None:
        self.location = location
        self.release = release

    @classmethod
    def open(cls, url: str | os.PathLike[str], release: str | None = None) -> Corpus:
        """Open a corpus.

        Parameters
        ----------
        url : str or path
            Folder, or URL of an object store such as ``s3://bucket/corpus``.
        release : str, optional
            Id of a release, or the beginning of one; the newest unless given.

        Raises
        ------
        CorpusError
            If there is no corpus or no such release, or a newer neuropair wrote it.
        DamagedError
            If its table of releases cannot be read.
        """
        location = Location.of(url)
        return cls(location, choose_release(read_releases(location), release, location.url))

    @cached_property
    def database(self) -> Database:
        """The release's tables in DuckDB."""
        return Database(self.location, self.release)

    def sql(self, select: str) -> pa.Table:
        """Run one SELECT over the release's tables.

        Parameters
        ----------
        select : str
            DuckDB's SQL; ``neuropair tables`` lists the tables and their columns with units.

        Raises
        ------
        QueryError
            If it is no SELECT, or names something that does not exist.
        """
        return self.database.select(select)

    def pairs(self, where: str | None = None) -> Pairs:
        """Select pairs.

        Parameters
        ----------
        where : str, optional
            SQL condition on the columns of table ``pairs``; all pairs unless given.

        Raises
        ------
        QueryError
            If the condition is wrong.
        """
        pairs = Pairs(self, where)
        len(pairs)
        return pairs

    def windows(self, recording: str) -> pd.DataFrame:
        """Rows of table ``windows`` of one recording, by window.

        Raises
        ------
        QueryError
            If there is no such recording.
        """
        self._recording_path(recording)
        rows = self.database.filter("windows", f"recording = {_quoted(recording)}", '"window"')
        frame: pd.DataFrame = rows.to_pandas()
        return frame

    def recording(self, recording: str) -> xr.Dataset:
        """Open a recording's windows.

        Parameters
        ----------
        recording : str
            Recording id.

        Returns
        -------
        xarray.Dataset
            As it is stored, but ``signal (window, channel, time)`` is float32 in SI units. Nothing
            is read before it is used.

        Raises
        ------
        QueryError
            If there is no such recording, or it could not be read when it was ingested.
        """
        import xarray as xr

        path = self._recording_path(recording)
        data: xr.Dataset = xr.open_zarr(self.location.zarr_store(path))
        if layout.SCALE not in data:
            return data
        stored = data[layout.SIGNAL]
        signal = stored.astype("float32") * data[layout.SCALE]
        kept = {name: value for name, value in stored.attrs.items() if name != "scale"}
        decoded: xr.Dataset = data.assign({layout.SIGNAL: signal.assign_attrs(kept)})
        return decoded.drop_vars(layout.SCALE)

    def _recording_path(self, recording: str) -> str:
        condition = f"recording = {_quoted(recording)}"
        rows = self.database.filter("recordings", condition, "recording").to_pylist()
        if not rows:
            raise QueryError(
                "there is no such recording in the release.",
                where=f"recording {recording!r}",
                remedy="list them: SELECT recording FROM recordings WHERE status = 'ok'",
            )
        if rows[0]["status"] == "rehearsed":
            raise QueryError(
                "it was rehearsed from its tables: there is no signal.",
                where=f"recording {recording!r}",
                remedy="run `neuropair ingest` of the study into a corpus of its own",
            )
        if rows[0]["path"] is None:
            raise QueryError(
                f"it could not be read: {rows[0]['reason']}",
                where=f"recording {recording!r}",
                remedy=str(rows[0]["remedy"]),
            )
        return str(rows[0]["path"])

    def _counts(self) -> list[tuple[str, int]]:
        released = self.release.tables
        return [(name, released[name].rows if name in released else 0) for name in TABLES]

    def _pairs_by_tier(self) -> dict[str, int]:
        tiers: dict[str, Any] = dict(self.release.summary.get("pairs", {}))
        return {tier: sum(splits.values()) for tier, splits in sorted(tiers.items())}

    def __repr__(self) -> str:
        tiers = ", ".join(f"{tier} {n:,}" for tier, n in self._pairs_by_tier().items()) or "none"
        rows = ", ".join(f"{n:,} {name}" for name, n in self._counts())
        return (
            f"<Corpus {self.location.url}, release {self.release.id} "
            f"({self.release.sequence}, {self.release.created})\n  {rows}\n"
            f"  pairs by tier: {tiers}>"
        )

    def _repr_html_(self) -> str:
        head = f"<p><b>Corpus</b> {escape(self.location.url)}, release {self.release.id}</p>"
        rows = "".join(f"<tr><td>{name}</td><td>{n:,}</td></tr>" for name, n in self._counts())
        tiers = "".join(
            f"<tr><td>pairs {tier}</td><td>{n:,}</td></tr>"
            for tier, n in self._pairs_by_tier().items()
        )
        return f"{head}<table><tr><th>table</th><th>rows</th></tr>{rows}{tiers}</table>"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
