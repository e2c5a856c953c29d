"""Assembling a batch: rows of many arrays, padded to one shape, with masks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuropair.catalog.stream.recording import RecordingReader
from neuropair.catalog.stream.selection import KeyPlan, Selection
from neuropair.schemas import layout

Batch = dict[str, Any]

TEXT = ("study", "pair_id", "tier", "rule", "concept", "stimulus", "split")
SIDE_TEXT = ("modality", "recording", "person")


def assemble(selection: Selection, pairs: NDArray[np.integer[Any]], size: int) -> Batch:
    """Read the pairs of one batch.

    Parameters
    ----------
    selection : Selection
    pairs : array of int, shape (n,)
        Which pairs of the selection, in the order of the batch.
    size : int
        Rows of the batch, n or more; rows beyond n are no pairs and have nothing present.

    Returns
    -------
    dict
        As `neuropair.catalog.stream.PairStream` describes it.
    """
    batch: Batch = {
        key: _signal(selection, plan, pairs, size) for key, plan in selection.keys.items()
    }
    rows = selection.pairs.take(pairs)
    blank = size - len(pairs)
    sides = [f"{name}_{side}" for name in SIDE_TEXT for side in "ab"]
    for name in (*TEXT, *sides):
        batch[name] = rows[name].to_pylist() + [""] * blank
    for name in ("window_a", "window_b"):
        batch[name] = np.append(rows[name].to_numpy(), np.full(blank, -1, np.int32))
    for name in ("confidence", "quality"):
        batch[name] = np.append(rows[name].to_numpy(), np.zeros(blank)).astype(np.float32)
    batch["is_pair"] = np.arange(size) < len(pairs)
    return batch


def _signal(
    selection: Selection, plan: KeyPlan, pairs: NDArray[np.integer[Any]], size: int
) -> dict[str, NDArray[Any]]:
    recordings = plan.recording[pairs]
    out = _blank(plan, size)
    for number in np.unique(recordings[recordings >= 0]):
        where = np.flatnonzero(recordings == number)
        windows = plan.window[pairs[where]]
        _fill(out, where, selection.readers[number], windows, plan.codes[int(number)])
    return out


def _blank(plan: KeyPlan, size: int) -> dict[str, NDArray[Any]]:
    n_channels, n_times = plan.n_channels, plan.n_times
    out: dict[str, NDArray[Any]] = {
        "signal": np.zeros((size, n_channels, n_times), np.float32),
        "time": np.zeros((size, n_times), np.float32),
        "time_mask": np.zeros((size, n_times), bool),
        "channel": np.full((size, n_channels), -1, np.int32),
        "channel_mask": np.zeros((size, n_channels), bool),
        "position": np.zeros((size, n_channels, 3), np.float32),
        "position_mask": np.zeros((size, n_channels), bool),
        "present": np.zeros(size, bool),
    }
    if plan.has_beta:
        out["beta"] = np.zeros((size, n_channels), np.float32)
        out["beta_se"] = np.zeros((size, n_channels), np.float32)
        out["beta_mask"] = np.zeros((size, n_channels), bool)
    return out


def _fill(
    out: dict[str, NDArray[Any]],
    where: NDArray[np.integer[Any]],
    reader: RecordingReader,
    windows: NDArray[np.int32],
    codes: NDArray[np.int32],
) -> None:
    _, n_channels, n_times = reader.shape
    channels, times = slice(n_channels), slice(n_times)
    out["signal"][where, channels, times] = reader.signal(windows)
    offset = reader.rows("time_offset", windows)
    out["time"][where, times] = reader.whole("time") + offset[:, None]
    out["time_mask"][where, times] = reader.rows(layout.VALID, windows)
    out["channel"][where, channels] = codes
    out["channel_mask"][where, channels] = reader.rows(layout.CHANNEL_VALID, windows)
    position = reader.whole("channel_position")
    out["position"][where, channels] = np.nan_to_num(position)
    out["position_mask"][where, channels] = np.isfinite(position).all(axis=1)
    out["present"][where] = True
    if "beta" in out and reader.has(layout.BETA):
        beta, error = reader.rows(layout.BETA, windows), reader.rows(layout.BETA_SE, windows)
        out["beta"][where, channels] = np.nan_to_num(beta)
        out["beta_se"][where, channels] = np.nan_to_num(error)
        out["beta_mask"][where, channels] = np.isfinite(beta)
