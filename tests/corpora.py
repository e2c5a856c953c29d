"""Small made-up recordings and corpora, for the tests of more than one room."""

from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import xarray as xr

from neuropair.pipeline.corpus import CorpusStore, combine, input_digest, write_recording
from neuropair.pipeline.types import CleanSignal, Events, Loss, Recording, Step, WindowSet
from neuropair.schemas.kinds import Modality
from neuropair.schemas.signals import Signals
from neuropair.schemas.study import Windows

Tables = dict[str, pd.DataFrame]

UNITS = {"eeg": "V", "meg": "T", "fnirs": "mol/L", "fmri": "%"}
TYPES = {"eeg": "eeg", "meg": "mag", "fnirs": "hbo", "fmri": "region"}
AMPLITUDES = {"eeg": 2e-5, "meg": 1e-13, "fnirs": 1e-6, "fmri": 1.0}


def make_recording(
    modality: str = "eeg", subject: str = "01", dataset: str = "ds1", run: str | None = None
) -> Recording:
    name = f"sub-{subject}_task-tap_{modality}"
    return Recording(
        dataset=dataset,
        modality=Modality(modality),
        subject=subject,
        session=None,
        task="tap",
        acquisition=None,
        run=run,
        path=PurePosixPath(f"sub-{subject}/{modality}/{name}.dat"),
    )


def make_events(onsets: np.ndarray | list[float], duration: float | None = 0.5) -> Events:
    onsets = np.sort(np.asarray(onsets, float))
    rows = pd.DataFrame(
        {
            "event": np.arange(len(onsets), dtype="int32"),
            "onset": onsets,
            "duration": np.full(len(onsets), np.nan if duration is None else duration),
            "concept": [
                "motor/tapping/left" if i % 2 else "motor/tapping/right" for i in range(len(onsets))
            ],
            "stimulus": None,
            "identity": "none",
            "attributes": "{}",
            "source_row": np.arange(2, 2 + len(onsets), dtype="int32"),
        }
    )
    return Events(rows, (Loss("events", "row", "dropped", 1, "a bounce", "events.tsv, line 3"),))


def make_signal(
    modality: str = "eeg",
    n_channels: int = 4,
    sfreq: float = 200.0,
    seconds: float = 60.0,
    start: float = 0.0,
    seed: int = 0,
) -> CleanSignal:
    rng = np.random.default_rng(seed)
    n_times = round(seconds * sfreq)
    names = [f"C{i}" for i in range(n_channels)]
    values = rng.standard_normal((n_channels, n_times)) * AMPLITUDES[modality]
    data = xr.Dataset(
        {
            "signal": (("channel", "time"), values),
            "valid": (("channel", "time"), np.ones(values.shape, bool)),
        },
        coords={"time": start + np.arange(n_times) / sfreq, "channel": names},
    )
    channels = pd.DataFrame(
        {
            "channel": [*names, "EOG"],
            "type": [TYPES[modality]] * n_channels + ["eog"],
            "unit": UNITS[modality] if modality != "meg" else "T",
            "x": 0.01,
            "y": 0.02,
            "z": np.nan,
            "frame": "head",
            "status": ["good"] * n_channels + ["excluded"],
            "reason": [None] * n_channels + ["no brain signal"],
            "quality": [{"deviation": 0.5, "correlation": np.nan}] * (n_channels + 1),
        }
    )
    return CleanSignal(
        data=data,
        channels=channels,
        sfreq=sfreq,
        sfreq_source=sfreq,
        duration=seconds,
        steps=(Step("filter", {"highpass": 0.1}, "mne 1.13.0"),),
        quality={"bad_fraction": 0.0},
    )


