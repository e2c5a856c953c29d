"""A dataset in a local folder: read where it lies, never copied, never written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from neuropair.pipeline.sources.walk import walk
from neuropair.pipeline.types import RemoteFile
from neuropair.schemas.errors import SourceError

SCHEMES = ("", "file")
_PIECE = 2**20


class LocalSource:
    """A folder on this machine.

    Parameters
    ----------
    url : str
        As the study names it.
    root : Path
        The folder.
    """

    def __init__(self, url: str, root: Path) -> None:
        self.url = url
        self.root = root

    @property
    def local_root(self) -> Path:
        """The folder itself."""
        return self.root

    def list(self) -> list[RemoteFile]:
        """List every file whose content is here; annexed pointers are not listed."""
        return [
            RemoteFile(PurePosixPath(path), found.st_size, modified=found.st_mtime)
            for path, found in walk(self.root).files.items()
        ]

    def read(self, path: PurePosixPath) -> bytes:
        """Read one file."""
        try:
            return (self.root / path).read_bytes()
        except OSError as error:
            raise _unreadable(self.root / path, error) from error

    def stream(self, file: RemoteFile, offset: int) -> Iterator[bytes]:
        """Read a file from a byte on."""
        try:
            with (self.root / file.path).open("rb") as opened:
                opened.seek(offset)
                while piece := opened.read(_PIECE):
                    yield piece
        except OSError as error:
            raise _unreadable(self.root / file.path, error) from error


def open(url: str, base: Path | None) -> LocalSource:
    """Open a folder; `url` is a path, relative to `base`, or a ``file://`` URL."""
    text = unquote(urlsplit(url).path) if url.lower().startswith("file:") else url
    root = ((base or Path.cwd()) / Path(text).expanduser()).absolute()
    if not root.is_dir():
        raise SourceError(
            "is no folder.", where=str(root), remedy="give the folder of a BIDS dataset"
        )
    return LocalSource(url, root)


def _unreadable(path: Path, error: OSError) -> SourceError:
    return SourceError(
        f"cannot be read ({error.strerror}).", where=str(path), remedy="make it readable"
    )
