"""Media clocks: measured from both marks, recovered from one, or said to be unknown."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import wavfile
from small_dataset import Small

from neuropair.pipeline.events.playback import Span, expected_span
from neuropair.pipeline.types import Events
from neuropair.schemas.errors import (
    AssertionFailedError,
    DatasetError,
    NeuropairError,
    RecipeError,
)
from neuropair.schemas.kinds import Modality
from neuropair.schemas.recipe import Recipe
from neuropair.schemas.tables import conform

STORY, PASSAGE = "perception/auditory/story", "perception/auditory/speech"
STAMP = 1.959964 * 0.005
"""Half width of one mark's interval, where no sampling rate is known, s."""
SECONDS = {"kind": "seconds", "seconds": 100, "source": "a test"}
LOST = {"because": "a test"}


def _entry(
    nominal: dict[str, Any] | None = None,
    where: dict[str, Any] | None = None,
    more: list[dict[str, Any]] | None = None,
    **media: Any,
) -> dict[str, Any]:
    return {
        "recordings": where or {},
        "rules": [
            {
                "where": {"trial_type": "Beg"},
                "concept": STORY,
                "until": {"trial_type": "End"},
                "stimulus": {"template": "s{run}", "identity": "name", "because": "a test"},
                "media": {"nominal": nominal or SECONDS, **media},
                "repetition": "stimulus",
            },
            {"where": {"trial_type": "End"}, "concept": "marker"},
        ],
        "assertions": [
            *({"kind": "media", "maximum_ppm": 2000, "maximum_uncertainty": 1.5},),
            *(more or []),
        ],
    }


def _marks(*marks: tuple[float, str]) -> str:
    rows = "".join(f"{at}\tn/a\t{kind}\n" for at, kind in marks)
    return "onset\tduration\ttrial_type\n" + rows


def _media(events: Events | NeuropairError) -> pd.DataFrame:
    assert isinstance(events, Events), events
    assert events.media is not None
    table = events.media.assign(study="s", recording="r")
    assert conform(table, "media_clocks").num_rows == len(table)
    return events.media


def test_clock_of_both_marks(small: Small) -> None:
    small.run(_marks((5, "Beg"), (104.98, "End")), sidecar={"SamplingFrequency": 100})
    events = small.read(**_entry())
    (clock,) = _media(events).to_dict("records")
    assert (clock["status"], clock["reason"], clock["onset"]) == ("measured", None, 5.0)
    assert (clock["stimulus"], clock["nominal"]) == ("name:r/s1", 100.0)
    assert clock["span"] == pytest.approx(99.98)
    assert clock["rate_ppm"] == pytest.approx(-200)
    assert clock["uncertainty"] == pytest.approx(1.959964 * np.hypot(0.005, 0.01 / np.sqrt(12)))
    assert events.table["duration"].tolist()[0] == pytest.approx(99.98)
    assert events.table["concept"].tolist() == [STORY, "marker"]
    assert events.losses == ()


def test_stretches_lie_at_equal_media_times(small: Small) -> None:
    small.run(_marks((5, "Beg"), (104.98, "End")))
    events = small.read(**_entry(segments={"length": 30, "step": 20, "concept": PASSAGE}))
    passages = events.table[events.table["concept"] == PASSAGE]
    assert passages["stimulus"].tolist() == [f"name:r/s1@{t}.000" for t in (0, 20, 40, 60)]
    assert passages["onset"].tolist() == pytest.approx([5, 24.996, 44.992, 64.988])
    assert passages["duration"].tolist() == pytest.approx([29.994] * 4)
    assert set(passages["repetition_class"]) == {"first"}
    assert set(passages["identity"]) == {"name"}
    times = [json.loads(text)["media_time"] for text in passages["attributes"]]
    assert times == [0, 20, 40, 60]
    assert events.table["event"].tolist() == list(range(6))
    assert events.table["onset"].is_monotonic_increasing
    assert [loss.count for loss in events.losses] == [4]


