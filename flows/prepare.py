"""From a loaded study to one job a recording: fetch, index, events, persons, common clocks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from neuropair.flows.forgotten import find_left_out
from neuropair.flows.jobs import Job
from neuropair.flows.loading import LoadedStudy
from neuropair.pipeline.bids import index_dataset
from neuropair.pipeline.corpus import sidecar_number
from neuropair.pipeline.events import person_id, read_dataset_events, set_aside_changed
from neuropair.pipeline.sources import (
    extra_folders,
    fetch,
    list_folders,
    open_source,
    write_listing,
)
from neuropair.pipeline.types import Events, Failure, Loss, Recording
from neuropair.schemas.errors import NeuropairError
from neuropair.schemas.recipe import Recipe
from neuropair.schemas.study import StudyDataset

_CACHE_VARIABLE = "NEUROPAIR_CACHE"


@dataclass(frozen=True)
class Prepared:
    """One dataset, ready to be worked on recording by recording.

    Parameters
    ----------
    row : Mapping
        Row of table ``datasets`` without ``study, n_recordings, n_failed``.
    jobs : tuple of Job
        One a recording, by recording id.
    failures : tuple of (Failure, str)
        Recordings that are announced and cannot be read, with their person.
    losses : tuple of Loss
        What belongs to no single recording.
    """

    row: Mapping[str, Any]
    jobs: tuple[Job, ...]
    failures: tuple[tuple[Failure, str], ...]
    losses: tuple[Loss, ...]


def cache_folder(given: Path | None = None) -> Path:
    """Folder of downloads: as given, else ``$NEUROPAIR_CACHE``, else ``~/.cache/neuropair``."""
    if given is not None:
        return given
    variable = os.environ.get(_CACHE_VARIABLE)
    return Path(variable) if variable else Path.home() / ".cache" / "neuropair"


def prepare_dataset(
    loaded: LoadedStudy, entry: StudyDataset, corpus: str, cache: Path, *, tables_only: bool = False
) -> Prepared:
    """Fetch and index one dataset and read its events.

    Parameters
    ----------
    loaded : LoadedStudy
    entry : StudyDataset
    corpus : str
        URL of the corpus that the jobs write to.
    cache : Path
        Where downloads go.
    tables_only : bool
        Pull tables and sidecars, and no signal; a signal that is absent is no failure.

    Raises
    ------
    NeuropairError
        If the source, the dataset as a whole, or the recipe is wrong.
    """
    recipe = loaded.recipes[entry.dataset]
    signals = entry.signals or loaded.study.signals
    source = open_source(loaded.sources[entry.dataset], base=loaded.base)
    needed = recipe.signals and not tables_only
    left_out = find_left_out(corpus, source, recipe, entry.dataset)
    fetched = fetch(
        source,
        entry.dataset,
        cache / "rehearsal" if tables_only else cache,
        entry.include,
        left_out.excluding(entry.exclude),
        extra=list_folders(recipe) if tables_only else extra_folders(recipe, signals),
        signals=needed,
    )
    dataset = fetched.dataset
    if tables_only and fetched.listed:
        write_listing(dataset.root, fetched.listed)
    left_out.clean(cache, entry.dataset)
    index = left_out.without(
        index_dataset(
            dataset,
            entry.include,
            entry.exclude,
            signals_needed=needed,
            files=left_out.seen(fetched.files),
        )
    )
    events = read_dataset_events(index, recipe)
    described = describe(recipe, dataset.description)
    jobs = tuple(
        Job(
            corpus=corpus,
            dataset=dataset,
            recording=recording,
            events=events[recording.id],
            person=person_id(recipe, dataset.id, recording.subject),
            signals=signals,
            windows=loaded.study.windows,
            rename=recipe.channels,
            license=described["license"],
        )
        for recording in sorted(index.recordings, key=lambda one: one.id)
    )
    return Prepared(
        row={
            "dataset": dataset.id,
            "recipe": recipe.recipe,
            "recipe_sha256": recipe.digest(),
            "source": public_source(loaded.sources[entry.dataset]),
            "n_files": fetched.n_files,
            "n_bytes": fetched.n_bytes,
            **described,
        },
        jobs=jobs,
        failures=tuple(
            (failure, person_id(recipe, dataset.id, failure.recording.subject))
            for failure in index.failures
        ),
        losses=(*left_out.blotted(fetched.losses), *index.losses, *left_out.losses),
    )


def with_agreed_stimuli(prepared: Sequence[Prepared]) -> list[Prepared]:
    """Take the keys from stimuli whose contents differ between the datasets of a study."""
    agreed = set_aside_changed(
        {job.recording.id: job.events for one in prepared for job in one.jobs}
    )
    return [
        replace(
            one,
            jobs=tuple(replace(job, events=agreed[job.recording.id]) for job in one.jobs),
        )
        for one in prepared
    ]


def describe(recipe: Recipe, description: Mapping[str, Any]) -> dict[str, str | None]:
    """Name, licence, citation and DOI: of dataset_description.json, else of the recipe."""
    authors = description.get("Authors")
    named = "; ".join(str(author) for author in authors) if isinstance(authors, list) else None
    cited = [text for text in (description.get("HowToAcknowledge"), *recipe.citation) if text]
    return {
        "name": _text(description.get("Name")) or recipe.title,
        "license": recipe.license or _text(description.get("License")),
        "citation": " ".join(str(text) for text in cited) or named,
        "doi": _text(description.get("DatasetDOI")),
    }


def public_source(source: str) -> str:
    """Source as a corpus may tell it: a URL, or the last part of a local folder."""
    return source if "://" in source or source.startswith("openneuro:") else Path(source).name


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def with_common_windows(loaded: LoadedStudy, jobs: Sequence[Job]) -> list[Job]:
    """Give simultaneous recordings their sliding windows, on a clock that events alone tell."""
    if loaded.study.windows.sliding is None:
        return list(jobs)
    from neuropair.pipeline.align import common_onsets

    usable = [job for job in jobs if isinstance(job.events, Events)]
    onsets = common_onsets(
        loaded.study,
        recordings_frame([(job.recording, job.person) for job in usable]),
        events_frame({job.recording.id: job.events for job in usable}),
    )
    return [
        replace(job, sliding=tuple(onsets[job.recording.id])) if job.recording.id in onsets else job
        for job in jobs
    ]


def recordings_frame(recordings: Sequence[tuple[Recording, str]]) -> pd.DataFrame:
    """Rows of recordings that are known from their files alone."""
    names = ("dataset", "subject", "session", "task", "acquisition", "run")
    return pd.DataFrame(
        [
            {name: getattr(recording, name) for name in names}
            | {
                "recording": recording.id,
                "modality": recording.modality.value,
                "person": person,
                "status": "ok",
                "source_file": recording.path.as_posix(),
                "sfreq_source": sidecar_number(recording, "SamplingFrequency"),
                "duration_s": sidecar_number(recording, "RecordingDuration"),
            }
            for recording, person in recordings
        ]
    )


def events_frame(events: Mapping[str, Events | NeuropairError]) -> pd.DataFrame:
    """Rows of table ``events`` without ``study``."""
    tables = [
        found.table.assign(recording=recording)
        for recording, found in sorted(events.items())
        if isinstance(found, Events)
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
