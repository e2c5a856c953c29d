"""Events keyed to media time: stretches of a story at equal times, and what a table annotates."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from neuropair.pipeline.events.canonical import entities
from neuropair.pipeline.events.identity import normalise
from neuropair.pipeline.events.lists import Lists, require_column
from neuropair.pipeline.events.playback import Playback
from neuropair.pipeline.events.tables import lines_at
from neuropair.pipeline.events.timing import Floats, onsets, optional_seconds
from neuropair.pipeline.types import Loss
from neuropair.schemas.recipe import Annotations, Segments

_SLACK = 1e-6
"""s; a last stretch that ends with the media is whole."""


def keyed_events(
    story: pd.DataFrame, one: Playback, lists: Lists, losses: list[Loss]
) -> pd.DataFrame:
    """Make the events that lie where a playback's media clock puts them.

    Parameters
    ----------
    story : pandas.DataFrame, one row
        The playback's own event.
    one : Playback
        Its clock.
    lists : Lists
    losses : list of Loss
        Annotations outside the media are added.

    Returns
    -------
    pandas.DataFrame
        Columns of `story`.

    Raises
    ------
    RecipeError
        If the recipe names a file or column that is not there.
    DatasetError
        If an annotation's time is no number.
    """
    media = one.run.entry.rules[one.number].media
    assert media is not None
    frames = [] if media.segments is None else [_segments(story, one, media.segments)]
    for number, given in enumerate(media.annotations):
        where = f"{one.run.where}, key rules.{one.number}.media.annotations.{number}"
        frames.append(_annotated(story, one, given, lists, losses, where))
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else story.iloc[:0]


def _segments(story: pd.DataFrame, one: Playback, segments: Segments) -> pd.DataFrame:
    step = segments.step or segments.length
    count = int(np.floor((one.nominal - segments.length + _SLACK) / step)) + 1
    times = np.arange(max(count, 0), dtype=np.float64) * step
    lengths = np.full(len(times), segments.length)
    return _events(story, one, times, lengths, segments.concept, [{}] * len(times))


def _annotated(
    story: pd.DataFrame,
    one: Playback,
    given: Annotations,
    lists: Lists,
    losses: list[Loss],
    where: str,
) -> pd.DataFrame:
    stimulus = one.run.entry.rules[one.number].stimulus
    assert stimulus is not None
    name = normalise(str(story["stimulus_name"].iloc[0]), stimulus)
    table = lists.rows(given, {**entities(one.run.recording), "stimulus": name}, where)
    for column in (given.onset, given.duration, *given.attributes.values()):
        if column is not None:
            require_column(table, column, where)
    times = onsets(table, table.frame, given.onset, given.unit) + given.offset
    lengths = np.full(len(times), np.nan)
    if given.duration is not None:
        lengths, refused = optional_seconds(table, table.frame, given.duration, given.unit)
        losses += refused
    inside = (times >= 0) & (times <= one.nominal)
    if not inside.all():
        lines = lines_at(table.path, [int(line) for line in table.frame.index[~inside]])
        reason = f"annotation outside the {one.nominal:g} s of its media"
        losses.append(Loss("events", "row", "dropped", int((~inside).sum()), reason, lines))
    rows = table.frame[inside]
    attributes = [
        {attribute: row[column] for attribute, column in given.attributes.items()}
        for row in rows.to_dict("records")
    ]
    reason = f"annotations of {table.path}: {given.because}"
    losses.append(Loss("events", "row", "flagged", len(rows), reason, table.path))
    return _events(story, one, times[inside], lengths[inside], given.concept, attributes)


def _events(
    story: pd.DataFrame,
    one: Playback,
    times: Floats,
    lengths: Floats,
    concept: str,
    attributes: Sequence[Mapping[str, Any]],
) -> pd.DataFrame:
    frame = story.loc[story.index.repeat(len(times))].reset_index(drop=True)
    uncertain = one.uncertainty_at(times).round(6).tolist()
    known = [
        {"media_time": round(at, 6), "media_uncertainty": half}
        for at, half in zip(times.tolist(), uncertain, strict=True)
    ]
    texts = [with_attributes(None, {**a, **b}) for a, b in zip(attributes, known, strict=True)]
    empty = pd.Series([None] * len(frame), dtype=object)
    return frame.assign(
        onset=one.onset + times * (1 + one.rate),
        duration=lengths * (1 + one.rate),
        concept=concept,
        stimulus=[f"{one.key}@{t:.3f}" for t in times],
        stimulus_name=[
            f"{name}@{t:.3f}" for name, t in zip(frame["stimulus_name"], times, strict=True)
        ],
        value=empty,
        trial_type=empty,
        response_time=np.nan,
        attributes=pd.Series(texts, dtype=object),
    )


def with_attributes(attributes: object, known: Mapping[str, object]) -> str:
    """Add to an event's attributes.

    Examples
    --------
    >>> with_attributes('{"a": 1}', {"b": 2})
    '{"a": 1, "b": 2}'
    """
    given = json.loads(attributes) if isinstance(attributes, str) else {}
    return json.dumps({**given, **known}, sort_keys=True, ensure_ascii=False)
