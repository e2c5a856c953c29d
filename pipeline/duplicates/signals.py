"""Keys of the content of signal files: equal keys are equal signals, under whatever name."""

from __future__ import annotations

from pathlib import PurePosixPath

from neuropair.pipeline.types import Dataset, Recording

_SAMPLES = {".vhdr": (".eeg", ".dat"), ".set": (".fdt",), ".hdr": (".img",)}
"""Header -> where the samples lie, if not in it: headers name files, and differ where names do."""


def signal_key(dataset: Dataset, recording: Recording, checksums: dict[str, str]) -> str | None:
    """Key of the file that holds a recording's samples; None where there is no checksum of it.

    Parameters
    ----------
    dataset : Dataset
    recording : Recording
    checksums : dict
        ``kind:hex`` by path relative to the dataset.
    """
    return checksums.get(samples_file(dataset, recording).as_posix())


def samples_file(dataset: Dataset, recording: Recording) -> PurePosixPath:
    """Path of the samples, relative to the dataset: the signal file unless that is a header."""
    path = recording.path
    for suffix in _SAMPLES.get(path.suffix.lower(), ()):
        beside = path.with_suffix(suffix)
        if (dataset.root / beside).exists():
            return beside
    return path
