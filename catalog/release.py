"""Releases of a corpus: each names one version of every table, and the files that hold it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neuropair.catalog.location import Location
from neuropair.schemas import layout
from neuropair.schemas.errors import CorpusError, DamagedError
from neuropair.schemas.seal import SEAL, seal_of


@dataclass(frozen=True)
class TableFile:
    """A file of a table: path relative to the corpus root, bytes, SHA-256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class ReleasedTable:
    """One version of a table.

    Parameters
    ----------
    version : int
        Delta version.
    rows : int
    studies : Mapping
        Study -> digest of its rows.
    files, log : tuple of TableFile
        The Parquet files that hold it; the files of the Delta log that name them.
    """

    version: int
    rows: int
    studies: Mapping[str, str]
    files: tuple[TableFile, ...]
    log: tuple[TableFile, ...]


@dataclass(frozen=True)
class Release:
    """One release: what a reader opens.

    Parameters
    ----------
    id : str
        12 hex digits.
    sequence : int
        1 for the first.
    parent : str or None
        Release before it.
    created : str
        UTC time, ISO 8601.
    study : str
        Study whose ingest made it.
    neuropair_version : str
    format : int
        Version of the corpus format.
    summary : Mapping
        Counts by tier, split and status.
    tables : Mapping
        Name -> `ReleasedTable`.
    """

    id: str
    sequence: int
    parent: str | None
    created: str
    study: str
    neuropair_version: str
    format: int
    summary: Mapping[str, Any]
    tables: Mapping[str, ReleasedTable]


def read_releases(location: Location) -> list[Release]:
    """Read all releases, oldest first.

    Raises
    ------
    CorpusError
        If there is no corpus, no release, or a newer neuropair wrote one.
    DamagedError
        If the table of releases cannot be read.
    """
    where = location.where(layout.table_folder(layout.RELEASES_TABLE))
    rows = _rows(location, where)
    if not rows:
        raise CorpusError(
            "holds no release: its first ingest has not ended.",
            where=location.url,
            remedy="run `neuropair ingest` again; what is written is kept",
        )
    newest = max(row["format"] for row in rows)
    if newest > layout.FORMAT:
        raise CorpusError(
            f"is of corpus format {newest}; this neuropair reads up to {layout.FORMAT}.",
            where=location.url,
            remedy="update neuropair",
        )
    releases = [_parsed(row, where) for row in rows]
    return sorted(releases, key=lambda release: release.sequence)


def choose_release(releases: list[Release], wanted: str | None, where: str) -> Release:
    """Choose the newest release, or the one whose id is (or begins with) `wanted`.

    Raises
    ------
    CorpusError
        If there is none, or more than one that begins so.
    """
    if wanted is None:
        return releases[-1]
    found = [release for release in releases if wanted and release.id.startswith(wanted)]
    if len(found) != 1:
        problem = "fits more than one release" if found else "is no release"
        recent = ", ".join(release.id for release in releases[-5:])
        raise CorpusError(
            f"{wanted!r} {problem}.", where=where, remedy=f"the newest releases are {recent}"
        )
    return found[0]


def _rows(location: Location, where: str) -> list[dict[str, Any]]:
    import pyarrow as pa
    from deltalake.exceptions import DeltaError

    try:
        delta = location.delta_table(layout.table_folder(layout.RELEASES_TABLE))
        rows: list[dict[str, Any]] = delta.to_pyarrow_table().to_pylist()
    except (DeltaError, pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _damaged(where, str(error)) from error
    return rows


def _parsed(row: Mapping[str, Any], where: str) -> Release:
    if row.get(SEAL) != seal_of(row):
        raise _damaged(where, f"the row of release {row.get('release')} does not fit its seal")
    try:
        tables = json.loads(row["manifest"])["tables"]
        return Release(
            id=row["release"],
            sequence=row["sequence"],
            parent=row["parent"],
            created=row["created"],
            study=row["study"],
            neuropair_version=row["neuropair_version"],
            format=row["format"],
            summary=json.loads(row["summary"]),
            tables={name: _table(content) for name, content in tables.items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(where, f"release {row.get('release')}: {error!r}") from error


def _table(content: Mapping[str, Any]) -> ReleasedTable:
    return ReleasedTable(
        version=content["version"],
        rows=content["rows"],
        studies=content["studies"],
        files=tuple(TableFile(**file) for file in content["files"]),
        log=tuple(TableFile(**file) for file in content["log"]),
    )


def _damaged(where: str, problem: str) -> DamagedError:
    return DamagedError(
        f"cannot be read ({(problem.splitlines() or ['empty'])[0][:300]}).",
        where=where,
        remedy="restore it from a copy, or ingest into a new corpus",
    )
