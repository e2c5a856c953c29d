"""One file: fetched into a part, resumed, checked, then renamed."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from neuropair.pipeline.sources.base import Source
from neuropair.pipeline.types import RemoteFile
from neuropair.schemas.errors import SourceError, StorageError

PARTS_FOLDER = ".neuropair-parts"
"""In the dataset's copy: files on their way. Hidden, so that no BIDS reader sees them."""
Progress = Callable[[PurePosixPath, int], None]
"""Called with a path and the bytes of it that have just arrived."""

_PIECE = 4 * 2**20
_TIME_STEP_S = 1e-3
"""A time in s as a float is exact to well below this; stores publish s or ms."""


def download(
    source: Source,
    file: RemoteFile,
    root: Path,
    *,
    attempts: int,
    backoff: float,
    progress: Progress | None = None,
) -> Path:
    """Fetch one file, or find that it is here already.

    Parameters
    ----------
    source : Source
    file : RemoteFile
    root : Path
        Folder of the dataset's copy.
    attempts : int
        How often to try; a try goes on where the one before stopped.
    backoff : float
        Seconds before the second try; doubled for each one after.
    progress : callable or None

    Raises
    ------
    SourceError
        If it cannot be fetched whole in `attempts` tries.
    StorageError
        If it cannot be written here.
    """
    target = root / file.path
    if _is_here(target, file):
        return target
    part = root / PARTS_FOLDER / f"{_identity(file)}.part"
    for attempt in range(1, attempts + 1):
        try:
            _append(source, file, part, progress)
            _check(source, file, part)
        except OSError as error:
            raise _unwritable(target, error) from error
        except SourceError as error:
            if attempt == attempts:
                raise SourceError(
                    f"{error.problem} Tried {attempts} times.",
                    where=error.where,
                    remedy=error.remedy,
                ) from error
            time.sleep(backoff * 2 ** (attempt - 1))
        else:
            break
    try:
        _publish(file, part, target)
    except OSError as error:
        raise _unwritable(target, error) from error
    return target


def _identity(file: RemoteFile) -> str:
    """One name per version of a file: a part of another version is never continued."""
    text = f"{file.path}\n{file.size}\n{file.checksum}\n{file.modified}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _is_here(target: Path, file: RemoteFile) -> bool:
    """Size and time as published, as rsync judges; else the digest, if there is one."""
    try:
        found = target.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    if found.st_size != file.size:
        return False
    if file.modified is not None and abs(found.st_mtime - file.modified) < _TIME_STEP_S:
        return True
    if _md5_of(file) is not None:
        return _md5(target) == _md5_of(file)
    return file.modified is None


def _append(source: Source, file: RemoteFile, part: Path, progress: Progress | None) -> None:
    part.parent.mkdir(parents=True, exist_ok=True)
    offset = part.stat().st_size if part.exists() else 0
    if offset > file.size:
        part.unlink()
        offset = 0
    with part.open("ab") as opened:
        if offset < file.size:
            for piece in source.stream(file, offset):
                opened.write(piece)
                if progress is not None:
                    progress(file.path, len(piece))
        opened.flush()
        os.fsync(opened.fileno())


def _check(source: Source, file: RemoteFile, part: Path) -> None:
    size = part.stat().st_size
    if size < file.size:
        raise SourceError(
            f"ends after {size} of {file.size} bytes.",
            where=f"{source.url}/{file.path}",
            remedy="run again: what arrived is kept and continued; if it stays so, the object is "
            "truncated at the source",
        )
    if size > file.size or (_md5_of(file) is not None and _md5(part) != _md5_of(file)):
        part.unlink()
        raise SourceError(
            f"arrived with other content than the source lists ({file.checksum}, {file.size} "
            "bytes).",
            where=f"{source.url}/{file.path}",
            remedy="run again; if it stays so, the object is damaged at the source",
        )


def _publish(file: RemoteFile, part: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if file.modified is not None:
        os.utime(part, (file.modified, file.modified))
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _md5_of(file: RemoteFile) -> str | None:
    kind, _, digest = (file.checksum or "").partition(":")
    return digest if kind == "md5" else None


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as opened:
        while piece := opened.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _unwritable(target: Path, error: OSError) -> StorageError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return StorageError(
        "the disk is full." if full else f"cannot be written ({error.strerror or error}).",
        where=str(target),
        remedy="make room and run again: finished files and parts are kept"
        if full
        else "give a folder that can be written",
    )
