"""A recording that stands under two subjects: found, one person, never its own other person."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from neuropair.catalog import Corpus
from neuropair.catalog.verify import verify
from neuropair.flows.jobs import process
from neuropair.flows.loading import load_study
from neuropair.flows.pairing import pair_and_publish
from neuropair.flows.prepare import prepare_dataset
from neuropair.flows.rehearse import rehearse
from neuropair.pipeline.simulate import simulate

STUDY = """
study: copied
title: EEG of two persons, and one of the recordings again under another name
datasets:
  - dataset: simulated
    source: bids
    include: {modality: [eeg], task: [tapping]}
signals:
  eeg: {ransac: false}
pairings:
  - name: other-person
    tier: T5
    a: {modality: eeg}
    b: {modality: eeg}
    covariates: [run_position]
    caliper: null
  - name: same-person
    tier: T3
    a: {modality: eeg}
    b: {modality: eeg}
    covariates: [run_position]
    caliper: null
splits: {train: 1.0, validation: 0, test: 0}
"""
DUP = "simulated/sub-dup/ses-eegnirs/task-tapping_eeg"
ORIGINAL = "simulated/sub-01/ses-eegnirs/task-tapping_eeg"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copied")
    simulate(folder / "bids", subjects=2, seconds=240, truth=folder / "truth")
    (folder / "study.yaml").write_text(STUDY)
    return folder


@pytest.fixture(scope="module")
def corpus(folder: Path) -> Corpus:
    loaded = load_study(str(folder / "study.yaml"))
    path = str(folder / "corpus")
    prepared = prepare_dataset(loaded, loaded.study.datasets[0], path, folder / "cache")
    outcomes = [process(job) for job in prepared.jobs]
    pair_and_publish(loaded, path, [prepared], outcomes)
    return Corpus.open(path)


def _rows(corpus: Corpus, select: str) -> pd.DataFrame:
    frame: pd.DataFrame = corpus.sql(select).to_pandas()
    return frame


def test_the_copy_is_found_by_its_samples(corpus: Corpus) -> None:
    rows = _rows(corpus, "SELECT * FROM duplicates")
    assert rows[["recording_a", "recording_b", "relation"]].values.tolist() == [
        [ORIGINAL, DUP, "shared-signal"]
    ]
    reasons = _rows(corpus, "SELECT reason FROM losses WHERE action = 'flagged'")["reason"]
    assert reasons.str.contains("one signal file stands under two names").any()
    assert reasons.str.contains("subjects 01, dup are one person").any()


def test_both_names_are_one_person(corpus: Corpus) -> None:
    rows = _rows(corpus, "SELECT * FROM persons").set_index("subject")
    assert rows.loc["dup", "person"] == rows.loc["01", "person"] == "simulated/01"
    assert rows.loc["dup", "basis"] == "duplicate"
    assert rows.loc["02", "person"] == "simulated/02"
    assert verify(corpus.location.url).damages == []


def test_the_copy_is_paired_with_its_original_in_no_tier(corpus: Corpus) -> None:
    pairs = _rows(corpus, "SELECT * FROM pairs")
    both = pairs[["recording_a", "recording_b"]].isin([ORIGINAL, DUP]).all(axis=1)
    assert not both.any()
    assert (pairs["person_a"] != pairs["person_b"]).all()
    assert len(pairs)
    abstained = _rows(corpus, "SELECT * FROM abstentions WHERE rule = 'same-person'")
    assert abstained["reason"].str.startswith("one-sitting").tolist() == [True]


def test_without_signals_it_is_linked_and_no_person(folder: Path) -> None:
    loaded = load_study(str(folder / "study.yaml"))
    rehearse(loaded, str(folder / "rehearsed"), folder / "cache", quiet=True)
    corpus = Corpus.open(str(folder / "rehearsed"))
    relations = _rows(corpus, "SELECT relation FROM duplicates")["relation"].tolist()
    assert relations in (["shared-events"], ["unconfirmed"], ["duplicate"])
    pairs = _rows(corpus, "SELECT * FROM pairs")
    assert not pairs[["recording_a", "recording_b"]].isin([ORIGINAL, DUP]).all(axis=1).any()
