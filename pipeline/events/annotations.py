"""Events that stand in the signal file as annotations, read as a table."""

from __future__ import annotations

import pandas as pd

from neuropair.pipeline.events.tables import RawTable
from neuropair.pipeline.types import Dataset, Recording
from neuropair.schemas.errors import RecipeError
from neuropair.schemas.kinds import Modality


def annotations_table(dataset: Dataset, recording: Recording) -> RawTable:
    """Read the annotations of a signal file.

    Returns
    -------
    RawTable
        Columns ``onset``, ``duration`` (s, from the file's first sample) and ``trial_type`` (the
        description); the index counts annotations from 1.

    Raises
    ------
    DatasetError
        If the signal file cannot be read.
    RecipeError
        If the modality's files carry no annotations.
    """
    from neuropair.pipeline.signals.reading import read_raw

    if recording.modality is Modality.FMRI:
        raise RecipeError(
            "source is 'annotations', and NIfTI files carry none.",
            where=str(recording.path),
            remedy="use 'source: table' or 'source: none'",
        )
    raw, losses = read_raw(dataset, recording)
    marks = raw.annotations
    # MNE counts annotations of dated files from the measurement's start, not the first sample
    first = raw.first_time if marks.orig_time is not None else 0.0
    frame = pd.DataFrame(
        {
            "onset": [repr(float(onset - first)) for onset in marks.onset],
            "duration": [repr(float(duration)) for duration in marks.duration],
            "trial_type": [str(text) for text in marks.description],
        },
        index=pd.RangeIndex(1, len(marks) + 1, name="line"),
        dtype=object,
    )
    return RawTable(str(recording.path), frame, tuple(losses))
