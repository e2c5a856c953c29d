"""MEG with EEG in one file: every pair has a known right answer, its own event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def study(ingested: Callable[[str], Any]) -> Any:
    return ingested("audvis")


def test_recordings(study: Any) -> None:
    assert study.summary.recordings == {"eeg": 1, "meg": 1}
    rows = study.corpus.sql("SELECT * FROM recordings").to_pandas().set_index("modality")
    assert rows.loc["meg", "n_channels"] == 306
    assert rows.loc["eeg", "n_channels"] == 60
    assert (rows.n_events == 31).all()
    assert np.allclose(rows.sfreq_source, 600.614990234375)
    assert np.allclose(rows.duration_s, 24.0, atol=0.05)


def test_units_are_si(study: Any) -> None:
    counted = study.corpus.sql(
        "SELECT type, unit, count(*) AS n FROM channels WHERE row >= 0 GROUP BY ALL ORDER BY ALL"
    ).to_pylist()
    assert counted == [
        {"type": "eeg", "unit": "V", "n": 60},
        {"type": "grad", "unit": "T/m", "n": 204},
        {"type": "mag", "unit": "T", "n": 102},
    ]


def test_all_31_events_are_paired_with_themselves(study: Any) -> None:
    pairs = study.corpus.sql(
        "SELECT a.event AS event_a, b.event AS event_b, a.onset AS onset_a, b.onset AS onset_b,"
        " p.tier, p.time_difference FROM pairs p"
        " JOIN windows a ON p.recording_a = a.recording AND p.window_a = a.window"
        " JOIN windows b ON p.recording_b = b.recording AND p.window_b = b.window"
        " WHERE a.kind = 'event'"
    ).to_pandas()
    assert len(pairs) == 31
    assert set(pairs.tier) == {"T0"}
    assert (pairs.event_a == pairs.event_b).all()
    assert (pairs.onset_a == pairs.onset_b).all()
    assert (pairs.time_difference == 0).all()


def test_sliding_windows_share_a_clock(study: Any) -> None:
    sliding = study.corpus.sql(
        "SELECT a.onset AS a, b.onset AS b FROM pairs p"
        " JOIN windows a ON p.recording_a = a.recording AND p.window_a = a.window"
        " JOIN windows b ON p.recording_b = b.recording AND p.window_b = b.window"
        " WHERE a.kind = 'sliding'"
    ).to_pandas()
    assert len(sliding) == 22
    assert (sliding.a == sliding.b).all()


def test_both_sides_have_one_time_axis(study: Any) -> None:
    meg, eeg = (
        study.corpus.recording(name)
        for name in sorted(
            study.corpus.sql("SELECT recording FROM recordings").to_pandas().recording, reverse=True
        )
    )
    assert np.array_equal(meg.time, eeg.time)
    assert np.array_equal(meg.time_offset, eeg.time_offset)


def test_streamed_batch(study: Any) -> None:
    batch = next(iter(study.corpus.pairs().stream(batch_size=8, seed=0)))
    assert batch["meg"]["signal"].shape[:2] == (8, 306)
    assert batch["eeg"]["signal"].shape[:2] == (8, 60)
    assert batch["meg"]["signal"].shape[2] == batch["eeg"]["signal"].shape[2]
