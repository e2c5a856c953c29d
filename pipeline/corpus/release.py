"""Releases: one version of every table, named by one row that is written last."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

import neuropair
from neuropair.pipeline.corpus.checks import COLUMNS, Known, check_tables, without_shared
from neuropair.pipeline.corpus.description import write_description
from neuropair.pipeline.corpus.digest import rows_digest
from neuropair.pipeline.corpus.forgotten import refuse_forgotten
from neuropair.pipeline.corpus.group import to_json
from neuropair.pipeline.corpus.recording import refuse_newer
from neuropair.pipeline.corpus.store import CorpusStore
from neuropair.pipeline.corpus.tables import (
    ConflictError,
    append_row,
    contents_of,
    log_of,
    open_table,
    read_table,
    replace_study,
    study_table,
)
from neuropair.schemas import layout
from neuropair.schemas.errors import CorpusError, StorageError
from neuropair.schemas.seal import SEAL, seal_of
from neuropair.schemas.tables import TABLES, conform

MEASURED = ("ledger",)
"""Tables that are measured on a release and published after it."""
_ATTEMPTS = 8
_DIGITS = 12


@dataclass(frozen=True)
class Release:
    """A release of a corpus.

    Parameters
    ----------
    id : str
        12 hex digits.
    sequence : int
        1 for the first.
    tables : Mapping
        Table -> version, rows, digest of each study's rows, files and log files.
    log_version : int
        Version of table ``releases`` that it was read from.
    """

    id: str
    sequence: int
    tables: Mapping[str, Any]
    log_version: int


def newest_release(store: CorpusStore) -> Release | None:
    """Read the newest release; None for a corpus without one.

    Raises
    ------
    CorpusError
        If a newer neuropair wrote it.
    """
    delta = open_table(store, layout.RELEASES_TABLE)
    if delta is None:
        return None
    version = int(delta.version())
    columns = ["release", "sequence", "format", "manifest"]
    rows = read_table(store, layout.RELEASES_TABLE, version, columns).to_pylist()
    if not rows:
        return None
    newest = max(rows, key=lambda row: row["sequence"])
    refuse_newer(newest["format"], store.where("tables/releases"))
    tables = json.loads(newest["manifest"])["tables"]
    return Release(newest["release"], newest["sequence"], tables, version)


def publish(store: CorpusStore, study: str, tables: Mapping[str, pd.DataFrame]) -> str:
    """Replace a study's rows in every table, and release the whole.

    Nothing is visible before the release row is there, and that is one atomic commit. Whoever is
    killed before leaves table versions that no release names; the next writer sets them aside.
    Two writers at once do not see each other's unfinished rows: every commit is refused if
    another came in between, and the slower one starts again from the newest release.

    Parameters
    ----------
    store : CorpusStore
    study : str
        Name of the study.
    tables : Mapping
        Table -> rows, less ``study``. A table that is not given has no rows; the ledger, which is
        measured on released pairs, keeps those it has as long as the pairs are the same.

    Returns
    -------
    str
        Id of the release; that of the newest one if no row differs from it.

    Raises
    ------
    CorpusError
        If the rows contradict themselves, or another study of the corpus.
    StorageError
        If the store refuses. The release before stays as it is.
    """
    return _publish(store, study, tables, keep=MEASURED)


def publish_measured(store: CorpusStore, study: str, tables: Mapping[str, pd.DataFrame]) -> str:
    """Replace a study's rows in tables that are measured on a release; the others stay.

    Parameters
    ----------
    store : CorpusStore
    study : str
        A study that the newest release holds.
    tables : Mapping
        Table of `MEASURED` -> rows, less ``study``.

    Returns
    -------
    str
        Id of the release.

    Raises
    ------
    CorpusError, StorageError
        As `publish`.
    """
    strangers = sorted(set(tables) - set(MEASURED))
    newest = newest_release(store)
    if strangers or newest is None or study not in studies_of(newest, "recordings"):
        raise CorpusError(
            f"cannot take {strangers or 'rows'} of study {study}, measured on a release.",
            where=store.url,
            remedy=f"measured tables are {', '.join(MEASURED)}; ingest the study first",
        )
    return _publish(store, study, tables, keep=tuple(set(TABLES) - set(tables)))


def _publish(
    store: CorpusStore, study: str, tables: Mapping[str, pd.DataFrame], keep: Sequence[str]
) -> str:
    unknown = sorted(set(tables) - set(TABLES))
    if unknown:
        raise CorpusError(
            f"there are no tables {unknown}.",
            where=store.url,
            remedy=f"the tables are {', '.join(TABLES)}",
        )
    rows = {name: study_table(tables.get(name, pd.DataFrame()), name, study) for name in TABLES}
    for attempt in range(_ATTEMPTS):
        try:
            with store.in_use():
                return _publish_once(store, study, rows, set(keep) - set(tables))
        except ConflictError:
            # different writers wait for different times, else they meet again
            writer = os.getpid() + threading.get_native_id()
            time.sleep(0.1 * (2**attempt) * (1 + writer % 97 / 97))
    raise StorageError(
        f"other writers were faster {_ATTEMPTS} times in a row.",
        where=store.url,
        remedy="run again when fewer ingests write to this corpus",
    )


def _publish_once(
    store: CorpusStore, study: str, rows: Mapping[str, pa.Table], keep: Set[str]
) -> str:
    newest = newest_release(store)
    refuse_forgotten(store, rows["recordings"])
    rows = {**rows, **_kept(store, study, rows, newest, keep)}
    known = _known(store, study, newest)
    own = without_shared(rows, known)
    check_tables(store, own, known)
    digests = {name: rows_digest(table) for name, table in own.items()}
    studies = {name: studies_of(newest, name) | {study: digests[name]} for name in TABLES}
    if newest and all(studies[name] == studies_of(newest, name) for name in TABLES):
        return newest.id
    written = {
        name: _write_table(store, study, name, own[name], digests[name], newest) for name in TABLES
    }
    write_description(store, _frame(store, "datasets", written["datasets"], None))
    release = release_id(newest, studies)
    row = release_row(store, release, newest, study, written)
    base = newest.log_version if newest else None
    append_row(store, layout.RELEASES_TABLE, conform([row], layout.RELEASES_TABLE), base)
    return release


def release_row(
    store: CorpusStore,
    release: str,
    newest: Release | None,
    study: str,
    written: Mapping[str, Any],
) -> dict[str, Any]:
    """Make the sealed row of a release that follows `newest`; `written` is what its tables hold."""
    row: dict[str, Any] = {
        "release": release,
        "sequence": newest.sequence + 1 if newest else 1,
        "parent": newest.id if newest else None,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "study": study,
        "neuropair_version": neuropair.__version__,
        "format": layout.FORMAT,
        "manifest": to_json({"format": layout.FORMAT, "tables": written}),
        "summary": to_json(summarise(store, written)),
    }
    row[SEAL] = seal_of(row)
    return row


def _kept(
    store: CorpusStore,
    study: str,
    rows: Mapping[str, pa.Table],
    newest: Release | None,
    keep: Set[str],
) -> dict[str, pa.Table]:
    """Rows of the study that stay: of measured tables only where its pairs are the same."""
    same = "pairs" in keep or rows_digest(rows["pairs"]) == studies_of(newest, "pairs").get(study)
    if newest is None or not same:
        return {}
    found = {}
    for name in sorted(keep & newest.tables.keys()):
        table = read_table(store, name, newest.tables[name]["version"])
        own = table.filter(pc.equal(table["study"], study)).drop_columns("study").to_pandas()
        found[name] = study_table(own, name, study)
    return found


def release_id(newest: Release | None, studies: Mapping[str, Mapping[str, str]]) -> str:
    """Digest the parent and the rows: file names and versions of Delta are different every time."""
    parent = newest.id if newest else None
    content = {"format": layout.FORMAT, "parent": parent, "tables": studies}
    return hashlib.sha256(to_json(content).encode()).hexdigest()[:_DIGITS]


def studies_of(newest: Release | None, table: str) -> dict[str, str]:
    """Digest of each study's rows of a table."""
    entry = newest.tables.get(table) if newest else None
    return dict(entry["studies"]) if entry else {}


