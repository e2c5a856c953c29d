"""Onsets and durations: numbers, units, and whether they can be true of the recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.pipeline.bids.duration import duration
from neuropair.pipeline.events.tables import RawTable, lines_at
from neuropair.pipeline.events.where import number
from neuropair.pipeline.types import Loss, Recording
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.recipe import EventsRecipe

Floats = npt.NDArray[np.float64]

UNITS = {"s": 1.0, "ms": 1e-3}
_DAY = 86400.0
"""s; no recording lasts a day, so an onset beyond it is in another unit."""
_CHEAP_HEADERS = (".nii", ".nii.gz", ".edf", ".bdf", ".snirf")
_TAKEN_FOR_MS = 0.05
"""A table in milliseconds has 1000 times its samples' time, to within this share."""


def onsets(raw: RawTable, frame: pd.DataFrame, column: str, unit: str) -> Floats:
    """Onsets in seconds.

    Raises
    ------
    DatasetError
        Naming file and line of the first cell that is no number.
    """
    values = np.full(len(frame), np.nan)
    for position, (line, cell) in enumerate(frame[column].items()):
        value = number(cell)
        if value is None:
            raise DatasetError(
                f"{column} {cell!r} is no number.",
                where=f"{raw.path}:{line}",
                remedy=f"mend the cell, or drop the row in the recipe: "
                f"drop: [{{where: {{{column}: {cell!r}}}, because: ...}}]",
            )
        values[position] = value * UNITS[unit]
    return values


def optional_seconds(
    raw: RawTable, frame: pd.DataFrame, column: str, unit: str, *, minimum: float = 0.0
) -> tuple[Floats, list[Loss]]:
    """Numbers in seconds, NaN where missing; what is no number or below `minimum` is recorded."""
    values = np.full(len(frame), np.nan)
    refused: list[int] = []
    for position, (line, cell) in enumerate(frame[column].items()):
        if cell is None:
            continue
        value = number(cell)
        if value is None or value < minimum:
            refused.append(int(str(line)))
        else:
            values[position] = value * UNITS[unit]
    if not refused:
        return values, []
    reason = f"{column} is no number of at least {minimum:g}, taken as missing"
    where = lines_at(raw.path, sorted(refused))
    return values, [Loss("events", "row", "repaired", len(refused), reason, where)]


def known_duration(root: Path, recording: Recording) -> float | None:
    """Length of a recording in seconds where the sidecar or a cheap header tells, or None."""
    path = (root / recording.path).resolve()
    here = path.is_file() and path.is_relative_to(root.resolve())
    cheap = path.name.lower().endswith(_CHEAP_HEADERS)
    try:
        return duration(path if here and cheap else None, recording.sidecar)
    except DatasetError:
        # the signal stage reads the file in full and reports what is wrong with it
        return None


def check_units(
    raw: RawTable,
    frame: pd.DataFrame,
    at: Floats,
    lasting: Floats,
    entry: EventsRecipe,
    recording: Recording,
    length: float | None,
) -> None:
    """Refuse onsets or durations that contradict the recording by a factor of a thousand.

    Parameters
    ----------
    at, lasting : numpy.ndarray
        Onsets and durations by the recipe's units, s.
    length : float or None
        Length of the recording, s, where it is known.

    Raises
    ------
    DatasetError
        With the unit that the recipe should declare. Nothing is rescaled in silence.
    """
    if not len(at):
        return
    longest = length if length is not None else _DAY
    last = float(np.max(at))
    if entry.onset_unit == "s":
        by_samples = _factor_by_samples(frame, at, recording)
        too_late = last > 2 * longest and last / 1000 <= 1.1 * longest
        if too_late or (by_samples is not None and abs(by_samples / 1000 - 1) < _TAKEN_FOR_MS):
            line = frame.index[int(np.argmax(at))]
            raise DatasetError(
                f"{entry.onset} {last:g} s cannot be: {_contradiction(length, by_samples)}. "
                "The table is in milliseconds.",
                where=f"{raw.path}:{line}",
                remedy="declare 'onset_unit: ms' in the recipe "
                "(and 'duration_unit: ms' if the durations are, too)",
            )
    typical = float(np.nanmedian(lasting)) if np.isfinite(lasting).any() else 0.0
    if entry.duration_unit == "s" and typical > longest:
        raise DatasetError(
            f"{entry.duration} has a median of {typical:g} s, {_contradiction(length, None)}.",
            where=raw.path,
            remedy="declare 'duration_unit: ms' in the recipe, or 'duration: null' where the "
            "column says something else",
        )


def _contradiction(length: float | None, by_samples: float | None) -> str:
    if length is not None:
        return f"the recording lasts {length:g} s"
    if by_samples is not None:
        return f"column sample over the sampling rate is {by_samples:.0f} times less"
    return f"no recording lasts {_DAY:g} s"


def _factor_by_samples(frame: pd.DataFrame, at: Floats, recording: Recording) -> float | None:
    rate = recording.sidecar.get("SamplingFrequency")
    if "sample" not in frame.columns or not isinstance(rate, int | float) or rate <= 0:
        return None
    samples = np.array([number(cell) or np.nan for cell in frame["sample"]], dtype=np.float64)
    usable = np.isfinite(samples) & (samples > 0) & (at > 0)
    if not usable.any():
        return None
    return float(np.median(at[usable] / (samples[usable] / float(rate))))


def check_extent(
    raw: RawTable, frame: pd.DataFrame, at: Floats, length: float | None
) -> list[Loss]:
    """Flag onsets outside the recording."""
    outside = at < 0 if length is None else (at < 0) | (at > length)
    if not outside.any():
        return []
    lines = [int(line) for line in frame.index[outside]]
    reason = "onset lies outside the recording"
    return [Loss("events", "event", "flagged", len(lines), reason, lines_at(raw.path, lines))]
