"""What passes from stage to stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

import pandas as pd
import xarray as xr

from neuropair.schemas.kinds import Modality


@dataclass(frozen=True)
class Loss:
    """One thing that did not make it, or was repaired: a row of table ``losses``."""

    stage: Literal["source", "index", "events", "signal", "windows", "pairing"]
    item: Literal["file", "row", "channel", "event", "window", "candidate"]
    action: Literal["dropped", "repaired", "flagged"]
    count: int
    reason: str
    where: str | None = None


@dataclass(frozen=True)
class RemoteFile:
    """A file of a source, before it is fetched.

    Parameters
    ----------
    path : PurePosixPath
        Relative to the dataset's root.
    size : int
        Bytes.
    checksum : str or None
        ``<kind>:<hex>`` where the source publishes one.
    modified : float or None
        Time of last change, s since 1970, where the source tells it.
    """

    path: PurePosixPath
    size: int
    checksum: str | None = None
    modified: float | None = None


@dataclass(frozen=True)
class Dataset:
    """A dataset whose files lie in a local folder, read-only.

    Parameters
    ----------
    id : str
        Id in the study.
    root : Path
        The folder.
    source : str
        Where it came from, as the study names it.
    description : Mapping
        dataset_description.json.
    """

    id: str
    root: Path
    source: str
    description: Mapping[str, Any]


@dataclass(frozen=True)
class Recording:
    """One signal file seen as one modality. A FIF with MEG and EEG gives two recordings.

    All paths are relative to `Dataset.root`.
    """

    dataset: str
    modality: Modality
    subject: str
    session: str | None
    task: str | None
    acquisition: str | None
    run: str | None
    path: PurePosixPath
    sidecar: Mapping[str, Any] = field(default_factory=dict)
    """The JSON sidecar with inheritance resolved."""
    sidecar_paths: tuple[PurePosixPath, ...] = ()
    channels_path: PurePosixPath | None = None
    electrodes_path: PurePosixPath | None = None
    events_path: PurePosixPath | None = None
    acq_time: str | None = None

    @property
    def id(self) -> str:
        """``<dataset>/sub-..[/ses-..]/task-..[_acq-..][_run-..]_<modality>``."""
        folders = [self.dataset, f"sub-{self.subject}"]
        if self.session is not None:
            folders.append(f"ses-{self.session}")
        entities = [("task", self.task), ("acq", self.acquisition), ("run", self.run)]
        name = "_".join(f"{key}-{value}" for key, value in entities if value is not None)
        return "/".join([*folders, f"{name}_{self.modality}" if name else str(self.modality)])


@dataclass(frozen=True)
class Failure:
    """A recording that the dataset announces and that cannot be read: status ``failed``."""

    recording: Recording
    reason: str
    remedy: str


@dataclass(frozen=True)
class Index:
    """What a dataset holds: its recordings, and what could not be read.

    Every failure also stands in `losses`, as a dropped file of stage ``index``.
    """

    dataset: Dataset
    recordings: tuple[Recording, ...]
    losses: tuple[Loss, ...] = ()
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class Events:
    """The canonical events of one recording.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns of `neuropair.schemas.tables.EVENTS` without ``study`` and ``recording``, sorted by
        onset, ``event`` counting from 0.
    losses : tuple of Loss
    media : pandas.DataFrame or None
        Columns of `neuropair.schemas.tables.MEDIA_CLOCKS` without ``study`` and ``recording``, one
        row a playback; None for recordings without media.
    contents : Mapping
        Stimulus key of a name -> content key that the dataset publishes for it, where it does.
    """

    table: pd.DataFrame
    losses: tuple[Loss, ...] = ()
    media: pd.DataFrame | None = None
    contents: Mapping[str, str] = field(default_factory=dict)


class Step(NamedTuple):
    """One processing step, as it is recorded with the signal."""

    name: str
    parameters: Mapping[str, Any]
    software: str
    """Package and version, such as ``mne 1.13.0``."""


@dataclass(frozen=True)
class CleanSignal:
    """A cleaned continuous recording.

    Parameters
    ----------
    data : xarray.Dataset
        ``signal (channel, time)`` float64 in SI units; ``valid (channel, time)`` bool;
        coordinate ``time``: true acquisition time, s from the start of the source recording.
    channels : pandas.DataFrame
        Columns ``channel, type, unit, x, y, z, frame, status, reason, quality`` of table
        ``channels``, one row a source channel of the modality. Rows with status ``good`` or
        ``bad`` are those of `data`, in its order; ``excluded`` rows come last. ``quality`` is a
        dict of float.
    sfreq : float
        Hz, nominal.
    sfreq_source : float
        Hz.
    duration : float
        s, of the source recording.
    steps : tuple of Step
    quality : Mapping
        Quality of the run, by name.
    losses : tuple of Loss
    regressors : pandas.DataFrame or None
        fMRI: nuisance regressors (time rows), for the single-trial model.
    """

    data: xr.Dataset
    channels: pd.DataFrame
    sfreq: float
    sfreq_source: float
    duration: float
    steps: tuple[Step, ...]
    quality: Mapping[str, float | str | bool]
    losses: tuple[Loss, ...] = ()
    regressors: pd.DataFrame | None = None


@dataclass(frozen=True)
class WindowSet:
    """The windows of one recording, as the corpus stores them.

    Parameters
    ----------
    data : xarray.Dataset
        ``signal (window, channel, time)`` float32 in SI units, never NaN (0 where not valid);
        ``valid (window, time)`` bool: the sample was recorded and is not scrubbed;
        ``channel_valid (window, channel)`` bool: the channel is good, and valid wherever the
        window is; for haemodynamic modalities ``beta``
        and ``beta_se (window, channel)`` float32, NaN where there is no estimate;
        coordinates ``time`` (s from the event), ``channel``, ``channel_type``, ``channel_unit``,
        ``channel_status``, ``channel_position (channel, xyz)`` m, ``onset (window)`` s,
        ``event (window)`` int32 (-1 for sliding), ``time_offset (window)``: what to add to
        ``time`` for the true acquisition time of this window's samples, s.
    table : pandas.DataFrame
        Columns of `neuropair.schemas.tables.WINDOWS` without ``study`` and ``recording``.
    losses : tuple of Loss
    """

    data: xr.Dataset
    table: pd.DataFrame
    losses: tuple[Loss, ...] = ()
