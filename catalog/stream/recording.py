"""Reading windows of one recording, decoded: mapped where that is possible, else with zarr."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from neuropair.catalog.location import Location
from neuropair.catalog.stream.layout import parse_layout
from neuropair.catalog.stream.shard import MappedArray
from neuropair.schemas import layout
from neuropair.schemas.errors import DamagedError

Array = NDArray[Any]


class Rows(Protocol):
    """An array that is read by rows of its first dimension."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array."""

    def read(self) -> Array:
        """Read all of it."""

    def take(self, rows: NDArray[np.integer[Any]]) -> Array:
        """Read rows, in the order given."""


class ZarrArray:
    """An array read through zarr-python: remote ones, and codecs that cannot be mapped."""

    def __init__(self, location: Location, path: str, name: str) -> None:
        import zarr

        self._where = location.where(f"{path}/{name}")
        group = zarr.open_group(location.zarr_store(path), mode="r")
        self._array: Any = group[name]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array."""
        return tuple(self._array.shape)

    def read(self) -> Array:
        """Read all of it; raises DamagedError."""
        return self._get(...)

    def take(self, rows: NDArray[np.integer[Any]]) -> Array:
        """Read rows, in the order given; raises DamagedError."""
        wanted, back = np.unique(rows, return_inverse=True)
        tail = (slice(None),) * (len(self.shape) - 1)
        return self._get((wanted, *tail))[back] if len(rows) else self._get((slice(0), *tail))

    def _get(self, selection: Any) -> Array:
        try:
            return np.asarray(self._array.oindex[selection])
        except ValueError as error:  # zarr's crc32c codec raises no type of its own
            raise DamagedError(
                f"cannot be read ({error}).",
                where=self._where,
                remedy="run `neuropair verify`, remove the damaged recording and ingest it again",
            ) from error


class RecordingReader:
    """The windows of one recording, in SI units. Threads may read side by side.

    Parameters
    ----------
    location : Location
        The corpus.
    path : str
        The recording's group, relative to the corpus root.
    """

    def __init__(self, location: Location, path: str) -> None:
        self.path = path
        self._location = location
        self._arrays: dict[str, Rows] = {}
        self._kept: dict[str, Array] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[RecordingReader], tuple[Location, str]]:
        """Leave maps behind: another process opens its own."""
        return RecordingReader, (self._location, self.path)

    @cached_property
    def metadata(self) -> Mapping[str, Any]:
        """Each array's ``zarr.json``, from the group's consolidated metadata."""
        path = f"{self.path}/zarr.json"
        try:
            content = json.loads(self._location.read(path))
            metadata: Mapping[str, Any] = content["consolidated_metadata"]["metadata"]
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedError(
                "is no consolidated Zarr v3 group.",
                where=self._location.where(path),
                remedy="run `neuropair verify`, remove the damaged recording and ingest it again",
            ) from error
        return metadata

    @property
    def shape(self) -> tuple[int, int, int]:
        """Windows, channels, times."""
        n_windows, n_channels, n_times = self.metadata[layout.SIGNAL]["shape"]
        return n_windows, n_channels, n_times

    def has(self, name: str) -> bool:
        """Whether the group has an array."""
        return name in self.metadata

    def array(self, name: str) -> Rows:
        """One array of the group."""
        with self._lock:
            if name not in self._arrays:
                self._arrays[name] = self._open(name)
            return self._arrays[name]

    def signal(self, windows: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Windows of the signal.

        Parameters
        ----------
        windows : array of int, shape (n,)

        Returns
        -------
        array of float32, shape (n, channel, time)
            SI units; 0 where a sample is not valid.
        """
        values = self.array(layout.SIGNAL).take(windows).astype(np.float32, copy=False)
        if self.has(layout.SCALE):
            values *= self.rows(layout.SCALE, windows)[..., None]
        return values

    def rows(self, name: str, windows: NDArray[np.integer[Any]]) -> Array:
        """Rows of an array by window; small arrays are read once and kept."""
        rows: Array = self.whole(name)[windows]
        return rows

    def whole(self, name: str) -> Array:
        """Read a small array whole and keep it."""
        if name not in self._kept:
            # two threads may both read it: they read the same
            self._kept[name] = self.array(name).read()
        return self._kept[name]

    def _open(self, name: str) -> Rows:
        array_layout = parse_layout(self.metadata[name])
        folder = self._location.local
        if folder is None or array_layout is None:
            return ZarrArray(self._location, self.path, name)
        return MappedArray(folder / self.path / name, array_layout)
