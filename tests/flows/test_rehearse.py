"""Rehearsal: pairs from tables and sidecars, before a byte of signal is pulled."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from corpora import write_corpus

from neuropair.catalog import Corpus
from neuropair.catalog.verify import verify
from neuropair.flows.cli import main
from neuropair.flows.loading import load_study
from neuropair.flows.rehearse import rehearse, rehearsed_in_memory
from neuropair.pipeline.corpus import CorpusStore, publish
from neuropair.pipeline.sources.local import LocalSource
from neuropair.pipeline.types import RemoteFile
from neuropair.schemas.errors import CorpusError, ExitCode, QueryError

RECIPE = """
recipe: both
title: EEG and fMRI of one person who sees the same pictures
license: CC0
events:
  - rules:
      - where: {}
        concept: perception/visual/object
        stimulus: {column: stim_file, identity: content}
        repetition: stimulus
    assertions:
      - {kind: count, equals: 4}
"""
STUDY = """
study: both
title: EEG and fMRI
datasets:
  - {dataset: both, recipe: both.yaml}
pairings:
  - name: same-picture
    tier: T2
    a: {modality: eeg}
    b: {modality: fmri}
"""
ANNOTATED = """
recipe: fists
title: fists by the annotations of the file
license: CC0
events:
  - source: annotations
    rules:
      - {where: {trial_type: [T0, T1, T2]}, concept: motor/fist}
"""
KEY = "../../../.git/annex/objects/aa/bb/SHA256E-s1000000--{digest}.{end}/x.{end}"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A dataset whose signals are annexed pointers, with tables, sidecars and pictures."""
    (tmp_path / "both.yaml").write_text(RECIPE)
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    root = tmp_path / "data"
    for datatype, suffix, end, sidecar in (
        ("eeg", "eeg", "edf", {"SamplingFrequency": 250, "RecordingDuration": 100}),
        ("func", "bold", "nii.gz", {"RepetitionTime": 2.0}),
    ):
        folder = root / "sub-01" / datatype
        folder.mkdir(parents=True)
        stem = "sub-01_task-look"
        digest = hashlib.sha256(suffix.encode()).hexdigest()
        (folder / f"{stem}_{suffix}.{end}").symlink_to(KEY.format(digest=digest, end=end))
        (folder / f"{stem}_{suffix}.json").write_text(json.dumps({"TaskName": "look", **sidecar}))
        shown = ["a", "b", "c", "d"] if suffix == "eeg" else ["d", "a", "e", "b"]
        rows = {"onset": [1.0, 5.0, 9.5, 15.0], "duration": 0.5}
        frame = pd.DataFrame({**rows, "stim_file": [f"{name}.bmp" for name in shown]})
        frame.to_csv(folder / f"{stem}_events.tsv", sep="\t", index=False)
    (root / "stimuli").mkdir()
    for name in "abcde":
        (root / "stimuli" / f"{name}.bmp").write_bytes(name.encode() * 100)
    (root / "dataset_description.json").write_text('{"Name": "both", "BIDSVersion": "1.9.0"}')
    return path


def _rehearse(study: Path, out: Path) -> Any:
    loaded = load_study(str(study), {"both": str(study.parent / "data")})
    return rehearse(loaded, str(out), study.parent / "cache", quiet=True)


def test_annexed_signals_are_no_error(study: Path, tmp_path: Path) -> None:
    summary = _rehearse(study, tmp_path / "out")
    assert summary.failures == []
    assert summary.recordings == {"eeg": 1, "fmri": 1}
    assert summary.rehearsed
    assert summary.events == 8
    assert [(row["tier"], row["n"]) for row in summary.pairs] == [("T2", 3)]


def test_its_tables_are_those_of_an_ingest_and_whole(study: Path, tmp_path: Path) -> None:
    _rehearse(study, tmp_path / "out")
    corpus = Corpus.open(tmp_path / "out")
    found = corpus.sql(
        "SELECT e.stimulus_name AS a, f.stimulus_name AS b FROM pairs p "
        "JOIN events e ON e.recording = recording_a AND e.event = window_a "
        "JOIN events f ON f.recording = recording_b AND f.event = window_b"
    ).to_pylist()
    assert sorted((row["a"], row["b"]) for row in found) == [
        (f"{name}.bmp", f"{name}.bmp") for name in "abd"
    ]
    assert verify(str(tmp_path / "out")).damages == []
    assert not (tmp_path / "out" / "signals").exists()


def test_a_second_rehearsal_is_the_same_release(study: Path, tmp_path: Path) -> None:
    first = _rehearse(study, tmp_path / "out")
    assert _rehearse(study, tmp_path / "out").release == first.release
    assert _rehearse(study, tmp_path / "other").release == first.release


def test_nothing_is_streamed_from_a_rehearsal(study: Path, tmp_path: Path) -> None:
    _rehearse(study, tmp_path / "out")
    corpus = Corpus.open(tmp_path / "out")
    with pytest.raises(QueryError, match=r"rehearsed.*neuropair ingest"):
        corpus.pairs().stream(batch_size=1)
    with pytest.raises(QueryError, match="rehearsed"):
        corpus.recording("both/sub-01/task-look_eeg")


