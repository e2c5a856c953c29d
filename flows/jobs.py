"""One recording's way from its file to its group in the corpus; no Prefect in here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from neuropair.pipeline.corpus import (
    CorpusStore,
    RecordingRows,
    failed_rows,
    input_digest,
    is_written,
    read_rows,
    write_recording,
)
from neuropair.pipeline.duplicates import SignalKeys
from neuropair.pipeline.inputs import input_checksums
from neuropair.pipeline.signals import cleaner
from neuropair.pipeline.types import Dataset, Events, Recording
from neuropair.pipeline.windows import cut
from neuropair.schemas.errors import DatasetError, NeuropairError, RecipeError
from neuropair.schemas.signals import Signals
from neuropair.schemas.study import Windows


@dataclass(frozen=True)
class Job:
    """All that one recording's work depends on.

    Parameters
    ----------
    corpus : str
        URL of the corpus.
    dataset : Dataset
    recording : Recording
    events : Events or NeuropairError
        Its canonical events, or why there are none.
    person : str
        Person id.
    signals : Signals
    windows : Windows
    rename : Mapping
        Channel name in the file -> standard name.
    license : str or None
    sliding : tuple of float or None
        Onsets of sliding windows on the recording's clock, s.
    """

    corpus: str
    dataset: Dataset
    recording: Recording
    events: Events | NeuropairError
    person: str
    signals: Signals
    windows: Windows
    rename: Mapping[str, str] = field(default_factory=dict)
    license: str | None = None
    sliding: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a recording: the digest of its group, or the error that prevented one."""

    recording: Recording
    person: str
    seconds: float
    digest: str | None = None
    reused: bool = False
    error: NeuropairError | None = None
    signal_key: str | None = None
    """Key of the content of its samples: equal signals are found by it, whatever their names."""

    def rows(self, store: CorpusStore) -> RecordingRows:
        """Rows of the recording in every table."""
        if self.error is not None:
            return failed_rows(self.recording, self.error, person=self.person)
        if self.digest is None:
            raise ValueError(f"{self.recording.id} has neither a digest nor an error")
        return read_rows(store, self.recording.id, self.digest)


def process(job: Job) -> Outcome:
    """Clean, cut and write one recording, unless the corpus holds it already.

    A recording that cannot be read is an outcome with its error, not an exception.

    Raises
    ------
    StorageError
        If the corpus cannot be written.
    """
    started = time.monotonic()
    try:
        digest, reused, key = _made(job)
    except (DatasetError, RecipeError) as error:
        return Outcome(job.recording, job.person, time.monotonic() - started, error=error)
    seconds = time.monotonic() - started
    return Outcome(job.recording, job.person, seconds, digest, reused, signal_key=key)


def _made(job: Job) -> tuple[str, bool, str | None]:
    if isinstance(job.events, NeuropairError):
        raise job.events
    store = CorpusStore(job.corpus)
    checksums = input_checksums(job.dataset, job.recording, job.signals)
    digest = input_digest(
        job.recording,
        files=checksums,
        events=job.events,
        person=job.person,
        signals=job.signals,
        windows=job.windows,
        rename=job.rename,
        sliding_onsets=job.sliding,
        license=job.license,
    )
    key = SignalKeys(job.dataset).measured(job.recording, checksums)
    if is_written(store, job.recording.id, digest):
        return digest, True, key
    clean = cleaner(job.recording.modality)
    signal = clean(job.dataset, job.recording, job.signals, job.rename)
    onsets = None if job.sliding is None else np.asarray(job.sliding)
    windows = cut(
        signal, job.events, job.recording, job.windows, job.signals, sliding_onsets=onsets
    )
    write_recording(
        store,
        job.recording,
        digest,
        windows,
        signal,
        job.events,
        person=job.person,
        settings=job.signals,
        license=job.license,
        source_checksum=checksums.get(job.recording.path.as_posix()),
        source_bytes=(job.dataset.root / job.recording.path).stat().st_size,
    )
    return digest, False, key
