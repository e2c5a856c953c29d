"""Walk a dataset's folder once: what is there, what is only a pointer, what leaves it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from neuropair.schemas.errors import DatasetError, SourceError

APPLE_DOUBLE = "._"
"""Name prefix of the resource forks that macOS leaves on foreign file systems."""
GET_CONTENT = "run 'datalad get' (or 'git annex get') for it in the dataset"

_ANNEX = "annex/objects/"
_POINTER_BYTES = 1024
"""git-annex writes pointer files of one short line; 32 KiB is its limit, 1 KiB covers real keys."""
_TEXT = (".json", ".tsv", ".txt", ".md", ".bidsignore", ".vmrk", ".vhdr", ".html")
_KEY_SIZE = re.compile(r"-s(\d+)[-.]")


class Absent(NamedTuple):
    """A file that the dataset names and whose content is not here."""

    size: int | None
    """Bytes, where the git-annex key tells."""
    reason: str
    remedy: str


@dataclass
class Walk:
    """What lies in a dataset's folder; paths are relative, with forward slashes, sorted."""

    files: Mapping[str, os.stat_result] = field(default_factory=dict)
    absent: Mapping[str, Absent] = field(default_factory=dict)
    apple_doubles: tuple[str, ...] = ()
    folder_links: tuple[str, ...] = ()


def walk(root: Path, skip: Collection[str] = ()) -> Walk:
    """List a folder without following links out of it.

    Hidden files and folders (``.git``, ``.datalad``) are not part of a dataset and are passed over.
    Links to folders are not followed.

    Parameters
    ----------
    root : Path
        The dataset's folder.
    skip : collection of str
        Top-level folders to pass over.

    Raises
    ------
    SourceError
        If the folder cannot be read.
    DatasetError
        If a link leads out of the folder.
    """
    walker = _Walker(root, frozenset(skip))
    try:
        walker.folder("")
    except OSError as error:
        raise SourceError(
            f"cannot be read ({error.strerror}).",
            where=str(error.filename or root),
            remedy="give an existing folder that you may read",
        ) from error
    return Walk(
        dict(sorted(walker.files.items())),
        dict(sorted(walker.absent.items())),
        tuple(sorted(walker.apple_doubles)),
        tuple(sorted(walker.folder_links)),
    )


class _Walker:
    def __init__(self, root: Path, skip: frozenset[str]) -> None:
        self.root = root
        self.real_root = os.path.realpath(root)
        self.skip = skip
        self.files: dict[str, os.stat_result] = {}
        self.absent: dict[str, Absent] = {}
        self.apple_doubles: list[str] = []
        self.folder_links: list[str] = []

    def folder(self, folder: str) -> None:
        with os.scandir(self.root / folder if folder else self.root) as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                self._entry(entry, path)

    def _entry(self, entry: os.DirEntry[str], path: str) -> None:
        if entry.name.startswith(APPLE_DOUBLE):
            self.apple_doubles.append(path)
        elif entry.name.startswith(".") or path in self.skip:
            return
        elif entry.is_symlink():
            self._link(entry, path)
        elif entry.is_dir():
            self.folder(path)
        elif stat.S_ISREG((found := entry.stat()).st_mode):
            self._file(path, found)

    def _file(self, path: str, found: os.stat_result) -> None:
        if found.st_size < _POINTER_BYTES and not path.endswith(_TEXT):
            head = (self.root / path).read_bytes()
            if head.startswith(b"/" + _ANNEX.encode()):
                self.absent[path] = _annexed(head.decode(errors="replace"))
                return
        self.files[path] = found

    def _link(self, entry: os.DirEntry[str], path: str) -> None:
        target = os.path.realpath(entry.path)
        exists = os.path.lexists(target)
        text = str(Path(entry.path).readlink())
        if not exists and _ANNEX in text.replace(os.sep, "/"):
            self.absent[path] = _annexed(text)
        elif os.path.commonpath([target, self.real_root]) != self.real_root:
            raise DatasetError(
                f"is a link that leads out of the dataset's folder, to {target}.",
                where=str(self.root / path),
                remedy="put the file itself there; nothing of it was read",
            )
        elif not exists:
            self.absent[path] = Absent(None, "is a broken link", "restore what it points to")
        elif os.path.isdir(target):  # noqa: PTH112 - a str, as everything from scandir is
            self.folder_links.append(path)
        else:
            self._file(path, entry.stat())


def _annexed(text: str) -> Absent:
    key = text.strip().replace("\\", "/").rsplit("/", 1)[-1]
    size = _KEY_SIZE.search(key)
    return Absent(
        int(size.group(1)) if size else None,
        "is an annexed pointer, its content is not here",
        GET_CONTENT,
    )
