"""Faces and houses: EEG of two people with fMRI of a third, the whole way."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
import pytest
import xarray as xr

pytestmark = pytest.mark.real

FACE, HOUSE = "perception/visual/face", "perception/visual/house"


@pytest.fixture(scope="module")
def study(ingested: Callable[[str], Any]) -> Any:
    return ingested("n170_haxby")


def test_recordings(study: Any) -> None:
    assert study.summary.recordings == {"eeg": 8, "fmri": 8}
    assert study.summary.failures == []
    rows = study.corpus.sql("SELECT * FROM recordings ORDER BY recording").to_pandas()
    eeg, fmri = rows[rows.modality == "eeg"], rows[rows.modality == "fmri"]
    assert set(eeg.sfreq_source) == {256.0}
    assert set(eeg.sfreq) == {200.0}
    assert set(eeg.n_channels) == {4}
    assert list(eeg.n_events) == [197, 195, 195, 194, 194, 199, 197, 198]
    assert set(fmri.sfreq) == {0.4}
    assert set(fmri.n_events) == {8}
    assert np.allclose(fmri.duration_s, 302.5)


def test_units(study: Any) -> None:
    rows = study.corpus.sql("SELECT DISTINCT recording, unit FROM channels WHERE row >= 0")
    units = {(one["recording"].rsplit("_", 1)[1], one["unit"]) for one in rows.to_pylist()}
    assert units == {("eeg", "V"), ("fmri", "%")}


def test_pairs_are_of_one_category(study: Any) -> None:
    pairs = study.corpus.pairs("tier = 'T5'").to_pandas()
    assert len(pairs) == len(study.corpus.pairs()) > 1400
    assert set(pairs.concept) == {FACE, HOUSE}
    mixed = study.corpus.sql(
        "SELECT count(*) AS n FROM pairs p"
        " JOIN windows a ON p.recording_a = a.recording AND p.window_a = a.window"
        " JOIN windows b ON p.recording_b = b.recording AND p.window_b = b.window"
        " WHERE a.concept <> b.concept OR p.person_a = p.person_b"
    )
    assert mixed.to_pylist() == [{"n": 0}]
    assert (pairs.covariate_distance <= 0.5).all()


def test_a_block_has_at_most_its_share_of_trials(study: Any) -> None:
    most = study.corpus.sql(
        "SELECT max(n) AS most FROM"
        " (SELECT count(*) AS n FROM pairs GROUP BY recording_b, window_b)"
    ).to_pylist()
    assert most[0]["most"] <= 128


def test_every_candidate_is_paired_or_abstained_from(study: Any) -> None:
    found = study.corpus.sql(
        "SELECT recording_a, recording_b FROM pairs GROUP BY ALL"
        " UNION ALL SELECT recording_a, recording_b FROM abstentions"
    ).to_pandas()
    assert len(found) == len(found.drop_duplicates()) == 8 * 8


def test_streamed_batches_hold_every_pair_once(study: Any) -> None:
    pairs = study.corpus.pairs()
    seen = [name for batch in pairs.stream(batch_size=256, seed=0) for name in batch["pair_id"]]
    assert sorted(seen) == sorted(pairs.to_pandas().pair_id)
    batch = next(iter(islice(pairs.stream(batch_size=16, seed=0), 1)))
    eeg, fmri = batch["eeg"], batch["fmri"]
    assert eeg["signal"].shape == (16, 4, 241)
    assert fmri["signal"].shape[:1] == (16,)
    assert eeg["signal"].dtype == fmri["signal"].dtype == np.float32
    assert eeg["present"].all()
    assert fmri["present"].all()
    assert 1e-6 < np.abs(eeg["signal"][eeg["channel_mask"]]).mean() < 1e-3


def test_n170_survives(study: Any) -> None:
    """Face minus house at TP9/TP10 is -2.2 uV at 211 ms (sub-01), by the test data's README."""
    faces, houses, time = _mean_windows(study, "sub-01")
    difference = faces - houses
    difference -= difference[time < 0].mean()
    window = (time >= 0.1) & (time <= 0.3)
    peak = time[window][difference[window].argmin()]
    assert -4e-6 < difference[window].min() < -1.5e-6
    assert 0.19 <= peak <= 0.24


def _mean_windows(study: Any, subject: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = study.corpus.sql(
        "SELECT r.path, w.window, w.concept FROM windows w JOIN recordings r USING (recording)"
        f" WHERE r.modality = 'eeg' AND r.subject = '{subject.removeprefix('sub-')}'"
        " AND w.peak_to_peak < 200e-6"
    ).to_pandas()
    means: dict[str, list[np.ndarray]] = {FACE: [], HOUSE: []}
    for path, group in rows.groupby("path"):
        stored = xr.open_zarr(study.path / path)
        signal = (stored.signal * stored.scale).sel(channel=["TP9", "TP10"]).mean("channel").values
        for concept, some in group.groupby("concept"):
            means[str(concept)].append(signal[some.window])
        time = stored.time.values
    return (
        np.concatenate(means[FACE]).mean(axis=0),
        np.concatenate(means[HOUSE]).mean(axis=0),
        time,
    )
