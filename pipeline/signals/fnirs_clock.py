"""The clock of a SNIRF file: where it starts, and whether its samples are evenly spaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuropair.pipeline.signals.base import inside
from neuropair.pipeline.types import Dataset, Loss, Recording
from neuropair.schemas.errors import DatasetError

if TYPE_CHECKING:
    from mne.io import BaseRaw

_EVEN = 0.5
"""Sample periods that a sample may be off an even grid; filters suppose one."""
_GAP = 1.5
"""Sample periods between two samples above which something is missing between them."""


class Clock(NamedTuple):
    """Times of an evenly sampled recording.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        The recording; another than was given if its samples had to be made even.
    times : ndarray, shape (time,)
        s.
    recorded : ndarray of bool, shape (time,)
        False where samples were missing.
    losses : list of Loss
    """

    raw: BaseRaw
    times: NDArray[np.float64]
    recorded: NDArray[np.bool_]
    losses: list[Loss]


def settle_clock(dataset: Dataset, recording: Recording, raw: BaseRaw) -> Clock:
    """Take the times that the file gives, and make samples even where they are not.

    Sample 0 stands at 0, or at 1/sfreq in files of Homer's making, whose stimulus onsets are on
    that clock too. A later start (a piece of a longer recording) is BIDS's zero. MNE supposes
    even samples; where the file's are more than half a sample off, or are missing, they are
    interpolated linearly and the missing ones masked.

    Raises
    ------
    DatasetError
        If the times do not increase, or are not one a sample.
    """
    stamps = _stamps(dataset, recording, raw)
    steps = np.diff(stamps)
    if not (steps > 0).all():
        raise DatasetError(
            f"its times do not increase (first at sample {int(np.argmax(steps <= 0)) + 1}).",
            where=str(recording.path),
            remedy="mend nirs/data1/time of the SNIRF file",
        )
    period = float(np.median(steps))
    start = stamps[0] if 0 <= stamps[0] <= 1.5 * period else 0.0
    stamps = stamps - stamps[0] + start
    even = start + np.arange(raw.n_times) / raw.info["sfreq"]
    if np.abs(even - stamps).max() <= _EVEN * period:
        return Clock(raw, even, np.ones(raw.n_times, bool), [])

    grid = start + np.arange(round((stamps[-1] - start) / period) + 1) * period
    following = np.clip(np.searchsorted(stamps, grid), 1, len(stamps) - 1)
    nearest = np.minimum(np.abs(grid - stamps[following]), np.abs(grid - stamps[following - 1]))
    recorded = (nearest <= _EVEN * period + 1e-9) | (steps[following - 1] <= _GAP * period)
    lost = Loss(
        "signal",
        "file",
        "repaired",
        1,
        f"samples are uneven: interpolated to {1 / period:.4g} Hz, "
        f"{int((~recorded).sum())} samples missing and masked",
        str(recording.path),
    )
    return Clock(_interpolated(raw, stamps, grid, period), grid, recorded, [lost])


def _stamps(dataset: Dataset, recording: Recording, raw: BaseRaw) -> NDArray[np.float64]:
    import h5py

    with h5py.File(inside(dataset, recording.path), "r") as content:
        stamps = np.ravel(content["nirs/data1/time"][()]).astype(float)
        unit = content.get("nirs/metaDataTags/TimeUnit")
        if unit is not None and np.ravel(unit[()])[0] in (b"ms", "ms"):
            stamps = stamps / 1000
    if len(stamps) == 2 != raw.n_times:
        # SNIRF: start and period
        return np.asarray(stamps[0] + stamps[1] * np.arange(raw.n_times), float)
    if len(stamps) != raw.n_times:
        raise DatasetError(
            f"has {len(stamps)} times for {raw.n_times} samples.",
            where=str(recording.path),
            remedy="mend nirs/data1/time of the SNIRF file, or fetch it again",
        )
    return stamps


def _interpolated(
    raw: BaseRaw, stamps: NDArray[np.float64], grid: NDArray[np.float64], period: float
) -> BaseRaw:
    import mne

    values = np.array([np.interp(grid, stamps, channel) for channel in raw.get_data()])
    info = raw.info.copy()
    with info._unlock():
        info["sfreq"], info["lowpass"] = 1 / period, 0.5 / period
    return mne.io.RawArray(values, info, verbose="ERROR")
