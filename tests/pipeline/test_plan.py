"""The plan: true numbers, what is missing, and nothing written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from neuropair.pipeline.bids.duration import duration
from neuropair.pipeline.plan import Plan, PlanRow, plan_study
from neuropair.schemas.errors import DatasetError, RecipeError
from neuropair.schemas.study import Study

RECIPE = """
recipe: {name}
title: {name}
signals: {signals}
events:
  - rules: [{{concept: visual}}]
"""


@pytest.fixture
def plan(tmp_path: Path) -> Any:
    """Plan one dataset by a recipe of its own."""

    def make(root: Path, *, signals: bool = True, **entry: Any) -> PlanRow:
        (tmp_path / "r.yaml").write_text(RECIPE.format(name="r", signals=str(signals).lower()))
        study = Study.parse(
            {
                "study": "s",
                "title": "s",
                "datasets": [{"dataset": root.name, "recipe": "r.yaml", **entry}],
            },
            "test",
        )
        planned = plan_study(study, {root.name: str(root)}, tmp_path)
        (row,) = planned.rows
        json.dumps(planned.to_dict())
        return row

    return make


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "recordings", "minutes"),
    [
        ("eeg_fists_eegmmidb", {"eeg": 6}, {"eeg": 6 * 125 / 60}),
        ("eeg_n170_muse", {"eeg": 8}, {"eeg": 8 * 2}),
        ("meg_audvis_mne", {"eeg": 1, "meg": 1}, {"eeg": 0.4, "meg": 0.4}),
        ("fmri_haxby_pymvpa", {"fmri": 16}, {"fmri": 16 * 302.5 / 60}),
        ("fnirs_snirf_samples", {"fnirs": 2}, {"fnirs": 519 / 60}),
    ],
)
def test_real_datasets(
    plan: Any, real_data: Path, name: str, recordings: dict[str, int], minutes: dict[str, float]
) -> None:
    row = plan(real_data / name)
    assert row.problem is None
    assert row.local
    assert row.recordings == recordings
    assert {key: 60 * value for key, value in row.hours.items()} == pytest.approx(minutes, rel=0.02)
    assert row.unknown_length == {}
    assert row.missing == ()
    assert row.license


@pytest.mark.real
def test_bytes_are_those_of_the_files_that_are_needed(plan: Any, real_data: Path) -> None:
    root = real_data / "eeg_n170_muse"
    needed = [
        path
        for path in root.rglob("*")
        if path.is_file() and path.relative_to(root).parts[0] != "sourcedata"
    ]
    row = plan(root)
    assert (row.files, row.bytes) == (len(needed), sum(path.stat().st_size for path in needed))
    one = plan(root, include={"subject": ["02"]})
    assert one.recordings == {"eeg": 2}
    assert one.bytes < row.bytes


@pytest.mark.real
def test_tables_only_say_what_the_signals_would_weigh(plan: Any, real_data: Path) -> None:
    row = plan(real_data / "events" / "ds000117", signals=False)
    assert row.recordings == {"eeg": 36, "fmri": 54, "meg": 36}
    (missing,) = row.missing
    assert (missing.what, missing.count, missing.bytes) == ("signal file", 90, 33_230_857_357)
    assert row.unknown_length == row.recordings


@pytest.mark.real
def test_absent_signals_and_no_licence_are_missing(plan: Any, real_data: Path) -> None:
    row = plan(real_data / "events" / "ds000116")
    assert row.recordings == {}
    absent, licence = row.missing
    assert (absent.what, absent.count) == ("recording that cannot be read", 24)
    assert absent.bytes == 733_375_236
    assert "datalad get" in absent.remedy
    assert licence.what == "licence"


def test_no_events_and_a_broken_header_are_missing(plan: Any, tmp_path: Path) -> None:
    root = tmp_path / "d"
    (root / "sub-1" / "nirs").mkdir(parents=True)
    (root / "sub-1" / "nirs" / "sub-1_task-x_nirs.snirf").write_bytes(b"no HDF5" * 300)
    (root / "dataset_description.json").write_text('{"License": "CC0"}')
    row = plan(root)
    assert row.unknown_length == {"fnirs": 1}
    assert [one.what for one in row.missing] == ["signal file that cannot be read", "events table"]


def test_an_unreachable_source_is_its_row_s_problem(plan: Any, tmp_path: Path) -> None:
    row = plan(tmp_path / "nowhere")
    assert "is no folder" in row.problem
    assert row.files == 0


def test_a_bucket_is_planned_without_pulling_signals(
    plan: Any, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import obstore
    from obstore.store import MemoryStore

    from neuropair.pipeline import plan as module
    from neuropair.pipeline.sources.objectstore import ObjectStoreSource

    original = real_data / "eeg_fists_eegmmidb"
    store = MemoryStore()
    for path in sorted(original.rglob("*")):
        if path.is_file():
            obstore.put(store, path.relative_to(original).as_posix(), path.read_bytes())
    read: list[str] = []

    class Watched(ObjectStoreSource):
        def read(self, path: Any) -> bytes:
            read.append(str(path))
            return super().read(path)

    monkeypatch.setattr(module, "open_source", lambda url, base: Watched("memory://", store))
    row = plan(tmp_path / "fists")
    assert not row.local
    here = [path for path in original.rglob("*") if path.is_file()]
    assert (row.files, row.bytes) == (len(here), sum(path.stat().st_size for path in here))
    assert row.recordings == {"eeg": 6}
    assert row.license == "ODC-By-1.0"
    assert not [path for path in read if path.endswith(".edf")]
    assert row.hours == {"eeg": pytest.approx(750 / 3600)}
    assert list(tmp_path.iterdir()) == [tmp_path / "r.yaml"]


def test_a_dataset_without_a_source(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(RECIPE.format(name="r", signals="true"))
    study = Study.parse(
        {"study": "s", "title": "s", "datasets": [{"dataset": "d", "recipe": "r.yaml"}]}, "test"
    )
    with pytest.raises(RecipeError, match=r"dataset d has no source.*--source d=URL"):
        plan_study(study, {}, tmp_path)


def test_totals() -> None:
    rows = (
        PlanRow("a", "a", "a", local=True, files=2, bytes=10, recordings={"eeg": 1}),
        PlanRow("b", "b", "b", files=3, bytes=20, recordings={"eeg": 2, "meg": 1}),
    )
    total = Plan("s", rows)
    assert (total.files, total.bytes, total.bytes_to_pull) == (5, 30, 20)
    assert total.recordings == {"eeg": 3, "meg": 1}


def test_length_by_the_sidecar_where_there_is_no_header(tmp_path: Path) -> None:
    assert duration(None, {"RecordingDuration": 12}) == 12
    assert duration(None, {"RecordingDuration": "long"}) is None
    assert duration(tmp_path / "x.set", {"RecordingDuration": 3.5}) == 3.5


def test_length_of_a_truncated_edf(tmp_path: Path) -> None:
    path = tmp_path / "sub-1_task-x_eeg.edf"
    path.write_bytes(b"0" * 100)
    with pytest.raises(DatasetError, match=r"sub-1_task-x_eeg\.edf: its header cannot be read"):
        duration(path, {})
