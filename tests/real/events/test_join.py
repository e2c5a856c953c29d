"""NOD's MEG and EEG tables name no image: lists beside them are joined by order, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from stimulus_lists import copy_with_lists, drop_line, joining, read_joined

from neuropair.pipeline.types import Events
from neuropair.schemas.errors import AssertionFailedError

pytestmark = pytest.mark.real

IMAGES = {"ds005810": 200, "ds005811": 125}


@pytest.mark.parametrize(("name", "images"), IMAGES.items())
def test_images_are_joined_by_order(
    real_data: Path, tmp_path: Path, name: str, images: int
) -> None:
    folder = tmp_path / name
    runs = copy_with_lists(real_data / "events" / name, folder, images)
    results = read_joined(folder, joining(name))
    assert len(results) == len(runs)
    for recording, events in results.items():
        assert isinstance(events, Events), events
        session = recording.split("/ses-")[1].split("/")[0]
        shown = events.table[events.table["concept"] == "perception/visual/scene"]
        names = shown["stimulus_name"].str.split("/").str[-1]
        assert names.tolist() == [f"{session}, {trial}.JPEG" for trial in range(images)]
        assert shown["stimulus"].nunique() == images
        others = events.table.drop(shown.index)
        assert others["stimulus"].isna().all()
        (joined,) = [loss for loss in events.losses if "joined by order" in loss.reason]
        assert joined.count == images
        assert "value agree: README" in joined.reason


@pytest.mark.parametrize(("name", "images"), IMAGES.items())
def test_a_list_with_one_line_less_is_refused(
    real_data: Path, tmp_path: Path, name: str, images: int
) -> None:
    folder = tmp_path / name
    runs = copy_with_lists(real_data / "events" / name, folder, images)
    (session, run), first = list(runs.items())[1]
    drop_line(folder, first + 17)
    results = read_joined(folder, joining(name))
    refused = {key: error for key, error in results.items() if not isinstance(error, Events)}
    (recording,) = refused
    assert f"/ses-{session}/" in recording
    assert f"_run-{run}_" in recording
    error = refused[recording]
    assert isinstance(error, AssertionFailedError)
    assert f"{images} rows of sub-01/ses-{session}/" in error.problem
    assert f"lists {images - 1} for {recording}" in error.problem
    assert error.where == f"recipe {name}, events.0, key join"
