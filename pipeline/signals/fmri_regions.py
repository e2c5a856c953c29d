"""Which voxels become channels: regions of a label image, or the voxels of a mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neuropair.pipeline.signals.base import software
from neuropair.pipeline.signals.fmri_source import Series, Volumes, fill, load_image
from neuropair.pipeline.types import Dataset, Loss, Recording, Step
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.signals import FMRI

Floats = NDArray[np.float64]

_SMALL = 16
"""Fewer voxels than this along an axis: opening the mask by two voxels erases the brain. On the
25 mm Haxby volumes, 6 x 10 x 10, it leaves 18 voxels of some 129; without opening, 84."""
_AFFINE_TOLERANCE = 1e-2
"""mm."""


@dataclass(frozen=True)
class Labels:
    """A label of every voxel; 0 is none.

    Parameters
    ----------
    image : ndarray of int, shape (x, y, z)
    names : Mapping
        Label -> name, in the order of channels. All labels are in it, and names without a voxel.
    step : Step
        Where it came from.
    """

    image: NDArray[np.int64]
    names: Mapping[int, str]
    step: Step


@dataclass(frozen=True)
class Channels:
    """Series of regions or voxels, not cleaned.

    Parameters
    ----------
    values : ndarray, shape (time, channel)
    rows : list of dict
        Rows of table channels, without status; `quality` has ``n_voxels``.
    excluded : list of dict
        Rows of regions without a voxel that carries signal.
    dvars : float
        Mean over the run of the voxels' RMS change from volume to volume, % of their mean.
    losses : tuple of Loss
    """

    values: Floats
    rows: list[dict[str, Any]]
    excluded: list[dict[str, Any]]
    dvars: float
    losses: tuple[Loss, ...]


def labels_of(
    dataset: Dataset, recording: Recording, series: Series, volumes: Volumes, settings: FMRI
) -> Labels:
    """Read the label image of the settings, or take the brain mask as one region.

    Raises
    ------
    DatasetError
        If the image is no label image, or lies on another grid than the series.
    """
    if settings.regions.image is None:
        mask, step = _brain(dataset, series, volumes)
        return Labels(mask.astype(np.int64), {1: "brain"}, step)
    path = fill(settings.regions.image, recording, "regions.image")
    image, data = load_image(dataset, path, 3)
    _same_grid(image, data, volumes, path)
    if not np.array_equal(data, np.round(data)) or data.min() < 0:
        raise DatasetError(
            "is no label image: it has values that are no labels (0, 1, 2, ...).",
            where=str(path),
            remedy="threshold a probability map, or give a dseg or mask image",
        )
    labels = data.astype(np.int64)
    found = np.unique(labels[labels > 0])
    if found.size == 0:
        raise DatasetError("has no label.", where=str(path), remedy="give an image with labels")
    wanted = sorted({*found.tolist(), *settings.regions.names})
    names = {label: settings.regions.names.get(label, f"label-{label}") for label in wanted}
    step = Step("regions", {"image": str(path), "labels": len(found)}, software("nibabel"))
    return Labels(labels, names, step)


def _same_grid(image: Any, data: NDArray[Any], volumes: Volumes, path: PurePosixPath) -> None:
    shape = volumes.data.shape[:3]
    if data.shape != shape:
        raise DatasetError(
            f"has the shape {data.shape}, the series {shape}.",
            where=str(path),
            remedy="resample it to the series (nilearn.image.resample_to_img, nearest)",
        )
    apart = float(np.abs(np.asarray(image.affine) - volumes.affine).max())
    if apart > _AFFINE_TOLERANCE:
        raise DatasetError(
            f"has another affine than the series (entries differ by up to {apart:.3g}).",
            where=str(path),
            remedy="resample it to the series (nilearn.image.resample_to_img, nearest)",
        )


def _brain(dataset: Dataset, series: Series, volumes: Volumes) -> tuple[NDArray[np.bool_], Step]:
    if series.is_preprocessed:
        for extension in (".nii.gz", ".nii"):
            path = series.beside(f"desc-brain_mask{extension}")
            if (dataset.root / path).exists():
                image, data = load_image(dataset, path, 3)
                _same_grid(image, data, volumes, path)
                return data > 0, Step("brain mask", {"image": str(path)}, software("nibabel"))
    return _computed_brain(volumes)


def _computed_brain(volumes: Volumes) -> tuple[NDArray[np.bool_], Step]:
    import nibabel as nib
    from nilearn.masking import compute_epi_mask

    small = min(volumes.data.shape[:3]) < _SMALL
    opening = 0 if small else 2
    mean = np.nan_to_num(volumes.data.mean(axis=3))
    varies = np.ptp(volumes.data, axis=3) > 0
    parameters: dict[str, Any] = {"method": "compute_epi_mask", "opening": opening}
    mask = np.zeros(mean.shape, bool)
    # a volume that is masked already has no histogram valley between brain and air
    if (mean > 0).mean() > 0.5:
        make: Any = nib.Nifti1Image
        image = make(mean[..., np.newaxis], volumes.affine)
        mask = compute_epi_mask(image, opening=opening, ensure_finite=True).get_fdata() > 0
    if not mask.any():
        parameters = {"method": "voxels with signal", "reason": "no EPI mask can be found"}
        mask = (mean > 0) & varies
    return mask, Step("brain mask", {**parameters, "voxels": int(mask.sum())}, software("nilearn"))


def reduce_voxels(
    volumes: Volumes, labels: Labels, reduce: Literal["mean", "voxels"], where: str
) -> Channels:
    """Take the voxels of all labels, and average them by label unless voxels are asked for.

    Voxels without signal (constant, not finite, zero mean) are left out and counted.

    Raises
    ------
    DatasetError
        If no voxel carries signal.
    """
    chosen = labels.image > 0
    series = volumes.data[chosen].astype(np.float64)
    finite = np.isfinite(series).all(axis=1)
    means = np.where(finite, np.nan_to_num(series).mean(axis=1), 0.0)
    lively = finite & (means != 0) & (np.nan_to_num(series).std(axis=1) > 0)
    if not lively.any():
        raise DatasetError(
            "has no voxel with signal in the regions or the mask.",
            where=where,
            remedy="check that regions and image are of one subject and space",
        )
    losses: tuple[Loss, ...] = ()
    dead = int((~lively).sum())
    if dead:
        reason = "voxels without signal (constant, zero mean or not finite) left out"
        losses = (Loss("signal", "channel", "dropped", dead, reason, where),)
    series, member = series[lively], labels.image[chosen][lively]
    index = np.argwhere(chosen)[lively]
    places = (index @ volumes.affine[:3, :3].T + volumes.affine[:3, 3]) / 1000
    dvars = _dvars(series)
    if reduce == "voxels":
        rows = [
            _row(f"voxel-{i}-{j}-{k}", "voxel", place, volumes.frame, 1)
            for (i, j, k), place in zip(index, places, strict=True)
        ]
        return Channels(series.T, rows, [], dvars, losses)
    return _averaged(series, member, places, labels.names, volumes.frame, dvars, losses)


def _averaged(
    series: Floats,
    member: NDArray[np.int64],
    places: Floats,
    names: Mapping[int, str],
    frame: str,
    dvars: float,
    losses: tuple[Loss, ...],
) -> Channels:
    values, rows, excluded = [], [], []
    for label, name in names.items():
        inside = member == label
        count = int(inside.sum())
        if count:
            values.append(series[inside].mean(axis=0))
            rows.append(_row(name, "region", places[inside].mean(axis=0), frame, count))
        else:
            excluded.append(_row(name, "region", np.full(3, np.nan), frame, 0))
    return Channels(np.array(values).T, rows, excluded, dvars, losses)


def _row(name: str, kind: str, place: Floats, frame: str, n_voxels: int) -> dict[str, Any]:
    x, y, z = (float(value) for value in place)
    quality = {"n_voxels": float(n_voxels)}
    return {"channel": name, "type": kind, "x": x, "y": y, "z": z, "frame": frame,
            "quality": quality}  # fmt: skip


def _dvars(series: Floats) -> float:
    """Power et al. 2012: RMS over voxels of the change between volumes; here in % of the mean."""
    changes = np.sqrt((np.diff(series, axis=1) ** 2).mean(axis=0))
    return float(100 * changes.mean() / abs(series.mean()))
