"""BIDS file names: entities as pybids finds them, suffix, extension."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from neuropair.schemas.kinds import Modality

if TYPE_CHECKING:
    from bids.layout import Entity

SPLIT = "split"

_STEM = re.compile(r"([a-zA-Z]+-[a-zA-Z0-9+]+_)*[a-zA-Z0-9]+")
_FOLDERS = 4096
_FORMATS = {
    Modality.EEG: (".edf", ".bdf", ".vhdr", ".set"),
    Modality.MEG: (".fif", ".ds", ".con", ".sqd"),
    Modality.FNIRS: (".snirf",),
    Modality.FMRI: (".nii", ".nii.gz"),
}
"""Formats of BIDS that mne-bids (`config.py`, allowed_extensions) and nibabel read."""
COMPANIONS = {".vhdr": (".eeg", ".dat", ".vmrk"), ".set": (".fdt",)}
"""Files that stand beside a header of the same stem and hold its data."""
_CALIBRATION = frozenset({"calibration", "crosstalk"})


class Entry(NamedTuple):
    """A file with a BIDS name."""

    path: str
    """Relative to the dataset, with forward slashes."""
    folder: str
    labels: Mapping[str, str]
    """Entity -> label as written, by BIDS's short keys."""
    entities: frozenset[tuple[str, str]]
    """The same to compare by: indices without leading zeros."""
    suffix: str
    extension: str

    @property
    def stem(self) -> frozenset[tuple[str, str]]:
        """Entities without ``split``: what the parts of one recording share."""
        if SPLIT not in self.labels:
            return self.entities
        return frozenset(pair for pair in self.entities if pair[0] != SPLIT)


@lru_cache(maxsize=2**16)
def parse_name(path: str) -> Entry | None:
    """Read the entities of a file's name and of its ``sub-`` and ``ses-`` folders.

    pybids finds what it knows wherever it stands, and passes over the rest. So names that are none
    are refused here; and an entity that BIDS does not know, or whose label it does not allow,
    stays as written: files that differ in it are not one.

    Parameters
    ----------
    path : str
        Relative to the dataset, with forward slashes.

    Returns
    -------
    Entry or None
        None if it is no BIDS name: a part that is no ``key-label``, or a key that stands twice.

    Examples
    --------
    >>> entry = parse_name("sub-01/eeg/sub-01_task-rest_run-02_eeg.vhdr")
    >>> dict(entry.labels), entry.suffix, entry.extension
    ({'sub': '01', 'task': 'rest', 'run': '02'}, 'eeg', '.vhdr')
    """
    folder, _, name = path.rpartition("/")
    stem, dot, extension = name.partition(".")
    if not _STEM.fullmatch(stem):
        return None
    *pairs, suffix = stem.split("_")
    written = dict(pair.split("-") for pair in pairs)
    if len(written) < len(pairs):
        return None
    found = _found(name) if pairs else {}
    # of run-1a, pybids takes the 1
    whole = {key: found[key] for key in written if str(found.get(key)) == written[key]}
    labels = _of_folder("/".join(folder.split("/")[:2])) | written | whole
    return Entry(
        path,
        folder,
        {key: str(label) for key, label in labels.items()},
        frozenset((key, _comparable(label)) for key, label in labels.items()),
        suffix,
        dot + extension,
    )


def signal_modality(entry: Entry) -> Modality | None:
    """Tell the modality of a signal file by its suffix and format; None if it is none."""
    for modality, formats in _FORMATS.items():
        if entry.suffix == modality.suffix and entry.extension.lower() in formats:
            return None if entry.labels.get("acq") in _CALIBRATION else modality
    return None


def datatype_folder(entry: Entry, modality: Modality) -> str:
    """Name the folder in which a signal file of these entities has to lie."""
    folders = [f"{key}-{entry.labels[key]}" for key in ("sub", "ses") if key in entry.labels]
    return "/".join([*folders, modality.datatype])


@lru_cache(_FOLDERS)
def _of_folder(folder: str) -> dict[str, str | int]:
    return {key: label for key, label in _found(f"{folder}/").items() if key in ("sub", "ses")}


def _found(path: str) -> dict[str, str | int]:
    """Short key -> label, as pybids finds them; an index is an int that prints as written."""
    from bids.layout import parse_file_entities

    keys, entities = _schema()
    found = parse_file_entities(f"/{path}", entities=entities)
    return {keys[name]: label for name, label in found.items()}


@cache
def _schema() -> tuple[dict[str, str], list[Entity]]:
    """Entities of the BIDS schema that pybids ships: name -> short key, and their patterns.

    Held, because loading them takes 0.5 s and a name with them at hand 0.2 ms. pybids' other
    configuration, ``bids``, lacks ``split`` and takes no index but ``run`` for a number; but the
    schema's own pattern of ``session`` fits folders only, so that one is from there.
    """
    from bids.layout import Config
    from bidsschematools.schema import load_schema

    known = load_schema().objects.entities
    keys = {name: str(known[name].name) for name in known}
    entities = dict(Config.load("bids-schema").entities)
    entities["session"] = Config.load("bids").entities["session"]
    return keys, [entity for name, entity in entities.items() if name in keys]


def _comparable(label: str | int) -> str:
    return str(int(label)) if isinstance(label, int) else label
