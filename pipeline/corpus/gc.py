"""Removing what no release needs: groups, files of tables, what killed writers left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from neuropair.pipeline.corpus.forgotten import read_forgotten
from neuropair.pipeline.corpus.store import CorpusStore
from neuropair.pipeline.corpus.tables import ConflictError, set_aside
from neuropair.pipeline.corpus.withdraw import Releases, groups_of, unnamed_files
from neuropair.schemas import layout
from neuropair.schemas.errors import CorpusError, StorageError
from neuropair.schemas.forgotten import PENDING_FILE

SAFE_AGE_S = 7 * 24 * 3600.0
"""Where ingests cannot be kept out, younger files may be of one that is at work: a study of a
thousand recordings took hours, a week is beyond any run that is still alive."""


@dataclass(frozen=True)
class Freed:
    """What was removed, or would be.

    Parameters
    ----------
    withdrawn : tuple of str
        Releases that can no longer be opened.
    groups, group_bytes : int
    table_files, table_bytes : int
    staged_files, staged_bytes : int
        Half-written things of killed writers.
    too_young : int
        Files left alone because an ingest may be at work on them.
    dry_run : bool
        Whether all of it is still there.
    """

    withdrawn: tuple[str, ...]
    groups: int
    group_bytes: int
    table_files: int
    table_bytes: int
    staged_files: int
    staged_bytes: int
    too_young: int
    dry_run: bool

    @property
    def bytes(self) -> int:
        """All bytes."""
        return self.group_bytes + self.table_bytes + self.staged_bytes

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as ``--json`` prints it."""
        return asdict(self) | {"bytes": self.bytes}


def collect_garbage(store: CorpusStore, *, keep: int | None = None, dry_run: bool = False) -> Freed:
    """Remove what no kept release names.

    No ingest is at work meanwhile: locally one is kept out by a lock, in an object store files
    younger than `SAFE_AGE_S` stay. Killed at any moment and run again, it comes to the same.

    Parameters
    ----------
    store : CorpusStore
    keep : int, optional
        Keep that many of the newest releases and withdraw the others; all unless given.
    dry_run : bool
        Only say what would go.

    Raises
    ------
    CorpusError
        If there is no corpus, or a removal of a subject has not ended.
    StorageError
        If an ingest is at work, or the store refuses.
    """
    Releases(store)  # there is a corpus: a lock in any other folder would be a file too many
    if dry_run:
        return _Collector(store, keep, is_alone=store.is_local).found(dry_run=True)
    with store.alone() as is_alone:
        return _Collector(store, keep, is_alone=is_alone).collect()


class _Collector:
    def __init__(self, store: CorpusStore, keep: int | None, *, is_alone: bool) -> None:
        _refuse(store, keep)
        self.store, self.is_alone = store, is_alone
        self.releases = Releases(store)
        every = self.releases.open
        self.kept = every if keep is None else every[-keep:]
        self.withdrawn = [release.id for release in every[: -len(self.kept)]]
        self.too_young = 0
        signals = dict(store.list(layout.SIGNALS_FOLDER))
        self.groups = self._old(_unnamed(signals, groups_of(store, self.kept)), "signals")
        files = unnamed_files(store, self.kept, logs=False)
        self.files = self._old(files, layout.TABLES_FOLDER)
        staged = dict(store.list(layout.STAGING_FOLDER))
        self.staged = {p: n for p, n in staged.items() if not p.endswith(layout.LOCK_FILE)}

    def found(self, *, dry_run: bool) -> Freed:
        """Count."""
        return Freed(
            withdrawn=tuple(self.withdrawn),
            groups=len({_group(path) for path in self.groups}),
            group_bytes=sum(self.groups.values()),
            table_files=len(self.files),
            table_bytes=sum(self.files.values()),
            staged_files=len(self.staged),
            staged_bytes=sum(self.staged.values()),
            too_young=self.too_young,
            dry_run=dry_run,
        )

    def collect(self) -> Freed:
        """Withdraw first: what is deleted after that is named by nobody."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        newest = self.kept[-1]
        try:
            self.releases.commit(set(self.withdrawn), f"{now}: gc kept newer releases")
            for name, entry in newest.tables.items():
                # files of unreleased commits go: no reader may find a head that names them
                set_aside(self.store, name, entry["version"])
        except ConflictError as error:
            raise StorageError(
                "another writer published meanwhile; nothing was removed.",
                where=self.store.url,
                remedy="run again",
            ) from error
        for group in sorted({_group(path) for path in self.groups}):
            self.store.delete(group)
        self.store.remove_files(sorted(self.files))
        self.store.remove_leftovers()
        left = dict(self.store.list(layout.STAGING_FOLDER))
        self.staged = {path: n for path, n in self.staged.items() if path not in left}
        return self.found(dry_run=False)

    def _old(self, files: dict[str, int], folder: str) -> dict[str, int]:
        """Leave out what an ingest may be at work on, where none can be kept out."""
        if self.is_alone or not files:
            return files
        ages = self.store.ages(folder)
        youngest: dict[str, float] = {}
        for path in files:
            age = ages.get(path, 0.0)
            youngest[_group(path)] = min(age, youngest.get(_group(path), age))
        old = {path: n for path, n in files.items() if youngest[_group(path)] > SAFE_AGE_S}
        self.too_young += len(files) - len(old)
        return old


def _refuse(store: CorpusStore, keep: int | None) -> None:
    if keep is not None and keep < 1:
        raise CorpusError(
            f"{keep} releases cannot be kept.", where="--keep", remedy="keep one or more"
        )
    if read_forgotten(store).pending:
        raise CorpusError(
            "the removal of a subject has begun and not ended.",
            where=store.where(PENDING_FILE),
            remedy="run the same `neuropair forget` again, then this",
        )


def _unnamed(files: Mapping[str, int], groups: set[str]) -> dict[str, int]:
    return {path: size for path, size in files.items() if _group(path) not in groups}


def _group(path: str) -> str:
    """Folder of the group that a file of ``signals/`` belongs to: up to the digest.

    ``signals/<dataset>/sub-…/[ses-…/]<task…>/<digest>/…``; a file of a table is its own group.
    """
    parts = PurePosixPath(path).parts
    if parts[0] != layout.SIGNALS_FOLDER:
        return path
    depth = 6 if len(parts) > 3 and parts[3].startswith("ses-") else 5
    return "/".join(parts[:depth])
