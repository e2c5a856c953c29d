"""Where a corpus lies: a local folder, or a prefix of an object store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from neuropair.schemas.errors import CorpusError, StorageError


@dataclass(frozen=True)
class Location:
    """The root of a corpus, read-only.

    Parameters
    ----------
    url : str
        A folder, or any URL that obstore opens; credentials and endpoint of an object store come
        from the environment.
    """

    url: str

    @classmethod
    def of(cls, url: str | os.PathLike[str]) -> Location:
        """Make a location of a path or URL."""
        return cls(os.fspath(url))

    @cached_property
    def local(self) -> Path | None:
        """The folder, where it is a local one."""
        parsed = urlparse(self.url)
        if parsed.scheme == "file":
            return Path(url2pathname(parsed.path))
        return None if "://" in self.url else Path(self.url)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open store behind: another process opens its own."""
        return {"url": self.url}

    def where(self, path: str = "") -> str:
        """Name a file of the corpus in full, for messages."""
        return f"{self.url.rstrip('/')}/{path}" if path else self.url

    def read(self, path: str) -> bytes:
        """Read a file.

        Raises
        ------
        CorpusError
            If it is absent.
        StorageError
            If the store cannot be read.
        """
        with self._storage_errors(path):
            if self.local is not None:
                return (self.local / path).read_bytes()
            import obstore

            return bytes(obstore.get(self._store, path).bytes())

    def sizes(self, prefix: str) -> dict[str, int]:
        """Sizes in bytes of all files below a prefix, by path relative to the corpus root."""
        with self._storage_errors(prefix):
            if self.local is not None:
                files = (file for file in (self.local / prefix).rglob("*") if file.is_file())
                found = {f.relative_to(self.local).as_posix(): f.stat().st_size for f in files}
            else:
                import obstore

                listed = (meta for part in obstore.list(self._store, prefix) for meta in part)
                found = {str(meta["path"]): int(meta["size"]) for meta in listed}
        return dict(sorted(found.items()))

    def zarr_store(self, path: str) -> Any:
        """Make what ``zarr.open`` and ``xarray.open_zarr`` take for the group at `path`."""
        if self.local is not None:
            return str(self.local / path)
        from zarr.storage import ObjectStore

        return ObjectStore(self._open(path), read_only=True)

    def delta_table(self, path: str) -> Any:
        """Open a Delta table.

        Raises
        ------
        CorpusError
            If there is none.
        """
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        options = {"allow_http": "true"} if self._allows_http else {}
        try:
            with self._storage_errors(path):
                return DeltaTable(
                    str((self.local / path).absolute()) if self.local else self.where(path),
                    storage_options=options,
                )
        except TableNotFoundError as error:
            raise self.absent(path) from error

    def absent(self, path: str) -> CorpusError:
        """Error for a file or table that is not there."""
        return CorpusError(
            "does not exist.",
            where=self.where(path),
            remedy="check the address of the corpus; `neuropair verify` says what it lacks",
        )

    @contextmanager
    def _storage_errors(self, path: str) -> Iterator[None]:
        from obstore.exceptions import BaseError, NotFoundError

        try:
            yield
        except (FileNotFoundError, NotADirectoryError, NotFoundError) as error:
            raise self.absent(path) from error
        except (OSError, BaseError) as error:
            lines = str(error).splitlines() or [type(error).__name__]
            raise StorageError(
                f"cannot be read ({lines[0][:300]}).",
                where=self.where(path),
                remedy="check permission, address, credentials and network",
            ) from error

    @property
    def _allows_http(self) -> bool:
        """Whether the endpoint in the environment has no TLS, such as MinIO on loopback."""
        return os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")

    @cached_property
    def _store(self) -> Any:
        return self._open("")

    def _open(self, path: str) -> Any:
        from obstore.store import from_url

        options: Any = {"allow_http": True} if self._allows_http else None
        return from_url(self.where(path), client_options=options)
