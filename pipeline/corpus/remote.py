"""A corpus in an object store: every file uploaded, the manifest last."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

_UPLOADS = 8


class RemoteFolder:
    """The files of a corpus under a prefix of an object store.

    Parameters
    ----------
    url : str
        Any URL that obstore opens; credentials and endpoint come from the environment.
    """

    def __init__(self, url: str) -> None:
        from obstore.store import from_url

        self.store = from_url(url, client_options={"allow_http": allows_http()})

    def read(self, path: str) -> bytes:
        """Read an object; raises FileNotFoundError."""
        import obstore

        return bytes(obstore.get(self.store, path).bytes())

    def write(self, path: str, content: bytes) -> None:
        """Write an object."""
        import obstore

        obstore.put(self.store, path, content)

    def exists(self, path: str) -> bool:
        """Whether an object is there."""
        import obstore

        try:
            obstore.head(self.store, path)
        except FileNotFoundError:
            return False
        return True

    def list(self, prefix: str) -> list[tuple[str, int]]:
        """Path and size of every object below a prefix, sorted."""
        import obstore

        metas = (meta for batch in obstore.list(self.store, prefix) for meta in batch)
        return sorted((str(meta["path"]), int(meta["size"])) for meta in metas)

    def delete(self, prefix: str) -> None:
        """Delete every object below a prefix."""
        import obstore

        paths = [path for path, _ in self.list(prefix)]
        if paths:
            obstore.delete(self.store, paths)

    def publish(self, folder: Path, path: str, last: str) -> None:
        """Upload a folder side by side, then the file that makes it visible."""
        import obstore

        files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
        files = [file for file in files if file != folder / last]

        def upload(file: Path) -> None:
            obstore.put(self.store, f"{path}/{file.relative_to(folder).as_posix()}", file)

        with ThreadPoolExecutor(_UPLOADS) as pool:
            for _ in pool.map(upload, files):
                pass
        upload(folder / last)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Make a local folder for what is going to be uploaded."""
        with tempfile.TemporaryDirectory(prefix="neuropair-") as folder:
            yield Path(folder)

    def remove_files(self, paths: Sequence[str]) -> None:
        """Delete objects; one that is gone already is fine."""
        import obstore

        obstore.delete(self.store, list(paths))

    def ages(self, prefix: str) -> dict[str, float]:
        """Seconds since every object below a prefix was written, by path."""
        import obstore

        now = datetime.now(UTC)
        metas = (meta for batch in obstore.list(self.store, prefix) for meta in batch)
        return {str(meta["path"]): (now - meta["last_modified"]).total_seconds() for meta in metas}

    @contextmanager
    def lock(self, *, alone: bool) -> Iterator[bool]:
        """Nothing can be locked in an object store: `alone` is never promised."""
        del alone
        yield False

    def remove_leftovers(self) -> None:
        """Nothing is staged in the store; unfinished uploads have no manifest and are redone."""


def allows_http() -> bool:
    """Whether the endpoint in the environment is one without TLS, such as MinIO on loopback."""
    return os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
