"""Clean EEG: line noise, bad channels, band-pass, resampling, reference."""

from __future__ import annotations

from collections.abc import Mapping

from neuropair.pipeline.signals.base import software
from neuropair.pipeline.signals.electrical import (
    Work,
    band_and_grid,
    find_bad,
    finish,
    good_rows,
    prepare,
    remove_line,
)
from neuropair.pipeline.signals.filters import Signal
from neuropair.pipeline.types import CleanSignal, Dataset, Recording, Step
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.signals import EEG, Signals


def clean(
    dataset: Dataset, recording: Recording, settings: Signals, rename: Mapping[str, str]
) -> CleanSignal:
    """Read and clean one EEG recording, or the EEG channels of a MEG file.

    Line noise is removed, bad channels are found by PREP's criteria and kept as they are (marked,
    never interpolated), then band-pass, resampling and reference. All filters are zero phase.

    Parameters
    ----------
    dataset : Dataset
    recording : Recording
    settings : Signals
        `settings.eeg` is used.
    rename : Mapping
        Channel name in the file -> standard name.

    Returns
    -------
    CleanSignal
        V.

    Raises
    ------
    DatasetError
        If the recording cannot be read, or a channel of the reference is absent.
    """
    eeg = settings.eeg
    work = prepare(dataset, recording, eeg, rename)
    band = remove_line(work, eeg)
    find_bad(work, eeg, correlation=True, ransac=eeg.ransac)
    data, grid = band_and_grid(work, eeg, band)
    _reference(work, data, eeg)
    return finish(work, data, grid)


def _reference(work: Work, data: Signal, settings: EEG) -> None:
    """Re-reference in place: the average of good channels, or of those that are named."""
    names = [c.name for c in work.kept]
    good = good_rows(work.kept)
    used = software("numpy")
    if settings.reference == "as-recorded":
        work.steps.append(Step("reference", {"reference": "as recorded"}, used))
        return
    if settings.reference == "average":
        if len(good) < settings.average_needs:
            why = f"{len(good)} good channels, an average needs {settings.average_needs}"
            parameters = {"reference": "as recorded", "reason": why}
            work.steps.append(Step("reference", parameters, used))
            return
        data -= data[good].mean(axis=0)
        averaged = {"reference": "average", "n_channels": len(good)}
        work.steps.append(Step("reference", averaged, used))
        return
    absent = [name for name in settings.reference if name not in names]
    if absent:
        raise DatasetError(
            f"has no channel {', '.join(absent)} to refer to.",
            where=work.where,
            remedy=f"name channels of the recording in 'reference': {', '.join(names)}",
        )
    data -= data[[names.index(name) for name in settings.reference]].mean(axis=0)
    work.steps.append(Step("reference", {"reference": list(settings.reference)}, used))
