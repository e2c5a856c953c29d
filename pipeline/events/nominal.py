"""How long a story or film is: what the recipe, a table or the media file say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from neuropair.pipeline.events.canonical import entities, is_selected
from neuropair.pipeline.events.decoded import read_wav
from neuropair.pipeline.events.identity import normalise
from neuropair.pipeline.events.run import Run
from neuropair.pipeline.events.templates import fill
from neuropair.schemas.errors import DatasetError, RecipeError
from neuropair.schemas.recipe import (
    Media,
    NominalDuration,
    NominalFile,
    NominalRecordings,
    NominalSeconds,
    Rule,
)

LATENCY = 0.5
"""s; buffers of audio and video players start and stop later than asked, by less than this."""
MAX_PPM = 1500.0
"""Largest slope between two clocks that trigger alignment accepts (science.md section 3)."""
_TAKEN_FOR_MS = 0.05
"""A length in milliseconds has 1000 times the marks' distance, to within this share."""


def bound(media: Media, nominal: float) -> float:
    """Largest difference, s, of the marks' distance and the length that is no contradiction."""
    return media.bound if media.bound is not None else LATENCY + MAX_PPM * 1e-6 * nominal


class Nominals:
    """Lengths of the media of a dataset.

    Parameters
    ----------
    root : Path
        The dataset's folder.
    runs : iterable of Run
        All that could be read.
    """

    def __init__(self, root: Path, runs: Iterable[Run]) -> None:
        self._root = root.resolve()
        self._runs = tuple(runs)
        self._headers: dict[str, float] = {}
        self._by_key: dict[str, Mapping[str, list[float]]] = {}

    def length(self, run: Run, number: int, row: pd.Series) -> tuple[float, str]:
        """Length of the media of an event, s, and where it comes from.

        Parameters
        ----------
        run : Run
        number : int
            The event's rule, which has `media`.
        row : pandas.Series
            The event.

        Raises
        ------
        DatasetError
            If there is none, it is no positive number, or sources of one kind contradict each
            other.
        RecipeError
            If the recipe names a file that is not there.
        """
        rule = run.entry.rules[number]
        assert rule.media is not None
        nominal = rule.media.nominal
        where = f"{run.where}, key rules.{number}.media.nominal"
        if isinstance(nominal, NominalSeconds):
            return nominal.seconds, f"recipe: {nominal.source}"
        if isinstance(nominal, NominalDuration):
            return _stated(run, row, where), "duration in the recording's own table"
        if isinstance(nominal, NominalFile):
            return self._of_file(nominal, run, rule, row, where)
        return self._of_recordings(nominal, rule.media, row, where)

    def _of_recordings(
        self, nominal: NominalRecordings, media: Media, row: pd.Series, where: str
    ) -> tuple[float, str]:
        stated = self._stated(nominal).get(str(row["stimulus"]), [])
        if not stated:
            raise DatasetError(
                f"no recording that 'recordings' selects gives {row['stimulus_name']} a duration.",
                where=where,
                remedy="select recordings whose tables have it, or state the length in seconds",
            )
        length = float(np.median(stated))
        if max(stated) - min(stated) > bound(media, length):
            raise DatasetError(
                f"the recordings give {row['stimulus_name']} durations from {min(stated):g} to "
                f"{max(stated):g} s: they are no length of one media.",
                where=where,
                remedy="state the length in seconds, or name the media file",
            )
        return length, f"durations of {len(stated)} recordings: {nominal.because}"

    def _stated(self, nominal: NominalRecordings) -> Mapping[str, list[float]]:
        name = nominal.recordings.model_dump_json()
        if name not in self._by_key:
            found: dict[str, list[float]] = {}
            for run in self._runs:
                if is_selected(nominal.recordings, run.recording):
                    table = run.draft.table[run.draft.table["stated"] > 0]
                    for key, seconds in zip(table["stimulus"], table["stated"], strict=True):
                        if isinstance(key, str):
                            found.setdefault(key, []).append(float(seconds))
            self._by_key[name] = found
        return self._by_key[name]

    def _of_file(
        self, nominal: NominalFile, run: Run, rule: Rule, row: pd.Series, where: str
    ) -> tuple[float, str]:
        assert rule.stimulus is not None
        name = normalise(str(row["stimulus_name"]), rule.stimulus)
        filled = fill(nominal.path, {**entities(run.recording), "stimulus": name}, where)
        if filled not in self._headers:
            self._headers[filled] = self._header(filled, where)
        return self._headers[filled], f"header of {filled}"

    def _header(self, filled: str, where: str) -> float:
        path = (self._root / filled).resolve()
        if not path.is_relative_to(self._root) or not path.is_file():
            raise RecipeError(
                f"{filled} is not there.",
                where=where,
                remedy="fetch the media file, or state the length in seconds",
            )
        try:
            rate, samples = read_wav(path)
        except (ValueError, OSError) as error:
            raise DatasetError(
                f"cannot be read as WAV ({error}).",
                where=filled,
                remedy="fetch the file again, or state the length in seconds",
            ) from error
        if not len(samples) or rate <= 0:
            raise DatasetError(
                "holds no samples.", where=filled, remedy="state the length in seconds"
            )
        return len(samples) / rate


def _stated(run: Run, row: pd.Series, where: str) -> float:
    stated = float(row["stated"])
    if stated > 0:
        return stated
    raise DatasetError(
        f"the table gives {row['stimulus_name']} no duration above 0 (line {row['source_row']} of "
        f"{run.recording.id}).",
        where=where,
        remedy="state the length in seconds, or name the media file",
    )


def check_unit(nominal: float, span: float, run: Run, source: str) -> None:
    """Refuse a length that is in milliseconds.

    Parameters
    ----------
    nominal : float
        Length by the recipe's units, s.
    span : float
        Distance of the marks, s; the recording's length where there is one mark only.

    Raises
    ------
    DatasetError
    """
    if abs(nominal / 1000 / span - 1) < _TAKEN_FOR_MS:
        raise DatasetError(
            f"the length of {nominal:g} s ({source}) is 1000 times the {span:g} s between the "
            f"marks: it is in milliseconds ({run.recording.id}).",
            where=f"{run.where}, key rules.media.nominal",
            remedy="give it in seconds, or declare 'duration_unit: ms' where a column holds it",
        )
