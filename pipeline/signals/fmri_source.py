"""Which BOLD series stands for a recording, and when its volumes were acquired."""

from __future__ import annotations

import gzip
import json
import re
import string
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuropair.pipeline.signals.base import inside
from neuropair.pipeline.types import Dataset, Loss, Recording
from neuropair.schemas.errors import DatasetError, RecipeError
from neuropair.schemas.signals import FMRI

_EXTENSION = re.compile(r"\.nii(\.gz)?$")
_PREPROCESSED = re.compile(
    r"(?:_space-(?P<space>[A-Za-z0-9]+))?(?:_(?:cohort|res|den)-[A-Za-z0-9]+)*"
    r"_desc-preproc_bold\.nii(?:\.gz)?"
)
_FRAMES = {1: "scanner", 2: "aligned", 3: "talairach", 4: "MNI152"}
"""NIfTI's xform codes."""
_SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6, "unknown": 1.0}
_BLOCK = 2**22
_TOLERANCE = 1e-3
"""Relative; headers keep TR as float32, sidecars as rounded decimals."""


@dataclass(frozen=True)
class Series:
    """A BOLD series: fMRIPrep's, or the raw one.

    Parameters
    ----------
    path : PurePosixPath
        Relative to the dataset.
    is_preprocessed : bool
        Whether fMRIPrep made it.
    sidecar : dict
        Its own sidecar over the recording's.
    space : str or None
        Of fMRIPrep's output.
    losses : tuple of Loss
    """

    path: PurePosixPath
    is_preprocessed: bool
    sidecar: dict[str, Any]
    space: str | None = None
    losses: tuple[Loss, ...] = ()

    def beside(self, ending: str) -> PurePosixPath:
        """Name a file of the same output: ``desc-brain_mask.nii.gz`` for ``desc-preproc_...``."""
        stem = self.path.name.split("_desc-preproc_bold")[0]
        return self.path.with_name(f"{stem}_{ending}")


@dataclass(frozen=True)
class Volumes:
    """A BOLD series in memory.

    Parameters
    ----------
    data : ndarray of float32, shape (x, y, z, time)
    affine : ndarray, shape (4, 4)
        Voxel to mm.
    frame : str
        Coordinate frame of the affine.
    tr : float
        s.
    start : float
        Acquisition time that volume 0 stands for, s.
    losses : tuple of Loss
    """

    data: NDArray[np.float32]
    affine: NDArray[np.float64]
    frame: str
    tr: float
    start: float
    losses: tuple[Loss, ...]

    @property
    def times(self) -> NDArray[np.float64]:
        """Acquisition time of every volume, s."""
        return np.asarray(self.start + self.tr * np.arange(self.data.shape[3]), np.float64)


def fill(template: str, recording: Recording, setting: str) -> PurePosixPath:
    """Fill a recording's entities into a path of the settings.

    Raises
    ------
    RecipeError
        If the template names something that is no entity, or that the recording has not.
    """
    entities = {
        "subject": recording.subject,
        "session": recording.session,
        "task": recording.task,
        "run": recording.run,
        "acquisition": recording.acquisition,
    }
    where = f"signals.fmri.{setting}: {template}"
    try:
        asked = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise RecipeError(f"is no template ({error}).", where=where, remedy="close {}") from error
    for name in asked:
        if name not in entities:
            raise RecipeError(
                f"{{{name}}} is no entity.", where=where, remedy=f"use {', '.join(entities)}"
            )
        if entities[name] is None:
            raise RecipeError(
                f"{recording.id} has no {name}.",
                where=where,
                remedy="leave it out of the path, or give these recordings settings of their own",
            )
    return PurePosixPath(template.format(**entities))


def find_series(dataset: Dataset, recording: Recording, settings: FMRI) -> Series:
    """Choose fMRIPrep's output where it is, else the raw series.

    Raises
    ------
    DatasetError
        If the settings ask for a space that fMRIPrep's output has not.
    """
    raw = Series(recording.path, False, dict(recording.sidecar))
    if settings.derivatives is None:
        return raw
    top = PurePosixPath(settings.derivatives)
    if not (dataset.root / top).is_dir():
        return raw
    folder = top / recording.path.parent
    stem = _EXTENSION.sub("", recording.path.name).removesuffix("_bold")
    found = _outputs(dataset, folder, stem)
    if not found:
        reason = f"no fMRIPrep output of this run in {top}; raw BOLD is used"
        return Series(
            raw.path,
            False,
            raw.sidecar,
            losses=(Loss("signal", "file", "flagged", 1, reason, str(recording.path)),),
        )
    wanted = [item for item in found if settings.space in (None, item[0])]
    if not wanted:
        raise DatasetError(
            f"has no fMRIPrep output in space {settings.space}; "
            f"it has {', '.join(sorted({space or 'native' for space, _ in found}))}.",
            where=str(folder / f"{stem}_space-{settings.space}_desc-preproc_bold.nii.gz"),
            remedy="name one of these as signals.fmri.space",
        )
    space, name = wanted[0]
    path = folder / name
    own = _sidecar(dataset, path.with_name(_EXTENSION.sub(".json", name)))
    return Series(path, True, {**recording.sidecar, **own}, space)


