"""Releases of a corpus: each names one version of every table, and the files that hold it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neuropair.catalog.location import Location
from neuropair.schemas import layout
from neuropair.schemas.errors import CorpusError, DamagedError
from neuropair.schemas.forgotten import PENDING_FILE
from neuropair.schemas.seal import SEAL, WITHDRAWN, seal_of
from neuropair.schemas.tables import RELEASES


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
    withdrawn : str or None
        When and why its rows and arrays were removed; None if it opens.
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
    withdrawn: str | None = None


def read_releases(location: Location) -> list[Release]:
    """Read all releases, oldest first, the withdrawn ones too.

    While the removal of a subject goes on, the releases that it is going to withdraw count as
    withdrawn: they may still name the subject.

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
    lacking = [name for name in RELEASES.names if name != WITHDRAWN and name not in rows[0]]
    if lacking:
        raise _damaged(where, f"it has no columns {', '.join(lacking)}")
    newest = max(row["format"] for row in rows)
    if newest > layout.FORMAT:
        raise CorpusError(
            f"is of corpus format {newest}; this neuropair reads up to {layout.FORMAT}.",
            where=location.url,
            remedy="update neuropair",
        )
    pending = _pending(location)
    releases = [_parsed(row, where, pending) for row in rows]
    return sorted(releases, key=lambda release: release.sequence)


def choose_release(releases: list[Release], wanted: str | None, where: str) -> Release:
    """Choose the newest release, or the one whose id is (or begins with) `wanted`.

    Raises
    ------
    CorpusError
        If there is none, or more than one that begins so.
    """
    found = [release for release in releases if wanted and release.id.startswith(wanted)]
    is_open = [release for release in releases if release.withdrawn is None]
    if wanted is None:
        found = is_open[-1:] or releases[-1:]
    remedy = f"the newest releases are {', '.join(release.id for release in is_open[-5:])}"
    if len(found) != 1:
        problem = "fits more than one release" if found else "is no release"
        raise CorpusError(f"{wanted!r} {problem}.", where=where, remedy=remedy)
    if found[0].withdrawn is not None:
        raise CorpusError(
            f"release {found[0].id} was withdrawn ({found[0].withdrawn}).",
            where=where,
            remedy=remedy if is_open else "ingest again, or end the removal of the subject first",
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


def _pending(location: Location) -> dict[str, str]:
    """Releases that a removal which has not ended is going to withdraw, and why."""
    try:
        plan = json.loads(location.read(PENDING_FILE))
        why = "the removal of a subject has not ended: run the same `neuropair forget` again"
        return dict.fromkeys(plan["withdrawn"], why)
    except CorpusError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(location.where(PENDING_FILE), str(error)) from error


def _parsed(row: Mapping[str, Any], where: str, pending: Mapping[str, str]) -> Release:
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
            withdrawn=row.get(WITHDRAWN) or pending.get(row["release"]),
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
