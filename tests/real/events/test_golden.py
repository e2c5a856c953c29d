"""Golden facts of the real event tables: measured once, and held."""

from __future__ import annotations

import functools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neuropair.pipeline.bids.index import index_dataset
from neuropair.pipeline.events import person_id, read_dataset_events
from neuropair.pipeline.types import Dataset, Events, Index
from neuropair.schemas.errors import AssertionFailedError, DatasetError, NeuropairError
from neuropair.schemas.library import find_recipe
from neuropair.schemas.recipe import Recipe, Selection
from neuropair.schemas.tables import conform

pytestmark = pytest.mark.real

Results = dict[str, Events | NeuropairError]


@functools.cache
def _index(folder: Path) -> Index:
    text = (folder / "dataset_description.json").read_text(encoding="utf-8-sig")
    dataset = Dataset(folder.name, folder, str(folder), json.loads(text))
    signals = folder.parent.name != "events"
    return index_dataset(dataset, Selection(), [], signals_needed=signals)


@functools.cache
def _read(folder: Path) -> Results:
    return read_dataset_events(_index(folder), find_recipe(folder.name))


def _folder(real_data: Path, name: str) -> Path:
    inner = real_data / "events" / name
    return inner if inner.is_dir() else real_data / name


def _concepts(results: Results, suffix: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for recording, events in results.items():
        if recording.endswith(suffix) and isinstance(events, Events):
            counts.update(events.table["concept"])
    return counts


def _losses(results: Results) -> Counter[str]:
    counts: Counter[str] = Counter()
    for events in results.values():
        if isinstance(events, Events):
            for loss in events.losses:
                counts[loss.reason] += loss.count
    return counts


def _table(results: Results, recording: str) -> pd.DataFrame:
    events = results[recording]
    assert isinstance(events, Events)
    return events.table


# dataset -> recordings, events by the end of the recording's id
COUNTS = {
    "eeg_fists_eegmmidb": (6, {"eeg": 180}),
    "eeg_n170_muse": (8, {"eeg": 1569}),
    "eeg_oddball_muse": (9, {"eeg": 1755}),
    "fmri_haxby_pymvpa": (16, {"fmri": 128}),
    "fmri_localizer_pyhrf": (1, {"fmri": 80}),
    "fnirs_snirf_samples": (2, {"fnirs": 10}),
    "fnirs_tapping_homer3": (4, {"fnirs": 48}),
    "meg_audvis_mne": (2, {"meg": 31, "eeg": 31}),
    "ds000116": (24, {"fmri": 2995}),
    "ds000117": (126, {"meg": 5301, "eeg": 5301, "fmri": 5043}),
    "ds000248": (2, {"meg": 320, "eeg": 320}),
    "ds003645": (48, {"meg": 10167, "eeg": 10167}),
    # a story, its 2,408 stretches of 10 s in all, and a mark or the request to hurry up, a run
    "ds004078": (160, {"meg": 2568, "fmri": 2568}),
    "ds004496": (179, {"fmri": 14392}),
    "ds004514": (12, {"eeg": 13314, "fnirs": 13314}),
    "ds005810": (16, {"meg": 6616}),
    "ds005811": (64, {"eeg": 33984}),
    "nm000175": (5, {"fnirs": 450}),
}


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_every_recording_gives_its_events(real_data: Path, name: str) -> None:
    recordings, events = COUNTS[name]
    results = _read(_folder(real_data, name))
    assert [error for error in results.values() if isinstance(error, NeuropairError)] == []
    assert len(results) == recordings
    found: Counter[str] = Counter()
    for recording, read in results.items():
        assert isinstance(read, Events)
        found[recording.rsplit("_", 1)[-1]] += len(read.table)
        assert conform(read.table.assign(study="s", recording=recording), "events").num_rows
    assert found == events


def test_n170_faces_and_houses(real_data: Path) -> None:
    results = _read(_folder(real_data, "eeg_n170_muse"))
    assert _concepts(results, "eeg") == {
        "perception/visual/face": 778,
        "perception/visual/house": 791,
    }
    assert _losses(results) == {}


def test_audvis_and_its_full_recording_agree(real_data: Path) -> None:
    part = _table(_read(_folder(real_data, "meg_audvis_mne")), _first(real_data, "meg_audvis_mne"))
    full = _table(_read(_folder(real_data, "ds000248")), _first(real_data, "ds000248")).head(31)
    assert np.array_equal(part["onset"], full["onset"])
    assert part["concept"].tolist() == full["concept"].tolist()
    assert part["value"].tolist() != full["value"].tolist()
    assert _losses(_read(_folder(real_data, "ds000248"))) == {"byte-order mark removed": 2}


def _first(real_data: Path, name: str) -> str:
    return next(iter(_read(_folder(real_data, name))))


def test_fists_are_moved_or_imagined(real_data: Path) -> None:
    results = _read(_folder(real_data, "eeg_fists_eegmmidb"))
    concepts = _concepts(results, "eeg")
    assert concepts["motor/fist/left"] == concepts["imagery/motor/fist/left"] == 23
    assert concepts["motor/fist/right"] == concepts["imagery/motor/fist/right"] == 22
    assert concepts["rest/baseline"] == 90


def test_the_stray_13th_mark_is_dropped_with_its_reason(real_data: Path) -> None:
    results = _read(_folder(real_data, "fnirs_tapping_homer3"))
    dropped = {
        recording: loss
        for recording, events in results.items()
        if isinstance(events, Events)
        for loss in events.losses
    }
    assert list(dropped) == ["fnirs_tapping_homer3/sub-02/ses-01/task-tapping_fnirs"]
    (loss,) = dropped.values()
    assert (loss.action, loss.count) == ("dropped", 1)
    assert str(loss.where).endswith("_events.tsv:14")


def test_haxby_shares_concepts_with_n170(real_data: Path) -> None:
    haxby = _concepts(_read(_folder(real_data, "fmri_haxby_pymvpa")), "fmri")
    n170 = _concepts(_read(_folder(real_data, "eeg_n170_muse")), "eeg")
    assert set(haxby) & set(n170) == {"perception/visual/face", "perception/visual/house"}
    assert set(haxby.values()) == {16}


def test_oddball_tasks_share_concepts_with_ds000116(real_data: Path) -> None:
    muse = set(_concepts(_read(_folder(real_data, "eeg_oddball_muse")), "eeg"))
    assert muse == set(_concepts(_read(_folder(real_data, "ds000116")), "fmri"))
    assert len(muse) == 4


def test_ds000116_trials_are_counted_once(real_data: Path) -> None:
    results = _read(_folder(real_data, "ds000116"))
    assert _concepts(results, "fmri") == {
        "oddball/auditory/target": 300,
        "oddball/auditory/standard": 1198,
        "oddball/visual/target": 300,
        "oddball/visual/standard": 1197,
    }
    losses = _losses(results)
    assert losses["the row has no onset; its cells are shifted by three columns"] == 54
    assert (
        losses["the row repeats the target's onset, and its duration is the response time"] == 565
    )


def test_ds000117_no_stimulus_is_common_to_meg_and_fmri(real_data: Path) -> None:
    results = _read(_folder(real_data, "ds000117"))
    for subject in range(1, 7):
        keys: dict[str, set[str]] = {"meg": set(), "fmri": set()}
        names: dict[str, set[str]] = {"meg": set(), "fmri": set()}
        for recording, events in results.items():
            modality = recording.rsplit("_", 1)[-1]
            if f"/sub-{subject:02d}/" in recording and modality in keys:
                assert isinstance(events, Events)
                keys[modality] |= set(events.table["stimulus"].dropna())
                names[modality] |= {n.split("/")[1] for n in events.table["stimulus_name"]}
        assert len(names["meg"] & names["fmri"]) == 432
        assert keys["meg"] & keys["fmri"] == set()
        assert (len(keys["meg"]), len(keys["fmri"])) == (450, 431)


def test_ds000117_one_picture_is_not_in_the_release(real_data: Path) -> None:
    results = _read(_folder(real_data, "ds000117"))
    reason = "unknown identity: the stimulus file is not there"
    flagged = [
        loss
        for events in results.values()
        if isinstance(events, Events)
        for loss in events.losses
        if loss.reason == reason
    ]
    assert sum(loss.count for loss in flagged) == 12
    assert {loss.where for loss in flagged} == {"func/s010.bmp"}


def test_ds000117_by_name_is_refused(real_data: Path) -> None:
    folder = _folder(real_data, "ds000117")
    wrong = find_recipe("ds000117").model_dump(mode="json", exclude_unset=True)
    for entry in wrong["events"]:
        for rule in entry["rules"]:
            rule["stimulus"] = {
                "column": "stim_file",
                "identity": "name",
                "because": "the names are equal",
                "basename": True,
            }
    index = _index(folder)
    one = tuple(r for r in index.recordings if r.subject == "01")
    results = read_dataset_events(Index(index.dataset, one), Recipe.parse(wrong, "wrong.yaml"))
    assert all(isinstance(error, AssertionFailedError) for error in results.values())
    problem = str(next(iter(results.values())))
    assert "their contents differ; so do those of 430 further name(s)" in problem


def test_ds000117_repetition_classes_agree_with_counting(real_data: Path) -> None:
    results = _read(_folder(real_data, "ds000117"))
    differ = []
    for recording, events in results.items():
        if recording.endswith("_meg") or recording.endswith("_fmri"):
            assert isinstance(events, Events)
            named = events.table[events.table["repetition"].notna()]
            first = (named["repetition"] == 0) == (named["repetition_class"] == "first")
            differ += [recording] * int((~first).sum())
    # in these two of 10,344 events the first presentation has no row, so the second counts as first
    assert differ == [
        f"ds000117/sub-03/ses-meg/task-facerecognition_run-0{run}_meg" for run in (1, 3)
    ]


def test_ds000117_and_ds003645_are_one_recording_on_one_clock(real_data: Path) -> None:
    """Both tables hold the projector's delay: applying it again would put them 36 ms apart."""
    faces = _read(_folder(real_data, "ds000117"))
    again = _read(_folder(real_data, "ds003645"))
    compared, differences = 0, []
    for subject, other in (("01", "002"), ("02", "003"), ("03", "004")):
        one, two = find_recipe("ds000117"), find_recipe("ds003645")
        assert person_id(one, "ds000117", subject) == person_id(two, "ds003645", other)
        for run in range(1, 7):
            name = f"task-facerecognition_run-0{run}_meg"
            a = _table(faces, f"ds000117/sub-{subject}/ses-meg/{name}")
            b = _table(again, f"ds003645/sub-{other}/task-FacePerception_run-{run}_meg")
            b = b[b["concept"].str.startswith("perception/visual/face")]
            if len(a) == len(b):
                compared += 1
                assert a["stimulus"].tolist() == b["stimulus"].tolist()
                assert a["repetition_class"].tolist() == b["repetition_class"].tolist()
                differences += (a["onset"].to_numpy() - b["onset"].to_numpy()).tolist()
    assert (compared, len(differences)) == (14, 2066)
    assert 0.0009 < min(differences) < max(differences) < 0.002


def test_ds004514_sides_agree_in_order_code_and_stimulus(real_data: Path) -> None:
    results = _read(_folder(real_data, "ds004514"))
    for subject in range(1, 7):
        eeg = _table(results, f"ds004514/sub-{subject:02d}/task-eeg_eeg")
        nirs = _table(results, f"ds004514/sub-{subject:02d}/task-nirs_fnirs")
        for column in ("value", "concept", "stimulus", "repetition"):
            pd.testing.assert_series_equal(eeg[column], nirs[column])
        slope = np.polyfit(eeg["onset"], nirs["onset"], 1)[0]
        assert 1.2e-5 < abs(slope - 1) < 1.6e-5
    concepts = _concepts(results, "_eeg")
    assert concepts["perception/visual/animal"] == concepts["imagery/visual/animal"] == 540


def test_nod_response_bounces_are_counted(real_data: Path) -> None:
    results = _read(_folder(real_data, "ds005811"))
    assert _concepts(results, "eeg") == {
        "perception/visual/scene": 8000,
        "response": 25856,
        "marker": 128,
    }
    bounces = "bounce: same trial_type within 0.05 s of the one before"
    assert _losses(results) == {bounces: 99770}
    assert _losses(_read(_folder(real_data, "ds005810"))) == {bounces: 2}


def test_nod_images_are_named(real_data: Path) -> None:
    results = _read(_folder(real_data, "ds004496"))
    keys = Counter(
        key
        for recording, events in results.items()
        if isinstance(events, Events) and "task-imagenet" in recording
        for key in events.table["stimulus"]
    )
    assert len(keys) == 8000
    assert set(keys.values()) == {1}
    assert "name:imagenet/n03131574_8247" in keys


LOST_STARTS = {
    "ds004078/sub-08/task-RDR_run-16_meg": (1.878, -6.049),
    "ds004078/sub-09/task-RDR_run-7_meg": (0.017, -7.499),
}
"""Recording -> recovered onset, and how much too near to the end mark the start mark is, s."""


def test_stories_of_meg_and_fmri_are_the_same(real_data: Path) -> None:
    results = _read(_folder(real_data, "ds004078"))
    differences = []
    for recording, events in results.items():
        assert isinstance(events, Events)
        if not recording.endswith("_meg"):
            continue
        story = events.table[events.table["concept"] == "perception/auditory/story"]
        other = _table(results, recording.replace("_meg", "_fmri"))
        other = other[other["concept"] == "perception/auditory/story"]
        assert story["stimulus"].item() == other["stimulus"].item()
        if recording not in LOST_STARTS:
            differences.append(story["duration"].item() - other["duration"].item())
    assert len(differences) == 78
    assert -0.072 < min(differences) < max(differences) < 0.027
    assert np.mean(differences) == pytest.approx(-0.0288, abs=0.0005)


def test_lost_starts_are_found_without_being_named(real_data: Path) -> None:
    results = _read(_folder(real_data, "ds004078"))
    clocks = {
        recording: events.media.iloc[0]
        for recording, events in results.items()
        if isinstance(events, Events) and events.media is not None
    }
    meg = {name: clock for name, clock in clocks.items() if name.endswith("_meg")}
    assert {name for name, clock in meg.items() if clock["status"] != "measured"} == set(
        LOST_STARTS
    )
    rates = [clock["rate_ppm"] for name, clock in meg.items() if name not in LOST_STARTS]
    assert np.mean(rates) == pytest.approx(-106.6, abs=0.1)
    assert np.std(rates, ddof=1) == pytest.approx(88.7, abs=0.1)
    widest = max(meg[name]["uncertainty"] for name in meg if name not in LOST_STARTS)
    for name, (onset, difference) in LOST_STARTS.items():
        clock, events = meg[name], results[name]
        assert clock["status"] == "one-mark"
        assert clock["onset"] == pytest.approx(onset, abs=0.002)
        assert clock["span"] - clock["nominal"] == pytest.approx(difference, abs=1e-3)
        assert clock["uncertainty"] > widest
        assert isinstance(events, Events)
        story = events.table[events.table["concept"] == "perception/auditory/story"]
        assert story["onset"].item() == clock["onset"]
        assert '"media_status": "one-mark"' in story["attributes"].item()
        assert any("media clock from one mark" in loss.reason for loss in events.losses)
    assert {clock["status"] for name, clock in clocks.items() if name.endswith("_fmri")} == {
        "start-only"
    }


def test_ds002336_blank_rows_and_eeg_that_is_not_here(real_data: Path) -> None:
    results = _read(_folder(real_data, "ds002336"))
    assert _concepts(results, "fmri") == {
        "rest/baseline": 162,
        "imagery/motor/hand/right": 130,
        "motor/hand/right": 32,
    }
    assert _losses(results) == {"blank row": 20}
    failed = {name: error for name, error in results.items() if isinstance(error, NeuropairError)}
    assert failed
    assert all(name.endswith("_eeg") for name in failed)
    assert all(isinstance(error, DatasetError) for error in failed.values())


def test_nm000175_stray_rows(real_data: Path) -> None:
    results = _read(_folder(real_data, "nm000175"))
    assert _concepts(results, "fnirs") == {
        "motor/tapping/left": 150,
        "motor/tapping/right": 150,
        "rest/baseline": 150,
    }
    losses = _losses(results)
    assert losses.pop("byte-order mark removed") == 5
    assert list(losses.values()) == [10]
