"""Rewriting table ``releases``: some releases are withdrawn, others named anew, by one commit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Set
from typing import Any

from neuropair.pipeline.corpus.errors import storage_errors
from neuropair.pipeline.corpus.group import to_json
from neuropair.pipeline.corpus.recording import refuse_newer
from neuropair.pipeline.corpus.release import Release, described
from neuropair.pipeline.corpus.store import CorpusStore
from neuropair.pipeline.corpus.tables import (
    checkpoint,
    commit_file,
    open_table,
    read_table,
    replace_all,
)
from neuropair.schemas import layout
from neuropair.schemas.errors import CorpusError
from neuropair.schemas.seal import SEAL, WITHDRAWN, seal_of
from neuropair.schemas.tables import TABLES, conform

_DELTA_LOG = "/_delta_log/"


class Releases:
    """All releases of a corpus, to be rewritten as a whole.

    Parameters
    ----------
    store : CorpusStore

    Raises
    ------
    CorpusError
        If there is no corpus, or a newer neuropair wrote it.
    """

    def __init__(self, store: CorpusStore) -> None:
        delta = open_table(store, layout.RELEASES_TABLE)
        with storage_errors(store.table_uri(layout.RELEASES_TABLE)):
            rows = [] if delta is None else delta.to_pyarrow_table().to_pylist()
        if not rows:
            raise CorpusError(
                "holds no release.",
                where=store.url,
                remedy="check the address of the corpus, or ingest into it first",
            )
        self.store = store
        self.version = int(delta.version())
        self.rows: list[dict[str, Any]] = sorted(rows, key=lambda row: row["sequence"])
        for row in self.rows:
            refuse_newer(row["format"], store.where(layout.table_folder(layout.RELEASES_TABLE)))

    @property
    def open(self) -> list[Release]:
        """Releases that are not withdrawn, oldest first."""
        return [
            Release(
                row["release"], row["sequence"], json.loads(row["manifest"])["tables"], self.version
            )
            for row in self.rows
            if row.get(WITHDRAWN) is None
        ]

    def commit(
        self,
        withdrawn: Set[str],
        why: str,
        *,
        added: dict[str, Any] | None = None,
        logs: Mapping[tuple[str, int], list[dict[str, Any]]] | None = None,
    ) -> None:
        """Rewrite the table; nothing else is visible in between.

        Parameters
        ----------
        withdrawn : set of str
            Releases whose rows and arrays are going to be removed.
        why : str
            When and why, for whoever asks for them.
        added : dict, optional
            Row of a new release.
        logs : Mapping, optional
            (table, version) -> the log files that it is read from now.

        Raises
        ------
        ConflictError
            If another writer was faster.
        """
        rows = [_rewritten(row, withdrawn, why, logs or {}) for row in self.rows]
        rows += [added] if added else []
        if rows != self.rows:
            table = conform(rows, layout.RELEASES_TABLE)
            replace_all(self.store, layout.RELEASES_TABLE, table, self.version)


def _rewritten(
    row: dict[str, Any],
    withdrawn: Set[str],
    why: str,
    logs: Mapping[tuple[str, int], list[dict[str, Any]]],
) -> dict[str, Any]:
    if row.get(WITHDRAWN) is not None:
        return row
    if row["release"] in withdrawn:
        empty = to_json({"format": row["format"], "tables": {}})
        changed = row | {"manifest": empty, "summary": "{}", WITHDRAWN: why}
    else:
        manifest = json.loads(row["manifest"])
        for name, entry in manifest["tables"].items():
            entry["log"] = logs.get((name, entry["version"]), entry["log"])
        changed = row | {"manifest": to_json(manifest)}
    return changed | {SEAL: seal_of(changed)} if changed != row else row


def checkpoint_all(
    store: CorpusStore, tables: Iterable[Mapping[str, Any]]
) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """Make every version that releases name readable without the commits before it.

    Parameters
    ----------
    store : CorpusStore
    tables : iterable of Mapping
        Of each release, its tables.

    Returns
    -------
    dict
        (table, version) -> its log files.
    """
    versions = {(name, int(e["version"])) for one in tables for name, e in one.items()}
    # in ascending order: the last one written is where plain readers of the table start
    return {
        (name, version): [described(store, path) for path in checkpoint(store, name, version)]
        for name, version in sorted(versions)
    }


def unnamed_files(store: CorpusStore, releases: Iterable[Release], *, logs: bool) -> dict[str, int]:
    """List files of tables that no release names, with their sizes.

    Parameters
    ----------
    store : CorpusStore
    releases : iterable of Release
    logs : bool
        Log files too, but for the head's commit: Delta does not write on top of a checkpoint alone.
    """
    named = {
        file["path"]
        for release in releases
        for entry in release.tables.values()
        for file in (*entry["files"], *entry["log"])
    }
    found: dict[str, int] = {}
    for name in TABLES:
        files = dict(store.list(layout.table_folder(name)))
        if not files:
            continue
        delta = open_table(store, name)
        kept = {commit_file(name, int(delta.version()))} if delta is not None else set()
        for path, size in files.items():
            is_log = _DELTA_LOG in path
            spared = path in named or path in kept or path.endswith("_last_checkpoint")
            if not spared and (logs or not is_log):
                found[path] = size
    return found


def groups_of(store: CorpusStore, releases: Iterable[Release]) -> set[str]:
    """Paths of the groups that releases name."""
    versions = {r.tables["recordings"]["version"] for r in releases if "recordings" in r.tables}
    paths: set[str] = set()
    for version in sorted(versions):
        rows = read_table(store, "recordings", version, ["path"])
        paths |= {path for path in rows["path"].to_pylist() if path}
    return paths
