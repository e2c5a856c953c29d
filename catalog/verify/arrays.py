"""A recording's arrays against the tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuropair.catalog.location import Location
from neuropair.catalog.stream.recording import RecordingReader, ZarrArray
from neuropair.catalog.verify.report import Damage
from neuropair.schemas import layout

_DIMS = {
    layout.SIGNAL: "wct",
    layout.SCALE: "wc",
    layout.VALID: "wt",
    layout.CHANNEL_VALID: "wc",
    layout.BASELINE: "wc",
    layout.BETA: "wc",
    layout.BETA_SE: "wc",
    "time": "t",
    "channel": "c",
    "onset": "w",
    "event": "w",
    "time_offset": "w",
}
_OPTIONAL = {layout.SCALE, layout.BASELINE, layout.BETA, layout.BETA_SE}


@dataclass(frozen=True)
class Expected:
    """What the tables say of one recording.

    Parameters
    ----------
    path : str
    n_windows, n_channels : int
        In table ``recordings``.
    windows : pandas.DataFrame
        Its rows of table ``windows``, by window.
    channels : list of str
        Stored channels of table ``channels``, in stored order.
    """

    path: str
    n_windows: int
    n_channels: int
    windows: pd.DataFrame
    channels: list[str]


def check_arrays(location: Location, expected: Expected) -> list[Damage]:
    """Compare shapes, onsets, events and channel names of a group with the tables.

    Raises
    ------
    DamagedError
        If an array cannot be read.
    """
    reader = RecordingReader(location, expected.path)
    sizes = {"w": expected.n_windows, "c": expected.n_channels, "t": reader.shape[2]}
    found = [_shape_damage(reader, name, sizes) for name in _DIMS]
    damages = [damage for damage in found if damage is not None]
    return damages or _content_damages(location, reader, expected)


def _shape_damage(reader: RecordingReader, name: str, sizes: dict[str, int]) -> Damage | None:
    path = f"{reader.path}/{name}"
    if not reader.has(name):
        return None if name in _OPTIONAL else Damage(path, "is missing")
    shape = tuple(reader.metadata[name]["shape"])
    wanted = tuple(sizes[dim] for dim in _DIMS[name])
    if shape != wanted:
        return Damage(path, f"has shape {shape}, the tables say {wanted}")
    return None


def _content_damages(
    location: Location, reader: RecordingReader, expected: Expected
) -> list[Damage]:
    damages = []
    windows = expected.windows
    events = windows["event"].fillna(-1).to_numpy(np.int32)
    if not np.array_equal(reader.whole("onset"), windows["onset"].to_numpy()):
        damages.append(Damage(f"{reader.path}/onset", "differs from table windows"))
    if not np.array_equal(reader.whole("event"), events):
        damages.append(Damage(f"{reader.path}/event", "differs from table windows"))
    names = ZarrArray(location, reader.path, "channel").read().tolist()
    if names != expected.channels:
        damages.append(Damage(f"{reader.path}/channel", "differs from table channels"))
    return damages
