"""Clean continuous signals, one module a modality, found by the modality's name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol, cast

from neuropair.pipeline.types import CleanSignal, Dataset, Recording
from neuropair.schemas.kinds import Modality
from neuropair.schemas.signals import Signals


class Cleaner(Protocol):
    """Reads one recording and cleans it. Called as ``clean`` of the modality's module."""

    def __call__(
        self,
        dataset: Dataset,
        recording: Recording,
        settings: Signals,
        rename: Mapping[str, str],
    ) -> CleanSignal:
        """Read and clean one recording; nothing is written.

        Parameters
        ----------
        dataset : Dataset
            Where the recording's files lie.
        recording : Recording
            The signal file, seen as one modality.
        settings : Signals
            Settings of every modality; a cleaner takes its own.
        rename : Mapping
            Channel name in the file -> standard name, as the dataset's recipe gives it.

        Raises
        ------
        DatasetError
            If the recording cannot be read as a whole: a file is missing, truncated or
            contradicts another.
        """
        ...


def cleaner(modality: Modality) -> Cleaner:
    """Return the cleaner of a modality: ``neuropair.pipeline.signals.<modality>.clean``."""
    module = import_module(f"{__name__}.{Modality(modality).value}")
    return cast(Cleaner, module.clean)
