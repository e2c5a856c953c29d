"""fNIRS channels: their sidecar matched by name, and whether their geometry can be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuropair.pipeline.signals.base import inside, read_table
from neuropair.pipeline.types import Dataset, Loss, Recording
from neuropair.schemas.errors import DatasetError

if TYPE_CHECKING:
    from mne.io import BaseRaw

PLAUSIBLE = (0.005, 0.060)
"""m; nearer optodes see no tissue, and no light comes back from farther (Strangman 2013)."""
SHORT = 0.010
"""m; light that travels less does not reach the cortex (science.md, section 7)."""
WAVELENGTH_TOLERANCE = 10.0
"""nm; sidecars give nominal wavelengths, files often actual ones."""

_UNIT_FACTORS = (1e-3, 1e-2, 1e-1, 1e1, 1e2, 1e3)
"""What a wrong unit (m, cm, mm) does to a distance."""
_NAME = re.compile(r"(S\d+)[_-](D\d+)[ _-](\d+(?:\.\d+)?)(?:nm)?", re.IGNORECASE)


class Light(NamedTuple):
    """Which light a channel measures."""

    source: str
    detector: str
    wavelength: float


def lights(raw: BaseRaw) -> list[Light]:
    """Source, detector and wavelength (nm) of every channel, in the order of the file."""
    return [
        _light(name, float(channel["loc"][9]))
        for name, channel in zip(raw.ch_names, raw.info["chs"], strict=True)
    ]


def _light(name: str, wavelength: float) -> Light:
    source, detector = name.split(" ")[0].split("_")
    return Light(source, detector, wavelength)


def optode_labels(file: Path) -> dict[str, str]:
    """MNE's optode names, which are numbers, to the labels that the SNIRF file gives."""
    import h5py

    labels: dict[str, str] = {}
    with h5py.File(file, "r") as content:
        for letter, field in (("S", "sourceLabels"), ("D", "detectorLabels")):
            given = content.get(f"nirs/probe/{field}")
            for number, label in enumerate(np.ravel(given[()]) if given is not None else []):
                text = label.decode() if isinstance(label, bytes) else str(label)
                labels[f"{letter}{number + 1}"] = text
    return labels


class Sidecar(NamedTuple):
    """What channels.tsv says, by channel of the file."""

    bad: dict[str, str]
    """Channel -> why."""
    losses: list[Loss]


def match_sidecar(dataset: Dataset, recording: Recording, raw: BaseRaw) -> Sidecar:
    """Match channels.tsv to the channels of the file by source, detector and wavelength.

    The file is right about its data; the order of the sidecar says nothing. Readers that go by
    the order mislabel in silence (mne-nirs issues 500, 646, 671).

    Raises
    ------
    DatasetError
        If the sidecar names light that the file has not, names one twice, or contradicts itself.
    """
    if recording.channels_path is None:
        lost = Loss("signal", "file", "flagged", 1, "has no channels.tsv", str(recording.path))
        return Sidecar({}, [lost])
    where = str(recording.channels_path)
    table = read_table(dataset, recording.channels_path, ("name", "type"))
    table = table[table["type"].str.upper().str.startswith("NIRS")]
    found = lights(raw)
    lines = table.index.to_numpy() + 2
    given = [
        _light_of_row(row, f"{where}, line {line}")
        for line, (_, row) in zip(lines, table.iterrows(), strict=True)
    ]
    positions = _positions(given, found, inside(dataset, recording.path), where)

    losses = []
    moved = int((np.asarray(positions) != np.sort(positions)).sum())
    if moved:
        reason = "channels.tsv is not in the order of the SNIRF file; matched by name"
        losses.append(Loss("signal", "channel", "repaired", moved, reason, where))
    absent = len(found) - len(positions)
    if absent:
        reason = "channels of the SNIRF file that channels.tsv has not"
        losses.append(Loss("signal", "channel", "flagged", absent, reason, where))
    bad = {}
    for position, (_, row) in zip(positions, table.iterrows(), strict=True):
        if row.get("status", "").lower() == "bad":
            why = row.get("status_description", "")
            bad[raw.ch_names[position]] = "bad in channels.tsv" + (f": {why}" if why else "")
    return Sidecar(bad, losses)


def _light_of_row(row: pd.Series[str], where: str) -> Light:
    named = _NAME.fullmatch(row["name"])
    by_name = Light(named[1].upper(), named[2].upper(), float(named[3])) if named else None
    columns = [row.get(key, "") for key in ("source", "detector", "wavelength_nominal")]
    if not all(columns):
        if by_name is None:
            raise DatasetError(
                f"channel {row['name']!r} does not say source, detector and wavelength.",
                where=where,
                remedy="fill the columns source, detector and wavelength_nominal",
            )
        return by_name
    try:
        light = Light(columns[0], columns[1], float(columns[2]))
    except ValueError as error:
        raise DatasetError(
            f"wavelength_nominal {columns[2]!r} is no number.",
            where=where,
            remedy="give the wavelength in nm",
        ) from error
    if by_name is not None and _same_optodes(by_name, light) and not _near(by_name, light):
        raise DatasetError(
            f"channel {row['name']!r} contradicts its column wavelength_nominal ({columns[2]}).",
            where=where,
            remedy="give every row the wavelength that its name says",
        )
    if by_name is not None and _numbered(light) and not _same_optodes(by_name, light):
        raise DatasetError(
            f"channel {row['name']!r} contradicts its columns source and detector "
            f"({light.source}, {light.detector}).",
            where=where,
            remedy="give every row the source and detector that its name says",
        )
    return light


