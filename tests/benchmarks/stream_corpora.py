"""Corpora for the benchmarks of the stream: made-up windows in many recordings, and their pairs."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent.parent))

from corpora import make_datasets, make_events, make_signal, make_windows

from neuropair.pipeline.corpus import (
    CorpusStore,
    combine,
    input_digest,
    publish,
    write_recording,
)
from neuropair.pipeline.types import Recording
from neuropair.schemas.kinds import Modality
from neuropair.schemas.signals import Signals
from neuropair.schemas.study import Windows


class Size(NamedTuple):
    """How large a corpus is: half of its recordings EEG, half fMRI; one pair a window."""

    recordings: int = 400
    windows: int = 164
    eeg: tuple[int, int] = (64, 256)
    fmri: tuple[int, int] = (400, 8)

    @property
    def pairs(self) -> int:
        """Number of pairs."""
        return self.recordings // 2 * self.windows

    @property
    def pair_bytes(self) -> int:
        """Bytes of the signals of one pair as float32."""
        return 4 * (int(np.prod(self.eeg)) + int(np.prod(self.fmri)))


def make_corpus(folder: Path, size: Size, dtype: Literal["int16", "float32"]) -> Path:
    """Write a corpus, unless the folder holds it already."""
    done = folder / "size.txt"
    wanted = f"{tuple(size)} {dtype}"
    if done.is_file() and done.read_text() == wanted:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    store = CorpusStore(str(folder))
    settings = Signals.model_validate({m: {"dtype": dtype} for m in ("eeg", "fmri")})
    parts, pairs = [], []
    for number in range(size.recordings // 2):
        names = []
        for modality in ("eeg", "fmri"):
            recording = Recording(
                "bench",
                Modality(modality),
                f"{number:05d}",
                None,
                "look",
                None,
                None,
                PurePosixPath(f"{number}_{modality}.dat"),
            )
            parts.append(_write(store, recording, size, number, settings))
            names.append(recording.id)
        pairs.append(_pairs(*names, size.windows, f"bench/{number:05d}"))
    tables = combine(parts)
    tables["recordings"]["split"] = "train"
    tables["datasets"] = make_datasets("bench")
    tables["pairs"] = pd.concat(pairs, ignore_index=True)
    publish(store, "bench", tables)
    done.write_text(wanted)
    return folder


def _write(
    store: CorpusStore, recording: Recording, size: Size, seed: int, settings: Signals
) -> object:
    modality = recording.modality.value
    n_channels, n_times = getattr(size, modality)
    windows = make_windows(modality, size.windows, n_channels, n_times, seed)
    events = make_events(np.arange(size.windows) * 2.0 + 1)
    signal = make_signal(modality, n_channels, seconds=2.0)
    digest = input_digest(
        recording,
        files={"a": f"sha256:{seed}"},
        events=events,
        person=f"bench/{recording.subject}",
        signals=settings,
        windows=Windows(),
    )
    return write_recording(
        store,
        recording,
        digest,
        windows,
        signal,
        events,
        person=f"bench/{recording.subject}",
        settings=settings,
    )


def _pairs(a: str, b: str, n: int, person: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "pair_id": [f"{person}-{window:06d}" for window in range(n)],
            "tier": "T1",
            "rule": "together",
            "modality_a": "eeg",
            "modality_b": "fmri",
            "recording_a": a,
            "recording_b": b,
            "window_a": np.arange(n),
            "window_b": np.arange(n),
            "person_a": person,
            "person_b": person,
            "concept": "motor/tapping/left",
            "split": "train",
            "confidence": 0.9,
            "evidence": "triggers",
            "n_alternatives": 0,
            "quality": 1.0,
        }
    )


def evict(folder: Path) -> None:
    """Drop a corpus's files from the page cache."""
    import os

    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
