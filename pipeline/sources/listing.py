"""A listing beside a copy of tables: what the source holds and was not pulled."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from neuropair.pipeline.types import RemoteFile

COLUMNS = ("path", "size_bytes", "checksum_type", "checksum")


def listing_path(root: Path) -> Path:
    """Path of the listing beside a dataset's folder: ``<name>_annexed.tsv``.

    Examples
    --------
    >>> listing_path(Path("events/ds000117")).as_posix()
    'events/ds000117_annexed.tsv'
    """
    return root.with_name(f"{root.name}_annexed.tsv")


def write_listing(root: Path, files: Iterable[RemoteFile]) -> Path:
    """Write the listing of a copy: sizes, and the digests that the source publishes.

    An index finds in it the signal files that are not here, and stimulus identity the content keys
    of stimuli, without pulling a byte of either.

    Parameters
    ----------
    root : Path
        Folder of the copy.
    files : iterable of RemoteFile
        Every file of the source.
    """
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    writer.writerow(COLUMNS)
    for file in sorted(files, key=lambda one: one.path.as_posix()):
        kind, _, digest = (file.checksum or "").partition(":")
        known = kind in ("md5", "sha256")
        writer.writerow(
            [
                file.path.as_posix(),
                file.size,
                kind.upper() if known else "n/a",
                digest if known else "n/a",
            ]
        )
    path = listing_path(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.getvalue(), encoding="utf-8")
    return path
