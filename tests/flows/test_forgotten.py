"""An ingest of the same study leaves out who was removed, and says how many files."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpora import make_datasets, make_events, make_recording, make_signal, make_windows

from neuropair.flows.loading import LoadedStudy, load_study
from neuropair.flows.prepare import Prepared, prepare_dataset
from neuropair.pipeline.corpus import CorpusStore, combine, forget, publish, write_recording
from neuropair.schemas.signals import Signals

DATASET = "eeg_oddball_muse"
pytestmark = pytest.mark.real


@pytest.fixture
def loaded(real_data: Path) -> LoadedStudy:
    return load_study("oddball", {DATASET: str(real_data / DATASET)})


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    """A corpus from which subject 02 was removed."""
    store = CorpusStore(tmp_path / "corpus")
    recording, windows = make_recording("eeg", "02", dataset=DATASET), make_windows()
    rows = write_recording(
        store,
        recording,
        "0" * 16,
        windows,
        make_signal(),
        make_events(windows.data["onset"].to_numpy()),
        person=f"{DATASET}/02",
        settings=Signals(),
    )
    publish(store, "oddball", combine([rows]) | {"datasets": make_datasets(DATASET)})
    forget(store, f"{DATASET}/02")
    return store.url


def _prepared(loaded: LoadedStudy, corpus: str, cache: Path) -> Prepared:
    return prepare_dataset(loaded, loaded.study.datasets[0], corpus, cache)


def test_the_subject_is_left_out_and_counted(
    loaded: LoadedStudy, corpus: str, tmp_path: Path, real_data: Path
) -> None:
    before = _prepared(loaded, str(tmp_path / "another"), tmp_path / "cache")
    after = _prepared(loaded, corpus, tmp_path / "cache")
    of_all = {job.recording.subject for job in before.jobs}
    assert "02" in of_all
    assert {job.recording.subject for job in after.jobs} == of_all - {"02"}
    n_files = sum(path.is_file() for path in (real_data / DATASET / "sub-02").rglob("*"))
    (loss,) = [loss for loss in after.losses if loss not in before.losses]
    assert (loss.stage, loss.item, loss.action, loss.count) == (
        "source",
        "file",
        "dropped",
        n_files,
    )
    assert loss.reason == "of a subject who was removed from the corpus for good"
    assert loss.where is None
    assert not any("sub-02" in f"{loss.where} {loss.reason}" for loss in after.losses)


def test_the_others_come_as_before(loaded: LoadedStudy, corpus: str, tmp_path: Path) -> None:
    before = _prepared(loaded, str(tmp_path / "another"), tmp_path / "cache")
    after = {job.recording.id: job for job in _prepared(loaded, corpus, tmp_path / "cache").jobs}
    for job in before.jobs:
        if job.recording.subject != "02":
            assert after[job.recording.id].recording == job.recording
            assert after[job.recording.id].events.table.equals(job.events.table)
