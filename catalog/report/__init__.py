"""One self-contained page a release: what its pairs rest on, drawn, the verdict first."""

from __future__ import annotations

from pathlib import Path

from neuropair.catalog.corpus import Corpus
from neuropair.catalog.report.page import render
from neuropair.schemas.errors import StorageError


def write_report(corpus: Corpus, path: Path) -> int:
    """Write the report of a release, whole or not at all; return its size in bytes.

    Parameters
    ----------
    corpus : Corpus
    path : Path
        Of the HTML file; folders above it are made.

    Raises
    ------
    DamagedError
        If a table cannot be read.
    StorageError
        If the file cannot be written.
    """
    content = render(corpus).encode("utf-8")
    half_written = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        half_written.write_bytes(content)
        half_written.replace(path)
    except OSError as error:
        raise StorageError(
            f"cannot be written ({error.strerror}).",
            where=str(path),
            remedy="give a path that can be written, such as report.html",
        ) from error
    return len(content)


__all__ = ["render", "write_report"]
