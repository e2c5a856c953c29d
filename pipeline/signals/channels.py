"""What each channel of an electrical recording is: name, type, unit, position, status."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuropair.pipeline.signals.base import read_table
from neuropair.pipeline.signals.naming import standard_names
from neuropair.pipeline.types import Dataset, Loss, Recording
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.kinds import Modality

if TYPE_CHECKING:
    from mne.io import BaseRaw

UNITS = {"eeg": "V", "mag": "T", "grad": "T/m"}
"""MNE channel type -> SI unit of the stored values."""

WANTED = {Modality.EEG: ("eeg",), Modality.MEG: ("mag", "grad")}
"""MNE channel types that are a modality's signal."""

_OTHER_MODALITY = {Modality.EEG: {"mag", "grad", "ref_meg"}, Modality.MEG: {"eeg"}}
_FROM_BIDS = {
    "EEG": "eeg",
    "EOG": "eog",
    "VEOG": "eog",
    "HEOG": "eog",
    "ECG": "ecg",
    "EMG": "emg",
    "EYEGAZE": "eyegaze",
    "PUPIL": "pupil",
    "RESP": "resp",
    "GSR": "gsr",
    "TEMP": "temperature",
    "TRIG": "stim",
    "REF": "reference",
    "SEEG": "seeg",
    "ECOG": "ecog",
    "DBS": "dbs",
}
# readers of EDF take every channel for EEG; names are all there is without channels.tsv
_NO_ELECTRODE = re.compile(r"(VEOG|HEOG|EOG|ECG|EKG|EMG|RESP|STATUS|TRIG)", re.IGNORECASE)
_MICROVOLT = {"uv", "µv", "μv", "microvolt", "microvolts"}


@dataclass
class Channel:
    """One channel of the source, as it goes through cleaning.

    Parameters
    ----------
    source : str
        Name in the file.
    name : str
        Name in the corpus.
    type : str
        MNE channel type; ``reference`` for a recorded reference electrode.
    wanted : bool
        Whether it is a signal of the modality (else it is excluded).
    position : ndarray (3,)
        m; NaN if unknown.
    frame : str or None
        Coordinate frame of the position.
    reasons : list of str
        Why it is bad; empty for a good channel.
    quality : dict of float
    """

    source: str
    name: str
    type: str
    wanted: bool
    position: NDArray[np.float64] = field(default_factory=lambda: np.full(3, np.nan))
    frame: str | None = None
    reasons: list[str] = field(default_factory=list)
    quality: dict[str, float] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.reasons


def describe(
    raw: BaseRaw, dataset: Dataset, recording: Recording, rename: Mapping[str, str]
) -> tuple[list[Channel], list[Loss]]:
    """Describe the channels of a recording, from the file and its channels.tsv.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        As read; not changed.
    dataset : Dataset
    recording : Recording
        Channels of the file's other electrical modality are left out: they are another recording.
    rename : Mapping
        File name -> standard name.

    Returns
    -------
    channels : list of Channel
        In the file's order.
    losses : list of Loss

    Raises
    ------
    DatasetError
        If channels.tsv is no table, a name would stand twice, or no channel is of the modality.
    """
    table, losses = _channels_tsv(raw, dataset, recording)
    types = dict(zip(raw.ch_names, raw.get_channel_types(), strict=True))
    types |= {
        name: _FROM_BIDS.get(row["type"].upper(), "misc")
        for name, row in table.items()
        if row["type"] and not row["type"].upper().startswith("MEG")
    }
    if not table:
        types |= {name: kind for name in raw.ch_names if (kind := _type_by_name(name))}
    eeg = [name for name in raw.ch_names if types[name] == "eeg"]
    where = str(dataset.root / recording.path)
    names = standard_names(eeg, rename, where) if recording.modality is Modality.EEG else {}
    wanted = WANTED[recording.modality]
    channels = []
    for name in raw.ch_names:
        if types[name] in _OTHER_MODALITY[recording.modality]:
            continue
        new = names.get(name) or rename.get(name, name)
        channel = Channel(name, new, types[name], types[name] in wanted)
        row = table.get(name, {})
        if channel.wanted and row.get("status", "").lower() == "bad":
            why = row.get("status_description", "")
            channel.reasons.append(f"sidecar: {why}" if why else "sidecar")
        channels.append(channel)
    if not any(channel.wanted for channel in channels):
        raise DatasetError(
            f"has no {recording.modality} channel among its {len(raw.ch_names)}.",
            where=where,
            remedy="give the channels' types in channels.tsv",
        )
    return channels, losses