def _outputs(dataset: Dataset, folder: PurePosixPath, stem: str) -> list[tuple[str | None, str]]:
    if not (dataset.root / folder).is_dir():
        return []
    names = sorted(item.name for item in inside(dataset, folder).iterdir())
    found = []
    for name in names:
        match = _PREPROCESSED.fullmatch(name.removeprefix(stem)) if name.startswith(stem) else None
        if match:
            found.append((match["space"], name))
    return found


def _sidecar(dataset: Dataset, path: PurePosixPath) -> dict[str, Any]:
    if not (dataset.root / path).exists():
        return {}
    try:
        content = json.loads(inside(dataset, path).read_text(encoding="utf-8-sig"))
    except (ValueError, OSError) as error:
        raise DatasetError(
            f"is no JSON ({error}).", where=str(path), remedy="mend or fetch the sidecar"
        ) from error
    return content if isinstance(content, dict) else {}


def load_image(dataset: Dataset, path: PurePosixPath, dimensions: int) -> tuple[Any, Any]:
    """Load a NIfTI image: the nibabel image, and its values as float32.

    Raises
    ------
    DatasetError
        If it is missing, truncated, damaged, no image, or of other dimensions.
    """
    import nibabel as nib

    file: Path = inside(dataset, path)
    try:
        _check_gzip(file)
        image: Any = nib.load(file)
        data = image.get_fdata(dtype=np.float32, caching="unchanged")
    except (OSError, EOFError, ValueError, zlib.error, nib.filebasedimages.ImageFileError) as error:
        raise DatasetError(
            f"cannot be read ({type(error).__name__}: {error}).",
            where=str(path),
            remedy="fetch the file again: it is truncated or damaged",
        ) from error
    # a label image may carry a fourth dimension of 1
    if data.ndim == dimensions + 1 and data.shape[-1] == 1 and dimensions == 3:
        data = data[..., 0]
    if data.ndim != dimensions:
        raise DatasetError(
            f"has {data.ndim} dimensions {data.shape}, not {dimensions}.",
            where=str(path),
            remedy="give a series of volumes" if dimensions == 4 else "give one volume",
        )
    return image, data


def _check_gzip(file: Path) -> None:
    """Read to the end, where the checksum is: nibabel stops before it, and sees no damage."""
    if file.suffix == ".gz":
        with gzip.open(file) as stream:
            while stream.read(_BLOCK):
                pass


def load_volumes(dataset: Dataset, series: Series, settings: FMRI) -> Volumes:
    """Load a series, and settle its clock.

    Volume k stands for ``k * TR + start``. Raw volumes: the share `slice_time_ref` of TR.
    fMRIPrep's: StartTime of its sidecar, which it writes after slice-time correction; the middle
    of TR where only SliceTimingCorrected is said.

    Raises
    ------
    DatasetError
        If the file cannot be read, or header and sidecar disagree about TR.
    """
    image, data = load_image(dataset, series.path, 4)
    tr, losses = _repetition_time(image, series)
    start = settings.slice_time_ref * tr
    if series.is_preprocessed:
        given = series.sidecar.get("StartTime")
        if isinstance(given, (int, float)) and 0 <= given <= tr:
            start = float(given)
        elif series.sidecar.get("SliceTimingCorrected") is True:
            start = 0.5 * tr
    code = int(image.header["sform_code"]) or int(image.header["qform_code"])
    frame = series.space or _FRAMES.get(code, "unknown")
    affine = np.asarray(image.affine, float)
    return Volumes(data, affine, frame, tr, start, series.losses + losses)


def _repetition_time(image: Any, series: Series) -> tuple[float, tuple[Loss, ...]]:
    """TR in s, from header and sidecar, which must agree."""
    zooms = image.header.get_zooms()
    unit = image.header.get_xyzt_units()[1]
    header = float(zooms[3]) * _SECONDS.get(unit, 1.0) if len(zooms) > 3 else 0.0
    said = series.sidecar.get("RepetitionTime")
    where = str(series.path)

    def flag(action: Any, reason: str) -> tuple[Loss, ...]:
        return (Loss("signal", "file", action, 1, reason, where),)

    if not isinstance(said, (int, float)) or isinstance(said, bool) or said <= 0:
        if "VolumeTiming" in series.sidecar or header <= 0:
            raise DatasetError(
                "has no RepetitionTime (volumes at uneven times are not read).",
                where=where,
                remedy="give RepetitionTime in the JSON sidecar",
            )
        return header, flag("flagged", f"no RepetitionTime in the sidecar; the header's {header:g}")
    if header <= 0:
        return float(said), flag("flagged", f"no TR in the header; the sidecar's {said:g} s")
    if abs(header - said) <= _TOLERANCE * said:
        return float(said), ()
    if any(abs(header * wrong - said) <= _TOLERANCE * said for wrong in (1e3, 1e-3)):
        reason = f"TR {header:g} s in the header has a wrong unit; the sidecar's {said:g} s"
        return float(said), flag("repaired", reason)
    raise DatasetError(
        f"header and sidecar disagree about TR: {header:g} s and {said:g} s.",
        where=where,
        remedy="find out which is right (an F test of the task tells), and mend the other",
    )
