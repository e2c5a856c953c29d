"""Removing a subject from copies of datasets that were downloaded; sources are never touched."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from neuropair.pipeline.sources.download import PARTS_FOLDER
from neuropair.pipeline.sources.listing import listing_path
from neuropair.schemas.errors import StorageError

_COPY = re.compile(r"-[0-9a-f]{8}$")
"""`copy_folder` names a copy after the dataset's id and eight digits of its address."""


def remove_copies(cache: Path, subjects: Iterable[tuple[str, str]]) -> int:
    """Remove subjects from all copies of their datasets in the folder of downloads.

    Their files and folders go, in derivatives too, their lines of tables that several subjects
    share, and unfinished downloads, which do not say whose they are.

    Parameters
    ----------
    cache : Path
        Folder of downloads, with the tables of rehearsals in ``rehearsal`` below it.
    subjects : iterable of (str, str)
        Dataset id and label.

    Returns
    -------
    int
        Files that were removed or lost lines.

    Raises
    ------
    StorageError
        If one cannot be removed.
    """
    try:
        return sum(
            _remove(copy, label)
            for dataset, label in sorted(subjects)
            for folder in (cache, cache / "rehearsal")
            for copy in _copies(folder, dataset)
        )
    except OSError as error:
        raise StorageError(
            f"cannot be removed ({error.strerror}).",
            where=str(error.filename or cache),
            remedy="make it writable and run again",
        ) from error


def _copies(folder: Path, dataset: str) -> list[Path]:
    if not folder.is_dir():
        return []
    names = (path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    return sorted(path for path in names if _COPY.sub("", path.name) == dataset != path.name)


def _remove(copy: Path, label: str) -> int:
    removed = 0
    own = re.compile(rf"(?<![0-9A-Za-z])sub-{re.escape(label)}(?![0-9A-Za-z])")
    shutil.rmtree(copy / PARTS_FOLDER, ignore_errors=True)
    for path in sorted(copy.rglob("*")):
        if not own.search(path.relative_to(copy).as_posix()):
            continue
        if path.is_dir() and not path.is_symlink():
            removed += sum(file.is_file() for file in path.rglob("*"))
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
            removed += 1
    shared = [path for path in copy.rglob("*.tsv") if path.is_file()]
    return removed + sum(_without_lines(path, own) for path in [*shared, listing_path(copy)])


def _without_lines(path: Path, own: re.Pattern[str]) -> bool:
    if not path.is_file():
        return False
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not own.search(line.decode(errors="replace"))]
    if len(kept) == len(lines):
        return False
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(b"".join(kept))
    part.replace(path)
    return True
