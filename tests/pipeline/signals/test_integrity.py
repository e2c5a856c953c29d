"""Truncated, missing and stray signal files are found before a reader mends them."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

import pytest
from electrical import open_real, run
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropair.pipeline.signals.integrity import check_size
from neuropair.pipeline.types import Dataset
from neuropair.schemas.errors import DatasetError

EDF = ("eeg_fists_eegmmidb", "sub-001/eeg/sub-001_task-fistexec_run-01_eeg.edf")
BRAINVISION = ("eeg_n170_muse", "sub-01/ses-01/eeg/sub-01_ses-01_task-n170_run-01_eeg.vhdr")
FIF = ("meg_audvis_mne", "sub-01/meg/sub-01_task-audiovisual_run-01_meg.fif")


def _copy(real_data: Path, folder: Path, which: tuple[str, str]) -> tuple[Dataset, PurePosixPath]:
    source = real_data / which[0]
    path = PurePosixPath(which[1])
    stem = path.name.removesuffix(path.suffix)
    (folder / path.parent).mkdir(parents=True)
    for file in sorted((source / path.parent).glob(f"{stem}.*")):
        copied = Path(shutil.copy(file, folder / path.parent))
        copied.chmod(0o644)
    return Dataset(which[0], folder, str(folder), {}), path


def _cut(file: Path, size: int) -> None:
    with file.open("r+b") as stream:
        stream.truncate(size)


@pytest.mark.parametrize("which", [EDF, BRAINVISION, FIF])
def test_whole_files_pass(real_data: Path, which: tuple[str, str]) -> None:
    folder = real_data / which[0]
    assert check_size(Dataset("x", folder, "", {}), PurePosixPath(which[1])) == []


@pytest.mark.parametrize("which", [EDF, FIF])
def test_any_cut_is_found(
    real_data: Path, tmp_path_factory: pytest.TempPathFactory, which: tuple[str, str]
) -> None:
    whole = (real_data / which[0] / which[1]).read_bytes()
    folder = tmp_path_factory.mktemp("cut")
    dataset = Dataset("x", folder, "", {})
    file = folder / PurePosixPath(which[1]).name
    file.write_bytes(whole)

    @settings(max_examples=40, deadline=None)
    @given(st.integers(1, len(whole)))
    def check(missing: int) -> None:
        # the tail is written back, so that the file is whole for the next cut
        _cut(file, len(whole) - missing)
        with pytest.raises(DatasetError, match="Remedy: fetch the file again"):
            check_size(dataset, PurePosixPath(file.name))
        with file.open("ab") as stream:
            stream.write(whole[len(whole) - missing :])

    check()


@pytest.mark.parametrize(
    ("size", "problem"),
    [
        (0, "holds 0 samples"),
        (1001, "16 samples|62 samples and 9 bytes"),
        (16 * 15366, "its last marker is at sample 30262"),
    ],
)
def test_cut_brainvision(real_data: Path, tmp_path: Path, size: int, problem: str) -> None:
    dataset, path = _copy(real_data, tmp_path, BRAINVISION)
    _cut((tmp_path / path).with_suffix(".eeg"), size)
    with pytest.raises(DatasetError, match=problem):
        check_size(dataset, path)


def test_brainvision_header_that_gives_its_length(real_data: Path, tmp_path: Path) -> None:
    dataset, path = _copy(real_data, tmp_path, BRAINVISION)
    header = tmp_path / path
    text = header.read_text(encoding="utf-8")
    header.write_text(text.replace("NumberOfChannels=4", "NumberOfChannels=4\nDataPoints=30733"))
    with pytest.raises(DatasetError, match="holds 30732 samples, its header says 30733"):
        check_size(dataset, path)


@pytest.mark.parametrize(
    ("which", "old", "new"),
    [
        (BRAINVISION, b"NumberOfChannels=4", b"NumberOfChannels=x"),
        (BRAINVISION, b"SamplingInterval=3906.25", b"SamplingInterval=0"),
        (BRAINVISION, b"[Common Infos]", b"[Common"),
        (EDF, b"125     1       ", b"many    1       "),
    ],
)
def test_header_that_makes_no_sense(
    real_data: Path, tmp_path: Path, which: tuple[str, str], old: bytes, new: bytes
) -> None:
    dataset, path = _copy(real_data, tmp_path, which)
    whole = (tmp_path / path).read_bytes()
    assert old in whole
    (tmp_path / path).write_bytes(whole.replace(old, new, 1))
    with pytest.raises(DatasetError, match="header"):
        check_size(dataset, path)


def test_brainvision_data_outside_the_dataset(real_data: Path, tmp_path: Path) -> None:
    root = tmp_path / "dataset"
    dataset, path = _copy(real_data, root, BRAINVISION)
    data = (root / path).with_suffix(".eeg")
    shutil.move(data, tmp_path / data.name)
    header = root / path
    text = header.read_text(encoding="utf-8")
    header.write_text(text.replace(f"DataFile={data.name}", f"DataFile=../../../../{data.name}"))
    with pytest.raises(DatasetError, match="leads out of the dataset's folder"):
        check_size(dataset, path)


def test_missing_part(real_data: Path, tmp_path: Path) -> None:
    dataset, path = _copy(real_data, tmp_path, BRAINVISION)
    (tmp_path / path).with_suffix(".eeg").unlink()
    with pytest.raises(DatasetError, match="does not exist"):
        check_size(dataset, path)


def test_link_to_what_was_not_fetched_or_lies_outside(tmp_path: Path) -> None:
    root = tmp_path / "dataset"
    root.mkdir()
    outside = tmp_path / "other.edf"
    outside.write_bytes(b"0" * 256)
    (root / "a.edf").symlink_to(".git/annex/objects/a.edf")
    (root / "b.edf").symlink_to(outside)
    dataset = Dataset("x", root, "", {})
    for name, problem in (("a.edf", "does not exist"), ("b.edf", "leads out")):
        with pytest.raises(DatasetError, match=problem):
            check_size(dataset, PurePosixPath(name))


def test_bytes_after_the_end_are_flagged(real_data: Path, tmp_path: Path) -> None:
    dataset, path = _copy(real_data, tmp_path, EDF)
    with (tmp_path / path).open("ab") as stream:
        stream.write(b"0123456789")
    (loss,) = check_size(dataset, path)
    assert (loss.action, loss.reason) == (
        "flagged",
        "10 bytes after the last record are not read",
    )


def test_cleaning_names_file_and_remedy_and_writes_nothing(real_data: Path, tmp_path: Path) -> None:
    _copy(real_data, tmp_path, EDF)
    shutil.copy(real_data / EDF[0] / "dataset_description.json", tmp_path)
    dataset, recordings = open_real(tmp_path)
    (recording,) = recordings.values()
    before = {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*")}
    assert run(dataset, recording).data.sizes["channel"] == 64
    assert {f: f.stat().st_mtime_ns for f in tmp_path.rglob("*")} == before
    _cut(tmp_path / recording.path, 1_000_000)
    with pytest.raises(DatasetError) as caught:
        run(dataset, recording)
    assert str(tmp_path / recording.path) in caught.value.where
    assert "1000000 bytes" in caught.value.problem


def test_file_of_no_known_format(tmp_path: Path) -> None:
    folder = tmp_path / "sub-01" / "eeg"
    folder.mkdir(parents=True)
    (folder / "sub-01_task-rest_eeg.set").write_bytes(b"nothing that MATLAB wrote")
    (tmp_path / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.9.0"}')
    dataset, recordings = open_real(tmp_path)
    (recording,) = recordings.values()
    with pytest.raises(DatasetError, match="cannot be read"):
        run(dataset, recording)


def test_what_the_reader_says_is_kept(real_data: Path, tmp_path: Path) -> None:
    """A marker just after the last sample is no truncation; MNE warns and leaves it out."""
    dataset, path = _copy(real_data, tmp_path, BRAINVISION)
    folder = real_data / BRAINVISION[0]
    _, recordings = open_real(folder)
    recording = recordings["sub-01/ses-01/task-n170_run-01_eeg"]
    assert recording.channels_path is not None
    shutil.copy(folder / recording.channels_path, tmp_path / recording.channels_path)
    _cut((tmp_path / path).with_suffix(".eeg"), 16 * 30200)
    reasons = [loss.reason for loss in run(dataset, recording).losses]
    assert any(reason.startswith("reader: Omitted 1 annotation") for reason in reasons)
    assert any("its sidecar says RecordingDuration 120.0" in reason for reason in reasons)
