"""Which files of a dataset are needed, before any of them is fetched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from neuropair.pipeline.sources.walk import APPLE_DOUBLE
from neuropair.pipeline.types import RemoteFile
from neuropair.schemas.kinds import Modality
from neuropair.schemas.recipe import Recipe, Selection
from neuropair.schemas.signals import Signals

EMPTY_ROOM = "emptyroom"
"""BIDS's subject label of recordings without anybody in the machine."""
_NOT_RAW = ("derivatives", "stimuli", "sourcedata", "code", "phenotype")
_KEYS = {"subject": "sub", "session": "ses", "task": "task", "acquisition": "acq", "run": "run"}
_INDICES = ("run",)
_SIGNAL = re.compile(
    r"_(eeg\.(edf|bdf|vhdr|vmrk|eeg|dat|set|fdt)|meg\.(fif|con|sqd|ds/.*)|nirs\.snirf"
    r"|bold\.nii(\.gz)?)$",
    re.IGNORECASE,
)
_CALIBRATION = re.compile(r"_acq-(calibration|crosstalk)_meg\.")
"""MEG's calibration and cross-talk files have an ``acq`` that is no recording's."""


def selects(
    selection: Selection, modality: Modality | None, entities: Mapping[str, str | None]
) -> bool:
    """Whether a selection holds for a recording.

    Parameters
    ----------
    selection : Selection
        What is not given does not select.
    modality : Modality or None
    entities : mapping
        ``subject, session, task, acquisition, run`` -> label; absent or None where it has none.

    Notes
    -----
    ``run`` is an index in BIDS: 1 and 01 are equal.
    """
    if selection.modality is not None and modality not in selection.modality:
        return False
    return all(
        wanted is None or _is_among(entities.get(name), wanted, name)
        for name, wanted in _wanted(selection)
    )


def says_nothing(selection: Selection) -> bool:
    """Whether no field is given. As an exclusion it excludes nothing."""
    return selection.modality is None and all(wanted is None for _, wanted in _wanted(selection))


def extra_folders(recipe: Recipe, signals: Signals) -> tuple[str, ...]:
    """Folders beyond the raw data that a recipe and settings need: derivatives, stimuli."""
    fmri = signals.fmri
    wanted = [fmri.derivatives, fmri.regions.image, fmri.motion]
    folders = {fixed_part(text) for text in wanted if text}
    folders |= {fixed_part(path) for path in recipe.paths()}
    return tuple(sorted(folder for folder in folders if folder))


def list_folders(recipe: Recipe) -> tuple[str, ...]:
    """Folders of the tables beyond the raw data that a recipe reads: lists, annotations."""
    folders = {fixed_part(path) for path in recipe.table_paths()}
    return tuple(sorted(folder for folder in folders if folder))


def select_files(
    files: Iterable[RemoteFile],
    include: Selection,
    exclude: Sequence[Selection] = (),
    *,
    extra: Sequence[str] = (),
    signals: bool = True,
) -> list[RemoteFile]:
    """Keep the files that the selected recordings need.

    Always kept: what lies at the top (dataset_description.json, participants.tsv, README,
    inherited sidecars), and what applies to several recordings of which one is selected. Folders
    of other instruments (``anat``, ``beh``, ...), derivatives and stimuli stay where they are,
    unless `extra` names them. EEG may lie inside MEG files: where a dataset has no ``eeg``
    folder, its ``meg`` folders count as EEG too.

    Parameters
    ----------
    files : iterable of RemoteFile
    include, exclude
        As in the study. An exclusion drops a file if all that it names is in the file's path.
    extra : sequence of str
        Folders to keep beside the raw data; inside them, files of other subjects are left out.
    signals : bool
        False leaves out the signal files: tables and sidecars only.
    """
    listed = list(files)
    eeg_in_meg = not any("eeg" in file.path.parts[1:-1] for file in listed)
    excluding = [one for one in exclude if not says_nothing(one)]
    return [
        file
        for file in listed
        if _is_needed(file.path, extra)
        and (signals or not _SIGNAL.search(file.path.as_posix()))
        and _fits(file.path, include, excluding, eeg_in_meg=eeg_in_meg)
    ]


