"""Every byte against the digest that was written down with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from neuropair.catalog.location import Location
from neuropair.catalog.release import TableFile
from neuropair.catalog.verify.report import Damage
from neuropair.schemas import layout
from neuropair.schemas.errors import CorpusError

_THREADS = 4
"""hashlib lets other threads run; a disk gains nothing beyond a few."""


class Group(NamedTuple):
    """A recording's group: its path, and the digest that table ``recordings`` has of it."""

    recording: str
    path: str
    manifest_sha256: str


def check_files(location: Location, files: Iterable[TableFile]) -> list[Damage]:
    """Compare files with the digests that a manifest has of them."""
    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(lambda file: _check(location, file), files)
        return [damage for damage in found if damage is not None]


def check_group(location: Location, group: Group) -> list[Damage]:
    """Compare a group with its manifest, and the manifest with table ``recordings``."""
    path = f"{group.path}/{layout.MANIFEST_FILE}"
    try:
        content = location.read(path)
    except CorpusError:
        return [Damage(path, f"is missing: the group of {group.recording} is gone or not whole")]
    if hashlib.sha256(content).hexdigest() != group.manifest_sha256:
        return [Damage(path, "is not the manifest that table recordings has the digest of")]
    manifest = json.loads(content)
    files = {f"{group.path}/{name}": entry for name, entry in manifest["files"].items()}
    present = set(location.sizes(group.path)) - {path}
    strangers = [
        Damage(name, "stands in no manifest: it was put there later")
        for name in sorted(present - set(files))
    ]
    return check_files(location, _as_files(files)) + strangers


def _as_files(files: Mapping[str, Mapping[str, Any]]) -> list[TableFile]:
    return [TableFile(path, entry["size"], entry["sha256"]) for path, entry in files.items()]


def _check(location: Location, file: TableFile) -> Damage | None:
    try:
        content = location.read(file.path)
    except CorpusError:
        return Damage(file.path, "is missing")
    if len(content) != file.size:
        return Damage(file.path, f"has {len(content)} bytes, {file.size} were written")
    if hashlib.sha256(content).hexdigest() != file.sha256:
        return Damage(file.path, "its SHA-256 is not that of what was written")
    return None
