"""Media clocks on their way into a corpus: rows to query, pairs keyed to media time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neuropair.catalog import Corpus
from neuropair.catalog.verify import verify
from neuropair.flows.loading import load_study
from neuropair.flows.rehearse import rehearse

RECIPE = """
recipe: tales
title: a story, in MEG with marks and in fMRI with a start
license: CC0
events:
  - recordings: {modality: [fmri]}
    rules:
      - concept: perception/auditory/story
        stimulus: &story
          template: "tale_{run}"
          identity: name
          because: a test
        media:
          nominal: {kind: duration}
          end: none
          segments: &passages {length: 10, concept: perception/auditory/speech}
    assertions: &hold
      - {kind: media, maximum_ppm: 500, maximum_uncertainty: 1}
  - recordings: {modality: [meg]}
    duration: null
    rules:
      - where: {trial_type: Beg}
        concept: perception/auditory/story
        until: {trial_type: End}
        stimulus: *story
        media:
          nominal:
            {kind: recordings, recordings: {modality: [fmri]}, because: a test}
          lost_start: {because: a test}
          segments: *passages
      - {where: {trial_type: End}, concept: marker}
    assertions: *hold
"""
STUDY = """
study: tales
title: tales
datasets:
  - {dataset: tales, recipe: tales.yaml, source: data}
pairings:
  - name: same-passage
    tier: T2
    a: {modality: meg, concept: [perception/auditory/speech]}
    b: {modality: fmri, concept: [perception/auditory/speech]}
"""
MARKS = {"1": "5\tBeg\n64.99\tEnd\n", "2": "9\tBeg\n64.99\tEnd\n"}
"""Run -> marks; in the second the start mark stands 4 s late."""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "tales.yaml").write_text(RECIPE)
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    root = tmp_path / "data"
    for run, marks in MARKS.items():
        for datatype, suffix, end, table in (
            ("meg", "meg", "fif", "onset\ttrial_type\n" + marks),
            ("func", "bold", "nii.gz", "onset\tduration\n10\t60\n"),
        ):
            folder = root / "sub-01" / datatype
            folder.mkdir(parents=True, exist_ok=True)
            stem = f"sub-01_task-tale_run-{run}"
            sidecar = {"TaskName": "tale", "SamplingFrequency": 1000, "RepetitionTime": 2.0}
            (folder / f"{stem}_{suffix}.json").write_text(json.dumps(sidecar))
            (folder / f"{stem}_{suffix}.{end}").symlink_to("../.git/annex/objects/absent")
            (folder / f"{stem}_events.tsv").write_text(table)
    (root / "dataset_description.json").write_text('{"Name": "tales", "BIDSVersion": "1.9.0"}')
    return path


def test_clocks_and_what_is_keyed_to_them(study: Path, tmp_path: Path) -> None:
    rehearse(load_study(str(study)), str(tmp_path / "out"), tmp_path / "cache", quiet=True)
    corpus = Corpus.open(str(tmp_path / "out"))
    clocks = corpus.sql(
        "SELECT recording, status, onset, uncertainty FROM media_clocks ORDER BY recording"
    ).to_pandas()
    assert clocks["recording"].str.replace("tales/sub-01/task-tale_", "").tolist() == [
        *("run-1_fmri", "run-1_meg", "run-2_fmri", "run-2_meg"),
    ]
    assert clocks["status"].tolist() == ["start-only", "measured", "start-only", "one-mark"]
    assert clocks["onset"].tolist() == pytest.approx([10, 5, 10, 4.99])
    wider = corpus.sql(
        "SELECT recording FROM media_clocks WHERE uncertainty > 0.1 AND status != 'measured'"
    ).to_pandas()
    assert wider["recording"].tolist() == ["tales/sub-01/task-tale_run-2_meg"]
    pairs = corpus.sql("SELECT stimulus, count(*) AS n FROM pairs GROUP BY stimulus").to_pandas()
    assert set(pairs["stimulus"]) == {
        f"name:tales/tale_{run}@{at}.000" for run in MARKS for at in range(0, 60, 10)
    }
    assert set(pairs["n"]) == {1}
    assert verify(str(tmp_path / "out")).damages == []
