"""Keys of the content of signal files: equal keys are equal signals, under whatever name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import PurePosixPath

from neuropair.pipeline.events.identity import ContentKeys, annex_key
from neuropair.pipeline.types import Dataset, Recording

_SAMPLES = {".vhdr": (".eeg", ".dat"), ".set": (".fdt",), ".hdr": (".img",)}
"""Header -> where the samples lie, if not in it: headers name files, and differ where names do."""


class SignalKeys:
    """Content keys of a dataset's signal files, ``<kind>:<hex>:<bytes>``.

    Parameters
    ----------
    dataset : Dataset
    """

    def __init__(self, dataset: Dataset) -> None:
        self._root = dataset.root
        self._listed: Mapping[str, str] = ContentKeys(dataset.root, ()).listed

    def measured(self, recording: Recording, checksums: Mapping[str, str]) -> str | None:
        """Key of the file that holds a recording's samples, of files that were read.

        Parameters
        ----------
        recording : Recording
        checksums : Mapping
            ``sha256:<hex>`` by path relative to the dataset.
        """
        path = self.samples_file(recording)
        checksum = checksums.get(path.as_posix())
        if checksum is None:
            return None
        kind, _, digest = checksum.partition(":")
        return f"{kind.upper()}:{digest}:{(self._root / path).stat().st_size}"

    def published(self, recording: Recording) -> str | None:
        """Key in the git-annex link, or in the listing beside the dataset; None if in neither."""
        path = self.samples_file(recording)
        file = self._root / path
        linked = annex_key(file.readlink().name) if file.is_symlink() else None
        return linked or self._listed.get(path.as_posix())

    def samples_file(self, recording: Recording) -> PurePosixPath:
        """Path of the samples, relative to the dataset: the signal file unless that is a header."""
        path = recording.path
        for suffix in _SAMPLES.get(path.suffix.lower(), ()):
            beside = path.with_suffix(suffix)
            if os.path.lexists(self._root / beside) or beside.as_posix() in self._listed:
                return beside
        return path
