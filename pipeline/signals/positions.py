"""Where the sensors are: electrodes.tsv, the file, or the 10-05 template, and which it was."""

from __future__ import annotations

import glob
import json
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuropair.pipeline.signals.base import inside, read_table, software
from neuropair.pipeline.signals.channels import Channel
from neuropair.pipeline.signals.naming import TEMPLATE, template_position
from neuropair.pipeline.types import Dataset, Loss, Recording, Step
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.kinds import Modality

if TYPE_CHECKING:
    from mne.io import BaseRaw

_METRES = {"m": 1.0, "dm": 0.1, "cm": 0.01, "mm": 0.001}
_HEAD_RADIUS = (0.05, 0.2)
"""m; median distance of electrodes from the origin that a head can have."""


def locate(
    channels: list[Channel], raw: BaseRaw, dataset: Dataset, recording: Recording
) -> tuple[Step, list[Loss]]:
    """Fill in position and frame of the wanted channels.

    Order: electrodes.tsv, the file's own positions, for EEG the template. One source serves all
    channels; those that it lacks have no position (NaN).

    Returns
    -------
    step : Step
        Which source it was.
    losses : list of Loss
        Units that were mended, axes that nothing tells.

    Raises
    ------
    DatasetError
        If electrodes.tsv is no table or holds a coordinate that is no number.
    """
    wanted = [c for c in channels if c.wanted]
    losses: list[Loss] = []
    source = "none"
    if recording.modality is Modality.EEG and recording.electrodes_path is not None:
        losses = _from_table(wanted, dataset, recording, recording.electrodes_path)
        source = str(recording.electrodes_path)
    if not any(c.frame for c in wanted):
        _from_file(wanted, raw)
        source = "file"
    if recording.modality is Modality.EEG and not any(c.frame for c in wanted):
        for channel in wanted:
            _place(channel, template_position(channel.name), f"template:{TEMPLATE}")
        source = f"template:{TEMPLATE}"
    found = sum(c.frame is not None for c in wanted)
    return Step(
        "positions",
        {"source": source if found else "none", "found": found, "channels": len(wanted)},
        software("mne"),
    ), losses


def _place(channel: Channel, position: NDArray[np.float64], frame: str) -> None:
    if np.isfinite(position).all() and position.any():
        channel.position, channel.frame = position, frame


def _from_file(channels: list[Channel], raw: BaseRaw) -> None:
    from mne.io.constants import FIFF
    from mne.transforms import apply_trans

    by_name = {c["ch_name"]: c for c in raw.info["chs"]}
    to_head = raw.info["dev_head_t"]
    for channel in channels:
        entry = by_name[channel.source]
        position = np.array(entry["loc"][:3], dtype=float)
        if entry["coord_frame"] == FIFF.FIFFV_COORD_HEAD:
            _place(channel, position, "head")
        elif entry["coord_frame"] == FIFF.FIFFV_COORD_DEVICE and to_head is not None:
            _place(channel, apply_trans(to_head, position), "head")
        elif entry["coord_frame"] == FIFF.FIFFV_COORD_DEVICE:
            _place(channel, position, "device")


def _from_table(
    channels: list[Channel], dataset: Dataset, recording: Recording, path: PurePosixPath
) -> list[Loss]:
    table = read_table(dataset, path, ("name", "x", "y", "z"))
    try:
        values = table[["x", "y", "z"]].replace("", "nan").astype(float).to_numpy()
    except ValueError as error:
        raise DatasetError(
            f"has a coordinate that is no number ({error}).",
            where=str(dataset.root / path),
            remedy="write coordinates as numbers, n/a where unknown",
        ) from error
    system, unit = _coordinate_system(dataset, recording)
    metres, losses = _in_metres(values, unit, path)
    if not system:
        reason = "no coordsystem.json tells the system of these positions: their axes are unknown"
        losses.append(Loss("signal", "file", "flagged", 1, reason, str(path)))
    mne_frame = _mne_frame(system)
    if mne_frame == "ctf_head":
        # x points to the nose, y to the left ear
        metres = np.stack([-metres[:, 1], metres[:, 0], metres[:, 2]], axis=1)
    frame = "head" if mne_frame == "head" else system.lower() or "unknown"
    by_name = dict(zip(table["name"], metres, strict=True))
    for channel in channels:
        position = by_name.get(channel.source, by_name.get(channel.name))
        if position is not None:
            _place(channel, position, frame)
    return losses