def test_a_table_that_is_wrong_is_a_failed_recording(study: Path, tmp_path: Path) -> None:
    table = study.parent / "data/sub-01/eeg/sub-01_task-look_events.tsv"
    table.write_text("\n".join(table.read_text().splitlines()[:-1]) + "\n")
    summary = _rehearse(study, tmp_path / "out")
    assert [row["recording"] for row in summary.failures] == ["both/sub-01/task-look_eeg"]
    assert summary.abstentions == [
        {"tier": "T2", "rule": "same-picture", "reason": "recording failed", "n": 1}
    ]


class _Remote(LocalSource):
    """A folder as a bucket shows it: no root, MD5 of every object, and what was read of it."""

    def __init__(self, root: Path) -> None:
        super().__init__("s3://bucket/both", root)
        self.pulled: list[str] = []

    @property
    def local_root(self) -> Any:
        return None

    def list(self) -> list[RemoteFile]:
        files = [
            RemoteFile(
                one.path,
                one.size,
                f"md5:{hashlib.md5((self.root / one.path).read_bytes()).hexdigest()}",
                one.modified,
            )
            for one in super().list()
        ]
        signal = [path for path in self.root.rglob("*") if path.is_symlink()]
        files += [
            RemoteFile(path.relative_to(self.root), 10**9, f"md5:{'0' * 32}", 0.0)  # type: ignore[arg-type]
            for path in signal
        ]
        return sorted(files, key=lambda file: file.path.as_posix())

    def stream(self, file: RemoteFile, offset: int) -> Any:
        self.pulled.append(file.path.as_posix())
        return super().stream(file, offset)


def test_of_a_bucket_only_tables_and_sidecars_are_pulled(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = _Remote(study.parent / "data")
    monkeypatch.setattr("neuropair.flows.prepare.open_source", lambda url, base: remote)
    loaded = load_study(str(study), {"both": "s3://bucket/both"})
    summary = rehearse(loaded, str(tmp_path / "out"), tmp_path / "cache", quiet=True)
    assert [(row["tier"], row["n"]) for row in summary.pairs] == [("T2", 3)]
    assert summary.failures == []
    assert {Path(path).suffix for path in remote.pulled} == {".json", ".tsv"}
    keys = Corpus.open(tmp_path / "out").sql("SELECT DISTINCT stimulus FROM pairs").to_pandas()
    assert keys["stimulus"].str.startswith("MD5:").all()


def test_a_rehearsal_replaces_no_signals(study: Path, tmp_path: Path) -> None:
    store = CorpusStore(str(tmp_path / "out"))
    publish(store, "both", write_corpus(store))
    before = Corpus.open(tmp_path / "out").release.id
    with pytest.raises(CorpusError, match=r"recordings of study both.*--out"):
        _rehearse(study, tmp_path / "out")
    assert Corpus.open(tmp_path / "out").release.id == before


def test_plan_shows_the_totals(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = f"both={study.parent / 'data'}"
    assert main(["plan", str(study), "--source", source, "--json"]) == ExitCode.OK
    told = json.loads(capsys.readouterr().out)["rehearsal"]
    assert [(row["tier"], row["n"]) for row in told["pairs"]] == [("T2", 3)]
    assert main(["plan", str(study), "--source", source]) == ExitCode.OK
    assert "Would be paired" in capsys.readouterr().out


def test_plan_says_why_pairs_cannot_be_told(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = study.parent / "both.yaml"
    recipe.write_text(recipe.read_text().replace("visual/object", "visual/objekt"))
    source = f"both={study.parent / 'data'}"
    assert main(["plan", str(study), "--source", source]) == ExitCode.OK
    assert "cannot be told" in capsys.readouterr().out


def test_the_command_writes_and_prints(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["rehearse", str(study), "--source", f"both={study.parent / 'data'}"]
    assert main([*arguments, "--out", str(tmp_path / "out"), "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["events"] == 8
    assert main([*arguments, "--out", str(tmp_path / "out")]) == ExitCode.OK
    assert "rehearsed from tables alone" in capsys.readouterr().out


@pytest.mark.real
def test_annotations_are_read_where_the_file_is_here(real_data: Path, tmp_path: Path) -> None:
    name = "sub-001_task-fistexec_run-01_eeg"
    folder = tmp_path / "data" / "sub-001" / "eeg"
    folder.mkdir(parents=True)
    for end in ("edf", "json"):
        original = real_data / "eeg_fists_eegmmidb" / "sub-001" / "eeg" / f"{name}.{end}"
        shutil.copy(original, folder)
    (tmp_path / "data" / "dataset_description.json").write_text('{"Name": "fists"}')
    (tmp_path / "fists.yaml").write_text(ANNOTATED)
    (tmp_path / "study.yaml").write_text(
        "{study: fists, title: fists, datasets: [{dataset: fists, recipe: fists.yaml}]}"
    )
    loaded = load_study(str(tmp_path / "study.yaml"), {"fists": str(tmp_path / "data")})
    summary = rehearsed_in_memory(loaded)
    assert (summary.recordings, summary.events) == ({"eeg": 1}, 30)
