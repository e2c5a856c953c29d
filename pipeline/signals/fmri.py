"""fMRI: fMRIPrep's series with its confounds, or raw BOLD and marked so; regions or voxels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from neuropair.pipeline.signals.base import software
from neuropair.pipeline.signals.drift import drift_regressors, regress_out
from neuropair.pipeline.signals.fmri_confounds import Confounds, confounds_of
from neuropair.pipeline.signals.fmri_regions import Channels, labels_of, reduce_voxels
from neuropair.pipeline.signals.fmri_source import Series, Volumes, find_series, load_volumes
from neuropair.pipeline.types import CleanSignal, Dataset, Loss, Recording, Step
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.signals import FMRI, Signals

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_RAW = "raw BOLD: no motion correction, no slice timing"
_FREEDOM = 10
"""Fewest valid volumes beyond the number of regressors; below, the fit takes the signal along."""


def clean(
    dataset: Dataset, recording: Recording, settings: Signals, rename: Mapping[str, str]
) -> CleanSignal:
    """Read a BOLD series and clean it in one model of confounds and drift.

    Parameters
    ----------
    dataset, recording : Dataset, Recording
        Where the file lies; fMRIPrep's output of it is used where there is one.
    settings : Signals
        `settings.fmri` is used.
    rename : Mapping
        New names of regions or voxels.

    Returns
    -------
    CleanSignal
        A channel a region (centroid as position, m) or voxel, in % of the channel's mean before
        cleaning, or in the file's own units. No volume is deleted: those of too much motion are
        ``valid = False``. ``regressors`` are confounds and drift, for the single-trial model.

    Raises
    ------
    DatasetError
        If a file is missing, truncated or contradicts another, or too few volumes are left.
    """
    own = settings.fmri
    series = find_series(dataset, recording, own)
    volumes = load_volumes(dataset, series, own)
    confounds = confounds_of(dataset, recording, series, own, volumes.data.shape[3])
    labels = labels_of(dataset, recording, series, volumes, own)
    channels = reduce_voxels(volumes, labels, own.regions.reduce, str(series.path))
    drift = drift_regressors(volumes.times, own.highpass)
    regressors = pd.concat([confounds.regressors, drift], axis=1)
    _enough(confounds.valid, regressors, series)

    means = channels.values[confounds.valid].mean(axis=0)
    noise = _temporal_noise(channels.values, confounds.valid)
    faults = _faults(means, noise, own.percent)
    usable = np.array([fault is None for fault in faults])
    scaled = channels.values
    if own.percent:
        scaled = np.zeros_like(channels.values)
        scaled[:, usable] = 100 * (channels.values[:, usable] / means[usable] - 1)
    cleaned = regress_out(scaled, regressors, confounds.valid)
    valid = confounds.valid[np.newaxis] & usable[:, np.newaxis]
    rows = _rows(channels, faults, means, noise, own, rename)
    return CleanSignal(
        data=xr.Dataset(
            {
                "signal": (("channel", "time"), np.where(usable[:, np.newaxis], cleaned.T, 0.0)),
                "valid": (("channel", "time"), valid),
            },
            coords={
                "channel": [row["channel"] for row in rows if row["status"] != "excluded"],
                "time": volumes.times,
            },
        ),
        channels=pd.DataFrame(rows),
        sfreq=1 / volumes.tr,
        sfreq_source=1 / volumes.tr,
        duration=volumes.tr * volumes.data.shape[3],
        steps=_steps(series, volumes, confounds, labels.step, regressors, own),
        quality=_quality(series, confounds, channels, rows, own),
        losses=(*volumes.losses, *channels.losses, *_scrubbed(confounds, series)),
        regressors=regressors,
    )


def _enough(valid: Bools, regressors: pd.DataFrame, series: Series) -> None:
    volumes, terms = int(valid.sum()), regressors.shape[1] + 1
    if volumes < terms + _FREEDOM:
        raise DatasetError(
            f"{volumes} of {len(valid)} volumes are valid, and the model has {terms} regressors.",
            where=str(series.path),
            remedy="exclude the recording, or choose confounds with fewer regressors, a higher "
            "artefact_fd, or a lower highpass",
        )


def _temporal_noise(values: Floats, valid: Bools) -> Floats:
    trend = drift_regressors(np.arange(len(values), dtype=float), None)
    noise: Floats = regress_out(values, trend, valid)[valid].std(axis=0)
    return noise


def _faults(means: Floats, noise: Floats, percent: bool) -> list[str | None]:
    faults: list[str | None] = []
    for mean, spread in zip(means, noise, strict=True):
        if spread == 0:
            faults.append("flat")
        elif percent and mean <= spread:
            # seen in series that were demeaned before
            faults.append("its mean is not above its noise: percent of it means nothing")
        else:
            faults.append(None)
    return faults


def _rows(
    channels: Channels,
    faults: list[str | None],
    means: Floats,
    noise: Floats,
    settings: FMRI,
    rename: Mapping[str, str],
) -> list[dict[str, Any]]:
    unit = "%" if settings.percent else "a.u."
    rows = []
    for row, fault, mean, spread in zip(channels.rows, faults, means, noise, strict=True):
        quality = dict(row["quality"])
        if spread > 0:
            quality["tsnr"] = float(mean / spread)
        rows.append(
            {
                **row,
                "channel": rename.get(row["channel"], row["channel"]),
                "unit": unit,
                "status": "bad" if fault else "good",
                "reason": fault,
                "quality": quality,
            }
        )
    for row in channels.excluded:
        reason = "no voxel with signal has this label"
        name = rename.get(row["channel"], row["channel"])
        rows.append({**row, "channel": name, "unit": unit, "status": "excluded", "reason": reason})
    return rows


def _steps(
    series: Series,
    volumes: Volumes,
    confounds: Confounds,
    regions: Step,
    regressors: pd.DataFrame,
    settings: FMRI,
) -> tuple[Step, ...]:
    name = "fMRIPrep series" if series.is_preprocessed else _RAW
    read = {"file": str(series.path), "tr_s": volumes.tr, "start_s": volumes.start}
    if series.space:
        read["space"] = series.space
    scale = "percent of the channel's mean" if settings.percent else "the file's own units"
    return (
        Step(name, read, software("nibabel")),
        Step(regions.name, {**regions.parameters, "reduce": settings.regions.reduce},
             regions.software),
        Step("scale", {"to": scale}, software("neuropair")),
        Step(
            "confounds and drift, one model",
            {
                "strategy": settings.confounds if series.is_preprocessed else "motion parameters",
                "confounds": confounds.source,
                "highpass_hz": settings.highpass,
                "regressors": list(regressors.columns),
                "fitted_on_volumes": int(confounds.valid.sum()),
                "artefact_fd_mm": settings.artefact_fd,
            },
            software("nilearn"),
        ),
    )  # fmt: skip


def _quality(
    series: Series,
    confounds: Confounds,
    channels: Channels,
    rows: list[dict[str, Any]],
    settings: FMRI,
) -> dict[str, float | str | bool]:
    stored = [row for row in rows if row["status"] != "excluded"]
    signal_to_noise = [row["quality"]["tsnr"] for row in stored if "tsnr" in row["quality"]]
    quality: dict[str, float | str | bool] = {
        "preprocessed": series.is_preprocessed,
        "bad_channel_fraction": float(np.mean([row["status"] == "bad" for row in stored])),
        "dvars_percent": channels.dvars,
        "masked_fraction": float(1 - confounds.valid.mean()),
    }
    if signal_to_noise:
        quality["tsnr_median"] = float(np.median(signal_to_noise))
    if confounds.displacement is not None:
        moved = confounds.displacement[1:]
        quality["mean_fd_mm"] = float(moved.mean())
        quality["share_fd_above_threshold"] = float((moved > settings.artefact_fd).mean())
    return quality


def _scrubbed(confounds: Confounds, series: Series) -> tuple[Loss, ...]:
    masked = int((~confounds.valid).sum())
    if not masked:
        return ()
    reason = f"{masked} of {len(confounds.valid)} volumes masked for motion or as outliers"
    return (Loss("signal", "file", "flagged", 1, reason, str(series.path)),)
