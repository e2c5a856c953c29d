"""Windows of a cleaned recording: around its events, and sliding ones on a common clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from neuropair.pipeline.types import CleanSignal, Events, Loss, Recording, WindowSet
from neuropair.pipeline.windows.betas import single_trial_betas
from neuropair.pipeline.windows.frames import Extent, Frames, nearest_frames, sample_range
from neuropair.pipeline.windows.quality import (
    artefact_thresholds,
    event_neighbours,
    has_artefact,
    neighbours,
    overlapping,
    peak_to_peak,
    typical_range,
)
from neuropair.schemas import layout
from neuropair.schemas.signals import Signals
from neuropair.schemas.study import Sliding, Window, Windows

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_BY_CHANNEL = ("window", "channel")
_EVENT_COLUMNS = ["event", "onset", "duration", "concept", "stimulus"]


def cut(
    signal: CleanSignal,
    events: Events,
    recording: Recording,
    windows: Windows,
    settings: Signals,
    *,
    sliding_onsets: ArrayLike | None = None,
) -> WindowSet:
    """Cut a recording into windows.

    Every event gets a window, window i is event i; sliding windows follow. All share one axis of
    whole samples relative to the onset. No value is interpolated: a window holds the samples
    nearest to its axis, and ``time_offset`` says how far their true time lies from it (at most
    half a sample). What was not recorded, was scrubbed, or lies outside the window's own extent
    is masked and 0. Nothing is baseline-corrected: EEG and MEG store the mean before the onset
    beside the window, fNIRS and fMRI single-trial amplitudes (science.md, section 6).

    Parameters
    ----------
    signal : CleanSignal
    events : Events
    recording : Recording
    windows : Windows
        Extent of the windows of each modality.
    settings : Signals
        Thresholds of artefacts.
    sliding_onsets : array, optional
        Time zero of each sliding window on this recording's clock, s; the k-th of two
        simultaneous recordings are the same time. Used if `windows` has sliding windows.

    Returns
    -------
    WindowSet
    """
    source = _source(signal)
    table = events.table.reset_index(drop=True).reindex(columns=_EVENT_COLUMNS)
    extents = [_event_extent(table, getattr(windows, recording.modality.value), signal.sfreq)]
    if windows.sliding is not None and sliding_onsets is not None:
        onsets = np.asarray(sliding_onsets, float)
        extents.append(_sliding_extent(onsets, windows.sliding, signal.sfreq))
    frames = nearest_frames(source.times, signal.sfreq, extents)
    cutout = _gather(source, frames)
    data = _dataset(source, frames, cutout, extents, table)
    rows = _rows(extents, table, signal.sfreq)
    _add_quality(rows, source, frames, cutout, recording, settings)
    losses = []
    if recording.modality.is_haemodynamic:
        losses += _add_betas(data, rows, signal, source, table)
    else:
        baseline = _baseline(cutout, frames, np.asarray(data["event"]) >= 0)
        data[layout.BASELINE] = (_BY_CHANNEL, baseline)
    return WindowSet(data, rows, (*losses, *_flags(rows)))


@dataclass(frozen=True)
class _Source:
    """The recording as plain arrays; (channel, sample)."""

    times: Floats
    values: Floats
    usable: Bools
    sample_valid: Bools
    good: Bools
    channels: pd.DataFrame


@dataclass(frozen=True)
class _Cutout:
    signal: NDArray[np.float32]
    valid: Bools
    channel_valid: Bools


def _source(signal: CleanSignal) -> _Source:
    channels = signal.channels[signal.channels["status"] != "excluded"].reset_index(drop=True)
    values = signal.data["signal"].transpose("channel", "time").to_numpy()
    usable = signal.data["valid"].transpose("channel", "time").to_numpy() & np.isfinite(values)
    if list(channels["channel"]) != list(signal.data["channel"].to_numpy()):
        raise ValueError("the rows of `channels` are not the channels of `data`, in its order")
    good = (channels["status"] == "good").to_numpy()
    return _Source(
        times=signal.data["time"].to_numpy(),
        values=values,
        usable=usable,
        sample_valid=_sample_valid(usable, good),
        good=good,
        channels=channels,
    )


def _sample_valid(usable: Bools, good: Bools) -> Bools:
    """Count a sample as valid if more than half of the good channels are valid at it.

    A fault of fewer channels is those channels' own: it does not mask the others.
    """
    if not good.any():
        return np.asarray(usable.any(axis=0))
    return np.asarray(usable[good].mean(axis=0) > 0.5)


def _event_extent(events: pd.DataFrame, window: Window, sfreq: float) -> Extent:
    tmax = window.tmax
    durations = events["duration"].dropna().to_numpy(float)
    if window.to_duration_plus is not None and len(durations):
        tmax = max(tmax, float(durations.max()) + window.to_duration_plus)
    first, last = sample_range(window.tmin, tmax, sfreq)
    return Extent("event", events["onset"].to_numpy(float), first, last)


def _sliding_extent(onsets: Floats, sliding: Sliding, sfreq: float) -> Extent:
    """Half open, so that windows of step = length share no sample."""
    return Extent("sliding", onsets, 0, max(0, round(sliding.length * sfreq) - 1))


def _gather(source: _Source, frames: Frames) -> _Cutout:
    n_channels = len(source.values)
    values = np.zeros((*frames.index.shape[:1], n_channels, len(frames.time)), np.float32)
    valid = frames.recorded & frames.own
    if source.sample_valid.size:
        valid &= source.sample_valid[frames.index]
    channel_valid = np.zeros((len(values), n_channels), bool)
    for window, (index, keep) in enumerate(zip(frames.index, valid, strict=True)):
        usable = source.usable[:, index[keep]]
        channel_valid[window] = source.good & usable.all(axis=1) & keep.any()
        values[window][:, keep] = np.where(usable, source.values[:, index[keep]], 0.0)
    return _Cutout(values, valid, channel_valid)


def _dataset(
    source: _Source,
    frames: Frames,
    cutout: _Cutout,
    extents: list[Extent],
    events: pd.DataFrame,
) -> xr.Dataset:
    numbers = [events["event"].to_numpy(np.int32)]
    numbers += [np.full(len(extent.onsets), -1, np.int32) for extent in extents[1:]]
    channels = source.channels
    return xr.Dataset(
        {
            layout.SIGNAL: (layout.DIMS, cutout.signal),
            layout.VALID: (("window", "time"), cutout.valid),
            layout.CHANNEL_VALID: (_BY_CHANNEL, cutout.channel_valid),
        },
        coords={
            "time": frames.time,
            "channel": channels["channel"].to_numpy(str),
            "channel_type": ("channel", channels["type"].to_numpy(str)),
            "channel_unit": ("channel", channels["unit"].to_numpy(str)),
            "channel_status": ("channel", channels["status"].to_numpy(str)),
            "channel_position": (("channel", "xyz"), channels[["x", "y", "z"]].to_numpy(float)),
            "xyz": ["x", "y", "z"],
            "onset": ("window", np.concatenate([extent.onsets for extent in extents])),
            "event": ("window", np.concatenate(numbers)),
            "time_offset": ("window", frames.offset),
        },
    )


def _rows(extents: list[Extent], events: pd.DataFrame, sfreq: float) -> pd.DataFrame:
    parts = []
    for extent in extents:
        is_event = extent.kind == "event"
        n = len(extent.onsets)
        all_events = events["onset"].to_numpy(float)
        before, after = (
            event_neighbours(all_events) if is_event else neighbours(extent.onsets, all_events)
        )
        length = (extent.last - extent.first) / sfreq
        parts.append(
            pd.DataFrame(
                {
                    "kind": np.full(n, extent.kind, object),
                    "event": events["event"].astype("Int32")
                    if is_event
                    else pd.array([pd.NA] * n, "Int32"),
                    "onset": extent.onsets,
                    "tmin": np.full(n, extent.first / sfreq),
                    "tmax": np.full(n, extent.last / sfreq),
                    "concept": events["concept"].astype(object)
                    if is_event
                    else np.full(n, "sliding", object),
                    "stimulus": events["stimulus"].astype(object)
                    if is_event
                    else np.full(n, None, object),
                    "overlaps": overlapping(extent.onsets, length),
                    "previous_event": before,
                    "next_event": after,
                }
            )
        )
    rows = pd.concat(parts, ignore_index=True)
    rows.insert(0, "window", np.arange(len(rows), dtype=np.int32))
    return rows


def _add_quality(
    rows: pd.DataFrame,
    source: _Source,
    frames: Frames,
    cutout: _Cutout,
    recording: Recording,
    settings: Signals,
) -> None:
    types = source.channels["type"].to_numpy(str)
    thresholds = np.array([artefact_thresholds(settings).get(kind, np.nan) for kind in types])
    ranges = peak_to_peak(cutout.signal, cutout.valid)
    recorded = (frames.recorded & frames.own).sum(axis=1)
    n_valid = cutout.valid.sum(axis=1)
    masked = 1 - n_valid / np.maximum(recorded, 1)
    share = n_valid / np.maximum(frames.own.sum(axis=1), 1)
    n_channels = max(1, cutout.channel_valid.shape[1])
    rows["clipped"] = frames.clipped
    rows["artefact"] = has_artefact(
        ranges, cutout.channel_valid, thresholds, np.where(recorded > 0, masked, 0.0)
    )
    rows["valid_fraction"] = share
    rows["peak_to_peak"] = typical_range(ranges, cutout.channel_valid, types, recording.modality)
    rows["quality"] = share * cutout.channel_valid.sum(axis=1) / n_channels


def _baseline(cutout: _Cutout, frames: Frames, is_event: Bools) -> NDArray[np.float32]:
    """Mean of the valid samples before the onset, by window and channel; NaN without any."""
    keep = cutout.valid & (frames.time < 0) & is_event[:, None]
    count = keep.sum(axis=1)[:, None]
    total = np.einsum("wct,wt->wc", cutout.signal, keep.astype(np.float64))
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return np.asarray(mean, np.float32)


def _add_betas(
    data: xr.Dataset,
    rows: pd.DataFrame,
    signal: CleanSignal,
    source: _Source,
    events: pd.DataFrame,
) -> list[Loss]:
    betas = single_trial_betas(
        source.values.T,
        source.times,
        events["onset"].to_numpy(float),
        events["duration"].to_numpy(float),
        regressors=signal.regressors,
        valid=source.usable.T,
    )
    missing = np.full((len(rows) - len(events), len(source.values)), np.nan)
    error = np.concatenate([betas.se, missing])
    for name, values in (
        (layout.BETA, np.concatenate([betas.beta, missing])),
        (layout.BETA_SE, error),
    ):
        data[name] = (_BY_CHANNEL, values.astype(np.float32), {"method": betas.method})
    rows["beta_se"] = _median_over(error, source.good)
    n_flagged = int(betas.flagged.sum())
    reason = "no single-trial estimate, or a neighbour too near to tell the two apart"
    return [Loss("windows", "window", "flagged", n_flagged, reason)] if n_flagged else []


def _median_over(values: Floats, good: Bools) -> Floats:
    medians = np.full(len(values), np.nan)
    known = np.isfinite(values[:, good])
    for row in np.flatnonzero(known.any(axis=1)):
        medians[row] = np.median(values[row, good][known[row]])
    return medians


def _flags(rows: pd.DataFrame) -> list[Loss]:
    reasons = {
        "clipped": "clipped: part of the window lies outside the recording",
        "overlaps": "overlaps another window of its kind",
        "artefact": "artefact: over the peak-to-peak threshold, or more than half masked",
    }
    counts = {name: int(rows[name].sum()) for name in reasons}
    return [
        Loss("windows", "window", "flagged", count, reasons[name])
        for name, count in counts.items()
        if count
    ]
