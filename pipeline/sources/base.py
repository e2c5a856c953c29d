"""What a source is, and how one is found by its URL."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Protocol

import neuropair.pipeline.sources as package
from neuropair.pipeline.types import RemoteFile
from neuropair.schemas.errors import DatasetError, SourceError

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):")


class Source(Protocol):
    """One dataset, wherever it lies. Sources are only ever read."""

    @property
    def url(self) -> str:
        """The dataset as the study names it."""

    @property
    def local_root(self) -> Path | None:
        """The dataset's folder, if it is one on this machine."""

    def list(self) -> list[RemoteFile]:
        """List every file of the dataset, sorted by path.

        Raises
        ------
        SourceError
            If the source cannot be listed or holds no file.
        DatasetError
            If a path leaves the dataset's folder.
        """

    def read(self, path: PurePosixPath) -> bytes:
        """Read one (small) file.

        Raises
        ------
        SourceError
            If it cannot be read.
        """

    def stream(self, file: RemoteFile, offset: int) -> Iterator[bytes]:
        """Read a file from a byte on, in pieces.

        Raises
        ------
        SourceError
            If it cannot be read, or is no longer the file that was listed.
        """


def open_source(url: str, *, base: Path | None = None) -> Source:
    """Find the source that reads a URL.

    A source is a module of this package that has ``SCHEMES``, the URL schemes it reads, and
    ``open(url, base)``. A new source is one new file.

    Parameters
    ----------
    url : str
        A folder, any URL that obstore reads (``s3://``, ``gs://``, ``az://``, ``https://``,
        ``file://``), or ``openneuro:<accession>``.
    base : Path or None
        What a relative folder is relative to; the working directory unless given.

    Raises
    ------
    SourceError
        If no source reads the URL, or the folder does not exist.
    """
    found = _SCHEME.match(url)
    scheme = found.group(1).lower() if found else ""
    known: list[str] = []
    for module in _modules():
        if scheme in module.SCHEMES:
            source: Source = module.open(url, base)
            return source
        known += [name for name in module.SCHEMES if name]
    raise SourceError(
        f"no source reads the scheme {scheme!r}.",
        where=url,
        remedy=f"give a folder, or a URL of one of {', '.join(sorted(known))}",
    )


def _modules() -> Iterator[ModuleType]:
    for name in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        module = importlib.import_module(f"{package.__name__}.{name}")
        if hasattr(module, "SCHEMES"):
            yield module


def safe_path(text: str, where: str) -> PurePosixPath:
    r"""Check that a path that a dataset names stays inside the dataset's folder.

    Parameters
    ----------
    text : str
        A relative path with forward slashes.
    where : str
        Who names it; stands in the error.

    Raises
    ------
    DatasetError
        If it is absolute, empty, or has ``.``, ``..``, a backslash, a drive or a control character.

    Examples
    --------
    >>> safe_path("sub-01/eeg/sub-01_eeg.edf", "a listing")
    PurePosixPath('sub-01/eeg/sub-01_eeg.edf')
    """
    parts = text.split("/")
    trick = "\\" in text or any(ord(character) < 32 for character in text)
    drive = len(parts[0]) == 2 and parts[0][1] == ":"
    if trick or drive or any(part in ("", ".", "..") for part in parts):
        raise DatasetError(
            f"names the path {text!r}, which does not stay inside the dataset's folder.",
            where=where,
            remedy="remove or rename that file in the dataset; nothing of it was read",
        )
    return PurePosixPath(text)
