"""Closing a fist in EEG with tapping a finger in fNIRS: other people, a related movement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def study(ingested: Callable[[str], Any]) -> Any:
    return ingested("fists_tapping")


def test_recordings(study: Any) -> None:
    assert study.summary.recordings == {"eeg": 6, "fnirs": 4}
    rows = study.corpus.sql("SELECT * FROM recordings ORDER BY recording").to_pandas()
    eeg, fnirs = rows[rows.modality == "eeg"], rows[rows.modality == "fnirs"]
    assert set(eeg.n_events) == {30}
    assert set(eeg.sfreq) == {160.0}
    assert set(eeg.n_channels) == {64}
    assert list(fnirs.n_events) == [12, 12, 12, 12]
    assert np.allclose(fnirs.sfreq, 5.0, atol=0.01)
    assert set(fnirs.n_channels) == {72}


def test_the_thirteenth_mark_is_counted(study: Any) -> None:
    rows = study.corpus.sql(
        "SELECT recording, count FROM losses WHERE item = 'row' AND action = 'dropped'"
    ).to_pylist()
    assert rows == [
        {"recording": "fnirs_tapping_homer3/sub-02/ses-01/task-tapping_fnirs", "count": 1}
    ]


def test_pairs(study: Any) -> None:
    pairs = study.corpus.pairs().to_pandas()
    assert len(pairs) == 45
    assert set(pairs.tier) == {"T5"}
    assert all("fistexec" in name for name in pairs.recording_a)
    candidates = pairs[["recording_a", "recording_b"]].drop_duplicates()
    assert len(candidates) + len(study.corpus.sql("SELECT * FROM abstentions")) == 3 * 4


def test_betas_have_errors(study: Any) -> None:
    windows = study.corpus.recording("fnirs_tapping_homer3/sub-01/ses-01/task-tapping_fnirs")
    good = (windows.channel_status == "good").values
    assert windows.beta.dims == ("window", "channel")
    assert np.isfinite(windows.beta.values[:, good]).all()
    assert (windows.beta_se.values[:, good] > 0).all()


def test_streamed_batch(study: Any) -> None:
    batch = next(iter(study.corpus.pairs().stream(batch_size=8, seed=1)))
    assert batch["eeg"]["signal"].shape[:2] == (8, 64)
    assert batch["fnirs"]["signal"].shape[:2] == (8, 72)
    hbo = np.abs(batch["fnirs"]["signal"])
    assert 1e-9 < hbo[hbo > 0].mean() < 1e-4  # mol/L
