"""What evidences that two stimuli are one: content keys, or a name with a stated reason.

A name alone is no identity: in ds000117 MEG and fMRI share 463 picture names, and 461 of them name
different pictures. A key is ``MD5:<hex>:<bytes>`` or ``SHA256:<hex>:<bytes>``, and is found

1. in a git-annex link or pointer file, without downloading a byte;
2. in a listing ``<dataset>_annexed.tsv`` beside the dataset's folder;
3. by reading the file, with the kind of digest that the dataset's other stimuli have, so that
   they can be compared, and SHA-256 where there are none.

Keys of different kinds are unknown, not different: they never match, and they never contradict.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from neuropair.pipeline.events.tables import read_table
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.recipe import Stimulus

_ANNEX_KEY = re.compile(
    r"(?P<kind>MD5|SHA256)E?-s(?P<size>\d+)(?:-[A-Z]\d+)*--(?P<hex>[0-9a-f]+)(?:\.[^/]*)?"
)
"""git-annex's key format, https://git-annex.branchable.com/internals/key_format/."""
_POINTER_BYTES = 32768
"""git-annex takes no larger file for a pointer."""
_EXTENSION = re.compile(
    r"(?<=[^/])\.(bmp|png|jpe?g|gif|tiff?|webp|svg|wav|mp3|ogg|flac|m4a|aac|mp4|avi|mov|mkv|webm"
    r"|mpe?g|wmv|txt|mat|npy|csv|tsv|json|pdf)$",
    re.IGNORECASE,
)
"""Of stimulus files; another dot is part of the name, as in ``2.5Hz``."""
RESPELLED = "stimulus path differs from the file's in case"
_HEX_DIGITS = {"MD5": 32, "SHA256": 64}


def annex_key(name: str) -> str | None:
    """Content key in a git-annex key's name, or None where it carries no such digest.

    Examples
    --------
    >>> annex_key("MD5E-s21814--38c549e70ad98e8403389ad37a2aa0d2.bmp")
    'MD5:38c549e70ad98e8403389ad37a2aa0d2:21814'
    >>> annex_key("URL--http&c%%example.org%a.bmp") is None
    True
    """
    found = _ANNEX_KEY.fullmatch(name)
    if found is None or len(found["hex"]) != _HEX_DIGITS[found["kind"]]:
        return None
    return f"{found['kind']}:{found['hex']}:{found['size']}"


def kind_of(key: str) -> str:
    """Kind of digest of a content key.

    Examples
    --------
    >>> kind_of("MD5:38c549e70ad98e8403389ad37a2aa0d2:21814")
    'MD5'
    """
    return key.split(":", 1)[0]


def normalise(name: str, stimulus: Stimulus) -> str:
    r"""Apply a recipe's rules for the spelling of a stimulus.

    Examples
    --------
    >>> rules = Stimulus(column="c", identity="none", strip_prefix=["stim/"], lower=True)
    >>> normalise(r"stim\A\B.PNG", rules)
    'a/b.png'
    """
    text = name
    while (simpler := _normalise_once(text, stimulus)) != text:
        text = simpler
    return text


def _normalise_once(name: str, stimulus: Stimulus) -> str:
    text = name.replace("\\", "/").removeprefix("./")
    prefix = next((p for p in stimulus.strip_prefix if p and text.startswith(p)), "")
    text = text[len(prefix) :]
    if stimulus.basename:
        text = text.rstrip("/").rsplit("/", 1)[-1]
    if stimulus.lower:
        text = text.lower()
    if stimulus.strip_extension:
        text = _EXTENSION.sub("", text)
    return text