def _wanted(selection: Selection) -> list[tuple[str, list[str] | None]]:
    return [(name, getattr(selection, name)) for name in _KEYS]


def _is_among(label: str | None, wanted: list[str], name: str) -> bool:
    if label is None:
        return False
    if name in _INDICES:
        return _index(label) in {_index(one) for one in wanted}
    return label in wanted


def _index(label: str) -> str:
    return str(int(label)) if label.isdigit() else label


def fixed_part(template: str) -> str:
    """Cut a template before its first placeholder, or to the parent of a file.

    Examples
    --------
    >>> fixed_part("derivatives/lists/sub-{subject}_list.tsv"), fixed_part("stimuli/a.wav")
    ('derivatives/lists', 'stimuli')
    """
    parts = PurePosixPath(template).parts
    fixed: list[str] = []
    for part in parts:
        if "{" in part or "*" in part:
            break
        fixed.append(part)
    if len(fixed) == len(parts) and PurePosixPath(template).suffix:
        fixed.pop()
    return "/".join(fixed)


def _is_needed(path: PurePosixPath, extra: Sequence[str]) -> bool:
    if path.name.startswith(APPLE_DOUBLE) or any(part.startswith(".") for part in path.parts):
        return False
    if any(path.is_relative_to(folder) for folder in extra):
        return True
    folders = path.parts[:-1]
    if not folders:
        return True
    if folders[0] in _NOT_RAW or not folders[0].startswith("sub-"):
        return False
    return _datatype(path) in {None, *(modality.datatype for modality in Modality)}


def _datatype(path: PurePosixPath) -> str | None:
    """Find the datatype folder of a raw file; None for files that lie above one."""
    inner = [part for part in path.parts[1:-1] if not part.startswith("ses-")]
    return inner[0] if inner else None


def _fits(
    path: PurePosixPath, include: Selection, exclude: list[Selection], *, eeg_in_meg: bool
) -> bool:
    labels = _labels(path)
    raw = path.parts[0].startswith("sub-")
    modalities = _modalities(_datatype(path), eeg_in_meg) if raw else []
    subject = labels.get("sub")
    if subject == EMPTY_ROOM and EMPTY_ROOM not in (include.subject or []):
        return False
    if modalities and include.modality is not None and not set(modalities) & set(include.modality):
        return False
    calibration = _CALIBRATION.search(path.name) is not None
    for name, wanted in _wanted(include):
        label = labels.get(_KEYS[name])
        if wanted is None or label is None or (name == "acquisition" and calibration):
            continue
        if not _is_among(label, wanted, name):
            return False
    return not any(_is_excluded(labels, modalities, one) for one in exclude)


def _is_excluded(
    labels: Mapping[str, str], modalities: list[Modality], selection: Selection
) -> bool:
    if selection.modality is not None and not (
        modalities and set(modalities) <= set(selection.modality)
    ):
        return False
    return all(
        wanted is None or _is_among(labels.get(_KEYS[name]), wanted, name)
        for name, wanted in _wanted(selection)
    )


def _modalities(datatype: str | None, eeg_in_meg: bool) -> list[Modality]:
    found = [modality for modality in Modality if modality.datatype == datatype]
    return [*found, Modality.EEG] if found == [Modality.MEG] and eeg_in_meg else found


def _labels(path: PurePosixPath) -> dict[str, str]:
    """Entities of a path: of its folders, then of its name."""
    labels: dict[str, str] = {}
    for part in (*path.parts[:-1], path.name.split(".", 1)[0]):
        for pair in part.split("_"):
            key, dash, label = pair.partition("-")
            if dash and key in _KEYS.values():
                labels[key] = label
    return labels
