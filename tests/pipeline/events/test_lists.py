"""Lists joined by order and events without a table: what holds, and what is refused."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_dataset import RULES, Small

from neuropair.pipeline.types import Events
from neuropair.schemas.errors import (
    AssertionFailedError,
    DatasetError,
    NeuropairError,
    RecipeError,
)
from neuropair.schemas.recipe import Recipe

TABLE = (
    "onset\tduration\ttrial_type\tcode\n"
    "1\t0\tface\t4\n1.5\t0\tresp\t3\n1.51\t0\tresp\t3\n2\t0\tface\t4\n3\t0\tface\t4\n"
)
JOIN: dict[str, Any] = {
    "path": "lists/sub-{subject}.csv",
    "rows": {"run": "{run}"},
    "where": {"trial_type": "face"},
    "columns": {"image": "image_id"},
    "because": "a test",
}
NAMED = {
    **{"where": {"trial_type": "face"}, "concept": "perception/visual/face"},
    "stimulus": {"column": "image", "identity": "name", "because": "a test"},
}
TAKEN = {"image": "image_id", "code": "code"}
COUNT = {"kind": "count", "minimum": 1}


def _list(small: Small, lines: str, name: str = "lists/sub-01.csv") -> None:
    path = small.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(lines, encoding="utf-8")


def _entry(**join: Any) -> dict[str, Any]:
    return {
        "join": JOIN | join,
        "debounce": [{"seconds": 0.05, "where": {"trial_type": "resp"}}],
        "rules": [NAMED, *RULES],
        "assertions": [COUNT],
    }


def _events(results: dict[str, Events | NeuropairError]) -> list[Events | NeuropairError]:
    return list(results.values())


def test_columns_are_joined_by_order(small: Small) -> None:
    _list(small, 'run,image_id,code\n01,"a, b",4.0\n02,x,4\n1,c,4\n1,d,4\n')
    small.run(TABLE, run="1")
    events = small.read(**_entry(agree={"code": "code"}))
    assert events.table["stimulus_name"].tolist() == ["a, b", None, "c", "d"]
    assert events.table["stimulus"].tolist() == ["name:r/a, b", None, "name:r/c", "name:r/d"]
    (joined,) = [loss for loss in events.losses if loss.action == "flagged"]
    assert (joined.count, joined.where) == (3, "lists/sub-01.csv")
    assert joined.reason == ("image joined by order, 3 rows on both sides, code agree: a test")


def test_order_is_that_of_the_onsets(small: Small) -> None:
    _list(small, "run,image_id\n1,a\n1,b\n1,c\n")
    rows = TABLE.splitlines(keepends=True)
    small.run("".join([rows[0], *rows[:0:-1]]))
    events = small.read(**_entry())
    faces = events.table[events.table["concept"] == "perception/visual/face"]
    assert faces["stimulus_name"].tolist() == ["a", "b", "c"]
    assert faces["source_row"].tolist() == [6, 3, 2]


@pytest.mark.parametrize("lines", ["1,a\n1,b\n", "1,a\n1,b\n1,c\n1,d\n", ""])
def test_counts_that_differ_refuse_the_run_alone(small: Small, lines: str) -> None:
    _list(small, f"run,image_id\n{lines}2,x\n2,y\n2,z\n")
    small.run(TABLE, run="1")
    small.run(TABLE, run="2")
    one, two = _events(small.read_all(_entry()))
    assert isinstance(one, AssertionFailedError)
    assert f"lists {lines.count(chr(10))} for ds/sub-01/task-t_run-1_eeg" in one.problem
    assert one.where == "recipe r, events.0, key join"
    assert isinstance(two, Events)


def test_cells_that_must_agree_and_do_not(small: Small) -> None:
    _list(small, "run,image_id,code\n1,a,4\n1,b,5\n1,c,n/a\n")
    small.run(TABLE)
    with pytest.raises(AssertionFailedError) as error:
        small.read(**_entry(agree={"code": "code"}))
    assert error.value.problem == (
        "code and code of lists/sub-01.csv:3 differ in 2 of 3 rows (ds/sub-01/task-t_run-1_eeg): "
        "the first is '4' and '5'."
    )


@pytest.mark.parametrize(
    ("join", "where", "problem"),
    [
        ({"path": "lists/{run}.csv"}, "key join.path", "lists/1.csv is not there."),
        ({"path": "lists/{session}.csv"}, "key join.path", "needs 'session'"),
        ({"columns": {"image": "image"}}, "key join", "column 'image' is not in lists/sub-01.csv."),
        (
            {"columns": {"image": "image_id", "code": "code"}},
            "key join.columns",
            "column 'code' is in sub-01/eeg/",
        ),
        ({"agree": {"kode": "code"}}, "key join", "column 'kode' is not in sub-01/eeg/"),
        ({"agree": {"code": "kode"}}, "key join", "column 'kode' is not in lists/sub-01.csv."),
        ({"where": {"trail": "face"}}, "key join", "column 'trail' is not in sub-01/eeg/"),
        ({"rows": {"rnu": "{run}"}}, "key join.rows", "column 'rnu' is not in lists/sub-01.csv."),
        ({"rows": {"run": "{session}"}}, "key join.rows.run", "needs 'session'"),
    ],
)
def test_names_that_are_not_there(
    small: Small, join: dict[str, Any], where: str, problem: str
) -> None:
    _list(small, "run,image_id,code\n1,a,4\n1,b,4\n1,c,4\n")
    small.run(TABLE)
    with pytest.raises(RecipeError) as error:
        small.read(**_entry(**join))
    assert problem in error.value.problem
    assert error.value.where == f"recipe r, events.0, {where}"


def test_drops_cannot_see_joined_columns(small: Small) -> None:
    _list(small, "run,image_id\n1,a\n1,b\n1,c\n")
    small.run(TABLE)
    with pytest.raises(RecipeError, match="column 'image' is not in sub-01/eeg"):
        small.read(**_entry(), drop=[{"where": {"image": "a"}, "because": "a test"}])


@pytest.mark.parametrize("lines", ['run,image_id\n1,"a\n', "run,image_id\n1,a,b,c\n", "\n", "a\0b"])
def test_damaged_list(small: Small, lines: str) -> None:
    _list(small, lines)
    small.run(TABLE)
    with pytest.raises(DatasetError) as error:
        small.read(**_entry())
    assert error.value.where.startswith("lists/sub-01.csv:")


def test_list_in_a_folder_outside(small: Small) -> None:
    (small.root.parent / "secret.csv").write_text("run,image_id\n1,a\n", encoding="utf-8")
    (small.root / "lists").mkdir()
    (small.root / "lists" / "sub-01.csv").symlink_to("../../secret.csv")
    small.run(TABLE)
    with pytest.raises(DatasetError, match="leads out of the dataset's folder"):
        small.read(**_entry())


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"assertions": []}, "'join' needs an assertion of kind 'count'"),
        ({"join": JOIN | {"path": "../x/{run}.csv"}}, "leaves the dataset's folder"),
        ({"join": JOIN | {"path": "/x/{run}.csv"}}, "leaves the dataset's folder"),
        ({"join": JOIN | {"path": "{hemisphere}.csv"}}, "'path' names hemisphere"),
        ({"join": JOIN | {"path": "a.csv", "rows": {}}}, "every recording would get the same"),
        ({"join": JOIN | {"columns": {}}}, "join.columns"),
        ({"source": "none", "rules": [], "debounce": []}, "remove 'join'"),
    ],
)
def test_recipes_that_cannot_be(changed: dict[str, Any], problem: str) -> None:
    entry = _entry() | changed
    with pytest.raises(RecipeError) as error:
        Recipe.parse({"recipe": "r", "title": "t", "events": [entry]}, "r.yaml")
    assert problem in str(error.value)
    assert "r.yaml" in error.value.where


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["face", "resp"]), min_size=1, max_size=12), st.integers(-2, 2))
def test_the_kth_line_is_the_kth_face_or_nothing_is(
    tmp_path_factory: Any, kinds: list[str], more: int
) -> None:
    small = Small(tmp_path_factory.mktemp("ds"))
    faces = kinds.count("face")
    listed = max(faces + more, 0)
    _list(small, "run,image_id\n" + "".join(f"1,i{k}\n" for k in range(listed)))
    rows = "".join(f"{at}\t0\t{kind}\n" for at, kind in enumerate(kinds))
    small.run("onset\tduration\ttrial_type\n" + rows)
    (events,) = _events(small.read_all(_entry()))
    if listed != faces:
        assert isinstance(events, AssertionFailedError)
        return
    assert isinstance(events, Events)
    shown = [name for name in events.table["stimulus_name"] if name is not None]
    assert shown == [f"i{k}" for k in range(faces)]


SYNTHESISE: dict[str, Any] = {"path": "words/run-{run}.tsv", "because": "the README says so"}
WORDS = "start\tlength\tword\n0.5\t0.2\tonce\n1.0\t0.1\tupon\n"


def _words(**changed: Any) -> dict[str, Any]:
    return {
        "source": "synthesise",
        "synthesise": SYNTHESISE | changed,
        "onset": "start",
        "duration": "length",
        "rules": [
            {"concept": "perception/auditory/speech", "attributes": {"w": {"column": "word"}}}
        ],
        "assertions": [{"kind": "count", "equals": 2}],
    }


def test_events_of_a_run_without_a_table(small: Small) -> None:
    _list(small, WORDS, "words/run-1.tsv")
    small.run(None)
    events = small.read(**_words(offset=-0.25, offset_source="the README"))
    assert events.table["onset"].tolist() == [0.25, 0.75]
    assert events.table["duration"].tolist() == [0.2, 0.1]
    assert events.table["attributes"].tolist() == ['{"w": "once"}', '{"w": "upon"}']
    assert events.table["source_row"].tolist() == [0, 0]
    assert [loss.reason for loss in events.losses] == [
        "events synthesised from words/run-1.tsv: the README says so",
        "offset of -0.25 s applied: the README",
    ]


def test_events_of_the_sidecar(small: Small) -> None:
    small.run(None, sidecar={"On": [0.5, 1], "For": [0.2, 0.1], "What": ["once", "upon"]})
    columns = {"start": "On", "length": "For", "word": "What"}
    events = small.read(**_words(path=None, sidecar=columns))
    assert events.table["onset"].tolist() == [0.5, 1.0]
    assert events.table["attributes"].tolist() == ['{"w": "once"}', '{"w": "upon"}']


def test_the_assertion_guards_what_is_synthesised(small: Small) -> None:
    _list(small, WORDS + "2.0\t0.1\ta\n", "words/run-1.tsv")
    small.run(None)
    with pytest.raises(AssertionFailedError, match="count of all events: 3, asserted 2"):
        small.read(**_words())


@pytest.mark.parametrize(
    ("sidecar", "error", "problem"),
    [
        ({}, RecipeError, "the sidecar has no list 'On'."),
        ({"On": 1}, RecipeError, "the sidecar has no list 'On'."),
        ({"On": [1], "For": [1, 2]}, DatasetError, r"differ in length \(start 1, length 2\)"),
    ],
)
def test_sidecars_that_hold_no_events(
    small: Small, sidecar: dict[str, Any], error: type[NeuropairError], problem: str
) -> None:
    small.run(None, sidecar=sidecar)
    columns = {"start": "On", "length": "For"}
    with pytest.raises(error, match=problem):
        small.read(**_words(path=None, sidecar=columns))


def test_a_table_is_not_replaced(small: Small) -> None:
    _list(small, WORDS, "words/run-1.tsv")
    small.run(TABLE)
    with pytest.raises(DatasetError, match="the recording has an events table"):
        small.read(**_words())


def test_annotations_that_are_absent(small: Small) -> None:
    recording = small.run(None)
    assert recording.path == PurePosixPath("sub-01/eeg/sub-01_task-t_run-1_eeg.edf")
    with pytest.raises(RecipeError) as error:
        small.read(**_words())
    assert error.value.problem == "words/run-1.tsv is not there."
    assert error.value.where == "recipe r, events.0, key synthesise.path"


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"assertions": []}, "'synthesise' needs an assertion of kind 'count'"),
        ({"source": "table"}, "source 'synthesise' and the block 'synthesise' go together"),
        ({"synthesise": {"because": "x"}}, "give either 'path' or 'sidecar'"),
        ({"synthesise": SYNTHESISE | {"sidecar": {"a": "b"}}}, "give either 'path' or 'sidecar'"),
        ({"synthesise": SYNTHESISE | {"offset": 1}}, "'offset' needs 'offset_source'"),
        ({"synthesise": {"path": "{run}.tsv"}}, "because"),
    ],
)
def test_blocks_that_cannot_be(changed: dict[str, Any], problem: str) -> None:
    with pytest.raises(RecipeError) as error:
        Recipe.parse({"recipe": "r", "title": "t", "events": [_words() | changed]}, "r.yaml")
    assert problem in str(error.value)