class ContentKeys:
    """Content keys of a dataset's files.

    Parameters
    ----------
    root : Path
        The dataset's folder.
    folders : sequence of str
        Folders of the dataset that hold stimuli.
    listing : Path or None
        Table with columns ``path, size_bytes, checksum_type, checksum``; ``<root>_annexed.tsv``
        beside the folder, where there is one, unless given.
    """

    def __init__(
        self, root: Path, folders: Sequence[str] = ("stimuli",), listing: Path | None = None
    ) -> None:
        self._root = root.resolve()
        self._folders = tuple(sorted(set(folders)))
        beside = root.parent / f"{root.name}_annexed.tsv"
        self._listing = listing or (beside if beside.is_file() else None)
        self._found: dict[str, str | None] = {}
        self._notes: dict[str, str] = {}

    def key(self, path: str) -> str | None:
        """Content key of a file, or None where its content is unknown.

        Parameters
        ----------
        path : str
            Relative to the dataset's folder.
        """
        if path not in self._found:
            self._found[path] = self._find(path)
        return self._found[path]

    def note(self, path: str) -> str | None:
        """Say why a path's content is unknown, or how it was repaired; None if all is well."""
        return self._notes.get(path)

    @cached_property
    def listed(self) -> dict[str, str]:
        """Path -> content key, of the listing."""
        if self._listing is None:
            return {}
        table = read_table(self._listing.parent, PurePosixPath(self._listing.name))
        missing = {"path", "size_bytes", "checksum_type", "checksum"} - set(table.columns)
        if missing:
            raise DatasetError(
                f"has no column {', '.join(sorted(missing))}.",
                where=f"{table.path}:1",
                remedy="a listing has the columns path, size_bytes, checksum_type, checksum",
            )
        keys = {
            str(row.path): annex_key(f"{row.checksum_type}-s{row.size_bytes}--{row.checksum}")
            for row in table.frame.itertuples()
        }
        return {path: key for path, key in keys.items() if key is not None}

    @cached_property
    def _kind(self) -> str:
        """Kind of digest for files that have to be read."""
        kinds = [
            kind_of(key)
            for path, key in self.listed.items()
            if any(path.startswith(f"{folder}/") for folder in self._folders)
        ]
        kinds += [kind_of(key) for key in self._links()]
        return max(sorted(set(kinds)), key=kinds.count) if kinds else "SHA256"

    def _links(self) -> list[str]:
        paths = (self._root / path for path in self._files)
        keys = (annex_key(path.readlink().name) for path in paths if path.is_symlink())
        return [key for key in keys if key is not None]

    @cached_property
    def _files(self) -> list[str]:
        return sorted(
            (Path(folder) / name).relative_to(self._root).as_posix()
            for top in self._folders
            for folder, _, names in os.walk(self._root / top)
            for name in names
        )

    def _find(self, path: str) -> str | None:
        parts = PurePosixPath(path).parts
        if ".." in parts or path.startswith("/"):
            return self._unknown(path, "the path leaves the dataset's folder")
        target = self._root / path
        if target.is_symlink():
            key = annex_key(target.readlink().name)
            if key is not None:
                return key
        if path in self.listed:
            return self.listed[path]
        if target.is_file():
            return self._of_file(path, target.resolve())
        return self._otherwise_spelled(path)

    def _of_file(self, path: str, target: Path) -> str | None:
        if not target.is_relative_to(self._root):
            return self._unknown(path, "the link leads out of the dataset's folder")
        size = target.stat().st_size
        if size <= _POINTER_BYTES:
            first = target.read_bytes().split(b"\n", 1)[0]
            if first.startswith((b"/annex/objects/", b"../.git/annex/", b".git/annex/")):
                name = first.decode("utf-8", errors="replace").rsplit("/", 1)[-1].strip()
                key = annex_key(name)
                return key or self._unknown(path, "the git-annex pointer carries no digest")
        with target.open("rb") as stream:
            digest = hashlib.file_digest(stream, self._kind.lower()).hexdigest()
        return f"{self._kind}:{digest}:{size}"

    def _otherwise_spelled(self, path: str) -> str | None:
        """Take the one file whose path differs in case only; it is recorded."""
        others = sorted({*self._files, *self.listed} - {path})
        same = [other for other in others if other.lower() == path.lower()]
        if len(same) != 1:
            return self._unknown(path, "the stimulus file is not there")
        found = self.key(same[0])
        if found is not None:
            self._notes[path] = f"{RESPELLED}, the file is {same[0]}"
        return found

    def _unknown(self, path: str, why: str) -> str | None:
        self._notes[path] = f"unknown identity: {why}"
        return None