def _numbered(light: Light) -> bool:
    pattern = re.compile(r"[SD]\d+", re.IGNORECASE)
    return bool(pattern.fullmatch(light.source) and pattern.fullmatch(light.detector))


def _same_optodes(a: Light, b: Light) -> bool:
    return (a.source.upper(), a.detector.upper()) == (b.source.upper(), b.detector.upper())


def _near(a: Light, b: Light) -> bool:
    return abs(a.wavelength - b.wavelength) <= WAVELENGTH_TOLERANCE


def _positions(given: Sequence[Light], found: Sequence[Light], file: Path, where: str) -> list[int]:
    """Position in the file of every row of the sidecar."""
    labels = optode_labels(file)
    labelled = [
        light._replace(source=labels.get(light.source, light.source),
                       detector=labels.get(light.detector, light.detector))
        for light in found
    ]  # fmt: skip
    attempts = [[_position(light, names) for light in given] for names in (labelled, found)]
    positions = min(attempts, key=lambda attempt: attempt.count(None))
    strangers = [light for light, at in zip(given, positions, strict=True) if at is None]
    if strangers:
        first = strangers[0]
        raise DatasetError(
            f"names {len(strangers)} channels that the SNIRF file has not, such as "
            f"{first.source}_{first.detector} at {first.wavelength:g} nm; the file's wavelengths "
            f"are {', '.join(f'{w:g}' for w in sorted({light.wavelength for light in found}))}.",
            where=where,
            remedy=f"make it agree with {file.name}",
        )
    matched = [at for at in positions if at is not None]
    if len(set(matched)) < len(matched):
        twice = found[next(at for at in matched if matched.count(at) > 1)]
        raise DatasetError(
            f"names {twice.source}_{twice.detector} at {twice.wavelength:g} nm twice.",
            where=where,
            remedy="give every channel one row",
        )
    return matched


def _position(light: Light, names: Sequence[Light]) -> int | None:
    same = [i for i, name in enumerate(names) if _same_optodes(name, light) and _near(name, light)]
    distances = [abs(names[i].wavelength - light.wavelength) for i in same]
    return same[int(np.argmin(distances))] if same else None


class Geometry(NamedTuple):
    """Distances that can be, and what was done to make them so."""

    distances: NDArray[np.float64]
    """m, by channel."""
    factor: float
    """What the file's lengths were multiplied with, in place; 1 if nothing."""
    losses: list[Loss]


def check_geometry(raw: BaseRaw, path: PurePosixPath) -> Geometry:
    """Check source-detector distances, and mend a wrong unit of length if it is plain which.

    Declared units lie (distances in cm declared as mm): where most distances are impossible, and
    exactly one power of ten makes all of them possible, lengths are scaled by it, and said so.

    Raises
    ------
    DatasetError
        If most distances are impossible and no unit, or more than one, explains them.
    """
    from mne.preprocessing.nirs import source_detector_distances

    distances: NDArray[np.float64] = source_detector_distances(raw.info, picks="all")
    if _possible(distances).mean() > 0.5:
        return Geometry(distances, 1.0, [])
    factors = [factor for factor in _UNIT_FACTORS if _possible(distances * factor).all()]
    middle = 1e3 * float(np.median(distances))
    if len(factors) != 1:
        raise DatasetError(
            f"source-detector distances of {middle:.3g} mm (median) cannot be, and "
            f"{'no' if not factors else 'more than one'} unit of length explains them.",
            where=str(path),
            remedy="mend sourcePos3D, detectorPos3D and LengthUnit of the SNIRF file",
        )
    for channel in raw.info["chs"]:
        channel["loc"][:9] *= factors[0]
    reason = f"distances of {middle:.3g} mm cannot be; lengths multiplied by {factors[0]:g}"
    lost = Loss("signal", "channel", "repaired", len(distances), reason, str(path))
    return Geometry(distances * factors[0], factors[0], [lost])


def _possible(distances: NDArray[np.float64]) -> NDArray[np.bool_]:
    # 8.000001 mm and its like: positions are float32 in many files
    slack = 1e-5
    possible: NDArray[np.bool_] = (distances >= PLAUSIBLE[0] - slack) & (
        distances <= PLAUSIBLE[1] + slack
    )
    return possible


def implausible(distances: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each distance (m) is impossible."""
    return ~_possible(distances)