def _type_by_name(name: str) -> str | None:
    """Type of a channel whose name says that it is no electrode of the scalp."""
    found = _NO_ELECTRODE.match(name.strip())
    if found is None:
        return None
    word = found.group(1).upper()
    return _FROM_BIDS.get(word) or {"EKG": "ecg"}.get(word, "stim")


def _channels_tsv(
    raw: BaseRaw, dataset: Dataset, recording: Recording
) -> tuple[dict[str, dict[str, str]], list[Loss]]:
    path = recording.channels_path
    if path is None:
        reason = "no channels.tsv: types are the file's, and no channel is known to be bad"
        return {}, [Loss("signal", "file", "flagged", 1, reason, str(recording.path))]
    table = read_table(dataset, path, ("name", "type"))
    rows = {row["name"]: row for row in table.to_dict("records")}
    rows = _by_file_name(rows, raw.ch_names)
    losses = []
    for names, reason in (
        ([n for n in rows if n not in raw.ch_names], "in channels.tsv and not in the file"),
        ([n for n in raw.ch_names if n not in rows], "in the file and not in channels.tsv"),
    ):
        if names:
            shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            losses.append(
                Loss("signal", "channel", "flagged", len(names), f"{reason}: {shown}", str(path))
            )
    return {str(k): {str(a): str(b) for a, b in row.items()} for k, row in rows.items()}, losses


def _by_file_name(rows: dict[Any, Any], names: list[str]) -> dict[Any, Any]:
    """Key rows by the file's spelling, where channels.tsv has the standard one (FC5 for Fc5.)."""
    strangers = [name for name in names if name not in rows]
    spelling = {new: old for old, new in standard_names(strangers, {}, "").items()}
    return {name if name in names else spelling.get(name, name): row for name, row in rows.items()}


def unit_factors(
    raw: BaseRaw, dataset: Dataset, recording: Recording
) -> tuple[dict[str, float], list[Loss]]:
    """Find channels whose unit the file does not give and channels.tsv gives as microvolt.

    MNE takes such values for volt, which makes them a million times too large.

    Returns
    -------
    factors : dict
        Channel name in the file -> what to multiply its samples by.
    losses : list of Loss
        Repairs, and units of channels.tsv that contradict the file's.
    """
    stated: dict[str, str] = getattr(raw, "_orig_units", None) or {}
    if recording.channels_path is None or not stated:
        return {}, []
    table = read_table(dataset, recording.channels_path, ("name",))
    units = dict(zip(table["name"], table.get("units", pd.Series("", table.index)), strict=True))
    where = str(recording.channels_path)
    factors = {
        name: 1e-6
        for name, unit in stated.items()
        if unit.lower() in ("", "n/a") and units.get(name, "").lower() in _MICROVOLT
    }
    losses = []
    if factors:
        reason = "unit absent from the file; taken as microvolt from channels.tsv"
        losses.append(Loss("signal", "channel", "repaired", len(factors), reason, where))
    differ = [
        name
        for name, unit in stated.items()
        if name not in factors and units.get(name) and _exponent(unit) != _exponent(units[name])
    ]
    if differ:
        reason = (
            f"channels.tsv says {units[differ[0]]}, the file {stated[differ[0]]} "
            f"({differ[0]}); the file's unit is used"
        )
        losses.append(Loss("signal", "channel", "flagged", len(differ), reason, where))
    return factors, losses


def _exponent(unit: str) -> int | None:
    known = {"v": 0, "mv": -3, "nv": -9} | dict.fromkeys(_MICROVOLT, -6)
    return known.get(unit.lower())


def table_of(channels: list[Channel]) -> pd.DataFrame:
    """Return the rows of table ``channels``: kept channels in order, then excluded ones."""
    ordered = [c for c in channels if c.wanted] + [c for c in channels if not c.wanted]
    return pd.DataFrame(
        {
            "channel": [c.name for c in ordered],
            "type": [c.type for c in ordered],
            "unit": [UNITS.get(c.type, "n/a") for c in ordered],
            "x": [float(c.position[0]) for c in ordered],
            "y": [float(c.position[1]) for c in ordered],
            "z": [float(c.position[2]) for c in ordered],
            "frame": pd.Series([c.frame for c in ordered], dtype=object),
            "status": [_status(c) for c in ordered],
            "reason": pd.Series([_reason(c) for c in ordered], dtype=object),
            "quality": pd.Series([c.quality for c in ordered], dtype=object),
        }
    )


def _status(channel: Channel) -> str:
    if not channel.wanted:
        return "excluded"
    return "good" if channel.good else "bad"


def _reason(channel: Channel) -> str | None:
    if not channel.wanted:
        return f"type {channel.type} is not of the modality"
    return "; ".join(channel.reasons) or None