def test_a_last_stretch_that_fits_is_kept(small: Small) -> None:
    small.run(_marks((5, "Beg"), (105, "End")))
    events = small.read(**_entry(segments={"length": 10, "concept": PASSAGE}))
    assert (events.table["concept"] == PASSAGE).sum() == 10


def test_media_shorter_than_a_stretch_has_none(small: Small) -> None:
    small.run(_marks((5, "Beg"), (105, "End")))
    events = small.read(**_entry(segments={"length": 101, "concept": PASSAGE}))
    assert events.table["concept"].tolist() == [STORY, "marker"]


LATE, GONE = _marks((11, "Beg"), (104.98, "End")), _marks((104.98, "End"))


@pytest.mark.parametrize("table", [LATE, GONE])
def test_a_start_is_recovered_from_the_end(small: Small, table: str) -> None:
    for subject, span in (("02", 99.98), ("03", 99.982), ("04", 99.978)):
        small.run(_marks((5, "Beg"), (5 + span, "End")), run="1", subject=subject)
        small.recordings[-1] = _moved(small, subject)
    small.run(table, run="1")
    results = small.read_all(_entry(lost_start=LOST))
    events = results["ds/sub-01/task-t_run-1_eeg"]
    (clock,) = _media(events).to_dict("records")
    assert clock["status"] == "one-mark"
    assert clock["onset"] == pytest.approx(5.0, abs=1e-6)
    assert clock["uncertainty"] == pytest.approx(np.hypot(0.0099371, STAMP), abs=2e-5)
    assert clock["uncertainty"] > clock["uncertainty_end"] == pytest.approx(STAMP)
    assert "as in 3 runs of the same media with both marks" in clock["reason"]
    assert isinstance(events, Events)
    row = events.table.iloc[0]
    assert (row["concept"], row["onset"]) == (STORY, clock["onset"])
    assert json.loads(row["attributes"])["media_status"] == "one-mark"
    (loss,) = events.losses
    assert loss.action == "flagged"
    assert loss.reason.startswith("media clock from one mark, +/- 0.014 s: the ")
    others = [_media(one)["status"].item() for name, one in results.items() if "sub-01" not in name]
    assert others == ["measured"] * 3


def _moved(small: Small, subject: str) -> Any:
    """Give the last run a table of its own: `Small` writes all into one subject's folder."""
    from dataclasses import replace
    from pathlib import PurePosixPath

    last = small.recordings[-1]
    assert last.events_path is not None
    path = PurePosixPath(str(last.events_path).replace("sub-01", f"sub-{subject}"))
    target = small.root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    (small.root / last.events_path).rename(target)
    return replace(last, events_path=path)


def test_other_media_lend_their_rate(small: Small) -> None:
    for run, span in (("1", 99.98), ("2", 99.99), ("3", 99.97)):
        small.run(_marks((5, "Beg"), (5 + span, "End")), run=run)
    small.run(GONE, run="4")
    *_, events = small.read_all(_entry(lost_start=LOST)).values()
    (clock,) = _media(events).to_dict("records")
    assert clock["rate_ppm"] == pytest.approx(-200)
    half = 4.302653 * 0.01 * np.sqrt(4 / 3)
    assert clock["uncertainty"] == pytest.approx(np.hypot(half, STAMP), abs=1e-5)


def test_with_no_other_run_physics_bounds_the_start(small: Small) -> None:
    small.run(GONE)
    (clock,) = _media(small.read(**_entry(lost_start=LOST))).to_dict("records")
    assert clock["onset"] == pytest.approx(4.98)
    assert clock["uncertainty"] == pytest.approx(np.hypot(0.65, STAMP))


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (LATE, "the marks lie 93.980 s apart and the media lasts 100.000 s: -6.020 s is more than"),
        (GONE, "the start mark is missing; the recipe has no 'lost_start'"),
        (_marks((1, "Beg"), (112, "End")), "the marks lie 111.000 s apart"),
    ],
)
def test_without_a_reason_there_is_no_event(small: Small, table: str, reason: str) -> None:
    small.run(table)
    events = small.read(**_entry(segments={"length": 10, "concept": PASSAGE}))
    (clock,) = _media(events).to_dict("records")
    assert clock["status"] == "unknown"
    assert clock["reason"].startswith(reason)
    assert np.isnan(clock["onset"])
    assert events.table["concept"].tolist() == ["marker"]
    (loss,) = events.losses
    assert (loss.action, loss.count) == ("dropped", 1)
    assert loss.reason == f"no media clock: {clock['reason']}"


