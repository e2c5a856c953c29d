"""What a user can get wrong in a recipe, and what they are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from neuropair.schemas.errors import RecipeError
from neuropair.schemas.recipe import Recipe


def _write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _error(folder: Path, text: str) -> RecipeError:
    with pytest.raises(RecipeError) as error:
        Recipe.read(_write(folder, text))
    return error.value


def _parse(events: dict[str, Any], **rest: Any) -> Recipe:
    content = {"recipe": "r", "title": "t", "events": [events], **rest}
    return Recipe.parse(content, "mine.yaml")


def _refused(events: dict[str, Any], **rest: Any) -> RecipeError:
    with pytest.raises(RecipeError) as error:
        _parse(events, **rest)
    return error.value


RULE = {"concept": "rest"}


def test_unknown_key_at_the_top(tmp_path: Path) -> None:
    error = _error(tmp_path, "recipe: r\ntitle: t\nevent: []\n")
    assert str(error) == (
        f"{tmp_path}/mine.yaml, key event: unknown key 'event'. Remedy: did you mean 'events'? "
        "known keys here are recipe, title, source, license, citation, notes, signals, persons, "
        "concepts, channels, events"
    )


def test_unknown_key_inside(tmp_path: Path) -> None:
    text = """
recipe: r
title: t
events:
  - rules:
      - {where: {trial_type: {regx: 'a.*'}}, concept: rest}
"""
    error = _error(tmp_path, text)
    assert error.where == f"{tmp_path}/mine.yaml, key events.0.rules.0.where.trial_type.regx"
    assert error.problem == "unknown key 'regx'."
    assert error.remedy == (
        "did you mean 'regex'? known keys here are regex, exclude, minimum, maximum, present"
    )


def test_unknown_key_of_an_assertion() -> None:
    error = _refused({"rules": [RULE], "assertions": [{"kind": "count", "equal": 2}]})
    assert error.where == "mine.yaml, key events.0.assertions.0.count.equal"
    assert error.remedy.startswith("did you mean 'equals'?")


def test_key_that_stands_twice(tmp_path: Path) -> None:
    error = _error(tmp_path, "recipe: r\ntitle: one\ntitle: two\nevents: []\n")
    assert "key 'title' stands twice" in error.problem
    assert "line 3" in error.problem


def test_file_that_is_no_yaml(tmp_path: Path) -> None:
    error = _error(tmp_path, "recipe: [r\n")
    assert error.where == f"{tmp_path}/mine.yaml"
    assert error.problem.startswith("is not YAML")


def test_file_that_is_absent(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"absent\.yaml: cannot be read"):
        Recipe.read(tmp_path / "absent.yaml")


def test_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xef\xbb\xbfrecipe: r\ntitle: t\nevents: []\n")
    assert Recipe.read(path).recipe == "r"


@pytest.mark.parametrize(
    ("events", "key", "problem"),
    [
        (
            {"rules": [{**RULE, "stimulus": {"column": "s", "identity": "name"}}]},
            "events.0.rules.0.stimulus",
            "identity 'name' needs 'because': say why equal names are equal stimuli.",
        ),
        (
            {"rules": [{**RULE, "stimulus": {"identity": "none"}}]},
            "events.0.rules.0.stimulus",
            "give either 'column' or 'template'.",
        ),
        (
            {"rules": [{**RULE, "stimulus": {"identity": "none", "template": "s_{run}"}}]},
            "events.0.rules.0.stimulus",
            "'template' needs 'because': say why the entities name it.",
        ),
        (
            {
                "rules": [
                    {
                        **RULE,
                        "stimulus": {"identity": "none", "template": "{rum}", "because": "b"},
                    }
                ]
            },
            "events.0.rules.0.stimulus",
            "'template' names rum; the entities are subject, session, task, acquisition, run.",
        ),
        (
            {"rules": [{**RULE, "where": {"x": {}}}]},
            "events.0.rules.0.where.x",
            "a test needs one of regex, exclude, minimum, maximum or present.",
        ),
        (
            {"rules": [{**RULE, "repetition": "column"}]},
            "events.0.rules.0",
            "repetition 'column' and 'repetition_column' go together.",
        ),
        (
            {"rules": [{**RULE, "repetition": "stimulus"}]},
            "events.0.rules.0",
            "repetition 'stimulus' needs 'stimulus'.",
        ),
        (
            {
                "rules": [
                    {
                        **RULE,
                        "repetition": "column",
                        "repetition_column": {"column": "c", "values": {"1": "second"}},
                    }
                ]
            },
            "events.0.rules.0",
            "'repetition_column' needs 'values' that are first, immediate or delayed.",
        ),
        (
            {"rules": [RULE], "assertions": [{"kind": "count", "concept": "rest"}]},
            "events.0.assertions.0.count",
            "an assertion needs a bound: equals, minimum or maximum.",
        ),
        (
            {
                "rules": [RULE],
                "assertions": [{"kind": "count", "equals": 1, "except_for": {"a": 2}}],
            },
            "events.0.assertions.0.count",
            "'except_for' needs 'because': say why these are exceptions.",
        ),
        ({}, "events.0", "'rules' is empty: no row could become an event."),
        (
            {"source": "none", "rules": [RULE]},
            "events.0",
            "source 'none' reads nothing: remove rules, drop and debounce.",
        ),
    ],
)
def test_contradiction(events: dict[str, Any], key: str, problem: str) -> None:
    error = _refused(events)
    assert error.where == f"mine.yaml, key {key}"
    assert error.problem == problem


def test_regular_expression_that_is_none() -> None:
    error = _refused({"rules": [{**RULE, "where": {"x": {"regex": "a("}}}]})
    assert error.where == "mine.yaml, key events.0.rules.0.where.x"
    assert error.problem.startswith("regex 'a(' is no regular expression: ")


def test_shared_persons_need_a_reason() -> None:
    error = _refused({"rules": [RULE]}, persons={"namespace": "n"})
    assert error.where == "mine.yaml, key persons"
    assert error.problem == "'namespace' needs 'because': say why these are the same persons."


def test_digest_is_of_the_content_not_of_the_spelling(tmp_path: Path) -> None:
    one = Recipe.read(_write(tmp_path, "recipe: r\ntitle: t\nevents: []\n"))
    other = Recipe.read(_write(tmp_path, "# c\ntitle: 't'\nevents: []\nrecipe: r\nsignals: true\n"))
    assert one.digest() == other.digest()
    changed = Recipe.read(_write(tmp_path, "recipe: r\ntitle: u\nevents: []\n"))
    assert one.digest() != changed.digest()
