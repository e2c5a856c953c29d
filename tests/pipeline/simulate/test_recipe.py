from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neuropair.pipeline.bids import index_dataset
from neuropair.pipeline.events import read_dataset_events
from neuropair.pipeline.simulate.damage import CODES
from neuropair.pipeline.simulate.events import CONCEPTS
from neuropair.pipeline.types import Dataset, Events, Index
from neuropair.schemas.kinds import Modality, Tier
from neuropair.schemas.library import find_recipe, find_study


@pytest.fixture(scope="module")
def index(small: Path) -> Index:
    root = small / "bids"
    description = json.loads((root / "dataset_description.json").read_text())
    return index_dataset(Dataset("simulated", root, str(root), description))


@pytest.fixture(scope="module")
def read(index: Index) -> dict[str, Events]:
    found = read_dataset_events(index, find_recipe("simulated"))
    for recording, events in found.items():
        assert isinstance(events, Events), f"{recording}: {events}"
    return found  # type: ignore[return-value]  # just checked


def test_every_recording_is_found(index: Index) -> None:
    assert len(index.recordings) == 2 * (3 + 3 + 3 + 3) + 1
    assert {recording.modality for recording in index.recordings} == set(Modality)
    assert [loss.where for loss in index.losses if "AppleDouble" in loss.reason] == [
        "sub-01/ses-fmri/func/._sub-01_ses-fmri_task-faces_events.tsv"
    ]


def test_the_recipe_reads_every_trial_that_is_in_a_table(
    small: Path, read: dict[str, Events]
) -> None:
    truth = pd.read_parquet(small / "truth" / "events.parquet")
    for recording, rows in truth[truth["in_table"]].groupby("recording"):
        table = read[f"simulated/{recording}"].table
        rows = rows.sort_values("onset")
        table = table[table["concept"] != "response"].astype({"onset": float})
        found = pd.merge_asof(rows, table, on="onset", direction="nearest", tolerance=0.08)
        assert found["event"].notna().all()
        assert (found["concept_x"] == found["concept_y"]).all()
        assert (found["trial_type"] == found["condition"]).all()


def test_the_projector_delay_is_put_back(small: Path, read: dict[str, Events]) -> None:
    truth = pd.read_parquet(small / "truth" / "events.parquet")
    rows = truth[truth["recording"] == "sub-02/ses-meg/task-faces_meg"]
    table = read["simulated/sub-02/ses-meg/task-faces_meg"].table
    onset = table.loc[table["concept"] != "response", "onset"].to_numpy()
    assert abs(np.mean(onset - np.sort(rows["onset"]))) < 0.004


def test_pictures_are_known_by_content_and_presses_bounce_once(read: dict[str, Events]) -> None:
    eeg = read["simulated/sub-01/ses-eegnirs/task-faces_eeg"].table
    meg = read["simulated/sub-01/ses-meg/task-faces_meg"].table
    keys = [set(t["stimulus"].dropna()) for t in (eeg, meg)]
    assert keys[0] == keys[1] != set()
    presses = eeg.loc[eeg["concept"] == "response", "onset"]
    assert presses.diff().min() > 0.05
    collision = [
        read[f"simulated/sub-01/ses-{s}/task-collision_{s}"].table["stimulus"]
        for s in ("meg", "fmri")
    ]
    assert not set(collision[0]) & set(collision[1])


def test_the_byte_order_mark_is_removed_and_counted(read: dict[str, Events]) -> None:
    losses = read["simulated/sub-01/ses-meg/task-tapping_meg"].losses
    assert any("byte-order mark" in loss.reason for loss in losses)


def test_the_demo_pairs_every_tier_but_t0() -> None:
    study, base = find_study("demo")
    assert base is None
    assert {pairing.tier for pairing in study.pairings} == set(Tier) - {Tier.T0}
    regions = study.signals.fmri.regions
    assert regions.image is not None
    assert len(regions.names) == 10


def test_every_condition_has_a_code_and_a_concept() -> None:
    assert set(CONCEPTS) | {"response"} == set(CODES)
