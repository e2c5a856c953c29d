"""Signal files that are there, and those that something else announces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import NamedTuple

from neuropair.pipeline.bids.names import (
    COMPANIONS,
    SPLIT,
    Entry,
    datatype_folder,
    parse_name,
    signal_modality,
)
from neuropair.pipeline.bids.tables import MISSING, parse_tsv
from neuropair.pipeline.bids.tree import Tree
from neuropair.pipeline.sources.base import safe_path
from neuropair.pipeline.sources.listing import listing_path
from neuropair.pipeline.sources.walk import GET_CONTENT, Absent
from neuropair.pipeline.types import Loss
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.kinds import Modality

Stem = tuple[str, Modality, frozenset[tuple[str, str]]]
_FETCH = f"complete the copy of the dataset: fetch it again, or {GET_CONTENT}"


class Candidate(NamedTuple):
    """A recording that the dataset holds or announces."""

    entry: Entry
    modality: Modality
    reason: str | None = None
    """Why it cannot be read; None if its file is here."""
    remedy: str = ""


class Scans(NamedTuple):
    """What scans.tsv files say."""

    acq_time: Mapping[str, str]
    """Path relative to the dataset -> acq_time as written."""
    listed: tuple[tuple[str, str], ...]
    """Path, and the table that names it."""
    losses: tuple[Loss, ...]


def find_signals(tree: Tree) -> tuple[list[Candidate], list[Loss]]:
    """Find the signal files, the parts of a split one taken together."""
    losses: list[Loss] = []
    parts: dict[tuple[Stem, str], list[Entry]] = defaultdict(list)
    for entry in tree.entries:
        modality = signal_modality(entry)
        if modality is None:
            continue
        expected = datatype_folder(entry, modality)
        if entry.folder != expected or "sub" not in entry.labels:
            reason = (
                f"a signal file of these entities lies in {expected}/; not read. Remedy: move it"
            )
            losses.append(Loss("index", "file", "dropped", 1, reason, entry.path))
            continue
        parts[_stem(entry, modality), entry.extension.lower()].append(entry)
    candidates = [_candidate(tree, stem[1], found) for (stem, _), found in parts.items()]
    return candidates, losses


def find_announced(
    tree: Tree, present: Iterable[Candidate], scans: Scans, listing: Mapping[str, Absent]
) -> list[Candidate]:
    """Find recordings that a table, a sidecar or a listing announces and that have no file here.

    Parameters
    ----------
    tree : Tree
    present : iterable of Candidate
        What `find_signals` found.
    scans : Scans
    listing : mapping of str to Absent
        Files that a listing from outside of the dataset names.
    """
    found: dict[Stem, Candidate] = {}
    known = {_stem(one.entry, one.modality) for one in present}
    named = [(path, one.reason) for path, one in sorted(listing.items())]
    named += [(path, f"is not here, and {table} names it") for path, table in scans.listed]
    for path, reason in named:
        entry = parse_name(path)
        modality = signal_modality(entry) if entry is not None else None
        if entry is None or modality is None or datatype_folder(entry, modality) != entry.folder:
            continue
        stem = _stem(entry, modality)
        if stem not in known and stem not in found:
            found[stem] = Candidate(entry, modality, reason, _FETCH)
    inner: dict[tuple[str, Modality], set[frozenset[tuple[str, str]]]] = defaultdict(set)
    for folder, modality, entities in {*known, *found}:
        inner[folder, modality].add(entities)
    for (folder, modality), heralds in sorted(_heralds(tree).items()):
        for herald in _widest(heralds, inner[folder, modality]):
            found[_stem(herald, modality)] = _without_file(herald, modality)
    return list(found.values())


def read_scans(tree: Tree) -> Scans:
    """Read every scans.tsv, of subjects and of sessions.

    Raises
    ------
    DatasetError
        If one is not UTF-8 or not here.
    """
    acq_time: dict[str, str] = {}
    listed: list[tuple[str, str]] = []
    losses: list[Loss] = []
    for entry in tree.entries:
        if entry.suffix != "scans" or entry.extension != ".tsv":
            continue
        for row in tree.table(entry.path):
            name = row.get("filename", "n/a")
            try:
                path = f"{entry.folder}/{safe_path(name, entry.path)}"
            except DatasetError as error:
                losses.append(Loss("index", "row", "dropped", 1, str(error), entry.path))
                continue
            listed.append((path, entry.path))
            if row.get("acq_time", "n/a") not in MISSING:
                acq_time[path] = row["acq_time"]
    return Scans(acq_time, tuple(listed), tuple(losses))


def read_listing(root: Path) -> dict[str, Absent]:
    """Read ``<name>_annexed.tsv`` beside a folder ``<name>`` that holds tables only.

    It lists the signal files that the folder would hold; columns ``path, size_bytes,
    checksum_type, checksum``.

    Raises
    ------
    DatasetError
        If it is not UTF-8, or names a path that leaves the folder.
    """
    path = listing_path(root)
    if not path.is_file():
        return {}
    rows = parse_tsv(path.read_bytes(), str(path))
    listed: dict[str, Absent] = {}
    for row in rows:
        size = row.get("size_bytes", "")
        absent = Absent(
            int(size) if size.isdigit() else None, f"is not here, and {path.name} names it", _FETCH
        )
        listed[safe_path(row["path"], str(path)).as_posix()] = absent
    return listed


def _stem(entry: Entry, modality: Modality) -> Stem:
    return entry.folder, modality, entry.stem


def _candidate(tree: Tree, modality: Modality, parts: list[Entry]) -> Candidate:
    ordered = sorted(parts, key=lambda part: (_part(part), part.path))
    first = ordered[0]
    if _part(first) > 1:
        return Candidate(first, modality, "the first part of this split file is not here", _FETCH)
    stem = first.path.removesuffix(first.extension)
    beside = [stem + extension for extension in COMPANIONS.get(first.extension.lower(), ())]
    for path in [*(part.path for part in ordered), *beside]:
        if path in tree.absent:
            absent = tree.absent[path]
            return Candidate(first, modality, f"{path} {absent.reason}", absent.remedy)
    return Candidate(first, modality)


def _part(entry: Entry) -> int:
    label = entry.labels.get(SPLIT, "")
    return int(label) if label.isdigit() else 0


def _heralds(tree: Tree) -> dict[tuple[str, Modality], list[Entry]]:
    """Sidecars, tables and companions in a datatype folder, by what they announce."""
    heralds: dict[tuple[str, Modality], list[Entry]] = defaultdict(list)
    by_datatype = {modality.datatype: modality for modality in Modality}
    for entry in tree.entries:
        modality = by_datatype.get(entry.folder.rpartition("/")[2])
        if modality is None or "task" not in entry.labels or signal_modality(entry) is not None:
            continue
        table = entry.suffix in ("events", "channels") and entry.extension == ".tsv"
        right_place = entry.folder == datatype_folder(entry, modality)
        if right_place and (table or entry.suffix == modality.suffix):
            heralds[entry.folder, modality].append(entry)
    return heralds


def _widest(heralds: list[Entry], known: Set[frozenset[tuple[str, str]]]) -> list[Entry]:
    """Leave out heralds of known recordings, and those that apply to another herald's, too."""
    strange = {one.stem: one for one in reversed(heralds) if one.stem not in known}
    return [
        one
        for stem, one in strange.items()
        if not any(stem < other for other in (*known, *strange))
    ]


def _without_file(herald: Entry, modality: Modality) -> Candidate:
    name = herald.path.rpartition("/")[2].partition(".")[0].rpartition("_")[0]
    path = f"{herald.folder}/{name}_{modality.suffix}"
    entry = herald._replace(path=path, suffix=modality.suffix, extension="")
    return Candidate(
        entry, modality, f"has no signal file, and {herald.path} announces one", _FETCH
    )
