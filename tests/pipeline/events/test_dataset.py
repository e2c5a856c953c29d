"""What depends on the runs around: repetition, intervals, assertions, entries."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from neuropair.pipeline.events import COLUMNS
from neuropair.pipeline.types import Events, Loss
from neuropair.schemas.errors import AssertionFailedError, DatasetError, NeuropairError, RecipeError
from neuropair.schemas.kinds import Modality
from neuropair.schemas.tables import conform

NAMED = {
    "concept": "perception/visual",
    "stimulus": {"column": "stim", "identity": "none"},
    "repetition": "stimulus",
}


def _shown(*names: str) -> str:
    rows = (f"{at}\t0\t{name}\n" for at, name in enumerate(names, start=1))
    return "onset\tduration\tstim\n" + "".join(rows)


def _classes(events: Events | NeuropairError) -> list[str | None]:
    assert isinstance(events, Events)
    return events.table["repetition_class"].tolist()


def test_columns_are_the_table_s(small: Any) -> None:
    small.run(_shown("a", "b"))
    events = small.read(rules=[NAMED])
    assert tuple(events.table.columns) == COLUMNS
    rows = events.table.assign(study="s", recording="r")
    assert conform(rows, "events").num_rows == 2


def test_text_columns_hold_none_where_there_is_nothing(small: Any) -> None:
    small.run(_shown("a", "n/a"))
    table = small.read(rules=[NAMED]).table
    for column in ("stimulus", "stimulus_name", "value", "hed", "attributes", "repetition_class"):
        assert table[column].iloc[1] is None, column


def test_repetition_within_and_across_runs(small: Any) -> None:
    # 10 stands before 2 in the listing, and after it in the session
    small.run(_shown("b", "c"), run="10")
    small.run(_shown("a", "a", "b", "a"), run="2")
    ten, two = small.read_all({"rules": [NAMED]}).values()
    assert _classes(two) == ["first", "immediate", "first", "delayed"]
    assert two.table["repetition"].tolist() == [0, 1, 0, 2]
    assert _classes(ten) == ["delayed", "first"]
    assert ten.table["repetition"].tolist() == [1, 0]


def test_a_run_does_not_continue_the_one_before(small: Any) -> None:
    small.run(_shown("a"), run="1")
    small.run(_shown("a"), run="2")
    assert _classes(small.read_all({"rules": [NAMED]})["ds/sub-01/task-t_run-2_eeg"]) == ["delayed"]


def test_runs_are_ordered_by_acquisition_time(small: Any) -> None:
    small.run(_shown("a"), run="1", acq_time="2020-01-01T11:00:00")
    small.run(_shown("a"), run="2", acq_time="2020-01-01T10:00:00")
    one, two = small.read_all({"rules": [NAMED]}).values()
    assert (_classes(one), _classes(two)) == (["delayed"], ["first"])


def test_sessions_and_modalities_are_counted_apart(small: Any) -> None:
    small.run(_shown("a"), run="1")
    small.run(_shown("a"), run="1", modality=Modality.FNIRS)
    small.run(_shown("a"), run="2", session="b")
    results = small.read_all({"rules": [NAMED]})
    assert [_classes(events) for events in results.values()] == [["first"]] * 3


def test_meg_and_eeg_of_one_file_have_the_same_events(small: Any) -> None:
    small.run(_shown("a", "b", "a"), modality=Modality.MEG)
    meg = small.recordings[0]
    small.run(None, modality=Modality.EEG)
    object.__setattr__(small.recordings[1], "events_path", meg.events_path)
    one, other = small.read_all({"rules": [NAMED]}).values()
    pd.testing.assert_frame_equal(one.table, other.table)


def test_what_follows_an_unreadable_run_is_unknown(small: Any) -> None:
    small.run(_shown("a"), run="1")
    small.run(_shown("a").replace("1\t", "x\t"), run="2")
    small.run(_shown("a"), run="3")
    one, two, three = small.read_all({"rules": [NAMED]}).values()
    assert _classes(one) == ["first"]
    assert isinstance(two, DatasetError)
    assert _classes(three) == [None]
    assert three.table["repetition"].isna().all()
    reason = "repetition unknown: an earlier run was not read, or the stimulus has no name"
    assert three.losses == (Loss("events", "event", "flagged", 1, reason),)


def test_repetition_class_from_a_column(small: Any) -> None:
    small.run("onset\tduration\tcode\tstim\n1\t0\t5.0\ta\n2\t0\t6\ta\n")
    rule = {
        **NAMED,
        "repetition": "column",
        "repetition_column": {"column": "code", "values": {"5": "first", "6": "immediate"}},
    }
    events = small.read(rules=[rule])
    assert _classes(events) == ["first", "immediate"]
    assert events.table["repetition"].tolist() == [0, 1]


def test_intervals_run_from_stimulus_to_stimulus(small: Any) -> None:
    small.run(
        "onset\tduration\ttrial_type\n1\t0\tface\n1.6\t0\tresp\n3\t0\tface\n3\t0\thouse\n5\t0\tface\n"
    )
    table = small.read().table
    assert table["preceding_interval"].iloc[1:].tolist() == [pytest.approx(0.6), 2.0, 2.0, 2.0]
    assert pd.isna(table["preceding_interval"].iloc[0])
    assert table["run_position"].tolist() == [0.0, pytest.approx(0.15), 0.5, 0.5, 1.0]


@pytest.mark.parametrize(
    ("assertion", "failure"),
    [
        (
            {"kind": "count", "concept": "perception/visual", "equals": 4},
            "count of perception/visual: 3, asserted 4",
        ),
        ({"kind": "count", "minimum": 4}, "count of all events: 3, asserted at least 4"),
        ({"kind": "count", "maximum": 2}, "count of all events: 3, asserted at most 2"),
        (
            {"kind": "unique_stimuli", "equals": 3},
            "unique stimuli of all events: 2, asserted 3",
        ),
        (
            {"kind": "interval", "minimum": 1.5},
            "shortest interval of all events: 1.000 s at line 3, asserted at least 1.5 s",
        ),
        (
            {"kind": "interval", "concept": "perception", "maximum": 0.5},
            "longest interval of perception: 1.000 s at line 3, asserted at most 0.5 s",
        ),
        (
            {
                "kind": "count",
                "equals": 3,
                "except_for": {"sub-01/task-t_run-1_eeg": 5},
                "because": "b",
            },
            "count of all events: 3, asserted 5 as an exception",
        ),
    ],
)
def test_assertion_that_fails(small: Any, assertion: dict[str, Any], failure: str) -> None:
    small.run(_shown("a", "b", "a"))
    with pytest.raises(AssertionFailedError) as error:
        small.read(rules=[NAMED], assertions=[assertion])
    assert error.value.where == "recipe r, events.0"
    assert error.value.problem == f"{failure} (ds/sub-01/task-t_run-1_eeg)."
    assert "except_for" in error.value.remedy


def test_assertions_that_hold(small: Any) -> None:
    small.run(_shown("a", "b", "a"))
    assertions = [
        {"kind": "count", "equals": 9, "except_for": {"task-t_run-1_eeg": 3}, "because": "b"},
        {"kind": "unique_stimuli", "equals": 2},
        {"kind": "interval", "minimum": 1, "maximum": 1},
    ]
    assert len(small.read(rules=[NAMED], assertions=assertions).table) == 3


def test_all_failures_are_named_at_once(small: Any) -> None:
    small.run(_shown("a"))
    assertions = [{"kind": "count", "equals": 2}, {"kind": "unique_stimuli", "equals": 2}]
    with pytest.raises(AssertionFailedError, match=r"count of .*; unique stimuli of"):
        small.read(rules=[NAMED], assertions=assertions)


def test_a_failing_run_does_not_fail_the_others(small: Any) -> None:
    small.run(_shown("a", "b"), run="1")
    small.run(_shown("a"), run="2")
    entry = {"rules": [NAMED], "assertions": [{"kind": "count", "equals": 2}]}
    one, two = small.read_all(entry).values()
    assert isinstance(one, Events)
    assert isinstance(two, AssertionFailedError)


def test_the_first_entry_that_selects_gives_the_events(small: Any) -> None:
    small.run(_shown("a"), run="1")
    small.run(_shown("a"), run="2")
    results = small.read_all(
        {"recordings": {"run": ["2"]}, "rules": [{"concept": "rest"}]}, {"rules": [NAMED]}
    )
    concepts = [events.table["concept"].item() for events in results.values()]
    assert concepts == ["perception/visual", "rest"]


def test_recording_that_no_entry_selects(small: Any) -> None:
    small.run(_shown("a"))
    (error,) = small.read_all({"recordings": {"task": ["x"]}, "rules": [NAMED]}).values()
    assert isinstance(error, RecipeError)
    assert error.problem == "no entry of 'events' selects ds/sub-01/task-t_run-1_eeg."


def test_recording_without_a_table(small: Any) -> None:
    small.run(None)
    with pytest.raises(DatasetError) as error:
        small.read()
    assert error.value.problem == "has no events table."
    assert error.value.remedy.startswith("say 'source: annotations' or 'source: none'")


def test_resting_state_has_no_events_and_no_complaint(small: Any) -> None:
    small.run(None)
    (events,) = small.read_all({"source": "none"}).values()
    assert events == Events(events.table)
    assert events.table.empty
    assert tuple(events.table.columns) == COLUMNS
    assert conform(events.table.assign(study="s", recording="r"), "events").num_rows == 0


def test_resting_state_can_be_asserted_about(small: Any) -> None:
    small.run(None)
    assertion = {"kind": "count", "equals": 1}
    (error,) = small.read_all({"source": "none", "assertions": [assertion]}).values()
    assert isinstance(error, AssertionFailedError)


def test_annotations_of_the_signal_file(small: Any) -> None:
    import mne
    import numpy as np

    info = mne.create_info(["Cz"], 100.0, "eeg")
    raw = mne.io.RawArray(np.zeros((1, 1000)), info, first_samp=500, verbose="error")
    raw.set_meas_date(0)
    marks = mne.Annotations(
        [5.5, 7.0], [1.0, 2.0], ["face", "house"], orig_time=raw.info["meas_date"]
    )
    raw.set_annotations(marks)
    recording = small.run(None)
    path = recording.path.with_name("sub-01_task-t_run-1_eeg.fif")
    object.__setattr__(recording, "path", path)
    (small.root / path).parent.mkdir(parents=True)
    raw.save(small.root / path, verbose="error")
    table = small.read(source="annotations").table
    assert table["onset"].tolist() == pytest.approx([0.5, 2.0])
    assert table["duration"].tolist() == pytest.approx([1.0, 2.0])
    assert table["concept"].tolist() == ["perception/visual/face", "perception/visual/house"]
    assert table["source_row"].tolist() == [0, 0]


def test_annotations_of_an_image(small: Any) -> None:
    small.run(None, modality=Modality.FMRI)
    with pytest.raises(RecipeError, match="source is 'annotations', and NIfTI files carry none"):
        small.read(source="annotations")


def test_annotations_of_a_file_that_is_absent(small: Any) -> None:
    small.run(None)
    with pytest.raises(DatasetError, match="does not exist"):
        small.read(source="annotations")
