"""What evidences that two stimuli are one: content keys, or a name with a stated reason.

A name alone is no identity: in ds000117 MEG and fMRI share 463 picture names, and 461 of them name
different pictures. A key is ``MD5:<hex>:<bytes>`` or ``SHA256:<hex>:<bytes>``, and is found

1. in a git-annex link or pointer file, without downloading a byte;
2. in a listing ``<dataset>_annexed.tsv`` beside the dataset's folder;
3. by reading the file, with the kind of digest that the dataset's other stimuli have, so that
   they can be compared, and SHA-256 where there are none.

Where a recipe asks for it the key is of the decoded pixels or samples (`decoded_key`).

Keys of different kinds are unknown, not different: they never match, and they never contradict. A
file that is not what its link or listing publishes has no key: which of the two was shown cannot
be told.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal

from neuropair.pipeline.events.decoded import decoded_key
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


def size_of(key: str) -> int:
    """Bytes of a file with this content key.

    Examples
    --------
    >>> size_of("MD5:38c549e70ad98e8403389ad37a2aa0d2:21814")
    21814
    """
    return int(key.rsplit(":", 1)[-1])


def compare(one: str | None, other: str | None) -> Literal["same", "different", "unknown"]:
    """Whether two contents are one; unknown where a key is missing or of another kind.

    Examples
    --------
    >>> compare("MD5:aa:1", "MD5:aa:1"), compare("MD5:aa:1", "MD5:bb:1")
    ('same', 'different')
    >>> compare("MD5:aa:1", "SHA256:bb:1"), compare(None, None)
    ('unknown', 'unknown')
    """
    if one is None or other is None or kind_of(one) != kind_of(other):
        return "unknown"
    return "same" if one == other else "different"


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


def _pointed_at(path: Path) -> str | None:
    """Name that a git-annex pointer file points at; None where the file is none."""
    with path.open("rb") as stream:
        first = stream.read(_POINTER_BYTES).split(b"\n", 1)[0]
    if not first.startswith((b"/annex/objects/", b"../.git/annex/", b".git/annex/")):
        return None
    return first.decode("utf-8", errors="replace").rsplit("/", 1)[-1].strip()


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
        self._spelled: dict[str, str] = {}
        self._decoded: dict[str, str | None] = {}
        self._notes: dict[str, str] = {}
        self._decoding_notes: dict[str, str] = {}

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

    def published(self, path: str) -> str | None:
        """Content key that a link, a pointer or the listing tells; no file's content is read.

        Parameters
        ----------
        path : str
            Relative to the dataset's folder.
        """
        target = self._root / path
        if target.is_symlink() or not target.is_file():
            return self.key(path)
        name = _pointed_at(target)
        return self.listed.get(path) if name is None else annex_key(name)

    def decoded(self, path: str) -> str | None:
        """Key of a file's pixels or samples, or None where it cannot be decoded here.

        Parameters
        ----------
        path : str
            Relative to the dataset's folder.
        """
        if path not in self._decoded:
            self._decoded[path] = self._decode(path)
        return self._decoded[path]

    def note(self, path: str, *, decoded: bool = False) -> str | None:
        """Say why a path's content is unknown, or how it was repaired; None if all is well."""
        found = self._decoding_notes.get(path) if decoded else None
        return found or self._notes.get(path)

    def differ(self, one: str, other: str, *, decoded: bool = False) -> bool:
        """Whether two paths are known to hold different stimuli.

        Files that differ and show the same pixels (a picture saved in two formats) are one.
        """
        if not decoded and compare(self.key(one), self.key(other)) != "different":
            return False
        answer = compare(self.decoded(one), self.decoded(other))
        return answer == "different" if decoded else answer != "same"

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
        found: dict[str, str] = {}
        for row in table.frame.itertuples():
            key = annex_key(f"{row.checksum_type}-s{row.size_bytes}--{row.checksum}")
            if key is None:
                continue
            if compare(found.setdefault(str(row.path), key), key) == "different":
                raise DatasetError(
                    f"lists {row.path} twice, with different contents.",
                    where=f"{table.path}:{row.Index}",
                    remedy="keep the line of the release whose recordings are here",
                )
        return found

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
        published = self.listed.get(path)
        if target.is_symlink():
            key = annex_key(target.readlink().name)
            if key is not None:
                return self._of_link(path, target, key, published)
        if target.is_file():
            return self._of_file(path, target.resolve(), published)
        return published or self._otherwise_spelled(path)

    def _of_link(self, path: str, target: Path, key: str, published: str | None) -> str | None:
        if target.is_file() and target.stat().st_size != size_of(key):
            return self._changed(path, f"{target.stat().st_size} bytes", f"{size_of(key)} bytes")
        if compare(key, published) == "different":
            return self._changed(path, key, str(published))
        return key

    def _of_file(self, path: str, target: Path, published: str | None) -> str | None:
        if not target.is_relative_to(self._root):
            return self._unknown(path, "the link leads out of the dataset's folder")
        size = target.stat().st_size
        if size <= _POINTER_BYTES and (name := _pointed_at(target)) is not None:
            key = annex_key(name)
            if compare(key, published) == "different":
                return self._changed(path, str(key), str(published))
            return key or self._unknown(path, "the git-annex pointer carries no digest")
        if published is not None and size_of(published) != size:
            return self._changed(path, f"{size} bytes", f"{size_of(published)} bytes")
        kind = kind_of(published) if published is not None else self._kind
        with target.open("rb") as stream:
            digest = hashlib.file_digest(stream, kind.lower()).hexdigest()
        key = f"{kind}:{digest}:{size}"
        if compare(key, published) == "different":
            return self._changed(path, key, str(published))
        return key

    def _decode(self, path: str) -> str | None:
        if self.key(path) is None:
            return None
        spelled = self._spelled.get(path, path)
        target = (self._root / spelled).resolve()
        inside = target.is_relative_to(self._root) and target.is_file()
        if not inside or _pointed_at(target) is not None:
            self._decoding_notes[path] = "unknown identity: the file's content is not here"
            return None
        key, why = decoded_key(target)
        if why is not None:
            self._decoding_notes[path] = f"unknown identity: {why}"
        return key

    def _otherwise_spelled(self, path: str) -> str | None:
        """Take the one file whose path differs in case only; it is recorded."""
        same = self._by_lower_case.get(path.lower(), set()) - {path}
        if len(same) != 1:
            return self._unknown(path, "the stimulus file is not there")
        (other,) = same
        found = self.key(other)
        if found is None:
            return self._unknown(path, str(self._notes.get(other, "")).split(": ", 1)[-1])
        self._spelled[path] = other
        self._notes[path] = f"{RESPELLED}, the file is {other}"
        return found

    @cached_property
    def _by_lower_case(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for path in (*self._files, *self.listed):
            found.setdefault(path.lower(), set()).add(path)
        return found

    def _changed(self, path: str, here: str, published: str) -> str | None:
        return self._unknown(path, f"the file changed, it is {here} and published is {published}")

    def _unknown(self, path: str, why: str) -> str | None:
        self._notes[path] = f"unknown identity: {why}"
        return None
