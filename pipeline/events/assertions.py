"""Check what a recipe asserts about the events of a recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from neuropair.schemas.errors import AssertionFailedError
from neuropair.schemas.recipe import (
    Assertion,
    CountAssertion,
    IntervalAssertion,
    MediaAssertion,
    UniqueStimuliAssertion,
)
from neuropair.schemas.vocabulary import is_within

_SLACK = 1e-6
"""s; intervals of onsets that are written to the millisecond."""


def check_assertions(
    table: pd.DataFrame,
    assertions: Sequence[Assertion],
    recording: str,
    where: str,
    media: pd.DataFrame | None = None,
) -> None:
    """Raise if an assertion does not hold.

    Parameters
    ----------
    table : pandas.DataFrame
        ``onset, concept, stimulus_name`` sorted by onset.
    assertions : sequence of Assertion
    recording : str
        Recording id.
    where : str
        Names the recipe in the error.
    media : pandas.DataFrame or None
        Media clocks of the recording.

    Raises
    ------
    AssertionFailedError
        With every assertion that fails, its numbers and the recording.
    """
    failed = [text for each in assertions for text in _check(table, each, recording, media)]
    if failed:
        raise AssertionFailedError(
            f"{'; '.join(failed)} ({recording}).",
            where=where,
            remedy="mend the table or the recipe; a run that is known to differ is an exception "
            "to state with its reason ('except_for', 'because')",
        )


def _check(
    table: pd.DataFrame, assertion: Assertion, recording: str, media: pd.DataFrame | None
) -> Iterator[str]:
    if isinstance(assertion, MediaAssertion):
        yield from _media(media, assertion)
        return
    chosen = table
    if assertion.concept is not None:
        within = [is_within(concept, assertion.concept) for concept in table["concept"]]
        chosen = table[np.asarray(within, dtype=bool)]
    what = assertion.concept or "all events"
    if isinstance(assertion, CountAssertion):
        yield from _count(len(chosen), assertion, recording, f"count of {what}")
    elif isinstance(assertion, UniqueStimuliAssertion):
        number = int(chosen["stimulus_name"].nunique())
        yield from _bounds(number, assertion, f"unique stimuli of {what}")
    else:
        yield from _intervals(chosen, assertion, what)


def _count(number: int, assertion: CountAssertion, recording: str, what: str) -> Iterator[str]:
    for key, count in assertion.except_for.items():
        if recording == key or recording.endswith(f"/{key}"):
            if number != count:
                yield f"{what}: {number}, asserted {count} as an exception"
            return
    yield from _bounds(number, assertion, what)


def _bounds(
    number: int, assertion: CountAssertion | UniqueStimuliAssertion, what: str
) -> Iterator[str]:
    if assertion.equals is not None and number != assertion.equals:
        yield f"{what}: {number}, asserted {assertion.equals}"
    if assertion.minimum is not None and number < assertion.minimum:
        yield f"{what}: {number}, asserted at least {assertion.minimum}"
    if assertion.maximum is not None and number > assertion.maximum:
        yield f"{what}: {number}, asserted at most {assertion.maximum}"


def _intervals(chosen: pd.DataFrame, assertion: IntervalAssertion, what: str) -> Iterator[str]:
    intervals = np.diff(chosen["onset"].to_numpy(dtype=np.float64))
    if not len(intervals):
        return
    low, high = float(intervals.min()), float(intervals.max())
    if assertion.minimum is not None and low < assertion.minimum - _SLACK:
        row = int(chosen["source_row"].iloc[int(intervals.argmin()) + 1])
        yield (
            f"shortest interval of {what}: {low:.3f} s at line {row}, "
            f"asserted at least {assertion.minimum:g} s"
        )
    if assertion.maximum is not None and high > assertion.maximum + _SLACK:
        row = int(chosen["source_row"].iloc[int(intervals.argmax()) + 1])
        yield (
            f"longest interval of {what}: {high:.3f} s at line {row}, "
            f"asserted at most {assertion.maximum:g} s"
        )


def _media(media: pd.DataFrame | None, assertion: MediaAssertion) -> Iterator[str]:
    if media is None:
        return
    columns = ("stimulus", "status", "rate_ppm", "uncertainty")
    for key, status, ppm, half in zip(*(media[name] for name in columns), strict=True):
        if status == "measured" and abs(ppm) > assertion.maximum_ppm:
            yield (
                f"media clock of {key}: {ppm:+.1f} ppm, asserted at most "
                f"{assertion.maximum_ppm:g} ppm"
            )
        if half > assertion.maximum_uncertainty:
            yield (
                f"media clock of {key} ({status}): +/- {half:.3f} s, asserted at most "
                f"{assertion.maximum_uncertainty:g} s"
            )
