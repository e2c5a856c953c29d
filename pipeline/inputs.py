"""Which files one recording is made from: their digests decide whether it must be made anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from neuropair.pipeline.bids import parse_name
from neuropair.pipeline.corpus import sha256_file
from neuropair.pipeline.signals.positions import coordinate_file
from neuropair.pipeline.types import Dataset, Recording
from neuropair.schemas.kinds import Modality
from neuropair.schemas.signals import FMRI, Signals

_COMPARED = ("sub", "ses", "task", "run")
_CALIBRATION = ("calibration", "crosstalk")


def input_files(dataset: Dataset, recording: Recording, settings: Signals) -> list[PurePosixPath]:
    """Files that may enter a recording's signal, sorted.

    Every file that contradicts no entity of the recording in the folder of its signal file and in
    the folders that the fMRI settings name. A few more than are read: to hash one file too many
    costs milliseconds, to miss one would keep a stale signal. Events tables are left out; what a
    recipe made of them enters the digest by itself.
    """
    root = dataset.root.resolve()
    found = {
        path
        for folder in _folders(dataset, recording, settings)
        for path in _files(root, folder)
        if _applies(path, recording)
    }
    for named in (
        recording.channels_path,
        recording.electrodes_path,
        coordinate_file(dataset, recording),
    ):
        if named is not None and (root / named).is_file():
            found.add(named)
    return sorted(found)


def input_checksums(dataset: Dataset, recording: Recording, settings: Signals) -> dict[str, str]:
    """``sha256:<hex>`` by path of `input_files`."""
    return {
        path.as_posix(): sha256_file(dataset.root / path)
        for path in input_files(dataset, recording, settings)
    }


def _folders(dataset: Dataset, recording: Recording, settings: Signals) -> list[PurePosixPath]:
    folders = [recording.path.parent]
    if recording.path.suffix == ".ds":
        folders.append(recording.path)
    if recording.modality is Modality.FMRI:
        folders += _named_by_settings(dataset, recording, settings.fmri)
    return folders


def _named_by_settings(
    dataset: Dataset, recording: Recording, settings: FMRI
) -> list[PurePosixPath]:
    subject = f"sub-{recording.subject}"
    named = [PurePosixPath(settings.derivatives) / subject] if settings.derivatives else []
    for template in (settings.regions.image, settings.motion):
        if template:
            fixed = template.split("{", 1)[0].rpartition("/")[0]
            named.append(PurePosixPath(fixed))
    return [folder for folder in named if (dataset.root / folder).is_dir()]


def _files(root: Path, folder: PurePosixPath) -> Iterator[PurePosixPath]:
    for path in (root / folder).rglob("*"):
        if path.is_file() and path.resolve().is_relative_to(root):
            yield PurePosixPath(path.relative_to(root).as_posix())


def _applies(path: PurePosixPath, recording: Recording) -> bool:
    if path.name.startswith("._") or path.name.endswith(("_events.tsv", "_events.json")):
        return False
    entry = parse_name(path.as_posix())
    if entry is None:
        return True
    own = {
        "sub": recording.subject,
        "ses": recording.session,
        "task": recording.task,
        "run": recording.run,
    }
    labels = entry.labels
    if any(labels.get(key, own[key]) != own[key] for key in _COMPARED):
        return False
    acquisition = labels.get("acq", recording.acquisition)
    return acquisition == recording.acquisition or acquisition in _CALIBRATION
