"""Gathering rows of many recordings into one array, for one signal of the batches.

Measured on 400 recordings of 64 x 256 EEG and 400 x 8 fMRI: one index per recording and array costs
15 times the copy of the signal itself. So what is small (masks, offsets, betas) is laid side by
side when a recording is first touched, and one index fetches it for the whole batch; only the
signal is copied window by window, straight out of its map.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuropair.catalog.stream.buffers import Buffers
from neuropair.catalog.stream.recording import RecordingReader
from neuropair.catalog.stream.shard import MappedArray
from neuropair.schemas import layout

if TYPE_CHECKING:
    from neuropair.catalog.stream.selection import KeyPlan

Array = NDArray[Any]
Numbers = NDArray[np.integer[Any]]


class _Source(NamedTuple):
    """Where the windows of a recording are; `mapped` is None where zarr has to read them."""

    mapped: MappedArray | None
    n_channels: int
    n_times: int
    scaled: bool


class Gather:
    """Reads one signal of the batches. Threads may read side by side.

    Parameters
    ----------
    plan : KeyPlan
    readers : sequence of RecordingReader
        Of the whole selection.
    """

    def __init__(self, plan: KeyPlan, readers: Sequence[RecordingReader]) -> None:
        self._plan = plan
        self._readers = readers
        self._buffers = Buffers()
        self._lock = threading.Lock()
        self._opened = np.zeros(len(readers), bool)
        self._first = np.zeros(len(readers), np.int64)
        used = np.unique(plan.recording[plan.recording >= 0])
        counts = np.array([readers[number].shape[0] for number in used], np.int64)
        self._first[used] = np.cumsum(counts) - counts
        self._of_windows = _columns(plan, int(counts.sum()), _PER_WINDOW)
        self._of_recordings = _columns(plan, len(readers), _PER_RECORDING)
        self._full = np.zeros(len(readers), bool)
        self._sources: list[_Source | None] = [None] * len(readers)

    def read(self, pairs: Numbers, size: int) -> dict[str, Array]:
        """Read the pairs of one batch.

        Parameters
        ----------
        pairs : array of int, shape (n,)
        size : int
            Rows of the batch; rows beyond n, and those of pairs without this signal, are blank.

        Returns
        -------
        dict
            As `neuropair.catalog.stream.PairStream` describes it.
        """
        plan = self._plan
        recordings = np.full(size, -1, np.int64)
        recordings[: len(pairs)] = plan.recording[pairs]
        windows = np.zeros(size, np.int64)
        windows[: len(pairs)] = plan.window[pairs]
        present = recordings >= 0
        self._open(np.unique(recordings[present]))
        rows = self._first[recordings] + windows
        take = self._buffers.rows
        small = {name: take(column, rows) for name, column in self._of_windows.items()}
        small |= {name: take(column, recordings) for name, column in self._of_recordings.items()}
        if not present.all():
            for name, values in small.items():
                values[~present] = -1 if name == "channel" else 0
        signal = self._signal(recordings, windows, small.pop("scale", None))
        time = self._buffers.take((size, plan.n_times), np.float32)
        np.add(small.pop("time"), small.pop("offset")[:, None], out=time, casting="unsafe")
        return {"signal": signal, "time": time, **small, "present": present}

    def _signal(self, recordings: Numbers, windows: Numbers, scale: Array | None) -> Array:
        plan = self._plan
        shape = (len(recordings), plan.n_channels, plan.n_times)
        signal: NDArray[np.float32] = self._buffers.take(shape, np.float32)
        for row in np.flatnonzero((recordings < 0) | ~self._full[recordings]).tolist():
            signal[row] = 0
        others = []
        numbers = zip(recordings.tolist(), windows.tolist(), strict=True)
        for row, (number, window) in enumerate(numbers):
            source = self._sources[number] if number >= 0 else None
            if source is None:
                continue
            target = signal[row, : source.n_channels, : source.n_times]
            if source.mapped is None:
                others.append(row)
                continue
            np.copyto(target, source.mapped.row(window), casting="unsafe")
            if source.scaled and scale is not None:
                np.multiply(target, scale[row, : source.n_channels, None], out=target)
        if others:
            self._read_others(signal, np.array(others), recordings, windows)
        return signal

    def _read_others(
        self, signal: NDArray[np.float32], rows: Numbers, recordings: Numbers, windows: Numbers
    ) -> None:
        """Read what cannot be mapped: one request a recording."""
        for number in np.unique(recordings[rows]).tolist():
            where = rows[recordings[rows] == number]
            source, reader = self._sources[number], self._readers[number]
            if source is not None:
                channels, times = slice(source.n_channels), slice(source.n_times)
                signal[where, channels, times] = reader.signal(windows[where])

    def _open(self, numbers: Numbers) -> None:
        if self._opened[numbers].all():
            return
        for number in numbers[~self._opened[numbers]].tolist():
            with self._lock:
                if not self._opened[number]:
                    self._read_small(number)
                    self._opened[number] = True

    def _read_small(self, number: int) -> None:
        reader, plan = self._readers[number], self._plan
        n_windows, n_channels, n_times = reader.shape
        first = int(self._first[number])
        rows, channels, times = slice(first, first + n_windows), slice(n_channels), slice(n_times)
        of_windows, of_recordings = self._of_windows, self._of_recordings
        of_windows["offset"][rows] = reader.array("time_offset").read()
        of_windows["time_mask"][rows, times] = reader.array(layout.VALID).read()
        of_windows["channel_mask"][rows, channels] = reader.array(layout.CHANNEL_VALID).read()
        if reader.has(layout.SCALE):
            of_windows["scale"][rows, channels] = reader.array(layout.SCALE).read()
        if reader.has(layout.BETA):
            beta = reader.array(layout.BETA).read()
            error = reader.array(layout.BETA_SE).read()
            of_windows["beta"][rows, channels] = np.nan_to_num(beta)
            of_windows["beta_se"][rows, channels] = np.nan_to_num(error)
            of_windows["beta_mask"][rows, channels] = np.isfinite(beta)
        position = reader.array("channel_position").read()
        of_recordings["time"][number, times] = reader.array("time").read()
        of_recordings["channel"][number, channels] = plan.codes[number]
        of_recordings["position"][number, channels] = np.nan_to_num(position)
        of_recordings["position_mask"][number, channels] = np.isfinite(position).all(axis=1)
        stored = reader.array(layout.SIGNAL)
        mapped = stored if isinstance(stored, MappedArray) else None
        self._sources[number] = _Source(mapped, n_channels, n_times, reader.has(layout.SCALE))
        self._full[number] = (n_channels, n_times) == (plan.n_channels, plan.n_times)


_PER_WINDOW: dict[str, tuple[str, type[Any]]] = {
    "offset": ("", np.float64),
    "time_mask": ("t", np.bool_),
    "channel_mask": ("c", np.bool_),
    "scale": ("c", np.float32),
    "beta": ("c", np.float32),
    "beta_se": ("c", np.float32),
    "beta_mask": ("c", np.bool_),
}
_PER_RECORDING: dict[str, tuple[str, type[Any]]] = {
    "time": ("t", np.float64),
    "channel": ("c", np.int32),
    "position": ("cx", np.float32),
    "position_mask": ("c", np.bool_),
}
"""Name -> dimensions after the first, and type."""


def _columns(plan: KeyPlan, n: int, kinds: dict[str, tuple[str, type[Any]]]) -> dict[str, Array]:
    """Zeros, which cost memory only where something is written."""
    sizes = {"c": plan.n_channels, "t": plan.n_times, "x": 3}
    return {
        name: np.zeros((n, *(sizes[dim] for dim in dims)), dtype)
        for name, (dims, dtype) in kinds.items()
        if plan.has_beta or not name.startswith("beta")
    }
