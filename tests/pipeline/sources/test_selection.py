"""Which files are fetched: enough for the selected recordings, and no more."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from neuropair.pipeline.sources import extra_folders, list_folders, select_files, selects
from neuropair.pipeline.types import RemoteFile
from neuropair.schemas.kinds import Modality
from neuropair.schemas.recipe import EventsRecipe, Recipe, Rule, Selection, Stimulus
from neuropair.schemas.signals import FMRI, Regions, Signals

TREE = """
README
dataset_description.json
participants.tsv
task-rest_eeg.json
task-face_events.tsv
sub-01/sub-01_scans.tsv
sub-01/ses-a/eeg/sub-01_ses-a_task-face_run-01_eeg.vhdr
sub-01/ses-a/eeg/sub-01_ses-a_task-face_run-01_eeg.eeg
sub-01/ses-a/eeg/sub-01_ses-a_task-face_run-02_eeg.vhdr
sub-01/ses-a/eeg/sub-01_ses-a_task-rest_eeg.vhdr
sub-01/ses-a/eeg/sub-01_ses-a_electrodes.tsv
sub-01/ses-a/sub-01_ses-a_task-face_events.tsv
sub-01/ses-b/func/sub-01_ses-b_task-face_acq-fast_bold.nii.gz
sub-01/ses-b/anat/sub-01_ses-b_T1w.nii.gz
sub-02/ses-a/meg/sub-02_ses-a_task-face_meg.fif
sub-02/ses-a/meg/sub-02_ses-a_acq-crosstalk_meg.fif
sub-02/ses-a/meg/sub-02_ses-a_acq-calibration_meg.dat
sub-emptyroom/ses-1/meg/sub-emptyroom_ses-1_task-noise_meg.fif
derivatives/fmriprep/sub-01/func/sub-01_task-face_desc-confounds_timeseries.tsv
derivatives/fmriprep/sub-02/func/sub-02_task-face_desc-confounds_timeseries.tsv
derivatives/other/sub-01/x.tsv
stimuli/f001.bmp
code/run.py
.bidsignore
"""
FILES = [RemoteFile(PurePosixPath(path), 1) for path in TREE.strip().splitlines()]
TOP = {"README", "dataset_description.json", "participants.tsv", "task-face_events.tsv"}


def kept(include: Selection | None = None, *exclude: Selection, **options: object) -> set[str]:
    chosen = select_files(FILES, include or Selection(), exclude, **options)  # type: ignore[arg-type]  # options by name
    return {file.path.as_posix() for file in chosen}


def names(found: set[str]) -> set[str]:
    return {path.rpartition("/")[2] for path in found}


def test_raw_data_of_the_four_instruments_and_what_lies_above_them() -> None:
    found = kept()
    assert found >= TOP
    assert not [p for p in found if p.startswith(("derivatives", "stimuli", "code", "."))]
    assert not [p for p in found if "/anat/" in p or "emptyroom" in p]
    assert len(found) == 16


def test_by_subject() -> None:
    found = kept(Selection(subject=["02"]))
    assert found >= TOP
    assert {p.split("/")[0] for p in found if p.startswith("sub-")} == {"sub-02"}


def test_by_task_keeps_what_has_no_task() -> None:
    found = names(kept(Selection(task=["rest"], modality=[Modality.EEG])))
    assert "sub-01_ses-a_task-rest_eeg.vhdr" in found
    assert "sub-01_ses-a_electrodes.tsv" in found
    assert "sub-01_ses-a_task-face_run-01_eeg.vhdr" not in found
    assert "task-face_events.tsv" not in found


def test_by_run_as_an_index() -> None:
    found = names(kept(Selection(run=["1"])))
    assert "sub-01_ses-a_task-face_run-01_eeg.vhdr" in found
    assert "sub-01_ses-a_task-face_run-02_eeg.vhdr" not in found


def test_by_modality_drops_other_folders() -> None:
    found = kept(Selection(modality=[Modality.FMRI]))
    assert [p for p in found if "/func/" in p]
    assert not [p for p in found if "/eeg/" in p or "/meg/" in p]
    assert "sub-01/ses-a/sub-01_ses-a_task-face_events.tsv" in found


def test_eeg_may_lie_in_meg_files_where_there_is_no_eeg_folder() -> None:
    with_eeg = kept(Selection(modality=[Modality.EEG]))
    assert not [p for p in with_eeg if "/meg/" in p]
    only_meg = [file for file in FILES if "eeg" not in file.path.parts]
    found = select_files(only_meg, Selection(modality=[Modality.EEG]))
    assert "sub-02_ses-a_task-face_meg.fif" in {file.path.name for file in found}


def test_calibration_is_kept_whatever_the_acquisition() -> None:
    found = names(kept(Selection(acquisition=["fast"])))
    assert {"sub-02_ses-a_acq-crosstalk_meg.fif", "sub-02_ses-a_acq-calibration_meg.dat"} <= found


def test_an_exclusion_needs_all_that_it_names() -> None:
    found = kept(None, Selection(subject=["01"], modality=[Modality.EEG]))
    assert not [p for p in found if "sub-01/ses-a/eeg/" in p]
    assert "sub-01/sub-01_scans.tsv" in found
    assert [p for p in found if "/func/" in p]


def test_an_empty_exclusion_excludes_nothing() -> None:
    assert kept(None, Selection()) == kept()


def test_extra_folders_for_the_selected_subjects() -> None:
    found = kept(Selection(subject=["01"]), extra=("derivatives/fmriprep", "stimuli"))
    assert (
        "derivatives/fmriprep/sub-01/func/sub-01_task-face_desc-confounds_timeseries.tsv" in found
    )
    assert not [p for p in found if p.startswith("derivatives/fmriprep/sub-02")]
    assert not [p for p in found if p.startswith("derivatives/other")]
    assert "stimuli/f001.bmp" in found


def test_tables_only() -> None:
    found = kept(signals=False)
    assert not [p for p in found if p.endswith((".vhdr", ".eeg", ".nii.gz", "task-face_meg.fif"))]
    assert "sub-01/ses-a/eeg/sub-01_ses-a_electrodes.tsv" in found
    assert found >= TOP


def test_the_empty_room_comes_when_it_is_named() -> None:
    found = kept(Selection(subject=["emptyroom"]))
    assert "sub-emptyroom_ses-1_task-noise_meg.fif" in names(found)


def test_folders_that_a_recipe_and_settings_need() -> None:
    shown = Stimulus(column="stim_file", identity="content")
    rule = Rule(concept="visual", stimulus=shown)
    recipe = Recipe(recipe="x", title="x", events=[EventsRecipe(rules=[rule])])
    image = "derivatives/masks/sub-{subject}/func/sub-{subject}_mask.nii.gz"
    settings = Signals(fmri=FMRI(regions=Regions(image=image), motion="derivatives/motion/all.txt"))
    assert extra_folders(recipe, settings) == (
        "derivatives/fmriprep",
        "derivatives/masks",
        "derivatives/motion",
        "stimuli",
    )


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), True),
        (Selection(modality=[Modality.MEG]), False),
        (Selection(session=["a"]), False),
        (Selection(run=["01"], task=["x"]), True),
        (Selection(run=["2"]), False),
    ],
)
def test_a_selection_of_recordings(selection: Selection, expected: bool) -> None:
    labels = {"subject": "01", "session": None, "task": "x", "run": "1"}
    assert selects(selection, Modality.EEG, labels) is expected


def test_tables_beside_the_raw_data_are_fetched() -> None:
    """Lists, annotations and media files that a recipe names are needed before events are read."""
    join = {"path": "derivatives/lists/sub-{subject}.csv", "because": "a test"}
    words = {"path": "annotations/{stimulus}.tsv", "because": "a test", "concept": "rest"}
    rule = {
        "concept": "rest",
        "until": {"trial_type": "End"},
        "stimulus": {"column": "stim", "identity": "name", "because": "a test"},
        "media": {
            "nominal": {"kind": "file", "path": "stimuli/audio/{stimulus}.wav"},
            "annotations": [words],
        },
    }
    entry = {
        "join": {**join, "where": {"trial_type": "on"}, "columns": {"stim": "image"}},
        "rules": [rule],
        "assertions": [
            {"kind": "count", "equals": 1},
            {"kind": "media", "maximum_ppm": 500, "maximum_uncertainty": 1},
        ],
    }
    recipe = Recipe.parse({"recipe": "r", "title": "t", "events": [entry]}, "r.yaml")
    tables = ("annotations", "derivatives/lists")
    assert list_folders(recipe) == tables
    assert set(extra_folders(recipe, Signals())) >= {*tables, "stimuli/audio"}
