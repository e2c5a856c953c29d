"""A corpus in a local folder: staged on the same file system, then renamed into place."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from neuropair.schemas import layout
from neuropair.schemas.errors import StorageError

_LOCK = ".lock"
_SYNCS = 16
"""Files of a group flushed side by side: 70 files took 0.2 s one by one."""
_ORPHAN_SECONDS = 3600.0
"""A staging folder without a lock is a writer that died between two system calls."""

_PATIENCE_S = {True: 5.0, False: 600.0}
"""An ingest may take days: who wants to be alone gives up soon. A removal takes seconds."""
_POLL_S = 0.05


class LocalFolder:
    """The files of a corpus in a local folder.

    Parameters
    ----------
    root : Path
        The corpus folder; made when something is written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> bytes:
        """Read a file; raises FileNotFoundError."""
        return (self.root / path).read_bytes()

    def write(self, path: str, content: bytes) -> None:
        """Write a file so that it is there whole or not at all."""
        target = self.root / path
        with self.staging() as folder:
            staged = folder / "file"
            staged.write_bytes(content)
            _sync(staged)
            target.parent.mkdir(parents=True, exist_ok=True)
            staged.replace(target)
        _sync(target.parent)

    def exists(self, path: str) -> bool:
        """Whether a file is there."""
        return (self.root / path).is_file()

    def list(self, prefix: str) -> list[tuple[str, int]]:
        """Path and size of every file below a folder, sorted."""
        files = (path for path in (self.root / prefix).rglob("*") if path.is_file())
        return sorted(
            (path.relative_to(self.root).as_posix(), path.stat().st_size) for path in files
        )

    def delete(self, prefix: str) -> None:
        """Delete a folder and all below it; moved away first, so that it goes at once."""
        if (self.root / prefix).exists():
            with self.staging() as folder:
                (self.root / prefix).rename(folder / "deleted")

    def publish(self, folder: Path, path: str, last: str) -> None:
        """Move a staged folder to its place in one step.

        A folder that is whole (has `last`) stays: whoever wrote it had the same inputs.
        """
        target = self.root / path
        with ThreadPoolExecutor(_SYNCS) as pool:
            list(pool.map(_sync, [*folder.rglob("*"), folder]))
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.rename(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            if not (target / last).is_file():
                target.rename(folder.parent / "damaged")
                folder.rename(target)
        _sync(target.parent)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Make a folder for half-written things, locked while its writer lives."""
        folder, lock = self._locked_folder()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)

    def remove_leftovers(self) -> None:
        """Remove what killed writers left behind; a living writer holds its folder's lock."""
        parent = self.root / layout.STAGING_FOLDER
        for folder in sorted(parent.iterdir()) if parent.is_dir() else ():
            lock = _try_lock(folder / _LOCK, create=False)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)
            elif _is_orphan(folder):
                shutil.rmtree(folder, ignore_errors=True)

    def remove_files(self, paths: Sequence[str]) -> None:
        """Delete files; one that is gone already is fine."""
        for path in paths:
            (self.root / path).unlink(missing_ok=True)

    def ages(self, prefix: str) -> dict[str, float]:
        """Seconds since every file below a folder was written, by path."""
        now = time.time()
        return {
            path: max(0.0, now - (self.root / path).stat().st_mtime)
            for path, _ in self.list(prefix)
        }

    @contextmanager
    def lock(self, *, alone: bool) -> Iterator[bool]:
        """Lock the corpus, shared or alone; the lock goes with the process that holds it.

        Raises
        ------
        StorageError
            If others hold it for longer than `_PATIENCE_S`.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.root / layout.LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._wait_for(handle, alone=alone)
            yield alone
        finally:
            os.close(handle)

    def _wait_for(self, handle: int, *, alone: bool) -> None:
        end = time.monotonic() + _PATIENCE_S[alone]
        while True:
            try:
                fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > end:
                    raise _busy(self.root, alone=alone) from None
                time.sleep(_POLL_S)

    def _locked_folder(self) -> tuple[Path, int]:
        while True:
            folder = self.root / layout.STAGING_FOLDER / uuid.uuid4().hex
            folder.mkdir(parents=True)
            lock = _try_lock(folder / _LOCK, create=True)
            if lock is not None and (folder / _LOCK).exists():
                return folder, lock
            if lock is not None:
                os.close(lock)


def _busy(root: Path, *, alone: bool) -> StorageError:
    ingest, removal = (
        "an ingest or another removal is at work",
        "a removal does not come to its end",
    )
    who = ingest if alone else removal
    return StorageError(
        f"{who}.",
        where=str(root),
        remedy="run again when it has ended" if alone else "see what `forget` or `gc` is doing",
    )


def _try_lock(path: Path, *, create: bool) -> int | None:
    try:
        handle = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o644)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _is_orphan(folder: Path) -> bool:
    try:
        age = time.time() - folder.stat().st_mtime
    except FileNotFoundError:
        return False
    return age > _ORPHAN_SECONDS and not (folder / _LOCK).exists()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
