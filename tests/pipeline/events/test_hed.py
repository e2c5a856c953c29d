"""HED strings are checked offline, and nothing is written to the home folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuropair.pipeline.events import check_hed
from neuropair.schemas.errors import RecipeError
from neuropair.schemas.library import find_recipe, list_recipes
from neuropair.schemas.recipe import Recipe


def _recipe(hed: str) -> Recipe:
    rules = [{"concept": "rest"}, {"concept": "rest", "hed": hed}]
    return Recipe.parse({"recipe": "r", "title": "t", "events": [{"rules": rules}]}, "r.yaml")


def test_every_shipped_string_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    strings = 0
    for name in list_recipes():
        recipe = find_recipe(name)
        check_hed(recipe)
        strings += sum(rule.hed is not None for entry in recipe.events for rule in entry.rules)
    assert strings > 50
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("hed", "problem"),
    [
        ("Sensory-event, Hose", "'Hose' in Hose is not a valid base HED tag"),
        ("Sensory-event, (Image", "parentheses"),
    ],
)
def test_string_that_is_wrong(hed: str, problem: str) -> None:
    with pytest.raises(RecipeError) as error:
        check_hed(_recipe(hed))
    assert error.value.where == "recipe r, key events.0.rules.1.hed"
    assert error.value.problem.startswith(f"{hed!r} is not valid HED 8.4.0: ")
    assert problem in error.value.problem


def test_no_strings_no_check() -> None:
    rules = [{"concept": "rest"}]
    check_hed(Recipe.parse({"recipe": "r", "title": "t", "events": [{"rules": rules}]}, "r.yaml"))