def test_a_start_before_the_recording_is_not_recovered(small: Small) -> None:
    small.run(_marks((60, "End")))
    events = small.read(**_entry(lost_start=LOST))
    (clock,) = _media(events).to_dict("records")
    assert clock["status"] == "unknown"
    assert clock["reason"].endswith("it began 40.000 s before the recording")


@pytest.mark.parametrize(
    ("difference", "status"),
    [(0.6, "measured"), (-0.6, "measured"), (0.7, "unknown"), (-0.7, "unknown")],
)
def test_bound_is_half_a_second_and_1500_ppm(small: Small, difference: float, status: str) -> None:
    small.run(_marks((5, "Beg"), (105 + difference, "End")))
    entry = _entry()
    entry["assertions"] = [{"kind": "media", "maximum_ppm": 1e5, "maximum_uncertainty": 1}]
    assert _media(small.read(**entry))["status"].item() == status


def test_bound_of_the_recipe(small: Small) -> None:
    small.run(_marks((5, "Beg"), (105.1, "End")))
    assert _media(small.read(**_entry(bound=0.05)))["status"].item() == "unknown"


def test_several_playbacks_of_which_one_lost_its_start(small: Small) -> None:
    marks = [(5, "Beg"), (105, "End"), (320, "End"), (400, "Beg"), (500, "End"), (510, "Beg")]
    small.run(_marks(*marks))
    events = small.read(**_entry(lost_start=LOST))
    media = _media(events)
    assert media["onset"].tolist() == pytest.approx([5, 220, 400, 510])
    assert media["status"].tolist() == ["measured", "one-mark", "measured", "start-only"]
    assert media["reason"].iloc[3] == "the end mark is missing"
    stories = events.table[events.table["concept"] == STORY]
    assert stories["onset"].tolist() == pytest.approx([5, 220, 400, 510])


@pytest.mark.parametrize("end", [5, 4])
def test_end_that_is_not_after_the_start(small: Small, end: float) -> None:
    small.run(_marks((5, "Beg"), (end, "End")))
    with pytest.raises(DatasetError) as error:
        small.read(**_entry(lost_start=LOST))
    assert error.value.problem == (f"the end mark at {end} s is not after the start mark at 5 s.")
    assert error.value.where.startswith("sub-01/eeg/sub-01_task-t_run-1_events.tsv:")


def test_length_in_milliseconds(small: Small) -> None:
    small.run(_marks((5, "Beg"), (105, "End")))
    nominal = {"kind": "seconds", "seconds": 100000, "source": "a test"}
    with pytest.raises(DatasetError) as error:
        small.read(**_entry(nominal))
    assert "it is in milliseconds (ds/sub-01/task-t_run-1_eeg)" in error.value.problem
    assert error.value.where == "recipe r, events.0, key rules.media.nominal"


AUDIO = "onset\tduration\tstim\n10\t{seconds}\ts1\n"
FROM_FMRI = {"kind": "recordings", "recordings": {"modality": ["fmri"]}, "because": "a test"}


def _fmri(**media: Any) -> dict[str, Any]:
    stimulus = {"column": "stim", "identity": "name", "because": "a test"}
    rule = {"concept": STORY, "stimulus": stimulus}
    if media:
        rule["media"] = media
    asserted = [{"kind": "media", "maximum_ppm": 2000, "maximum_uncertainty": 1}]
    return {
        "recordings": {"modality": ["fmri"]},
        "rules": [rule],
        "assertions": asserted if media else [],
    }


EEG = {"modality": ["eeg"]}


