"""The index: golden counts of every real dataset, and everything that can be wrong with one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath

import pytest

from neuropair.pipeline.bids import index_dataset
from neuropair.pipeline.types import Dataset, Index
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.kinds import Modality
from neuropair.schemas.recipe import Selection

SIGNALS = {
    "eeg_fists_eegmmidb": {"eeg": 6},
    "eeg_n170_muse": {"eeg": 8},
    "eeg_oddball_muse": {"eeg": 9},
    "meg_audvis_mne": {"eeg": 1, "meg": 1},
    "fmri_haxby_pymvpa": {"fmri": 16},
    "fmri_localizer_pyhrf": {"fmri": 1},
    "fnirs_tapping_homer3": {"fnirs": 4},
    "fnirs_snirf_samples": {"fnirs": 2},
}
TABLES = {
    "ds000116": {"fmri": 24},
    "ds000117": {"eeg": 36, "fmri": 54, "meg": 36},
    "ds000248": {"eeg": 1, "meg": 1},
    "ds002336": {"eeg": 20, "fmri": 19},
    "ds003645": {"eeg": 24, "meg": 24},
    "ds004078": {"fmri": 80, "meg": 80},
    "ds004496": {"fmri": 179},
    "ds004514": {"eeg": 6, "fnirs": 6},
    "ds005810": {"meg": 16},
    "ds005811": {"eeg": 64},
    "nm000175": {"fnirs": 5},
}
ANNEXED = "../../.git/annex/objects/x/MD5E-s1000--0cc175b9c0f1b6a831c399e269772661.edf"


def dataset(root: Path) -> Dataset:
    return Dataset(root.name, root, str(root), {})


def make(root: Path, *paths: str, content: str = "") -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    return root


def ids(index: Index) -> list[str]:
    return [one.id.partition("/")[2] for one in index.recordings]


def reasons(index: Index) -> list[str]:
    return [failure.reason for failure in index.failures]


def counts(index: Index) -> dict[str, int]:
    return dict(Counter(str(one.modality) for one in index.recordings))


@pytest.mark.real
@pytest.mark.parametrize("name", sorted(SIGNALS))
def test_real_signals(real_data: Path, name: str) -> None:
    index = index_dataset(dataset(real_data / name))
    assert counts(index) == SIGNALS[name]
    assert index.failures == ()
    assert index.losses == ()
    for one in index.recordings:
        assert one.events_path is not None
        assert one.sidecar
        for path in (one.path, one.events_path, *one.sidecar_paths):
            assert (index.dataset.root / path).is_file()
    assert len({one.id for one in index.recordings}) == len(index.recordings)


@pytest.mark.real
@pytest.mark.parametrize("name", sorted(TABLES))
def test_real_tables_without_signals(real_data: Path, name: str) -> None:
    index = index_dataset(dataset(real_data / "events" / name), signals_needed=False)
    assert counts(index) == TABLES[name]
    assert index.failures == ()
    assert all(one.events_path is not None for one in index.recordings)


@pytest.mark.real
def test_real_tables_where_signals_are_needed(real_data: Path) -> None:
    index = index_dataset(dataset(real_data / "events" / "ds004514"))
    assert index.recordings == ()
    assert len(index.failures) == 12
    assert "ds004514_annexed.tsv names it" in index.failures[0].reason
    assert "datalad get" in index.failures[0].remedy
    assert sum(loss.count for loss in index.losses if loss.action == "dropped") == 12


@pytest.mark.real
def test_what_the_real_tables_say(real_data: Path) -> None:
    faces = index_dataset(dataset(real_data / "events" / "ds000117"), signals_needed=False)
    rooms = [loss for loss in faces.losses if "empty room" in loss.reason]
    assert [loss.count for loss in rooms] == [8]
    meg = next(one for one in faces.recordings if one.modality is Modality.MEG)
    assert meg.acq_time == "2009-04-09T12:04:14"
    assert meg.sidecar["PowerLineFrequency"] == 50
    both = index_dataset(dataset(real_data / "events" / "ds003645"), signals_needed=False)
    held = [loss for loss in both.losses if "not indexed twice" in loss.reason]
    assert len(held) == 24
    assert {one.path.suffix for one in both.recordings} == {".set", ".fif"}


@pytest.mark.real
def test_without_channels_the_header_tells_of_eeg(real_data: Path, tmp_path: Path) -> None:
    name = "sub-01/meg/sub-01_task-audiovisual_run-01_meg.fif"
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_bytes((real_data / "meg_audvis_mne" / name).read_bytes())
    assert counts(index_dataset(dataset(tmp_path))) == {"meg": 1, "eeg": 1}
    (tmp_path / name).write_bytes(b"no FIF at all" * 100)
    broken = index_dataset(dataset(tmp_path))
    assert counts(broken) == {"meg": 1}
    assert "cannot tell whether it holds EEG" in broken.losses[0].reason


def test_two_files_that_claim_one_recording(tmp_path: Path) -> None:
    root = make(
        tmp_path,
        "sub-1/eeg/sub-1_task-x_eeg.edf",
        "sub-1/eeg/sub-1_task-x_eeg.vhdr",
        "sub-1/func/sub-1_task-x_echo-1_bold.nii.gz",
        "sub-1/func/sub-1_task-x_echo-2_bold.nii.gz",
        "sub-1/func/sub-1_task-y_bold.nii.gz",
    )
    index = index_dataset(dataset(root))
    assert ids(index) == ["sub-1/task-y_fmri"]
    eeg, fmri = index.failures
    assert eeg.reason == (
        "2 files claim this recording: sub-1/eeg/sub-1_task-x_eeg.edf, "
        "sub-1/eeg/sub-1_task-x_eeg.vhdr"
    )
    assert "echo-1_bold" in fmri.reason
    assert "echo-2_bold" in fmri.reason
    assert [loss.count for loss in index.losses] == [2, 2]


def test_parts_of_a_split_file_are_one_recording(tmp_path: Path) -> None:
    root = make(
        tmp_path,
        "sub-1/meg/sub-1_task-x_split-02_meg.fif",
        "sub-1/meg/sub-1_task-x_split-01_meg.fif",
        "sub-1/meg/sub-1_task-y_split-02_meg.fif",
        "sub-1/meg/sub-1_task-x_channels.tsv",
        "sub-1/meg/sub-1_task-y_channels.tsv",
        content="name\ttype\nMEG0111\tMEGMAG\n",
    )
    index = index_dataset(dataset(root))
    (recording,) = index.recordings
    assert recording.path == PurePosixPath("sub-1/meg/sub-1_task-x_split-01_meg.fif")
    assert reasons(index) == ["the first part of this split file is not here"]


def test_a_ctf_folder_is_one_file(tmp_path: Path) -> None:
    root = make(
        tmp_path,
        "sub-1/meg/sub-1_task-x_meg.ds/sub-1_task-x_meg.meg4",
        "sub-1/meg/sub-1_task-x_meg.ds/sub-1_task-x_meg.res4",
        "sub-1/meg/sub-1_task-x_meg.ds/hz.ds/hz.meg4",
    )
    (recording,) = index_dataset(dataset(root)).recordings
    assert recording.path.name == "sub-1_task-x_meg.ds"


@pytest.mark.parametrize("pointer", ["link", "file"])
def test_an_annexed_pointer_fails_with_the_remedy(tmp_path: Path, pointer: str) -> None:
    path = tmp_path / "sub-1/eeg/sub-1_task-x_eeg.edf"
    path.parent.mkdir(parents=True)
    if pointer == "link":
        path.symlink_to(f"../{ANNEXED}")
    else:
        path.write_text(ANNEXED.removeprefix("../../.git"))
    index = index_dataset(dataset(tmp_path))
    (failure,) = index.failures
    assert failure.recording.path == PurePosixPath("sub-1/eeg/sub-1_task-x_eeg.edf")
    assert "annexed pointer, its content is not here" in failure.reason
    assert "datalad get" in failure.remedy


def test_a_header_whose_data_are_annexed(tmp_path: Path) -> None:
    root = make(tmp_path, "sub-1/eeg/sub-1_task-x_eeg.vhdr", "sub-1/eeg/sub-1_task-x_eeg.vmrk")
    (root / "sub-1/eeg/sub-1_task-x_eeg.eeg").symlink_to(f"../{ANNEXED}")
    assert "sub-1_task-x_eeg.eeg is an annexed pointer" in reasons(index_dataset(dataset(root)))[0]


def test_an_annexed_table_fails_its_recording(tmp_path: Path) -> None:
    root = make(tmp_path, "sub-1/eeg/sub-1_task-x_eeg.edf", "task-x_events.tsv")
    (root / "sub-1/eeg/sub-1_task-x_events.tsv").symlink_to(f"../{ANNEXED}")
    assert "sub-1_task-x_events.tsv: is an annexed" in reasons(index_dataset(dataset(root)))[0]


@pytest.mark.parametrize(
    "herald",
    ["sub-1_task-x_run-2_events.tsv", "sub-1_task-x_run-2_eeg.json", "sub-1_task-x_run-2_eeg.eeg"],
)
def test_a_missing_file_that_something_announces(tmp_path: Path, herald: str) -> None:
    root = make(
        tmp_path,
        "sub-1/eeg/sub-1_task-x_run-1_eeg.edf",
        "sub-1/eeg/sub-1_task-x_channels.tsv",
        f"sub-1/eeg/{herald}",
        content="{}",
    )
    index = index_dataset(dataset(root))
    assert ids(index) == ["sub-1/task-x_run-1_eeg"]
    (failure,) = index.failures
    assert failure.recording.run == "2"
    assert herald in failure.reason


def test_a_missing_file_that_scans_names(tmp_path: Path) -> None:
    root = make(tmp_path, "sub-1/ses-1/nirs/sub-1_ses-1_task-x_nirs.snirf")
    make(
        root,
        "sub-1/ses-1/sub-1_ses-1_scans.tsv",
        content="\ufefffilename\tacq_time\r\nnirs/sub-1_ses-1_task-x_nirs.snirf\t2020-01-01T00:00:00"
        "\r\nnirs/sub-1_ses-1_task-y_nirs.snirf\tn/a\r\n../../../etc/passwd\tn/a\r\n",
    )
    index = index_dataset(dataset(root))
    assert [one.acq_time for one in index.recordings] == ["2020-01-01T00:00:00"]
    assert "scans.tsv names it" in reasons(index)[0]
    assert any("../../../etc/passwd" in loss.reason for loss in index.losses)


def test_a_link_out_of_the_dataset_is_refused(tmp_path: Path) -> None:
    root = make(tmp_path / "d", "sub-1/eeg/sub-1_task-x_eeg.edf")
    (tmp_path / "x.edf").write_text("")
    (root / "sub-1/eeg/sub-1_task-y_eeg.edf").symlink_to(tmp_path / "x.edf")
    with pytest.raises(DatasetError, match=r"sub-1_task-y_eeg\.edf: is a link that leads out"):
        index_dataset(dataset(root))


def test_apple_doubles_are_counted(tmp_path: Path) -> None:
    root = make(
        tmp_path, "sub-1/eeg/sub-1_task-x_eeg.edf", "sub-1/eeg/._sub-1_task-x_eeg.edf", "._README"
    )
    (loss,) = index_dataset(dataset(root)).losses
    assert (loss.count, loss.action) == (2, "dropped")
    assert "AppleDouble" in loss.reason


def test_a_signal_in_the_wrong_place_is_counted(tmp_path: Path) -> None:
    root = make(
        tmp_path,
        "sub-1/sub-1_task-x_eeg.edf",
        "sub-1/eeg/sub-2_task-x_eeg.edf",
        "sub-1/ses-1/eeg/sub-1_task-y_eeg.edf",
    )
    index = index_dataset(dataset(root))
    assert ids(index) == ["sub-1/ses-1/task-y_eeg"]
    assert [loss.where for loss in index.losses] == [
        "sub-1/eeg/sub-2_task-x_eeg.edf",
        "sub-1/sub-1_task-x_eeg.edf",
    ]


def test_include_and_exclude(tmp_path: Path) -> None:
    root = make(
        tmp_path,
        *(
            f"sub-{s}/eeg/sub-{s}_task-{t}_run-0{r}_eeg.edf"
            for s in "12"
            for t in "ab"
            for r in "12"
        ),
    )
    index = index_dataset(
        dataset(root),
        Selection(task=["a"], run=["1"]),
        [Selection(subject=["2"], modality=[Modality.EEG]), Selection()],
    )
    assert ids(index) == ["sub-1/task-a_run-01_eeg"]
    assert [(loss.count, loss.action) for loss in index.losses] == [(7, "dropped")]
    with pytest.raises(DatasetError, match=r"leave none of its 8 recordings.*task a, b"):
        index_dataset(dataset(root), Selection(task=["c"]))


def test_an_empty_room_is_taken_only_by_name(tmp_path: Path) -> None:
    room = "sub-emptyroom/ses-1/meg/sub-emptyroom_ses-1_task-noise_meg.fif"
    root = make(tmp_path, room, "sub-1/meg/sub-1_task-noise_meg.fif")
    make(root, "channels.tsv", content="name\ttype\nMEG0111\tMEGMAG\n")
    skipped = index_dataset(dataset(root))
    assert skipped.recordings == ()
    assert [loss.count for loss in skipped.losses] == [2]
    named = index_dataset(dataset(root), Selection(subject=["emptyroom"]))
    assert ids(named) == ["sub-emptyroom/ses-1/task-noise_meg"]


def test_an_empty_dataset_has_no_recordings(tmp_path: Path) -> None:
    make(tmp_path, "dataset_description.json", content="{}")
    assert index_dataset(dataset(tmp_path)).recordings == ()
