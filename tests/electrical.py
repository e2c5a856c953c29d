"""Real EEG and MEG recordings, and made-up ones of any channels, for the tests of signals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import mne
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuropair.pipeline.bids import index_dataset
from neuropair.pipeline.signals import cleaner
from neuropair.pipeline.types import CleanSignal, Dataset, Recording
from neuropair.schemas.kinds import Modality
from neuropair.schemas.signals import Signals

_LINES = """Fp1 Fp2 F7 F3 Fz F4 F8 FC5 FC1 FC2 FC6 T7 C3 Cz C4 T8
CP5 CP1 CP2 CP6 P7 P3 Pz P4 P8 O1 Oz O2"""
TEN_TWENTY = _LINES.split()


def open_real(folder: Path) -> tuple[Dataset, dict[str, Recording]]:
    """Return a real dataset and its recordings by what follows the dataset in their id."""
    dataset = Dataset(folder.name, folder, str(folder), {})
    recordings = index_dataset(dataset).recordings
    return dataset, {r.id.split("/", 1)[1]: r for r in recordings}


def run(
    dataset: Dataset,
    recording: Recording,
    rename: Mapping[str, str] | None = None,
    **settings: Any,
) -> CleanSignal:
    """Clean a recording with settings of its modality."""
    signals = Signals.model_validate({recording.modality.value: settings})
    return cleaner(recording.modality)(dataset, recording, signals, rename or {})


def background(n_channels: int, seconds: float, sfreq: float, seed: int = 0) -> NDArray[Any]:
    """Shared sources and own noise, (channel, time), about 10 uV: neighbours correlate."""
    rng = np.random.default_rng(seed)
    n = round(seconds * sfreq)
    across = np.linspace(0, np.pi, n_channels)
    mixing = np.stack([np.cos(k * across) for k in range(3)], axis=1)
    return 1e-5 * (mixing @ rng.normal(size=(3, n)) + 0.2 * rng.normal(size=(n_channels, n)))


def write_fif(
    root: Path,
    data: NDArray[Any],
    sfreq: float,
    names: list[str],
    *,
    types: str = "eeg",
    annotations: mne.Annotations | None = None,
    first_samp: int = 0,
    channels_tsv: pd.DataFrame | None = None,
    sidecar: Mapping[str, Any] | None = None,
    modality: Modality = Modality.EEG,
) -> tuple[Dataset, Recording]:
    """Write a made-up recording as FIF, in a dataset of its own."""
    folder = root / "sub-01" / "eeg"
    folder.mkdir(parents=True, exist_ok=True)
    info = mne.create_info(names, sfreq, types)
    raw = mne.io.RawArray(data, info, first_samp=first_samp, verbose="ERROR")
    if annotations is not None:
        raw.set_annotations(annotations)
    raw.save(folder / "sub-01_task-rest_eeg.fif", fmt="double", overwrite=True, verbose="ERROR")
    path = PurePosixPath("sub-01/eeg/sub-01_task-rest_eeg.fif")
    if channels_tsv is None:
        kind = {"eeg": "EEG", "mag": "MEGMAG"}[types]
        channels_tsv = pd.DataFrame({"name": names, "type": kind})
    table = folder / "sub-01_task-rest_channels.tsv"
    channels_tsv.to_csv(table, sep="\t", index=False)
    recording = Recording(
        dataset="made",
        modality=modality,
        subject="01",
        session=None,
        task="rest",
        acquisition=None,
        run=None,
        path=path,
        sidecar=dict(sidecar or {}),
        channels_path=PurePosixPath(table.relative_to(root).as_posix()),
    )
    return Dataset("made", root, str(root), {}), recording


def row(clean: CleanSignal, name: str) -> NDArray[np.float64]:
    """Samples of one channel, by name."""
    return np.asarray(clean.data["signal"].sel(channel=name).to_numpy())


def status(clean: CleanSignal) -> dict[str, str]:
    """Channel -> status."""
    return dict(zip(clean.channels["channel"], clean.channels["status"], strict=True))


def step(clean: CleanSignal, name: str) -> Mapping[str, Any]:
    """Parameters of the one step of that name."""
    (found,) = [s.parameters for s in clean.steps if s.name == name]
    return found


def epochs(
    clean: CleanSignal, onsets: NDArray[Any], tmin: float, tmax: float
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Baseline-corrected epochs (event, channel, time), their times, and which onsets fit."""
    data = clean.data["signal"].to_numpy()
    first = np.round((onsets + tmin) * clean.sfreq).astype(int)
    size = round((tmax - tmin) * clean.sfreq)
    fits = (first >= 0) & (first + size <= data.shape[1])
    cut = np.stack([data[:, i : i + size] for i in first[fits]])
    times = tmin + np.arange(size) / clean.sfreq
    return cut - cut[..., times < 0].mean(axis=-1, keepdims=True), times, fits


def tone(freq: float, seconds: float, sfreq: float, amplitude: float = 1e-5) -> NDArray[Any]:
    """One sine, (time,)."""
    return amplitude * np.sin(2 * np.pi * freq * np.arange(round(seconds * sfreq)) / sfreq)


def amplitude_at(data: NDArray[Any], freq: float, sfreq: float) -> float:
    """Amplitude of the sine of that frequency in the middle of a signal, (time,)."""
    middle = data[len(data) // 4 : 3 * len(data) // 4]
    wave = np.exp(-2j * np.pi * freq * np.arange(len(middle)) / sfreq)
    return float(2 * np.abs(np.mean(middle * wave)))
