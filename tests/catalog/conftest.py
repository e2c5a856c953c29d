from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from corpora import make_events, make_recording, make_signal, make_windows

from neuropair.catalog import Corpus
from neuropair.catalog.splits import assign_splits
from neuropair.pipeline.corpus import CorpusStore, combine, publish, write_recording
from neuropair.pipeline.types import WindowSet
from neuropair.schemas.signals import Signals
from neuropair.schemas.study import Splits

N_WINDOWS = 10
DATASET = {
    "dataset": "ds1",
    "name": "Tapping",
    "license": "CC0",
    "recipe": "ds1",
    "recipe_sha256": "0" * 64,
    "source": "ds1",
    "n_files": 1,
    "n_bytes": 1,
    "n_recordings": 1,
    "n_failed": 0,
}


@dataclass(frozen=True)
class Made:
    """A corpus on disk and what went into it, by recording."""

    path: Path
    windows: dict[str, WindowSet]


def _windows(modality: str, subject: int) -> WindowSet:
    """Recordings of one modality differ in channels and length; one has masks and a delay."""
    n_channels, n_times = {"eeg": (4, 48), "fnirs": (3, 30), "meg": (6, 40), "fmri": (2, 12)}[
        modality
    ]
    n_channels += subject % 2
    made = make_windows(modality, N_WINDOWS, n_channels, n_times + subject, seed=subject)
    data = made.data
    rng = np.random.default_rng(subject)
    data["valid"].to_numpy()[2, :5] = False
    data["signal"].to_numpy()[2, :, :5] = 0
    data["channel_valid"].to_numpy()[:, 1] = False
    data["channel_position"].to_numpy()[0] = [0.01, 0.02, 0.03]
    data["time_offset"].to_numpy()[:] = rng.uniform(-0.01, 0.01, N_WINDOWS)
    if "beta" in data:
        data["beta"].to_numpy()[3] = rng.standard_normal(n_channels)
        data["beta_se"].to_numpy()[3] = 0.5
    return made


def _pair(tier: str, a: str, b: str, i: int, j: int, rows: pd.DataFrame) -> dict[str, object]:
    ra, rb = rows.loc[a], rows.loc[b]
    return {
        "pair_id": hashlib.sha256(f"{tier}{a}{b}{i}{j}".encode()).hexdigest()[:16],
        "tier": tier,
        "rule": f"{ra.modality}-{rb.modality}",
        "modality_a": ra.modality,
        "modality_b": rb.modality,
        "recording_a": a,
        "recording_b": b,
        "window_a": i,
        "window_b": j,
        "person_a": ra.person,
        "person_b": rb.person,
        "concept": "motor/tapping/left",
        "split": ra.split,
        "confidence": 0.9,
        "evidence": "triggers" if tier == "T1" else "condition",
        "n_alternatives": 0,
        "quality": 1.0,
    }


def _pairs(recordings: pd.DataFrame, subjects: Iterable[int]) -> pd.DataFrame:
    rows = recordings.set_index("recording")
    names = {(row.modality, row.subject): name for name, row in rows.iterrows()}
    pairs = []
    for subject in (f"{s:02}" for s in subjects):
        for i in range(N_WINDOWS):
            one = {m: names[m, subject] for m in ("eeg", "fnirs", "meg", "fmri")}
            pairs.append(_pair("T1", one["eeg"], one["fnirs"], i, i, rows))
            if i % 2:
                pairs.append(_pair("T3", one["meg"], one["fmri"], i, (i + 3) % 10, rows))
    first = [name for name, row in rows.iterrows() if row.modality == "eeg"]
    train = [name for name in first if rows.loc[name, "split"] == "train"][:2]
    if len(train) > 1:
        pairs += [_pair("T5", *train, i, 9 - i, rows) for i in range(4)]
    return pd.DataFrame(pairs)


def make_corpus(path: Path, subjects: Iterable[int] = range(1, 6), study: str = "tap") -> Made:
    store = CorpusStore(path)
    made, rows = {}, []
    for subject in subjects:
        for modality in ("eeg", "fnirs", "meg", "fmri"):
            recording = make_recording(modality, f"{subject:02}")
            windows = _windows(modality, subject)
            signal = make_signal(modality, windows.data.sizes["channel"])
            rows.append(
                write_recording(
                    store,
                    recording,
                    hashlib.sha256(recording.id.encode()).hexdigest()[:16],
                    windows,
                    signal,
                    make_events(windows.data["onset"].to_numpy()),
                    person=f"ds1/{subject:02}",
                    settings=Signals(),
                )
            )
            made[recording.id] = windows
    tables = combine(rows)
    splits = assign_splits(tables["recordings"], tables["windows"], Splits())
    by_recording = splits[splits["kind"] == "recording"].set_index("key")["split"]
    tables["recordings"]["split"] = tables["recordings"]["recording"].map(by_recording)
    tables["splits"] = splits
    tables["pairs"] = _pairs(tables["recordings"], subjects)
    tables["datasets"] = pd.DataFrame([DATASET])
    publish(store, study, tables)
    return Made(path, made)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_corpus(tmp_path_factory.mktemp("corpora") / "corpus")


@pytest.fixture(scope="session")
def corpus(made: Made) -> Corpus:
    return Corpus.open(made.path)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_corpus(tmp_path_factory.mktemp("corpora") / "small", [1])
