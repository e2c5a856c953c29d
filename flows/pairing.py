"""After the recordings: splits, pairs, and a release that names them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from neuropair.catalog.splits import assign_splits, keep_splits
from neuropair.flows.jobs import Outcome
from neuropair.flows.loading import LoadedStudy
from neuropair.flows.prepare import Prepared
from neuropair.flows.summary import Summary
from neuropair.pipeline.align import align_study
from neuropair.pipeline.corpus import (
    CorpusStore,
    RecordingRows,
    combine,
    failed_rows,
    loss_rows,
    newest_release,
    publish,
    read_forgotten,
)
from neuropair.pipeline.corpus.tables import read_table
from neuropair.pipeline.duplicates import (
    SignalKeys,
    find_duplicates,
    links,
    same_recording,
    twins,
)
from neuropair.pipeline.events import join_persons
from neuropair.pipeline.types import Events, Failure
from neuropair.schemas.errors import DatasetError


def pair_and_publish(
    loaded: LoadedStudy, corpus: str, prepared: Sequence[Prepared], outcomes: Sequence[Outcome]
) -> Summary:
    """Assign splits, pair recordings, and publish a release.

    Parameters
    ----------
    loaded : LoadedStudy
    corpus : str
        URL of the corpus.
    prepared : sequence of Prepared
        The study's datasets.
    outcomes : sequence of Outcome
        What became of every recording.

    Raises
    ------
    CorpusError, StorageError
        If the corpus cannot take the tables; the release before stays the newest.
    """
    store = CorpusStore(corpus)
    tables = combine([*(outcome.rows(store) for outcome in outcomes), *failures_of(prepared)])
    before = splits_of_the_others(store, loaded.study.study)
    signals = {one.recording.id: one.signal_key for one in outcomes if one.signal_key is not None}
    all_tables = paired_tables(loaded, prepared, tables, signals, before)
    release = publish(store, loaded.study.study, all_tables)
    return Summary.of(corpus, release, all_tables, outcomes)


def failures_of(prepared: Sequence[Prepared]) -> list[RecordingRows]:
    """Rows of the recordings that are announced and cannot be read."""
    return [_failed(failure, who) for one in prepared for failure, who in one.failures]


def paired_tables(
    loaded: LoadedStudy,
    prepared: Sequence[Prepared],
    tables: Mapping[str, pd.DataFrame],
    signals: Mapping[str, str] | None = None,
    before: pd.DataFrame | None = None,
) -> dict[str, pd.DataFrame]:
    """Find duplicates, join persons, assign splits and pair: every table of a release.

    Tables are without ``study``. A person that recordings join to another is one person from here
    on, in all tables; what a recording's group says is its recipe's.

    Parameters
    ----------
    loaded : LoadedStudy
    prepared : sequence of Prepared
        The study's datasets.
    tables : Mapping
        Rows of the recordings, by table. Recordings without windows, which a rehearsal has, are
        split and paired by their events.
    signals : Mapping, optional
        Content key of the signal, by recording, of recordings that were read.
    before : pandas.DataFrame, optional
        Splits to keep (`splits_of_the_others`).
    """
    found = find_duplicates(tables["recordings"], tables["events"], _files(prepared, signals or {}))
    joined = join_persons(tables["recordings"], same_recording(found.rows), loaded.recipes)
    recordings = tables["recordings"].assign(person=tables["recordings"]["person"].map(joined.of))
    rehearsed = recordings["status"] == "rehearsed"
    shown = tables["events"] if rehearsed.any() else tables["windows"]
    splits = assign_splits(recordings, shown, loaded.study.splits, links(found.rows))
    if before is not None:
        splits = keep_splits(splits, before)
    by_recording = splits[splits["kind"] == "recording"].set_index("key")["split"]
    recordings = recordings.assign(split=recordings["recording"].map(by_recording))
    readable = recordings.assign(
        status=recordings["status"].replace("rehearsed", "ok"),
        sitting=recordings["recording"].map(twins(found.rows)),
    )
    aligned = align_study(loaded.study, readable, tables["events"], tables["windows"])
    dataset_losses = [loss_rows(one.losses, one.row["dataset"], None) for one in prepared]
    return {
        **tables,
        "recordings": recordings,
        "datasets": _datasets(prepared, recordings),
        "splits": splits,
        "persons": joined.table,
        "duplicates": found.rows,
        **aligned.tables(),
        "losses": pd.concat(
            [*dataset_losses, tables["losses"], found.losses, joined.losses, aligned.losses]
        ),
        "media_clocks": media_clocks(prepared),
    }


def splits_of_the_others(store: CorpusStore, study: str) -> pd.DataFrame | None:
    """Read the splits that a study has in the newest release, if somebody was removed.

    Whoever is left keeps the split; without removals splits depend on the study's data alone.
    """
    newest = newest_release(store)
    if newest is None or not read_forgotten(store).digests:
        return None
    rows = read_table(store, "splits", newest.tables["splits"]["version"]).to_pandas()
    return pd.DataFrame(rows[rows["study"] == study])


def media_clocks(prepared: Sequence[Prepared]) -> pd.DataFrame:
    """Rows of table ``media_clocks`` without ``study``."""
    rows = [
        job.events.media.assign(recording=job.recording.id)
        for one in prepared
        for job in one.jobs
        if isinstance(job.events, Events) and job.events.media is not None
    ]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def _files(prepared: Sequence[Prepared], signals: Mapping[str, str]) -> pd.DataFrame:
    """List the events table and the content key of the signal of each recording, where known."""
    rows = []
    for one in prepared:
        if not one.jobs:
            continue
        keys = SignalKeys(one.jobs[0].dataset)
        for job in one.jobs:
            table = job.recording.events_path
            key = signals.get(job.recording.id) or keys.published(job.recording)
            rows.append((job.recording.id, None if table is None else table.as_posix(), key))
    return pd.DataFrame(rows, columns=["recording", "events_file", "signal"], dtype=object)


def _failed(failure: Failure, person: str) -> RecordingRows:
    where = failure.recording.path.as_posix()
    error = DatasetError(failure.reason, where=where, remedy=failure.remedy)
    return failed_rows(failure.recording, error, person=person)


def _datasets(prepared: Sequence[Prepared], recordings: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for one in prepared:
        own = recordings[recordings["dataset"] == one.row["dataset"]]
        failed = int((own["status"] == "failed").sum())
        rows.append({**one.row, "n_recordings": len(own), "n_failed": failed})
    return pd.DataFrame(rows)