def coordinate_file(dataset: Dataset, recording: Recording) -> PurePosixPath | None:
    """Find the coordsystem.json of a recording's electrodes.tsv, relative to the dataset.

    mne-bids looks in the folders of the subject and at the top, and takes none of another space.
    None if there is none, or nothing tells which of two it is.
    """
    from mne_bids import BIDSPath, get_entities_from_fname

    if recording.electrodes_path is None:
        return None
    # others than BIDS knows are no reason to give the positions up
    entities = get_entities_from_fname(recording.electrodes_path.name, on_error="ignore")
    root = dataset.root.resolve()
    electrodes = BIDSPath(
        **{
            key: value for key, value in entities.items() if key in ("task", "acquisition", "space")
        },
        subject=recording.subject,
        session=recording.session,
        datatype=recording.path.parent.name,
        # mne-bids 0.20 takes the folder's own brackets for a pattern
        root=glob.escape(str(root)),
        check=False,
    )
    try:
        found = electrodes.find_matching_sidecar("coordsystem", ".json", on_error="ignore")
    except (KeyError, ValueError):
        # the name of a coordsystem.json in these folders is none of BIDS; `locate` flags it
        return None
    return None if found is None else PurePosixPath(Path(found).relative_to(root).as_posix())


def _coordinate_system(dataset: Dataset, recording: Recording) -> tuple[str, str]:
    """Name and unit in the electrodes' coordsystem.json; empty where there is none."""
    path = coordinate_file(dataset, recording)
    if path is None:
        return "", ""
    file = inside(dataset, path)
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"is no JSON ({error}).", where=str(file), remedy="mend the syntax"
        ) from error
    name = str(content.get("EEGCoordinateSystem") or "")
    return name, str(content.get("EEGCoordinateUnits") or "")


def _mne_frame(system: str) -> str | None:
    """MNE's frame of a coordinate system of BIDS; both are written in many cases."""
    from mne_bids.config import BIDS_TO_MNE_FRAMES

    # the name that BIDS has for both makers since 1.8; mne-bids 0.20 has the old one
    known = {"NeuromagElektaMEGIN": "head", **BIDS_TO_MNE_FRAMES}
    return {name.lower(): str(frame) for name, frame in known.items()}.get(system.lower())


def _in_metres(
    values: NDArray[np.float64], unit: str, path: PurePosixPath
) -> tuple[NDArray[np.float64], list[Loss]]:
    """Convert to metres; where the stated unit makes no head, take the one that does."""
    known = values[np.isfinite(values).all(axis=1)]
    if not len(known):
        return values, []
    radius = float(np.median(np.linalg.norm(known - known.mean(axis=0), axis=1)))
    low, high = _HEAD_RADIUS
    stated = _METRES.get(unit.lower())
    if stated is not None and low <= stated * radius <= high:
        return values * stated, []
    fits = [name for name, factor in _METRES.items() if low <= factor * radius <= high]
    if not fits:
        reason = f"electrodes lie {radius:g} {unit or '(no unit)'} from their centre; left out"
        return values * np.nan, [
            Loss("signal", "channel", "dropped", len(known), reason, str(path))
        ]
    said = f"unit {unit!r} cannot be" if unit else "no unit is given"
    reason = f"{said}: electrodes lie {radius:g} from their centre; read as {fits[0]}"
    return values * _METRES[fits[0]], [
        Loss("signal", "channel", "repaired", len(known), reason, str(path))
    ]