def test_length_from_other_recordings(small: Small) -> None:
    small.run(AUDIO.format(seconds=100), modality=Modality.FMRI)
    small.run(_marks((5, "Beg"), (105, "End")))
    own = {"nominal": {"kind": "duration"}, "end": "none"}
    passages = {"segments": {"length": 50, "concept": PASSAGE}}
    fmri, eeg = small.read_all(
        _fmri(**own, **passages), _entry(FROM_FMRI, EEG, **passages)
    ).values()
    assert _media(eeg)["nominal_source"].item() == "durations of 1 recordings: a test"
    (clock,) = _media(fmri).to_dict("records")
    assert (clock["status"], clock["reason"]) == ("start-only", "the table marks no end")
    assert clock["uncertainty"] == pytest.approx(STAMP)
    assert clock["uncertainty_end"] == pytest.approx(np.hypot(STAMP, 0.15))
    assert np.isnan(clock["span"])
    assert np.isnan(clock["rate_ppm"])
    assert isinstance(fmri, Events)
    assert isinstance(eeg, Events)
    keys = [set(one.table["stimulus"].dropna()) for one in (fmri, eeg)]
    assert keys[0] == keys[1] == {"name:r/s1", "name:r/s1@0.000", "name:r/s1@50.000"}


@pytest.mark.parametrize(
    ("tables", "problem"),
    [
        ([], "no recording that 'recordings' selects gives s1 a duration."),
        (["n/a"], "no recording that 'recordings' selects gives s1 a duration."),
        ([0], "no recording that 'recordings' selects gives s1 a duration."),
        ([100, 103], "the recordings give s1 durations from 100 to 103 s: they are no length"),
        ([50000], "the length of 50000 s (durations of 1 recordings: a test) is 1000 times"),
    ],
)
def test_lengths_that_other_recordings_do_not_give(
    small: Small, tables: list[Any], problem: str
) -> None:
    for number, seconds in enumerate(tables):
        small.run(AUDIO.format(seconds=seconds), modality=Modality.FMRI, run=str(number + 5))
    small.run(_marks((5, "Beg"), (55 if tables == [50000] else 105, "End")))
    small.run(_marks((5, "Beg"), (105, "End")), run="2", modality=Modality.MEG)
    meg = _entry(None, {"modality": ["meg"]})
    *_, eeg, other = small.read_all(_fmri(), _entry(FROM_FMRI, EEG), meg).values()
    assert isinstance(eeg, DatasetError)
    assert eeg.problem.startswith(problem)
    assert eeg.where.startswith("recipe r, events.1, key rules.")
    assert isinstance(other, Events)


def test_length_of_the_recording_s_own_table_that_is_absent(small: Small) -> None:
    small.run(AUDIO.format(seconds="n/a"), modality=Modality.FMRI)
    (error,) = small.read_all(_fmri(nominal={"kind": "duration"}, end="none")).values()
    assert isinstance(error, DatasetError)
    assert error.problem == (
        "the table gives s1 no duration above 0 (line 2 of ds/sub-01/task-t_run-1_fmri)."
    )


def test_length_of_the_media_file(small: Small) -> None:
    (small.root / "audio").mkdir()
    wavfile.write(small.root / "audio" / "s1.wav", 100, np.zeros((10000, 2), np.int16))
    small.run(_marks((5, "Beg"), (105.02, "End")))
    nominal = {"kind": "file", "path": "audio/{stimulus}.wav"}
    (clock,) = _media(small.read(**_entry(nominal))).to_dict("records")
    assert (clock["nominal"], clock["nominal_source"]) == (100.0, "header of audio/s1.wav")
    assert clock["rate_ppm"] == pytest.approx(200)


@pytest.mark.parametrize(
    ("content", "error", "problem"),
    [
        (None, RecipeError, "audio/s1.wav is not there."),
        (b"no wav", DatasetError, "cannot be read as WAV"),
    ],
)
def test_media_file_that_tells_no_length(
    small: Small, content: bytes | None, error: type[NeuropairError], problem: str
) -> None:
    (small.root / "audio").mkdir()
    if content is not None:
        (small.root / "audio" / "s1.wav").write_bytes(content)
    small.run(_marks((5, "Beg"), (105, "End")))
    with pytest.raises(error, match=problem):
        small.read(**_entry({"kind": "file", "path": "audio/{stimulus}.wav"}))