def make_windows(
    modality: str = "eeg",
    n_windows: int = 10,
    n_channels: int = 4,
    n_times: int = 48,
    seed: int = 0,
) -> WindowSet:
    """Windows without cutting: for tests of what stores them."""
    rng = np.random.default_rng(seed)
    shape = (n_windows, n_channels, n_times)
    values = (rng.standard_normal(shape) * AMPLITUDES[modality]).astype("float32")
    variables = {
        "signal": (("window", "channel", "time"), values),
        "valid": (("window", "time"), np.ones((n_windows, n_times), bool)),
        "channel_valid": (("window", "channel"), np.ones((n_windows, n_channels), bool)),
    }
    extra = ("beta", "beta_se") if modality in ("fnirs", "fmri") else ("baseline",)
    for name in extra:
        variables[name] = (("window", "channel"), np.full((n_windows, n_channels), np.nan, "f4"))
    data = xr.Dataset(
        variables,
        coords={
            "time": np.arange(n_times) / 40.0 - 0.2,
            "channel": [f"C{i}" for i in range(n_channels)],
            "channel_type": ("channel", [TYPES[modality]] * n_channels),
            "channel_unit": ("channel", [UNITS[modality]] * n_channels),
            "channel_status": ("channel", ["good"] * n_channels),
            "channel_position": (("channel", "xyz"), np.full((n_channels, 3), np.nan)),
            "onset": ("window", np.arange(n_windows) * 2.0 + 1),
            "event": ("window", np.arange(n_windows, dtype="int32")),
            "time_offset": ("window", np.zeros(n_windows)),
        },
    )
    table = pd.DataFrame(
        {
            "window": np.arange(n_windows, dtype="int32"),
            "kind": "event",
            "event": np.arange(n_windows, dtype="int32"),
            "onset": np.arange(n_windows) * 2.0 + 1,
            "tmin": -0.2,
            "tmax": 0.975,
            "concept": "motor/tapping/left",
            "clipped": False,
            "overlaps": False,
            "artefact": False,
            "valid_fraction": 1.0,
            "quality": 1.0,
        }
    )
    return WindowSet(data, table)


def write_corpus(store: CorpusStore, modalities: tuple[str, ...] = ("eeg", "fnirs")) -> Tables:
    """Write a recording a modality; the tables that a flow would publish, a pair a window."""
    parts = []
    for modality in modalities:
        recording, events = make_recording(modality), make_events(np.arange(10) * 2.0 + 1)
        signal, windows = make_signal(modality), make_windows(modality)
        digest = input_digest(
            recording,
            files={"a": "sha256:00"},
            events=events,
            person="ds1/01",
            signals=Signals(),
            windows=Windows(),
        )
        parts.append(
            write_recording(
                store,
                recording,
                digest,
                windows,
                signal,
                events,
                person="ds1/01",
                settings=Signals(),
            )
        )
    tables = combine(parts)
    tables["recordings"]["split"] = "train"
    tables["datasets"] = make_datasets("ds1")
    tables["splits"] = pd.DataFrame(
        [{"kind": "person", "key": "ds1/01", "component": "ds1/01", "split": "train"}]
    )
    if len(modalities) > 1:
        tables["pairs"] = make_pairs(tables["recordings"])
    return tables


def make_datasets(*names: str) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "dataset": name,
                "name": f"Dataset {name}",
                "license": "CC0",
                "doi": f"doi:10.1/{name}",
                "recipe": name,
                "recipe_sha256": "00",
                "source": f"s3://bucket/{name}",
                "n_files": 2,
                "n_bytes": 100,
                "n_recordings": 2,
                "n_failed": 0,
            }
            for name in names
        ]
    )


def make_pairs(recordings: pd.DataFrame, rule: str = "together") -> pd.DataFrame:
    """Pair window i of the first recording with window i of the second."""
    a, b = recordings.iloc[0], recordings.iloc[1]
    return pd.DataFrame(
        [
            {
                "pair_id": f"{rule}-{window}",
                "tier": "T1",
                "rule": rule,
                "modality_a": a["modality"],
                "modality_b": b["modality"],
                "recording_a": a["recording"],
                "recording_b": b["recording"],
                "window_a": window,
                "window_b": window,
                "person_a": a["person"],
                "person_b": b["person"],
                "concept": "motor/tapping/left",
                "split": "train",
                "confidence": 0.9,
                "evidence": "triggers",
                "n_alternatives": 0,
                "quality": 1.0,
            }
            for window in range(10)
        ]
    )
