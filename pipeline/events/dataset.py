"""Read the events of a whole dataset: what one run means can depend on the runs before it."""

from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from neuropair.pipeline.events.annotations import annotations_table
from neuropair.pipeline.events.assertions import check_assertions
from neuropair.pipeline.events.canonical import draft_events, entities, is_selected
from neuropair.pipeline.events.identity import ContentKeys
from neuropair.pipeline.events.lists import Lists, synthesised_table
from neuropair.pipeline.events.media import add_media
from neuropair.pipeline.events.run import Run
from neuropair.pipeline.events.session import add_intervals, add_repetition, sessions
from neuropair.pipeline.events.stimuli import add_stimuli, contradictions, published_contents
from neuropair.pipeline.events.tables import RawTable, read_table
from neuropair.pipeline.events.timing import known_duration
from neuropair.pipeline.sources.selection import fixed_part
from neuropair.pipeline.types import Dataset, Events, Index, Loss, Recording
from neuropair.schemas.errors import DatasetError, NeuropairError, RecipeError
from neuropair.schemas.recipe import EventsRecipe, MediaAssertion, Recipe
from neuropair.schemas.tables import EVENTS
from neuropair.schemas.vocabulary import require_known

COLUMNS = tuple(name for name in EVENTS.names if name not in ("study", "recording"))
"""Columns of canonical events, in order."""


def read_dataset_events(index: Index, recipe: Recipe) -> dict[str, Events | NeuropairError]:
    """Read the canonical events of every recording of a dataset.

    Parameters
    ----------
    index : Index
        The recordings; nothing but their events tables (and, for annotations, signal files) is
        read.
    recipe : Recipe

    Returns
    -------
    dict
        Recording id -> events, or the error that keeps this recording from having any.

    Raises
    ------
    RecipeError
        If the recipe is wrong whatever the data are: a concept that is not in the vocabulary.
    """
    check_concepts(recipe)
    results: dict[str, Events | NeuropairError] = {}
    runs: dict[str, Run] = {}
    tables: dict[PurePosixPath, RawTable] = {}
    lists = Lists(index.dataset.root)
    for recording in index.recordings:
        try:
            runs[recording.id] = _read(index.dataset, recording, recipe, tables, lists)
        except NeuropairError as error:
            results[recording.id] = error
    keys = ContentKeys(index.dataset.root, _stimulus_folders(recipe))
    for run in runs.values():
        run.draft.losses += add_stimuli(run.draft.table, run.entry.rules, recipe, keys)
    named = {name: (run.draft.table, run.entry.rules) for name, run in runs.items()}
    for name, wrong in contradictions(named, recipe, keys).items():
        results[name] = wrong
        del runs[name]
    for run in runs.values():
        run.contents = published_contents(run.draft.table, run.entry.rules, keys)
    for name, absent in add_media(index.dataset.root, runs, lists).items():
        results[name] = absent
        del runs[name]
    _add_repetitions(index, runs)
    for name, run in runs.items():
        try:
            results[name] = _finish(run)
        except NeuropairError as error:
            results[name] = error
    return {recording.id: results[recording.id] for recording in index.recordings}


def check_concepts(recipe: Recipe) -> None:
    """Refuse concepts of rules and assertions that neither vocabulary nor recipe declares.

    Raises
    ------
    RecipeError
        Naming the concept, and the closest ones.
    """
    rules = [rule for entry in recipe.events for rule in entry.rules]
    concepts = [rule.concept for rule in rules]
    keyed = [rule.media.keyed_concepts for rule in rules if rule.media is not None]
    concepts += [concept for some in keyed for concept in some]
    concepts += [
        assertion.concept
        for entry in recipe.events
        for assertion in entry.assertions
        if not isinstance(assertion, MediaAssertion) and assertion.concept is not None
    ]
    require_known(concepts, recipe.concepts, f"recipe {recipe.recipe}")


def _stimulus_folders(recipe: Recipe) -> list[str]:
    rules = [rule for entry in recipe.events for rule in entry.rules]
    return sorted(
        {fixed_part(f"{rule.stimulus.folder}/{{}}") for rule in rules if rule.stimulus is not None}
    )


def _read(
    dataset: Dataset,
    recording: Recording,
    recipe: Recipe,
    tables: dict[PurePosixPath, RawTable],
    lists: Lists,
) -> Run:
    number, entry = _entry(recording, recipe)
    where = f"recipe {recipe.recipe}, events.{number}"
    named = entities(recording)
    if entry.source == "none":
        raw = RawTable(str(recording.path), pd.DataFrame(columns=["onset", "duration"]))
        entry = EventsRecipe(source="none", assertions=entry.assertions)
    elif entry.source == "annotations":
        raw = annotations_table(dataset, recording)
    elif entry.synthesise is not None:
        at = f"{where}, key synthesise"
        raw = synthesised_table(entry.synthesise, lists, recording, named, at)
    else:
        raw = _table(dataset, recording, tables)
    listed = None
    if entry.join is not None:
        listed = lists.rows(entry.join, named, f"{where}, key join")
    length = known_duration(dataset.root, recording)
    draft = draft_events(raw, entry, recording, where=where, length=length, listed=listed)
    if entry.source in ("annotations", "synthesise"):
        draft.table["source_row"] = 0
    if entry.source != "none" and draft.table.empty:
        draft.losses.append(Loss("events", "file", "flagged", 1, "no events", raw.path))
    return Run(recording, entry, where, draft)


def _entry(recording: Recording, recipe: Recipe) -> tuple[int, EventsRecipe]:
    for number, entry in enumerate(recipe.events):
        if is_selected(entry.recordings, recording):
            return number, entry
    raise RecipeError(
        f"no entry of 'events' selects {recording.id}.",
        where=f"recipe {recipe.recipe}, key events",
        remedy="add an entry ('source: none' for a recording without events), or exclude the "
        "recording in the study",
    )


def _table(
    dataset: Dataset, recording: Recording, tables: dict[PurePosixPath, RawTable]
) -> RawTable:
    path = recording.events_path
    if path is None:
        raise DatasetError(
            "has no events table.",
            where=str(recording.path),
            remedy="say 'source: annotations' or 'source: none' in the recipe, or add the table",
        )
    if path not in tables:
        tables[path] = read_table(dataset.root, path)
    return tables[path]


def _add_repetitions(index: Index, runs: dict[str, Run]) -> None:
    for group in sessions(index.recordings):
        present = [runs.get(recording.id) for recording in group]
        add_repetition(
            [run.draft.table if run else None for run in present],
            [run.entry.rules if run else [] for run in present],
        )


def _finish(run: Run) -> Events:
    table = run.draft.table
    counted = [run.entry.rules[rule].repetition != "none" for rule in table["rule"]]
    unknown = int((np.array(counted, dtype=bool) & table["repetition"].isna().to_numpy()).sum())
    if unknown:
        reason = "repetition unknown: an earlier run was not read, or the stimulus has no name"
        run.draft.losses.append(Loss("events", "event", "flagged", unknown, reason))
    add_intervals(table)
    table["event"] = np.arange(len(table), dtype=np.int32)
    check_assertions(table, run.entry.assertions, run.recording.id, run.where, run.media)
    return Events(
        table[list(COLUMNS)].reset_index(drop=True),
        tuple(run.draft.losses),
        run.media,
        run.contents,
    )
