"""What EEG and MEG share: load, find bad channels, filter, resample, and record all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from neuropair.pipeline.signals import filters, prep, quality
from neuropair.pipeline.signals.base import software
from neuropair.pipeline.signals.channels import (
    UNITS,
    Channel,
    describe,
    table_of,
    unit_factors,
)
from neuropair.pipeline.signals.filters import Band, Grid, Mask, Signal
from neuropair.pipeline.signals.positions import locate
from neuropair.pipeline.signals.reading import load, read_raw
from neuropair.pipeline.types import CleanSignal, Dataset, Loss, Recording, Step
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.signals import EEG, MEG

if TYPE_CHECKING:
    from mne.io import BaseRaw

# PREP's measures need what lies around 50 Hz; a fourth of the samples of a 1000 Hz recording do
_DETECTION_SFREQ = 250.0


@dataclass
class Work:
    """One recording on its way from raw to clean.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        The wanted channels under their source names, loaded, without gaps, in SI units.
    channels : list of Channel
        All channels of the source that are of the modality or of none.
    missing : ndarray (kept channel, time)
        Samples that were not recorded or lie in a BAD_ annotation.
    where : str
        The file, for messages.
    """

    raw: BaseRaw
    channels: list[Channel]
    missing: Mask
    where: str
    line: float | None
    steps: list[Step] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)

    @property
    def kept(self) -> list[Channel]:
        """The channels of `raw`, in its order."""
        return [c for c in self.channels if c.wanted]

    @property
    def sfreq(self) -> float:
        """Hz, of the source."""
        return float(self.raw.info["sfreq"])

    def flag(self, reason: str) -> None:
        """Record something odd about the whole recording."""
        self.losses.append(Loss("signal", "file", "flagged", 1, reason, self.where))


def prepare(
    dataset: Dataset, recording: Recording, settings: EEG | MEG, rename: Mapping[str, str]
) -> Work:
    """Read the wanted channels of a recording; fill gaps and keep them as the mask.

    Raises
    ------
    DatasetError
        If the recording cannot be read, or has no channel of the modality.
    """
    raw, losses = read_raw(dataset, recording)
    channels, found = describe(raw, dataset, recording, rename)
    factors, mended = unit_factors(raw, dataset, recording)
    position_step, moved = locate(channels, raw, dataset, recording)
    where = str(recording.path)
    renamed = {c.source: c.name for c in channels if c.wanted and c.name != c.source}
    read = {"sfreq": float(raw.info["sfreq"]), "n_times": int(raw.n_times), "renamed": renamed}
    line = _line_frequency(recording, raw, settings)
    kept = [c.source for c in channels if c.wanted]
    raw.pick(kept)
    load(raw, str(dataset.root / recording.path))
    for name, factor in factors.items():
        if name in kept:
            raw[name] = raw.get_data(picks=[name]) * factor
    gaps, missing = _missing(raw)
    work = Work(
        raw,
        channels,
        missing,
        where,
        line,
        [Step("read", read, software("mne")), position_step],
        [*losses, *found, *mended, *moved],
    )
    if settings.bad_channels == "none":
        for channel in work.kept:
            channel.reasons.clear()
    quality.absolute(work.kept, raw.get_data(), gaps)
    excluded = [c.type for c in channels if not c.wanted]
    if excluded:
        reason = f"not of the modality: types {', '.join(sorted(set(excluded)))}"
        work.losses.append(Loss("signal", "channel", "dropped", len(excluded), reason, where))
    return work


def _line_frequency(recording: Recording, raw: BaseRaw, settings: EEG | MEG) -> float | None:
    if settings.line_freq != "auto":
        return settings.line_freq
    given = recording.sidecar.get("PowerLineFrequency", raw.info["line_freq"])
    try:
        value = float(given)
    except (TypeError, ValueError):
        # n/a, or a system without mains
        return None
    return value if np.isfinite(value) and value > 0 else None


def _missing(raw: BaseRaw) -> tuple[Mask, Mask]:
    """Find gaps, and gaps with BAD_ spans; interpolate the gaps in `raw`."""
    data = raw.get_data()
    gaps: Mask = ~np.isfinite(data)
    bad, skipped = _annotated(raw, "bad"), _annotated(raw, "bad_acq_skip")
    # an acquisition that was skipped reads as zeros
    to_fill = np.logical_or(gaps, skipped)
    if to_fill.any():
        filters.fill(data, to_fill)
        raw[:] = data
    return gaps, np.logical_or(to_fill, bad)


def _annotated(raw: BaseRaw, prefix: str) -> Mask:
    """(time,) mask of annotations whose description begins with `prefix`, in any case."""
    mask = np.zeros(raw.n_times, dtype=bool)
    sfreq = raw.info["sfreq"]
    # onsets count from the start of the acquisition, before the first sample that was saved
    before = raw.first_time
    for note in raw.annotations:
        if note["description"].lower().startswith(prefix):
            start = round((note["onset"] - before) * sfreq)
            stop = round((note["onset"] - before + note["duration"]) * sfreq)
            mask[max(0, start) : max(0, stop)] = True
    return mask


def find_bad(work: Work, settings: EEG | MEG, *, correlation: bool, ransac: bool) -> None:
    """Judge the channels of `work` after line noise is removed; adds to their reasons.

    Parameters
    ----------
    work : Work
    settings : EEG or MEG
    correlation : bool
        Whether low correlation with other channels makes a channel bad.
    ransac : bool
        Whether to apply RANSAC, where enough channels have positions.
    """
    data = work.raw.get_data()
    by_kind: dict[str, list[int]] = {}
    for row, channel in enumerate(work.kept):
        by_kind.setdefault(channel.type, []).append(row)
    criteria: dict[str, Any] = {"absolute": {"flat": quality.FLAT, "missing": quality.MISSING}}
    detect = settings.bad_channels == "detect"
    for kind, rows in by_kind.items():
        criteria[kind] = _relative(work, data, rows, detect, correlation, ransac)
    parameters = {"mode": settings.bad_channels, "criteria": criteria}
    work.steps.append(Step("bad_channels", parameters, software("pyprep")))
    _report_bad(work)


def _relative(
    work: Work, data: Signal, rows: list[int], detect: bool, correlation: bool, ransac: bool
) -> dict[str, Any]:
    """Apply the criteria that compare channels of one kind; return what was done."""
    rows = [row for row in rows if not _silent(work.kept[row])]
    channels = [work.kept[row] for row in rows]
    judged = prep.usable(data[rows], work.missing[rows], work.sfreq)
    if len(rows) < prep.MIN_CHANNELS:
        return {"done": False, "reason": f"{len(rows)} channels: too few to compare"}
    if judged.shape[1] < prep.MIN_SECONDS * work.sfreq:
        return {"done": False, "reason": f"less than {prep.MIN_SECONDS:g} s of signal"}
    factor = max(1, int(work.sfreq // _DETECTION_SFREQ))
    grid = Grid.of(work.sfreq, work.sfreq / factor, judged.shape[1])
    positions = np.array([c.position for c in channels])
    with_ransac = (
        ransac and len(rows) >= prep.MIN_RANSAC_CHANNELS and bool(np.isfinite(positions).all())
    )
    verdict = prep.judge(
        grid.resample(judged),
        grid.sfreq,
        [c.name for c in channels],
        correlation=correlation,
        positions=positions if with_ransac else None,
    )
    for channel in channels:
        channel.quality |= verdict.quality[channel.name]
        if detect:
            channel.reasons += verdict.reasons[channel.name]
    return {
        "done": detect,
        "deviation": prep.DEVIATION,
        "hf_noise": prep.HF_NOISE,
        "correlation": prep.CORRELATION if correlation else None,
        "ransac": [prep.RANSAC_CORRELATION, prep.RANSAC_FRACTION] if with_ransac else None,
        "sfreq": grid.sfreq,
    }


def _silent(channel: Channel) -> bool:
    return any(why == "flat" or why.startswith("NaN") for why in channel.reasons)


def _report_bad(work: Work) -> None:
    bad = [c for c in work.kept if not c.good]
    if not bad:
        return
    listed = ", ".join(f"{c.name} ({'; '.join(c.reasons)})" for c in bad)
    reason = f"bad channels: {listed}"
    work.losses.append(Loss("signal", "channel", "flagged", len(bad), reason, work.where))
    if len(bad) > len(work.kept) / 2:
        work.flag(f"{len(bad)} of {len(work.kept)} channels are bad: doubt the recording")


def remove_line(work: Work, settings: EEG | MEG) -> Band:
    """Measure the line noise of each channel and remove it; return the band of the recording.

    Raises
    ------
    DatasetError
        If the band that the settings ask for does not exist at the recording's rate.
    """
    rate = min(work.sfreq, settings.sfreq or work.sfreq)
    band = Band.of(settings.highpass, settings.lowpass, rate)
    if band.highpass and band.lowpass and band.highpass >= band.lowpass:
        raise DatasetError(
            f"is sampled at {work.sfreq:g} Hz: no band from {band.highpass} to {band.lowpass} Hz.",
            where=work.where,
            remedy="lower 'highpass' in the study's signal settings",
        )
    data = work.raw.get_data()
    ratios = quality.line_ratio(data, work.sfreq, work.line)
    if ratios is not None:
        for channel, ratio in zip(work.kept, ratios, strict=True):
            if np.isfinite(ratio):
                channel.quality["line_ratio"] = float(ratio)
    asked = settings.line_freq is not None
    step, flag = filters.notch(data, work.sfreq, work.line, band, asked=asked)
    work.raw[:] = data
    work.steps.append(step)
    if flag:
        work.flag(flag)
    return band


def band_and_grid(work: Work, settings: EEG | MEG, band: Band) -> tuple[Signal, Grid]:
    """Band-pass and resample; return the data (kept channel, time) and their grid."""
    data = work.raw.get_data()
    step, flag = filters.band_pass(data, work.sfreq, band)
    if flag:
        work.flag(flag)
    grid = Grid.of(work.sfreq, settings.sfreq, data.shape[1])
    work.steps += [step, grid.step()]
    return grid.resample(data), grid


def finish(work: Work, data: Signal, grid: Grid) -> CleanSignal:
    """Put data, mask, channels and records together. Masked samples are 0."""
    valid = grid.valid(work.missing)
    data[~valid] = 0.0
    masked = np.flatnonzero(~valid.all(axis=1))
    if len(masked):
        reason = f"samples missing or annotated BAD are masked ({1 - valid.mean():.2%} of all)"
        work.losses.append(Loss("signal", "channel", "flagged", len(masked), reason, work.where))
    kept = work.kept
    dataset = xr.Dataset(
        {
            "signal": (("channel", "time"), np.ascontiguousarray(data)),
            "valid": (("channel", "time"), valid),
        },
        coords={"channel": [c.name for c in kept], "time": grid.time},
    )
    dataset["time"].attrs |= {"units": "s", "long_name": "time from the start of the recording"}
    dataset["signal"].attrs["units"] = ", ".join(sorted({UNITS[c.type] for c in kept}))
    return CleanSignal(
        data=dataset,
        channels=table_of(work.channels),
        sfreq=grid.sfreq,
        sfreq_source=grid.source,
        duration=grid.n_source / grid.source,
        steps=tuple(work.steps),
        quality=quality.of_run(kept, valid, work.line),
        losses=tuple(work.losses),
    )


def good_rows(channels: Sequence[Channel]) -> list[int]:
    """Rows of the good channels."""
    return [row for row, channel in enumerate(channels) if channel.good]
