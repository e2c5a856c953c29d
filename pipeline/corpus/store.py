"""Where a corpus lies: a local folder or an object store, with the same few verbs."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import urlparse
from urllib.request import url2pathname

from neuropair.pipeline.corpus.errors import storage_errors
from neuropair.pipeline.corpus.local import LocalFolder
from neuropair.pipeline.corpus.remote import RemoteFolder, allows_http
from neuropair.schemas import layout
from neuropair.schemas.errors import CorpusError


class Folder(Protocol):
    """What a place for a corpus can do. Paths are relative to the corpus root."""

    def read(self, path: str) -> bytes: ...  # noqa: D102  the classes say what it does
    def write(self, path: str, content: bytes) -> None: ...  # noqa: D102
    def exists(self, path: str) -> bool: ...  # noqa: D102
    def list(self, prefix: str) -> list[tuple[str, int]]: ...  # noqa: D102
    def delete(self, prefix: str) -> None: ...  # noqa: D102
    def publish(self, folder: Path, path: str, last: str) -> None: ...  # noqa: D102
    def staging(self) -> AbstractContextManager[Path]: ...  # noqa: D102
    def remove_leftovers(self) -> None: ...  # noqa: D102
    def remove_files(self, paths: Sequence[str]) -> None: ...  # noqa: D102
    def ages(self, prefix: str) -> dict[str, float]: ...  # noqa: D102
    def lock(self, *, alone: bool) -> AbstractContextManager[bool]: ...  # noqa: D102


class CorpusStore:
    """The files of a corpus.

    Parameters
    ----------
    url : str or Path
        A local folder, ``file://``, or a URL of an object store (``s3://bucket/prefix``).
        Credentials, region and endpoint of S3 come from the environment (``AWS_…``); an
        endpoint may be plain http.

    Raises
    ------
    CorpusError
        If the path is one that Delta tables cannot lie in.
    StorageError
        If no store answers to the URL.

    Examples
    --------
    >>> CorpusStore("demo/corpus").table_uri("pairs").endswith("demo/corpus/tables/pairs")
    True
    """

    def __init__(self, url: str | Path) -> None:
        self.url = str(url).rstrip("/") or "/"
        self.root = _local_path(self.url)
        # delta-rs 1.6 decodes it, and writes half of a table into another folder
        if self.root is not None and "%" in str(self.root.absolute()):
            raise CorpusError(
                "has a percent sign in its path, which Delta tables cannot have.",
                where=self.url,
                remedy="choose a folder without one",
            )
        with storage_errors(self.url):
            self._folder: Folder = (
                RemoteFolder(self.url) if self.root is None else LocalFolder(self.root)
            )
        self._is_swept = False
        self._sweeping = threading.Lock()

    def __reduce__(self) -> tuple[type[CorpusStore], tuple[str]]:
        """Cross to a worker as the URL."""
        return CorpusStore, (self.url,)

    def __repr__(self) -> str:
        return f"CorpusStore({self.url!r})"

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine, where ingests can be kept out."""
        return self.root is not None

    def where(self, path: str) -> str:
        """Name a file of the corpus for a message."""
        return f"{self.url}/{path}"

    def read(self, path: str) -> bytes:
        """Read one file.

        Raises
        ------
        FileNotFoundError
            If it is not there.
        StorageError
        """
        try:
            with storage_errors(self.where(path)):
                return self._folder.read(_safe(path))
        except Exception as error:
            cause = error.__cause__
            if isinstance(cause, FileNotFoundError | NotADirectoryError):
                raise FileNotFoundError(self.where(path)) from None
            raise

    def write(self, path: str, content: bytes) -> None:
        """Write one file, whole or not at all."""
        with storage_errors(self.where(path)):
            self._folder.write(_safe(path), content)

    def exists(self, path: str) -> bool:
        """Whether a file is there."""
        with storage_errors(self.where(path)):
            return self._folder.exists(_safe(path))

    def list(self, prefix: str) -> list[tuple[str, int]]:
        """Path and size in bytes of every file below a folder, sorted by path."""
        with storage_errors(self.where(prefix)):
            return self._folder.list(_safe(prefix))

    def delete(self, prefix: str) -> None:
        """Delete a folder and all below it."""
        with storage_errors(self.where(prefix)):
            self._folder.delete(_safe(prefix))

    def remove_files(self, paths: Sequence[str]) -> None:
        """Delete files; one that is gone already is fine."""
        if paths:
            with storage_errors(self.where(paths[0])):
                self._folder.remove_files([_safe(path) for path in paths])

    def ages(self, prefix: str) -> dict[str, float]:
        """Seconds since every file below a folder was written, by path."""
        with storage_errors(self.where(prefix)):
            return self._folder.ages(_safe(prefix))

    def remove_leftovers(self) -> None:
        """Remove what killed writers left half written."""
        with storage_errors(self.where(layout.STAGING_FOLDER)):
            self._folder.remove_leftovers()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Say that an ingest is at work here: nothing is removed meanwhile. Ingests share it.

        Raises
        ------
        StorageError
            If a removal does not come to its end.
        """
        with ExitStack() as held:
            with storage_errors(self.where(layout.LOCK_FILE)):
                held.enter_context(self._folder.lock(alone=False))
            yield

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Keep every ingest out while something is removed.

        Yields
        ------
        bool
            False where nobody can be kept out, in an object store: files have to be old then.

        Raises
        ------
        StorageError
            If an ingest is at work.
        """
        with ExitStack() as held:
            with storage_errors(self.where(layout.LOCK_FILE)):
                is_alone = held.enter_context(self._folder.lock(alone=True))
            yield is_alone

    def publish_folder(self, folder: Path, path: str, last: str) -> None:
        """Make a folder from `staging` visible as `path`; `last` is the file that makes it whole.

        On a local file system in one step; in an object store `last` is uploaded last.
        """
        with storage_errors(self.where(path)):
            self._folder.publish(folder, _safe(path), last)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Make a local folder to write in, on the corpus's own file system where it is local.

        The first call of a store removes what killed writers left.
        """
        with storage_errors(self.where(layout.STAGING_FOLDER)):
            with self._sweeping:
                if not self._is_swept:
                    self._folder.remove_leftovers()
                    self._is_swept = True
            with self._folder.staging() as folder:
                yield folder

    def table_uri(self, table: str) -> str:
        """Address of a Delta table, as ``deltalake`` takes it."""
        place = self.url if self.root is None else str(self.root.absolute())
        return f"{place}/{layout.table_folder(table)}"

    @property
    def storage_options(self) -> dict[str, str] | None:
        """What ``deltalake`` has to know beside the environment."""
        return {"allow_http": "true"} if self.root is None and allows_http() else None


def _local_path(url: str) -> Path | None:
    parts = urlparse(url)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return None if "://" in url else Path(url)


def _safe(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise CorpusError(
            f"the path {path!r} leaves the corpus.",
            where=path,
            remedy="rename the dataset or recording that it comes from",
        )
    return pure.as_posix()