def test_empty_media_file(small: Small) -> None:
    wavfile.write(small.root / "s1.wav", 100, np.zeros(0, np.int16))
    small.run(_marks((5, "Beg"), (105, "End")))
    with pytest.raises(DatasetError, match="holds no samples"):
        small.read(**_entry({"kind": "file", "path": "{stimulus}.wav"}))


@pytest.mark.parametrize(
    ("asserted", "problem"),
    [
        ({"maximum_ppm": 100}, "media clock of name:r/s1: -200.0 ppm, asserted at most 100 ppm"),
        ({"maximum_uncertainty": 0.001}, r"s1 \(measured\): \+/- 0.010 s, asserted at most 0.001"),
    ],
)
def test_assertion_about_the_clock(small: Small, asserted: dict[str, float], problem: str) -> None:
    small.run(_marks((5, "Beg"), (104.98, "End")))
    both = {"kind": "media", "maximum_ppm": 2000, "maximum_uncertainty": 1} | asserted
    with pytest.raises(AssertionFailedError, match=problem):
        small.read(**_entry(more=[both]))


def test_stimulus_that_is_unknown(small: Small) -> None:
    small.run(_marks((5, "Beg"), (105, "End")))
    entry = _entry()
    entry["rules"][0]["stimulus"]["identity"] = "content"
    events = small.read(**entry)
    (clock,) = _media(events).to_dict("records")
    assert (clock["stimulus"], clock["status"]) == ("unknown:s1", "unknown")
    assert events.table["concept"].tolist() == ["marker"]


def _change(entry: dict[str, Any], **changed: Any) -> dict[str, Any]:
    rule = {**entry["rules"][0], **changed}
    rules = [{k: v for k, v in rule.items() if v is not None}, *entry["rules"][1:]]
    return {**entry, "rules": rules}


BY_COLUMN = {"column": "stim", "identity": "name", "because": "a test"}


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (_change(_entry(), until=None), "'media' has no end mark: give 'until', or 'end: none'"),
        (_entry(end="none"), "'until' gives an end mark"),
        (_change(_entry(end="none", lost_start=LOST), until=None), "'lost_start' needs an end"),
        (_change(_entry(lost_start=LOST), stimulus=BY_COLUMN), "'lost_start' needs a 'template'"),
        (_change(_entry(), stimulus=None, repetition=None), "'media' needs 'stimulus'"),
        (_entry({**SECONDS, "seconds": 0}), "seconds"),
        (_entry({**SECONDS, "seconds": -5}), "seconds"),
        (_entry({"kind": "file", "path": "{hemisphere}.wav"}), "'path' names hemisphere"),
        (_entry({"kind": "recordings", "recordings": {}}), "because"),
        (_entry(segments={"length": 0, "concept": PASSAGE}), "length"),
        ({**_entry(), "assertions": []}, "'media' needs an assertion of kind 'media'"),
    ],
)
def test_media_that_cannot_be(entry: dict[str, Any], problem: str) -> None:
    with pytest.raises(RecipeError) as error:
        Recipe.parse({"recipe": "r", "title": "t", "events": [entry]}, "r.yaml")
    assert problem in str(error.value)


def test_concept_of_stretches_must_be_known(small: Small) -> None:
    small.run(_marks((5, "Beg"), (105, "End")))
    with pytest.raises(RecipeError, match="perception/auditory/spech"):
        small.read(**_entry(segments={"length": 10, "concept": "perception/auditory/spech"}))


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.floats(1e-5, 1e-3))
def test_interval_is_never_wider_than_a_player_can_differ(
    seed: int, count: int, spread: float
) -> None:
    random = np.random.default_rng(seed)
    spans = [Span("a", 1 + spread * random.standard_normal()) for _ in range(count)]
    span, half, _ = expected_span("a", 300.0, spans, 0.95)
    assert 0 <= half <= 0.95
    assert min(s.ratio for s in spans) <= span / 300.0 <= max(s.ratio for s in spans)


