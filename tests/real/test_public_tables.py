"""Public datasets whose tables are here and whose signals are not: paired from events alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from neuropair.flows.loading import load_study
from neuropair.flows.prepare import events_frame, recordings_frame
from neuropair.pipeline.align import align_study
from neuropair.pipeline.align.types import AlignResult
from neuropair.pipeline.bids import index_dataset
from neuropair.pipeline.events import person_id, read_dataset_events
from neuropair.pipeline.types import Dataset

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def paired(real_data: Path) -> Callable[[str, str], AlignResult]:
    def pair(study: str, dataset_id: str) -> AlignResult:
        loaded = load_study(study)
        recipe = loaded.recipes[dataset_id]
        dataset = Dataset(dataset_id, real_data / "events" / dataset_id, "tables", {})
        index = index_dataset(dataset, signals_needed=False)
        events = events_frame(read_dataset_events(index, recipe))
        people = [(one, person_id(recipe, dataset_id, one.subject)) for one in index.recordings]
        recordings = recordings_frame(people).assign(split="train")
        return align_study(loaded.study, recordings, events, pd.DataFrame())

    return pair


def test_ds004514_is_paired_whole(paired: Callable[[str, str], AlignResult]) -> None:
    """Six subjects, 2,219 shared triggers each; drift 12 to 16 ppm (science.md section 3)."""
    result = paired("imagined_objects", "ds004514")
    assert len(result.pairs) == 6 * 2219
    assert set(result.pairs["tier"]) == {"T1"}
    assert len(result.abstentions) == 0
    drifts = [clock.drift_ppm for clock in result.clocks.values()]
    assert len(drifts) == 6
    assert all(12 < abs(drift) < 16 for drift in drifts)


def test_ds000117_has_conditions_and_no_pictures_in_common(
    paired: Callable[[str, str], AlignResult],
) -> None:
    """The basename would give 432 pairs a subject, every one false (science.md section 1)."""
    result = paired("faces", "ds000117")
    by_tier = result.pairs["tier"].value_counts()
    assert "T2" not in by_tier
    same_picture = result.abstentions[result.abstentions["tier"] == "T2"]
    assert len(same_picture) == 6 * 6 * 9
    assert same_picture["reason"].str.contains("content").all()
    meg_fmri = result.pairs[result.pairs["tier"] == "T3"]
    assert (meg_fmri["person_a"] == meg_fmri["person_b"]).all()
    per_person = meg_fmri["person_a"].value_counts()
    assert len(per_person) == 6
    assert per_person.min() > 0.8 * 829
    after = result.balance[result.balance["rule"] == "same-condition"]
    assert (after["smd_after"].abs() < 0.1).all()


def test_ds004078_is_joined_by_story_and_media_time(
    paired: Callable[[str, str], AlignResult],
) -> None:
    """The two runs whose start mark was lost are in: their start is known from the end mark."""
    result = paired("stories", "ds004078")
    assert set(result.pairs["tier"]) == {"T2"}
    assert (result.pairs["person_a"] == result.pairs["person_b"]).all()
    run_a, run_b = (
        result.pairs[f"recording_{side}"].str.extract(r"_run-(\d+)_", expand=False) for side in "ab"
    )
    assert (run_a == run_b).all()
    by_rule = result.pairs.groupby("rule")["recording_a"]
    assert by_rule.size().to_dict() == {"same-story": 80, "same-passage": 2408}
    assert by_rule.nunique().to_dict() == {"same-story": 80, "same-passage": 80}
    onsets = result.pairs["stimulus"].str.extract(r"@(.*)$", expand=False).dropna()
    assert (onsets.astype(float) % 10 == 0).all()
