"""An fNIRS recording on its way through the steps, and the rows of its channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuropair.pipeline.signals.base import software
from neuropair.pipeline.types import Loss, Step
from neuropair.schemas.signals import FNIRS

if TYPE_CHECKING:
    from mne.io import BaseRaw

Floats = NDArray[np.float64]

_WORST = {"distance_m": np.max, "sci": np.min, "peak_power": np.min, "intensity_cv": np.max}
"""Quality of light -> what two wavelengths make of it."""


@dataclass
class Work:
    """A recording on its way: every step reads and changes it."""

    raw: BaseRaw
    settings: FNIRS
    path: str
    distances: Floats
    bad: dict[str, str] = field(default_factory=dict)
    """Channel of light -> why. Both wavelengths of a pair are in, or none."""
    unusable: set[str] = field(default_factory=set)
    """Bad channels whose samples mean nothing: they are masked."""
    light_names: list[str] = field(default_factory=list)
    """Channels of light that become haemoglobin."""
    quality: dict[str, dict[str, float]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)

    def step(self, name: str, package: str = "mne", **parameters: Any) -> None:
        """Record a step."""
        self.steps.append(Step(name, parameters, software(package)))

    def pair(self, channel: str) -> list[str]:
        """Name all channels between the optodes of this one."""
        optodes = channel.split(" ")[0]
        return [name for name in self.raw.ch_names if name.split(" ")[0] == optodes]

    def mark(self, channel: str, reason: str, *, unusable: bool = False) -> None:
        """Call both wavelengths of a channel bad; the first reason stays."""
        for name in self.pair(channel):
            self.bad.setdefault(name, reason)
            if unusable:
                self.unusable.add(name)


def light_of(work: Work, name: str) -> str:
    """Name a channel of light that a haemoglobin channel came from; they share their fate."""
    optodes = name.split(" ")[0]
    return next(light for light in work.light_names if light.split(" ")[0] == optodes)


def row_of(work: Work, channel: Any, rename: Mapping[str, str]) -> dict[str, Any]:
    """Row of table channels for a haemoglobin channel (an item of MNE's ``info["chs"]``)."""
    name = channel["ch_name"]
    optodes, kind = name.split(" ")
    lights_ = [light for light in work.light_names if light.split(" ")[0] == optodes]
    reason = work.bad.get(lights_[0])
    quality = {
        key: float(worst(values))
        for key, worst in _WORST.items()
        if (values := [work.quality[w][key] for w in lights_ if key in work.quality[w]])
    }
    return {
        "channel": rename.get(name, f"{rename.get(optodes, optodes)} {kind}"),
        "type": kind,
        "unit": "M",
        **_place(channel),
        "status": "bad" if reason else "good",
        "reason": reason,
        "quality": quality,
    }


def light_row(work: Work, name: str, reason: str) -> dict[str, Any]:
    """Row of table channels for a channel of light that is not stored."""
    channel = work.raw.info["chs"][work.raw.ch_names.index(name)]
    fault = work.bad.get(name)
    return {
        "channel": name,
        "type": "fnirs_cw_amplitude",
        "unit": "V",
        **_place(channel),
        "status": "excluded",
        "reason": f"{reason}; {fault}" if fault else reason,
        "quality": work.quality[name],
    }


def _place(channel: Any) -> dict[str, Any]:
    x, y, z = (float(value) for value in channel["loc"][:3])
    # 4 is FIFFV_COORD_HEAD; without it the positions are those of the probe, on no head
    return {"x": x, "y": y, "z": z, "frame": "head" if channel["coord_frame"] == 4 else "probe"}


def run_quality(rows: list[dict[str, Any]]) -> dict[str, float | str | bool]:
    """Quality of the run, from the rows of the stored channels."""
    bad = np.mean([row["status"] == "bad" for row in rows])
    quality: dict[str, float | str | bool] = {"bad_channel_fraction": float(bad)}
    for key in ("sci", "peak_power"):
        values = [row["quality"][key] for row in rows if key in row["quality"]]
        if values:
            quality[f"{key}_median"] = float(np.median(values))
    return quality