@pytest.mark.parametrize("same_media", [True, False])
def test_recovered_starts_lie_in_their_interval(same_media: bool) -> None:
    """93 to 97 % of them, as for every clock (science.md section 8)."""
    random, inside, tried = np.random.default_rng(1), 0, 4000
    for _ in range(tried):
        keys = ["a"] * 4 if same_media else list("bcdef")
        spans = [Span(key, 1 + 1e-4 * random.standard_normal()) for key in keys]
        truth = 300 * (1 + 1e-4 * random.standard_normal())
        span, half, _ = expected_span("a", 300.0, spans, 10.0)
        inside += abs(truth - span) <= half
    assert 0.93 < inside / tried < 0.97


WORDS = "start\tlast\tword\n10650\t200\tonce\n11150\t300\tupon\n{late}\t100\tlate\n"
ANNOTATIONS: dict[str, Any] = {
    "path": "words/{stimulus}.tsv",
    "because": "a test",
    "onset": "start",
    "duration": "last",
    "unit": "ms",
    "offset": -10.65,
    "offset_source": "a test",
    "attributes": {"word": "word"},
    "concept": PASSAGE,
}
COUNT = {"kind": "count", "concept": PASSAGE, "minimum": 2}


def _annotated(small: Small, late: str = "20650", **changed: Any) -> Events:
    (small.root / "words").mkdir(exist_ok=True)
    (small.root / "words" / "s1.tsv").write_text(WORDS.format(late=late), encoding="utf-8")
    small.run(_marks((5, "Beg"), (104.98, "End")))
    return small.read(**_entry(annotations=[ANNOTATIONS | changed], more=[COUNT]))


def test_annotations_follow_the_media_clock(small: Small) -> None:
    events = _annotated(small)
    words = events.table[events.table["concept"] == PASSAGE]
    assert words["onset"].tolist() == pytest.approx([5, 5.4999, 14.998])
    assert words["duration"].tolist() == pytest.approx([0.19996, 0.29994, 0.09998])
    assert words["stimulus"].tolist() == [f"name:r/s1@{t}" for t in ("0.000", "0.500", "10.000")]
    assert [json.loads(text)["word"] for text in words["attributes"]] == ["once", "upon", "late"]


def test_annotations_outside_the_media_are_counted(small: Small) -> None:
    events = _annotated(small, late="210650")
    assert (events.table["concept"] == PASSAGE).sum() == 2
    (dropped,) = [loss for loss in events.losses if loss.action == "dropped"]
    assert (dropped.reason, dropped.where) == (
        "annotation outside the 100 s of its media",
        "words/s1.tsv:4",
    )


@pytest.mark.parametrize(
    ("late", "changed", "problem"),
    [
        ("soon", {}, "start 'soon' is no number."),
        ("1", {"onset": "strat"}, "column 'strat' is not in words/s1.tsv."),
        ("1", {"attributes": {"w": "wrod"}}, "column 'wrod' is not in words/s1.tsv."),
        ("1", {"path": "words/{subject}.tsv"}, "words/01.tsv is not there."),
    ],
)
def test_annotations_that_cannot_be_read(
    small: Small, late: str, changed: dict[str, Any], problem: str
) -> None:
    with pytest.raises(NeuropairError) as error:
        _annotated(small, late, **changed)
    assert error.value.problem == problem
    assert "words/s1.tsv" in error.value.where or "media.annotations.0" in error.value.where


@pytest.mark.parametrize(
    ("changed", "more", "problem"),
    [
        ({}, [], "'annotations' needs an assertion of kind 'count'"),
        ({"offset_source": None}, [COUNT], "'offset' needs 'offset_source'"),
        ({"path": "words.tsv"}, [COUNT], "every recording would get the same rows"),
    ],
)
def test_annotations_that_cannot_be(
    changed: dict[str, Any], more: list[dict[str, Any]], problem: str
) -> None:
    entry = _entry(annotations=[ANNOTATIONS | changed], more=more)
    with pytest.raises(RecipeError) as error:
        Recipe.parse({"recipe": "r", "title": "t", "events": [entry]}, "r.yaml")
    assert problem in str(error.value)
