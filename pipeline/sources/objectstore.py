"""A dataset in an object store: whatever obstore reads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from neuropair.pipeline.sources.base import safe_path
from neuropair.pipeline.types import RemoteFile
from neuropair.schemas.errors import DatasetError, NeuropairError, SourceError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

SCHEMES = (*("s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss", "http", "https", "memory"),)
_MD5_ETAG = re.compile(r'^"?([0-9a-f]{32})"?$')
_PIECE = 4 * 2**20
_RETRIES = 2
"""Per request, inside obstore; `fetch` retries whole files beside that."""


class ObjectStoreSource:
    """A dataset under a prefix of an object store.

    Parameters
    ----------
    url : str
        As the study names it.
    store : obstore.store.ObjectStore
        Its root is the dataset's root.
    """

    def __init__(self, url: str, store: ObjectStore) -> None:
        self.url = url
        self.store = store

    @property
    def local_root(self) -> None:
        """None: it has to be fetched."""
        return None

    def list(self) -> list[RemoteFile]:
        """List every object, by path; the MD5 is its ETag, where it was uploaded in one part."""
        import obstore
        from obstore.exceptions import BaseError, InvalidPathError

        try:
            metas = [meta for batch in obstore.list(self.store) for meta in batch]
        except InvalidPathError as error:
            raise DatasetError(
                f"lists an object that does not stay inside the dataset ({_first_line(error)}).",
                where=self.url,
                remedy="remove that object from the bucket; nothing of it was read",
            ) from error
        except BaseError as error:
            raise self._error(f"cannot be listed ({_first_line(error)}).", self.url) from error
        files = _without_folder_markers([self._file(dict(meta)) for meta in metas], self.url)
        if not files:
            raise self._error("holds no file.", self.url)
        return sorted(files, key=lambda file: file.path.as_posix())

    def read(self, path: PurePosixPath) -> bytes:
        """Read one small object."""
        import obstore
        from obstore.exceptions import BaseError

        try:
            return bytes(obstore.get(self.store, path.as_posix()).bytes())
        except BaseError as error:
            raise self._error(f"cannot be read ({_first_line(error)}).", str(path)) from error

    def stream(self, file: RemoteFile, offset: int) -> Iterator[bytes]:
        """Read an object from a byte on, as long as it is still the one that was listed."""
        import obstore
        from obstore.exceptions import BaseError, PreconditionError

        options: dict[str, Any] = {"range": {"offset": offset}} if offset else {}
        if file.checksum is not None:
            options["if_match"] = f'"{file.checksum.split(":", 1)[1]}"'
        path = file.path.as_posix()
        try:
            result = obstore.get(self.store, path, options=options)  # type: ignore[arg-type]  # a dict is the TypedDict
            for piece in result.stream(min_chunk_size=_PIECE):
                yield bytes(piece)
        except PreconditionError as error:
            raise self._error("changed while it was fetched.", path) from error
        except BaseError as error:
            raise self._error(f"cannot be read ({_first_line(error)}).", path) from error

    def _file(self, meta: dict[str, Any]) -> RemoteFile:
        etag = str(meta.get("e_tag") or "").strip('"')
        kind = "md5" if _MD5_ETAG.match(etag) else "etag"
        return RemoteFile(
            safe_path(str(meta["path"]), self.url),
            int(meta["size"]),
            f"{kind}:{etag}" if etag else None,
            meta["last_modified"].timestamp(),
        )

    def _error(self, problem: str, where: str) -> SourceError:
        place = where if where == self.url else f"{self.url}/{where}"
        return SourceError(
            problem,
            where=place,
            remedy="check the address, the network and your permission, and run again: files that "
            "are already here are kept",
        )


def open(url: str, base: Path | None) -> ObjectStoreSource:
    """Open a URL; credentials and endpoint come from the environment, as obstore reads them."""
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    del base
    try:
        endpoint = url if url.startswith("http:") else os.environ.get("AWS_ENDPOINT_URL", "")
        store = from_url(url, client_options=client_options(endpoint), retry_config=retries())
    except (BaseError, ValueError) as error:
        raise SourceError(
            f"is no address of an object store ({_first_line(error)}).",
            where=url,
            remedy="write it as s3://bucket/prefix, gs://…, az://… or https://…",
        ) from error
    return ObjectStoreSource(url, store)


def client_options(endpoint: str) -> ClientConfig:
    """Allow plain HTTP only where the address itself says so (a store on loopback)."""
    return {"allow_http": True} if endpoint.startswith("http:") else {}


def retries() -> RetryConfig:
    """Few and short retries a request; obstore's own default tries for three minutes."""
    from datetime import timedelta

    return {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=30)}


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0].strip()


def _without_folder_markers(files: list[RemoteFile], url: str) -> list[RemoteFile]:
    """Drop the empty objects with which some tools mark folders; refuse a file that is a folder."""
    folders = {parent for file in files for parent in file.path.parents}
    clash = [file for file in files if file.path in folders]
    for file in clash:
        if file.size:
            error: NeuropairError = DatasetError(
                f"holds {file.path} both as a file and as a folder.",
                where=url,
                remedy="rename one of them in the bucket",
            )
            raise error
    return [file for file in files if file.path not in folders]
