"""Windows of one side of a selection as plain Zarr arrays, row i of the i-th pair."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from neuropair.catalog.location import Location
from neuropair.catalog.stream.recording import RecordingReader
from neuropair.schemas import layout

_OPEN_RECORDINGS = 64
"""A process may map some 65,000 files; a row of pairs touches recordings in order."""
_CHUNK_BYTES = 4 * 2**20
_UNITS = {"eeg": "V", "meg": "T or T/m, see channels.parquet", "fnirs": "mol/L", "fmri": "%"}


@dataclass(frozen=True)
class SideShape:
    """Shape of a side's windows: the largest of its recordings.

    Parameters
    ----------
    n_pairs, n_channels, n_times : int
    block_bytes : int
        Most bytes of decoded windows that are held at a time.
    """

    n_pairs: int
    n_channels: int
    n_times: int
    block_bytes: int

    @property
    def array(self) -> tuple[int, int, int]:
        """Shape of ``signal``."""
        return self.n_pairs, self.n_channels, self.n_times

    @property
    def _row_bytes(self) -> int:
        return max(1, 4 * self.n_channels * self.n_times)

    @property
    def chunk(self) -> int:
        """Rows of a chunk."""
        return max(1, min(self.n_pairs, _CHUNK_BYTES // self._row_bytes))

    @property
    def block(self) -> int:
        """Rows that are decoded at a time: whole chunks."""
        return self.chunk * max(1, self.block_bytes // (self._row_bytes * self.chunk))


class SideArrays:
    """One Zarr group: a side and modality of the selected pairs.

    ``signal (pair, channel, time)`` float32 in SI units, ``valid (pair, time)``, ``channel_valid
    (pair, channel)``, ``time (pair, time)`` s from the event, at which the sample was acquired,
    ``recording (pair)``, the row in recordings.parquet, and ``present (pair)``: False where the
    pair's side is of another modality. What is absent, and what pads shorter windows or fewer
    channels, is NaN or False, and -1 for ``recording``.

    Parameters
    ----------
    location : Location
    place : Path
        Of the group; made here.
    side : {'a', 'b'}
    modality : str
    shape : SideShape
    paths, numbers : Mapping
        Recording -> its group in the corpus; its row in recordings.parquet.
    """

    def __init__(
        self,
        location: Location,
        place: Path,
        side: str,
        modality: str,
        shape: SideShape,
        paths: Mapping[str, str],
        numbers: Mapping[str, int],
    ) -> None:
        import zarr

        self.name = place.stem
        self.shape = shape
        self._location, self._place, self._side, self._modality = location, place, side, modality
        self._paths, self._numbers = paths, numbers
        self._readers: OrderedDict[str, RecordingReader] = OrderedDict()
        self._group = zarr.create_group(place, zarr_format=3, attributes=self._attributes())
        n, c, t = shape.array
        self._arrays = {
            "signal": self._array("signal", (n, c, t), "float32", np.nan, _UNITS[modality]),
            "valid": self._array("valid", (n, t), "bool", False),
            "channel_valid": self._array("channel_valid", (n, c), "bool", False),
            "time": self._array("time", (n, t), "float64", np.nan, "s"),
            "recording": self._array("recording", (n,), "int32", -1),
            "present": self._array("present", (n,), "bool", False),
        }

    def write(self, start: int, pairs: pa.Table) -> None:
        """Write the windows of consecutive pairs.

        Parameters
        ----------
        start : int
            Row of the first of them.
        pairs : pyarrow.Table
            Rows of table ``pairs``.

        Raises
        ------
        DamagedError
            If a recording cannot be read.
        """
        own = np.asarray(pairs[f"modality_{self._side}"].to_pylist()) == self._modality
        if not own.any():
            return
        names = np.asarray(pairs[f"recording_{self._side}"].to_pylist(), object)
        windows = pairs[f"window_{self._side}"].to_numpy()
        # blocks begin where chunks do: a chunk that two blocks share is read and written twice
        first = start - start % self.shape.chunk
        for edge in range(first, start + len(own), self.shape.block):
            low, high = max(edge, start), min(edge + self.shape.block, start + len(own))
            rows = slice(low - start, high - start)
            if own[rows].any():
                self._write_block(low, names[rows], windows[rows], own[rows])

    def close(self) -> None:
        """Put the arrays' metadata into the group's, so that readers open it with one request."""
        import zarr

        with warnings.catch_warnings():
            # the v3 specification has no such thing yet; zarr and xarray look for it all the same
            warnings.simplefilter("ignore")
            zarr.consolidate_metadata(self._group.store)

    def _write_block(self, start: int, names: Any, windows: Any, own: Any) -> None:
        n, (_, n_channels, n_times) = len(names), self.shape.array
        block = {
            "signal": np.full((n, n_channels, n_times), np.nan, np.float32),
            "valid": np.zeros((n, n_times), bool),
            "channel_valid": np.zeros((n, n_channels), bool),
            "time": np.full((n, n_times), np.nan),
            "recording": np.full(n, -1, np.int32),
            "present": np.asarray(own),
        }
        for name in dict.fromkeys(names[own]):
            rows = np.flatnonzero((names == name) & own)
            self._read(str(name), windows[rows], rows, block)
        for key, values in block.items():
            self._arrays[key][start : start + n] = values

    def _read(self, name: str, windows: Any, rows: Any, block: dict[str, Any]) -> None:
        reader = self._reader(name)
        signal = reader.signal(windows)
        _, c, t = signal.shape
        block["signal"][rows, :c, :t] = signal
        block["valid"][rows, :t] = reader.rows(layout.VALID, windows)
        block["channel_valid"][rows, :c] = reader.rows(layout.CHANNEL_VALID, windows)
        time = reader.whole("time")[None] + reader.rows("time_offset", windows)[:, None]
        block["time"][rows, :t] = time
        block["recording"][rows] = self._numbers[name]

    def _reader(self, name: str) -> RecordingReader:
        if name in self._readers:
            self._readers.move_to_end(name)
        else:
            self._readers[name] = RecordingReader(self._location, self._paths[name])
            if len(self._readers) > _OPEN_RECORDINGS:
                self._readers.popitem(last=False)
        return self._readers[name]

    def _array(
        self, name: str, shape: tuple[int, ...], dtype: str, fill: Any, unit: str | None = None
    ) -> Any:
        dims = {"signal": "pct", "valid": "pt", "channel_valid": "pc", "time": "pt"}
        words = {"p": "pair", "c": "channel", "t": "sample"}
        return self._group.create_array(
            name,
            shape=shape,
            chunks=(self.shape.chunk, *(max(1, size) for size in shape[1:])),
            dtype=dtype,
            fill_value=fill,
            dimension_names=[words[d] for d in dims.get(name, "p")],
            attributes={"units": unit} if unit else {},
        )

    def _attributes(self) -> dict[str, Any]:
        return {
            "side": self._side,
            "modality": self._modality,
            "rows": "pairs.parquet, in its order",
            "channels": "channels.parquet: 'row' of the recording is the place along channel",
        }
