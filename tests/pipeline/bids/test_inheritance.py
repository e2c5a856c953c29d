"""Which sidecar applies: against pybids on real datasets, and by the principle on random trees."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropair.pipeline.bids import Tree, index_dataset, index_tree, parse_name
from neuropair.pipeline.types import Dataset
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.kinds import Modality
from neuropair.schemas.recipe import Selection

NEAREST: dict[str, Any] = {
    "extension": ".tsv",
    "ignore_strict_entities": ["suffix", "extension", "datatype"],
}
DATASET = Dataset("d", Path("/nowhere"), "", {})


def tree_of(files: dict[str, Any]) -> Tree:
    contents = {
        path: (json.dumps(body) if isinstance(body, dict) else str(body)).encode()
        for path, body in files.items()
    }
    return Tree({path: len(body) for path, body in contents.items()}, contents.__getitem__)


@pytest.fixture(scope="module")
def stripped(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two subjects of real tables, with empty files where the signals would be, for pybids."""
    root = tmp_path_factory.mktemp("stripped")
    for name, subjects in {
        "ds000117": ("sub-01",),
        "ds003645": ("sub-002",),
        "ds002336": ("sub-xp101",),
        "ds004496": ("sub-02",),
    }.items():
        source = real_data / "events" / name
        for path in sorted(source.rglob("*")):
            inside = path.relative_to(source)
            mine = not inside.parts[0].startswith("sub-") or inside.parts[0] in subjects
            if path.is_file() and mine and inside.parts[0] != "derivatives":
                target = root / name / inside
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
        listing = (source.parent / f"{name}_annexed.tsv").read_text().splitlines()[1:]
        for line in listing:
            if line.startswith(subjects):
                target = root / name / line.split("\t")[0]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.touch()
    return root


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "events_at"),
    [
        ("ds000117", "sub-01/ses-m"),
        ("ds003645", "sub-002/sub-002_"),
        ("ds002336", "task-"),
        ("ds004496", "sub-02/ses-"),
    ],
)
def test_as_pybids_inherits(stripped: Path, name: str, events_at: str) -> None:
    from bids import BIDSLayout

    root = stripped / name
    layout = BIDSLayout(root, validate=False)
    try:
        include = Selection(modality=[Modality.EEG, Modality.MEG, Modality.FMRI])
        index = index_dataset(Dataset(name, root, "", {}), include)
        assert index.recordings
        assert index.failures == ()
        for one in index.recordings:
            signal = str(root / one.path)
            assert dict(one.sidecar) == dict(layout.get_metadata(signal)), one.id
            events = layout.get_nearest(signal, suffix="events", **NEAREST)
            assert str(root / (one.events_path or "")) == str(events), one.id
            assert str(one.events_path).startswith(events_at)
            channels = layout.get_nearest(signal, suffix="channels", **NEAREST)
            if one.modality is not Modality.FMRI:
                assert str(root / (one.channels_path or "")) == str(channels), one.id
    finally:
        layout.connection_manager._session.bind.dispose()


LABELS = {"task": ("a", "b"), "acq": ("x", "y"), "run": ("1", "2")}
FOLDERS = ("", "sub-1", "sub-1/ses-1", "sub-1/ses-1/eeg")


@st.composite
def sidecars(draw: st.DrawFn, suffix: str, extension: str) -> str:
    folder = draw(st.sampled_from(FOLDERS))
    keys = draw(st.sets(st.sampled_from(sorted(LABELS))))
    pairs = [f"{key}-{draw(st.sampled_from(LABELS[key]))}" for key in sorted(keys)]
    own = [part for part in folder.split("/") if part[:4] in ("sub-", "ses-")]
    name = "_".join([*own, *pairs, suffix]) + extension
    return f"{folder}/{name}" if folder else name


def pairs_of(path: str) -> set[str]:
    return set(path.rpartition("/")[2].split(".")[0].split("_")[:-1])


@settings(max_examples=150, deadline=None)
@given(
    st.sets(sidecars("events", ".tsv"), max_size=8),
    st.sets(sidecars("eeg", ".json"), max_size=8),
    st.randoms(use_true_random=False),
)
def test_the_nearest_applicable_file_whatever_the_order(
    events: set[str], jsons: set[str], shuffler: Any
) -> None:
    signal = "sub-1/ses-1/eeg/sub-1_ses-1_task-a_acq-x_run-1_eeg.edf"
    files: dict[str, Any] = dict.fromkeys(events, "onset\tduration\n")
    files |= {path: {path: 1, "last": path} for path in jsons}
    files[signal] = ""
    paths = sorted(files)
    shuffler.shuffle(paths)
    index = index_tree(tree_of({path: files[path] for path in paths}), DATASET)
    assert index == index_tree(tree_of({path: files[path] for path in sorted(files)}), DATASET)

    def rank(path: str) -> tuple[int, int]:
        return (path.count("/"), len(pairs_of(path)))

    applying = sorted((p for p in events if pairs_of(p) <= pairs_of(signal)), key=rank)
    tied = len(applying) > 1 and rank(applying[-1]) == rank(applying[-2])
    merged = sorted(
        (p for p in jsons if pairs_of(p) <= pairs_of(signal)), key=lambda p: (rank(p), p)
    )
    ours = [one for one in index.recordings if one.path == PurePosixPath(signal)]
    if tied:
        assert ours == []
        assert "equally near" in next(
            f.reason for f in index.failures if f.recording.path == PurePosixPath(signal)
        )
        return
    (recording,) = ours
    assert recording.events_path == (PurePosixPath(applying[-1]) if applying else None)
    assert {str(path) for path in recording.sidecar_paths} == set(merged)
    assert set(recording.sidecar) == {*merged, *(["last"] if merged else [])}
    if merged:
        assert recording.sidecar["last"] == merged[-1]


def test_a_table_beside_another_subject_does_not_apply() -> None:
    entry = parse_name("sub-1/eeg/sub-1_task-a_eeg.edf")
    assert entry is not None
    tree = tree_of({"sub-2/eeg/sub-2_task-a_events.tsv": "", entry.path: ""})
    assert tree.nearest(entry, "events", ".tsv") is None


def test_runs_are_indices() -> None:
    tree = tree_of({"run-1_events.tsv": "", "sub-1/eeg/sub-1_task-a_run-01_eeg.edf": ""})
    (recording,) = index_tree(tree, DATASET).recordings
    assert recording.events_path == PurePosixPath("run-1_events.tsv")
    assert recording.run == "01"


def test_electrodes_of_any_space_apply() -> None:
    electrodes = "sub-1/eeg/sub-1_space-CapTrak_electrodes.tsv"
    tree = tree_of({electrodes: "", "sub-1/eeg/sub-1_task-a_eeg.edf": ""})
    (recording,) = index_tree(tree, DATASET).recordings
    assert recording.electrodes_path == PurePosixPath(electrodes)


def test_a_broken_sidecar_is_named() -> None:
    tree = tree_of({"task-a_eeg.json": "{", "sub-1/eeg/sub-1_task-a_eeg.edf": ""})
    (failure,) = index_tree(tree, DATASET).failures
    assert failure.reason.startswith("task-a_eeg.json: is no JSON")
    with pytest.raises(DatasetError, match=r"task-a_eeg\.json"):
        tree.json("task-a_eeg.json")
