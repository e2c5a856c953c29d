"""Units of time: declared, or refused; never guessed in silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuropair.pipeline.types import Events, Loss
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.kinds import Modality

Read = Callable[..., Events]
PATH = "sub-01/eeg/sub-01_task-t_run-1_events.tsv"
MS = "onset\tduration\ttrial_type\n1000\t500\tface\n62500\t500\thouse\n"
SAMPLES = "onset\tduration\ttrial_type\tsample\n1000\t0\tface\t250\n62500\t0\thouse\t15625\n"


def _refused(table: Read, content: str, **entry: Any) -> DatasetError:
    with pytest.raises(DatasetError) as error:
        table(content, **entry)
    return error.value


def test_declared_milliseconds(table: Read) -> None:
    events = table(MS, sidecar={"RecordingDuration": 120.0}, onset_unit="ms", duration_unit="ms")
    assert events.table["onset"].tolist() == [1.0, 62.5]
    assert events.table["duration"].tolist() == [0.5, 0.5]
    assert events.losses == ()


def test_undeclared_milliseconds_against_the_recording(table: Read) -> None:
    error = _refused(table, MS, sidecar={"RecordingDuration": 120.0})
    assert str(error) == (
        f"{PATH}:3: onset 62500 s cannot be: the recording lasts 120 s. The table is in "
        "milliseconds. Remedy: declare 'onset_unit: ms' in the recipe (and 'duration_unit: ms' if "
        "the durations are, too)"
    )


def test_undeclared_milliseconds_against_the_samples(table: Read) -> None:
    error = _refused(table, SAMPLES, sidecar={"SamplingFrequency": 250})
    assert error.where == f"{PATH}:3"
    assert error.problem == (
        "onset 62500 s cannot be: column sample over the sampling rate is 1000 times less. "
        "The table is in milliseconds."
    )


def test_undeclared_milliseconds_against_a_day(table: Read) -> None:
    error = _refused(table, MS.replace("62500", "90000000"))
    assert error.problem == (
        "onset 9e+07 s cannot be: no recording lasts 86400 s. The table is in milliseconds."
    )


def test_declared_milliseconds_pass_the_same_checks(table: Read) -> None:
    events = table(
        SAMPLES, sidecar={"SamplingFrequency": 250, "RecordingDuration": 65.0}, onset_unit="ms"
    )
    assert events.table["onset"].tolist() == [1.0, 62.5]


def test_durations_in_milliseconds(table: Read) -> None:
    content = MS.replace("1000", "1").replace("62500", "62.5")
    error = _refused(table, content, sidecar={"RecordingDuration": 120.0})
    assert error.where == PATH
    assert error.problem == "duration has a median of 500 s, the recording lasts 120 s."
    assert error.remedy.startswith("declare 'duration_unit: ms' in the recipe")


def test_seconds_that_are_right_pass(table: Read) -> None:
    content = SAMPLES.replace("1000\t", "1\t").replace("62500\t", "62.5\t")
    events = table(content, sidecar={"SamplingFrequency": 250, "RecordingDuration": 65.0})
    assert events.losses == ()


def test_an_event_beyond_the_end_is_flagged_and_kept(table: Read) -> None:
    content = MS.replace("1000", "-1").replace("62500", "62.5").replace("500", "0.5")
    events = table(content, sidecar={"RecordingDuration": 60.0})
    assert len(events.table) == 2
    reason = "onset lies outside the recording"
    assert events.losses == (Loss("events", "event", "flagged", 2, reason, f"{PATH}:2,3"),)


def test_the_length_of_an_image_is_read_from_its_header(small: Any) -> None:
    import nibabel

    recording = small.run(MS, modality=Modality.FMRI, sidecar={"RepetitionTime": 2.0})
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2, 60), dtype=np.float32), np.eye(4))
    path = small.root / recording.path.with_suffix(".nii.gz")
    nibabel.save(image, path)
    object.__setattr__(recording, "path", recording.path.with_suffix(".nii.gz"))
    with pytest.raises(DatasetError, match=r"the recording lasts 120 s"):
        small.read()


def test_a_damaged_image_is_left_to_the_signal_stage(small: Any) -> None:
    recording = small.run(MS.replace("62500", "62"), modality=Modality.FMRI)
    path = small.root / recording.path.with_suffix(".nii.gz")
    path.write_bytes(b"no image")
    object.__setattr__(recording, "path", recording.path.with_suffix(".nii.gz"))
    assert len(small.read().table) == 2


def test_response_time_in_milliseconds_with_a_value_for_none(table: Read) -> None:
    content = (
        "onset\tduration\ttrial_type\trt\n1\t0\tface\t512\n2\t0\tface\t0.0\n"
        "3\t0\tface\tn/a\n4\t0\tface\t1.2.3\n"
    )
    rule = {
        "concept": "perception/visual/face",
        "response_time": {"column": "rt", "unit": "ms", "missing": [0]},
    }
    events = table(content, rules=[rule])
    assert events.table["response_time"].iloc[0] == 0.512
    assert events.table["response_time"].isna().tolist() == [False, True, True, True]
    reason = "rt is no number of at least 0, taken as missing"
    assert events.losses == (Loss("events", "row", "repaired", 1, reason, f"{PATH}:5"),)
