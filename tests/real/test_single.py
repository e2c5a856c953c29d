"""Studies of one instrument: the oddball EEG and the localizer fMRI, to windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.real


def test_oddball_recordings_and_p300(ingested: Callable[[str], Any]) -> None:
    study = ingested("oddball")
    assert study.summary.recordings == {"eeg": 9}
    counted = study.corpus.sql(
        "SELECT concept, count(*) AS n FROM events GROUP BY ALL ORDER BY ALL"
    ).to_pylist()
    assert {one["concept"] for one in counted} == {
        "oddball/auditory/standard",
        "oddball/auditory/target",
        "oddball/visual/standard",
        "oddball/visual/target",
    }
    assert sum(one["n"] for one in counted) == study.summary.windows == 1755
    assert len(study.corpus.pairs()) == 0


def test_p300_survives(ingested: Callable[[str], Any]) -> None:
    """P300 target minus nontarget has z 3.8 in sub-01, by the test data's README."""
    study = ingested("oddball")
    rows = study.corpus.sql(
        "SELECT w.recording, w.window, w.concept FROM windows w JOIN recordings r USING (recording)"
        " WHERE r.subject = '01' AND w.peak_to_peak < 200e-6"
    ).to_pandas()
    found: dict[bool, list[np.ndarray]] = {True: [], False: []}
    for recording, group in rows.groupby("recording"):
        stored = study.corpus.recording(recording)
        signal = stored.signal.mean("channel")
        value = (signal - signal.sel(time=slice(-0.2, 0.0)).mean("time")).values
        is_target = group.concept.str.endswith("target").to_numpy()
        for kind, chosen in ((True, is_target), (False, ~is_target)):
            found[kind].append(value[group.window[chosen]])
    time = stored.time.values
    target, standard = (np.concatenate(found[kind]) for kind in (True, False))
    error = np.sqrt(target.var(axis=0) / len(target) + standard.var(axis=0) / len(standard))
    z = (target.mean(axis=0) - standard.mean(axis=0)) / error
    assert z[(time > 0.25) & (time < 0.6)].max() > 3


def test_localizer(ingested: Callable[[str], Any]) -> None:
    study = ingested("localizer")
    assert study.summary.recordings == {"fmri": 1}
    row = study.corpus.sql("SELECT * FROM recordings").to_pylist()[0]
    assert (row["n_events"], row["n_windows"], row["n_channels"]) == (
        80,
        80,
        6,
    )  # six labels in the image of four regions
    assert row["sfreq"] == pytest.approx(1 / 2.4)
    assert row["duration_s"] == pytest.approx(128 * 2.4)
    kinds = study.corpus.sql("SELECT count(DISTINCT trial_type) AS n FROM events").to_pylist()
    assert kinds == [{"n": 10}]
