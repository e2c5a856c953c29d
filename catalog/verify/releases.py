"""The releases themselves: their ids, their chain, and the description of the corpus."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from neuropair.catalog.corpus import Corpus
from neuropair.catalog.location import Location
from neuropair.catalog.release import Release
from neuropair.catalog.verify.report import Damage
from neuropair.schemas import layout
from neuropair.schemas.description import corpus_description
from neuropair.schemas.errors import CorpusError

_WHERE = layout.table_folder(layout.RELEASES_TABLE)


def check_releases(location: Location, releases: list[Release]) -> list[Damage]:
    """Check that each release's id is the digest of what it names, and that they form a chain."""
    damages = []
    before: Release | None = None
    for place, release in enumerate(releases, start=1):
        problems = [
            (not _fits(release), "the id is not the digest of what it names"),
            (release.sequence != place, f"the sequence is {release.sequence}, not {place}"),
            (release.parent != (before.id if before else None), "the parent is not the one before"),
            (not _is_time(release.created), f"{release.created!r} is no time"),
        ]
        damages += [
            Damage(_WHERE, f"release {release.id}: {what}") for bad, what in problems if bad
        ]
        before = release
    return damages + _size_damages(location)


def check_description(corpus: Corpus) -> list[Damage]:
    """Compare ``dataset_description.json`` with table ``datasets``.

    An ingest writes it just before its release: one that was killed in between leaves a
    description that fits the Delta table and no release yet.
    """
    path = layout.DESCRIPTION_FILE
    try:
        content = corpus.location.read(path)
    except CorpusError:
        return [Damage(path, "is missing")]
    released = corpus.sql("SELECT * FROM datasets").to_pandas()
    if content == corpus_description(released, corpus.release.neuropair_version):
        return []
    delta = corpus.location.delta_table(layout.table_folder("datasets"))
    is_ahead = delta.version() > corpus.release.tables["datasets"].version
    version = _version(content)
    if is_ahead and content == corpus_description(delta.to_pandas(), version):
        return []
    return [Damage(path, "does not describe the datasets of the newest release")]


def _version(content: bytes) -> str:
    try:
        return str(json.loads(content)["GeneratedBy"][0]["Version"])
    except (ValueError, KeyError, IndexError, TypeError):
        return ""


def _fits(release: Release) -> bool:
    """Whether the id is the digest of what is named; a withdrawn release names nothing any more."""
    return release.id == _id(release) or (release.withdrawn is not None and not release.tables)


def _id(release: Release) -> str:
    content = {
        "format": release.format,
        "parent": release.parent,
        "tables": {name: dict(table.studies) for name, table in release.tables.items()},
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[: len(release.id)]


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).utcoffset() is not None
    except ValueError:
        return False


def _size_damages(location: Location) -> list[Damage]:
    """Compare the files of table ``releases``, which no release can name, with their Delta log."""
    import pyarrow as pa

    actions = pa.table(location.delta_table(_WHERE).get_add_actions(flatten=True))
    sizes = location.sizes(_WHERE)
    paths = [f"{_WHERE}/{name}" for name in actions["path"].to_pylist()]
    return [
        Damage(path, f"has {sizes.get(path)} bytes, its Delta log says {size}")
        for path, size in zip(paths, actions["size_bytes"].to_pylist(), strict=True)
        if sizes.get(path) != size
    ]