def _known(store: CorpusStore, study: str, newest: Release | None) -> Known:
    tables = newest.tables if newest else {}
    names = ["study", *COLUMNS]
    recordings = _frame(store, "recordings", tables.get("recordings"), names)
    pairs = _frame(store, "pairs", tables.get("pairs"), ["study", "recording_a", "recording_b"])
    is_own = recordings["study"] == study
    return Known(
        others=recordings[~is_own].reset_index(drop=True),
        before=recordings[is_own].reset_index(drop=True),
        pairs_of_others=pairs[pairs["study"] != study].drop_duplicates(),
    )


def _frame(
    store: CorpusStore, table: str, entry: Mapping[str, Any] | None, columns: list[str] | None
) -> pd.DataFrame:
    columns = columns or TABLES[table].names
    if entry is None:
        return pd.DataFrame(TABLES[table].empty_table().select(columns).to_pandas())
    return pd.DataFrame(read_table(store, table, entry["version"], columns).to_pandas())


def _write_table(
    store: CorpusStore,
    study: str,
    name: str,
    rows: pa.Table,
    digest: str,
    newest: Release | None,
) -> dict[str, Any]:
    entry = newest.tables.get(name) if newest else None
    if entry is not None and entry["studies"].get(study) == digest:
        return dict(entry)
    version = replace_study(store, name, study, rows, entry["version"] if entry else None)
    files = {file["path"]: file for file in entry["files"]} if entry else {}
    logs = {file["path"]: file for file in entry["log"]} if entry else {}
    paths, n_rows = contents_of(store, name, version)
    return {
        "version": version,
        "rows": n_rows,
        "studies": studies_of(newest, name) | {study: digest},
        "files": [files.get(path) or described(store, path) for path in paths],
        "log": [logs.get(path) or described(store, path) for path in log_of(store, name, version)],
    }


def described(store: CorpusStore, path: str) -> dict[str, Any]:
    """Path, size and SHA-256 of a file, as a manifest has them."""
    content = store.read(path)
    return {
        "path": path,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def summarise(store: CorpusStore, written: Mapping[str, Any]) -> dict[str, Any]:
    """Count rows by table, and pairs, abstentions and recordings by what matters."""

    def counts(table: str, columns: list[str]) -> list[dict[str, Any]]:
        rows = read_table(store, table, written[table]["version"], columns)
        grouped = rows.group_by(columns).aggregate([([], "count_all")])
        return list(grouped.to_pylist())

    pairs: dict[str, dict[str, int]] = {}
    for row in counts("pairs", ["tier", "split"]):
        pairs.setdefault(row["tier"], {})[row["split"]] = row["count_all"]
    return {
        "rows": {name: entry["rows"] for name, entry in written.items()},
        "pairs": pairs,
        "abstentions": {row["tier"]: row["count_all"] for row in counts("abstentions", ["tier"])},
        "recordings": {row["status"]: row["count_all"] for row in counts("recordings", ["status"])},
    }
