"""Head motion and other confounds: what is regressed out, and which volumes are masked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuropair.pipeline.signals.base import inside, read_table
from neuropair.pipeline.signals.fmri_source import Series, fill
from neuropair.pipeline.types import Dataset, Recording
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.signals import FMRI

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FD_RADIUS = 50.0
"""mm; rotations are arcs on it (Power et al. 2012, NeuroImage 59:2142)."""
_TABLES = ("desc-confounds_timeseries.tsv", "desc-confounds_regressors.tsv")
"""fMRIPrep's since 20.2, and before."""


@dataclass(frozen=True)
class Confounds:
    """Nuisance of one run.

    Parameters
    ----------
    regressors : DataFrame, shape (time, regressor)
        Without drift.
    valid : ndarray of bool, shape (time,)
        Volumes that are used; the others keep their place.
    displacement : ndarray, shape (time,), or None
        Framewise displacement, mm; 0 for the first volume.
    source : str
        Where it came from, for the record.
    """

    regressors: pd.DataFrame
    valid: Bools
    displacement: Floats | None
    source: str


def framewise_displacement(motion: Floats) -> Floats:
    """Power's framewise displacement.

    Parameters
    ----------
    motion : ndarray, shape (time, 6)
        Translations in mm, then rotations in radian.

    Returns
    -------
    ndarray, shape (time,)
        mm; 0 for the first volume.
    """
    arcs = motion * np.array([1, 1, 1, FD_RADIUS, FD_RADIUS, FD_RADIUS])
    return np.concatenate([[0.0], np.abs(np.diff(arcs, axis=0)).sum(axis=1)])


def confounds_of(
    dataset: Dataset, recording: Recording, series: Series, settings: FMRI, n_volumes: int
) -> Confounds:
    """Read the confounds of a series.

    Raises
    ------
    DatasetError
        If the file is missing, lacks what the strategy needs, or has another number of rows.
    """
    if series.is_preprocessed:
        return _of_fmriprep(dataset, series, settings, n_volumes)
    if settings.motion is None:
        everything = np.ones(n_volumes, bool)
        return Confounds(pd.DataFrame(index=range(n_volumes)), everything, None, "none")
    path = fill(settings.motion, recording, "motion")
    motion = _read_motion(dataset, path, settings, n_volumes)
    displacement = framewise_displacement(motion)
    names = ["trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"]
    return Confounds(
        pd.DataFrame(motion, columns=names),
        displacement <= settings.artefact_fd,
        displacement,
        str(path),
    )


def _read_motion(dataset: Dataset, path: PurePosixPath, settings: FMRI, n_volumes: int) -> Floats:
    file = inside(dataset, path)
    try:
        motion = np.loadtxt(file, ndmin=2)
    except (ValueError, OSError) as error:
        raise DatasetError(
            f"is no table of numbers ({error}).", where=str(path), remedy="mend or fetch it"
        ) from error
    if motion.shape[1:] != (6,):
        raise DatasetError(
            f"has {motion.shape[1]} columns, not 6.",
            where=str(path),
            remedy="give three rotations and three translations a row",
        )
    _same_length(len(motion), n_volumes, path)
    return motion[:, [3, 4, 5, 0, 1, 2]] if settings.motion_order == "rotations" else motion


def _same_length(rows: int, n_volumes: int, path: PurePosixPath) -> None:
    if rows != n_volumes:
        raise DatasetError(
            f"has {rows} rows for {n_volumes} volumes.",
            where=str(path),
            remedy="give the file of this run, or fetch the image again if it is cut short",
        )


def _of_fmriprep(dataset: Dataset, series: Series, settings: FMRI, n_volumes: int) -> Confounds:
    stem = series.path.name.split("_space-")[0].split("_res-")[0].split("_desc-")[0]
    paths = [series.path.with_name(f"{stem}_{ending}") for ending in _TABLES]
    path = next((p for p in paths if (dataset.root / p).exists()), None)
    if path is None:
        if settings.confounds == "none":
            everything = np.ones(n_volumes, bool)
            return Confounds(pd.DataFrame(index=range(n_volumes)), everything, None, "none")
        raise DatasetError(
            "does not exist.",
            where=str(paths[0]),
            remedy="fetch fMRIPrep's confounds, or set signals.fmri.confounds to none",
        )
    table = read_table(dataset, path, ())
    _same_length(len(table), n_volumes, path)
    regressors, valid = _strategy(dataset, series, path, settings, n_volumes)
    displacement = None
    if "framewise_displacement" in table:
        given = pd.to_numeric(table["framewise_displacement"], errors="coerce")
        displacement = given.fillna(0.0).to_numpy(float)
        valid = valid & (displacement <= settings.artefact_fd)
    return Confounds(regressors, valid, displacement, str(path))


def _strategy(
    dataset: Dataset, series: Series, path: PurePosixPath, settings: FMRI, n_volumes: int
) -> tuple[pd.DataFrame, Bools]:
    """Regressors of nilearn's strategy, and the volumes that it keeps."""
    everything = np.ones(n_volumes, bool)
    if settings.confounds == "none":
        return pd.DataFrame(index=range(n_volumes)), everything
    from nilearn.interfaces.fmriprep import load_confounds_strategy

    scrubbing = {"fd_threshold": settings.artefact_fd} if settings.confounds == "scrubbing" else {}
    try:
        regressors, kept = load_confounds_strategy(
            str(inside(dataset, series.path)), denoise_strategy=settings.confounds, **scrubbing
        )
    except (ValueError, KeyError, OSError) as error:
        raise DatasetError(
            f"does not serve strategy {settings.confounds!r} ({error}).",
            where=str(path),
            remedy="choose another signals.fmri.confounds, or fetch the table and its JSON",
        ) from error
    valid = everything if kept is None else np.isin(np.arange(n_volumes), kept)
    if settings.confounds != "compcor":
        # the drift has its own regressors, at the cutoff that is asked for; CompCor's components
        # are those of signals that these very cosines were removed from, so there they stay
        drift = [name for name in regressors if name.startswith("cosine")]
        regressors = regressors.drop(columns=drift)
    return regressors.reset_index(drop=True), valid
