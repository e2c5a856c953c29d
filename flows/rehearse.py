"""A rehearsal: what a study would pair, from tables and sidecars alone. No Prefect in here."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from neuropair.flows import console
from neuropair.flows.jobs import Job
from neuropair.flows.loading import LoadedStudy
from neuropair.flows.pairing import failures_of, paired_tables, splits_of_the_others
from neuropair.flows.prepare import Prepared, prepare_dataset, with_agreed_stimuli
from neuropair.flows.summary import Summary
from neuropair.pipeline.corpus import (
    CorpusStore,
    RecordingRows,
    combine,
    failed_rows,
    newest_release,
    publish,
    rehearsed_rows,
)
from neuropair.pipeline.corpus.tables import read_table
from neuropair.schemas.errors import CorpusError, NeuropairError


def rehearse(loaded: LoadedStudy, out: str, cache: Path, *, quiet: bool = False) -> Summary:
    """Pair a study from tables and sidecars, and write the tables.

    What is written is a corpus without arrays: the same tables as an ingest's, windows by event
    (the number of an event stands for that of its window). Sliding windows have no event and are
    not rehearsed.

    Parameters
    ----------
    loaded : LoadedStudy
    out : str
        Folder or URL.
    cache : Path
        Where tables of remote datasets go.
    quiet : bool
        Show no progress.

    Raises
    ------
    NeuropairError
        If a source, a recipe or a dataset as a whole is wrong; if `out` holds signals of the
        study.
    """
    store = CorpusStore(out)
    _refuse_ingested(store, loaded.study.study)
    tables = rehearsed_tables(loaded, out, cache, quiet=quiet)
    release = publish(store, loaded.study.study, tables)
    return Summary.of(out, release, tables, ())


def rehearsed_in_memory(loaded: LoadedStudy) -> Summary:
    """Count what a rehearsal would pair; nothing stays written."""
    with tempfile.TemporaryDirectory(prefix="neuropair-rehearsal-") as folder:
        # a corpus that is not there: nobody was removed from it, and it has no other study
        corpus = str(Path(folder) / "corpus")
        tables = rehearsed_tables(loaded, corpus, Path(folder), quiet=True)
    return Summary.of("rehearsal", "none", tables, ())


def rehearsed_tables(
    loaded: LoadedStudy, corpus: str, cache: Path, *, quiet: bool = False
) -> Mapping[str, pd.DataFrame]:
    """Pair a study from tables and sidecars: every table of a release, less ``study``.

    Whoever was removed from `corpus` is left out.
    """
    prepared: list[Prepared] = []
    with console.progress("datasets", len(loaded.study.datasets), quiet=quiet) as shown:
        for entry in loaded.study.datasets:
            prepared.append(prepare_dataset(loaded, entry, corpus, cache, tables_only=True))
            shown.advance(entry.dataset)
    prepared = with_agreed_stimuli(prepared)
    rows = [_rows(job) for one in prepared for job in one.jobs]
    before = splits_of_the_others(CorpusStore(corpus), loaded.study.study)
    tables = combine([*rows, *failures_of(prepared)])
    return paired_tables(loaded, prepared, tables, before=before)


def _rows(job: Job) -> RecordingRows:
    if isinstance(job.events, NeuropairError):
        return failed_rows(job.recording, job.events, person=job.person)
    return rehearsed_rows(job.recording, job.events, person=job.person)


def _refuse_ingested(store: CorpusStore, study: str) -> None:
    newest = newest_release(store)
    if newest is None or "recordings" not in newest.tables:
        return
    version = newest.tables["recordings"]["version"]
    rows = read_table(store, "recordings", version, ["study", "status"]).to_pandas()
    n = int(((rows["study"] == study) & (rows["status"] == "ok")).sum())
    if n:
        raise CorpusError(
            f"holds {n} recordings of study {study} with their signals, which a rehearsal would "
            "replace.",
            where=store.url,
            remedy="give --out a folder of its own",
        )
