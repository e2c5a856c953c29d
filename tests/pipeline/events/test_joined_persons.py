"""Persons joined by their recordings, and what contradicts the recipes."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from neuropair.pipeline.events import join_persons
from neuropair.schemas.errors import RecipeError
from neuropair.schemas.recipe import Recipe
from neuropair.schemas.tables import conform


def _recipe(name: str, **persons: Any) -> Recipe:
    events = [{"source": "none"}]
    content = {"recipe": name, "title": "t", "persons": persons, "events": events}
    return Recipe.parse(content, where="test")


def _recordings(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "recording": f"{dataset}/sub-{subject}/task-t_eeg",
                "dataset": dataset,
                "subject": subject,
                "person": person,
            }
            for dataset, subject, person in rows
        ]
    )


def _name(dataset: str, subject: str) -> str:
    return f"{dataset}/sub-{subject}/task-t_eeg"


def test_subjects_whose_recordings_are_one_are_one_person() -> None:
    rows = _recordings(("a", "01", "a/01"), ("b", "7", "b/7"), ("c", "x", "c/x"), ("a", "02", "p"))
    same = [(_name("b", "7"), _name("c", "x")), (_name("a", "01"), _name("b", "7"))]
    joined = join_persons(rows, same)
    assert joined.of == {"a/01": "a/01", "b/7": "a/01", "c/x": "a/01", "p": "p"}
    table = joined.table.set_index(["dataset", "subject"])
    assert set(table.loc[[("a", "01"), ("b", "7"), ("c", "x")], "basis"]) == {"duplicate"}
    assert table.loc[("a", "02"), "basis"] == "recipe"
    assert _name("c", "x") in table.loc[("c", "x"), "because"]
    assert joined.losses.empty
    conform(joined.table.assign(study="s"), "persons")


def test_the_person_does_not_depend_on_the_order() -> None:
    rows = _recordings(("b", "7", "b/7"), ("a", "01", "a/01"))
    same = [(_name("a", "01"), _name("b", "7"))]
    there, back = join_persons(rows, same), join_persons(rows.iloc[::-1], same)
    assert there.of == back.of
    pd.testing.assert_frame_equal(there.table, back.table)


def test_two_subjects_of_one_dataset_that_are_one_person_are_flagged() -> None:
    rows = _recordings(("a", "01", "a/01"), ("a", "dup", "a/dup"))
    joined = join_persons(rows, [(_name("a", "01"), _name("a", "dup"))])
    assert joined.of["a/dup"] == "a/01"
    assert joined.losses["reason"].tolist() == [
        "subjects 01, dup are one person by their recordings: a/01"
    ]


def test_recipes_that_say_two_persons_where_recordings_say_one_are_refused() -> None:
    shared = {"namespace": "n", "because": "a test"}
    recipes = {"a": _recipe("a", labels={"01": "P1"}, **shared), "b": _recipe("b", **shared)}
    rows = _recordings(("a", "01", "n/P1"), ("b", "P2", "n/P2"))
    with pytest.raises(RecipeError, match="one person") as error:
        join_persons(rows, [(_name("a", "01"), _name("b", "P2"))], recipes)
    assert "persons.labels" in error.value.where
    assert _name("b", "P2") in error.value.problem


def test_the_recipe_s_reason_stands_where_no_recording_joins() -> None:
    recipes = {"a": _recipe("a", namespace="n", because="the README says so")}
    joined = join_persons(_recordings(("a", "01", "n/01")), [], recipes)
    assert joined.table[["basis", "because", "n_recordings"]].values.tolist() == [
        ["recipe", "the README says so", 1]
    ]


@pytest.mark.parametrize(
    "labels", [{"01": "02", "02": "01"}, {"a": "b", "b": "c", "c": "a"}, {"x": "y", "y": "x"}]
)
@pytest.mark.parametrize("namespace", [None, "n"])
def test_a_map_with_a_cycle_is_refused(labels: dict[str, str], namespace: str | None) -> None:
    with pytest.raises(RecipeError, match="circle") as error:
        _recipe("a", labels=labels, namespace=namespace, because="a test")
    assert "persons" in error.value.where


def test_a_label_of_its_own_is_no_cycle() -> None:
    _recipe("a", labels={"01": "01", "02": "03"}, namespace="n", because="a test")


def test_two_subjects_of_one_label_are_refused() -> None:
    with pytest.raises(RecipeError, match="mapped to one label"):
        _recipe("a", labels={"01": "P", "02": "P"}, namespace="n", because="a test")
