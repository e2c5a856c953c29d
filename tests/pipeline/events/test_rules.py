"""Rules, drops, debouncing, delay: what a recipe says, and what comes out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from neuropair.pipeline.events.where import holds
from neuropair.pipeline.types import Events, Loss
from neuropair.schemas.errors import DatasetError, RecipeError
from neuropair.schemas.recipe import Match, Where

Read = Callable[..., Events]
PATH = "sub-01/eeg/sub-01_task-t_run-1_events.tsv"
HEAD = "onset\tduration\ttrial_type\tvalue\n"
ROWS = HEAD + "1\t0\tface\t1.0\n2\t0\thouse\t2\n3\t0\tresp\tn/a\n"


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ({}, [0, 1, 2, 3]),
        ({"code": 1}, [0]),
        ({"code": "1"}, []),
        ({"code": "1.0"}, [0]),
        ({"code": [1, 2]}, [0, 1]),
        ({"code": "n/a"}, [3]),
        ({"code": Match(present=True)}, [0, 1, 2]),
        ({"code": Match(present=False)}, [3]),
        ({"code": Match(minimum=2)}, [1]),
        ({"code": Match(minimum=1, maximum=1)}, [0]),
        ({"code": Match(exclude=[1])}, [1, 2, 3]),
        ({"code": Match(exclude=[1, "n/a"])}, [1, 2]),
        ({"name": Match(regex="fa.*")}, [0, 2]),
        ({"name": Match(regex="a.*")}, []),
        ({"name": Match(regex="fa.*", exclude=["face"])}, [2]),
        ({"name": "face", "code": 2}, []),
        ({"name": True}, [3]),
    ],
)
def test_conditions(where: Where, rows: list[int]) -> None:
    frame = pd.DataFrame(
        {"code": ["1.0", "2", "x", None], "name": ["face", "house", "farm", "True"]}, dtype=object
    )
    assert holds(frame, where).nonzero()[0].tolist() == rows


def test_first_rule_that_holds_wins(table: Read) -> None:
    rules = [
        {"where": {"value": 1}, "concept": "perception/visual/face/famous"},
        {"where": {}, "concept": "perception/visual"},
    ]
    concepts = table(ROWS, rules=rules).table["concept"].tolist()
    assert concepts == ["perception/visual/face/famous", "perception/visual", "perception/visual"]


def test_column_that_is_absent(table: Read) -> None:
    with pytest.raises(RecipeError) as error:
        table(ROWS, rules=[{"where": {"trial_typ": "face"}, "concept": "rest"}])
    assert str(error.value) == (
        f"recipe r, events.0, key rules.0.where: column 'trial_typ' is not in {PATH}. Remedy: "
        "did you mean 'trial_type'? its columns are onset, duration, trial_type, value"
    )


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({"onset": "begin"}, "onset"),
        ({"duration": "begin"}, "duration"),
        ({"value": "begin"}, "value"),
        ({"trial_type": "begin"}, "trial_type"),
        ({"drop": [{"where": {"begin": 1}, "because": "b"}]}, "drop.0.where"),
        ({"debounce": [{"seconds": 1, "by": "begin"}]}, "debounce.0.by"),
        ({"debounce": [{"seconds": 1, "where": {"begin": 1}}]}, "debounce.0.where"),
        ({"rules": [{"concept": "rest", "until": {"begin": 1}}]}, "rules.0.until"),
        (
            {"rules": [{"concept": "rest", "stimulus": {"column": "begin", "identity": "none"}}]},
            "rules.0.stimulus.column",
        ),
        (
            {"rules": [{"concept": "rest", "attributes": {"a": {"column": "begin"}}}]},
            "rules.0.attributes.a.column",
        ),
        ({"rules": [{"concept": "rest", "response_time": "begin"}]}, "rules.0.response_time"),
    ],
)
def test_every_column_that_a_recipe_names_must_exist(
    table: Read, entry: dict[str, Any], key: str
) -> None:
    with pytest.raises(RecipeError) as error:
        table(ROWS, **entry)
    assert error.value.where == f"recipe r, events.0, key {key}"
    assert error.value.problem == f"column 'begin' is not in {PATH}."


def test_row_that_no_rule_holds_for(table: Read) -> None:
    with pytest.raises(DatasetError) as error:
        table(ROWS.replace("house", "horse"))
    assert error.value.where == f"{PATH}:3"
    assert error.value.problem == (
        "1 row(s) hold no rule of recipe r, events.0; the first reads "
        "{'onset': '2', 'duration': '0', 'trial_type': 'horse', 'value': '2'}."
    )
    assert error.value.remedy == "add a rule or a drop to the recipe, or 'unmatched: count'"


def test_row_that_no_rule_holds_for_can_be_counted(table: Read) -> None:
    events = table(ROWS.replace("house", "horse"), unmatched="count")
    reason = "no rule of the recipe holds"
    assert events.losses == (Loss("events", "row", "dropped", 1, reason, f"{PATH}:3"),)
    assert events.table["event"].tolist() == [0, 1]


def test_concept_that_is_not_in_the_vocabulary(small: Any) -> None:
    small.run(ROWS)
    with pytest.raises(RecipeError) as error:
        small.read(rules=[{"concept": "perception/visual/fase"}])
    assert error.value.where == "recipe r"
    assert error.value.problem == "concept 'perception/visual/fase' is not in the vocabulary."
    assert error.value.remedy.startswith("did you mean perception/visual/face")


def test_concept_of_an_assertion_is_checked_too(small: Any) -> None:
    small.run(ROWS)
    with pytest.raises(RecipeError, match="concept 'fase' is not in the vocabulary"):
        small.read(assertions=[{"kind": "count", "concept": "fase", "equals": 1}])


def test_drop_counts_with_its_reason_and_only_where_it_is_meant(small: Any) -> None:
    small.run(ROWS, run="1")
    small.run(ROWS, run="2")
    drop = {"where": {"value": 2}, "because": "a test", "recordings": {"run": ["2"]}}
    rules = [{"concept": "rest"}]
    one, two = small.read_all({"rules": rules, "drop": [drop]}).values()
    assert (len(one.table), one.losses) == (3, ())
    where = "sub-01/eeg/sub-01_task-t_run-2_events.tsv:3"
    assert (len(two.table), two.losses) == (
        2,
        (Loss("events", "row", "dropped", 1, "a test", where),),
    )


def test_debounce_keeps_the_first_and_counts_the_rest(table: Read) -> None:
    rows = [("resp", 1.0), ("resp", 1.03), ("face", 1.04), ("resp", 1.05), ("resp", 1.07)]
    content = HEAD + "".join(f"{at}\t0\t{kind}\t1\n" for kind, at in rows)
    debounce = [{"seconds": 0.05, "where": {"trial_type": "resp"}}]
    events = table(content, debounce=debounce)
    # 1.05 is not closer than 50 ms to 1.00, and 1.07 is closer than that to 1.05
    assert events.table["onset"].tolist() == [1.0, 1.04, 1.05]
    reason = "bounce: same trial_type within 0.05 s of the one before"
    assert events.losses == (Loss("events", "row", "dropped", 2, reason, f"{PATH}:3,6"),)


def test_debounce_leaves_other_keys_and_missing_keys(table: Read) -> None:
    content = HEAD + "1\t0\tface\t1\n1.01\t0\tface\t2\n1.02\t0\tface\tn/a\n1.03\t0\tface\tn/a\n"
    events = table(content, debounce=[{"seconds": 0.05, "by": "value"}])
    assert len(events.table) == 4
    assert events.losses == ()


def test_delay_is_applied_once_and_recorded(table: Read) -> None:
    events = table(ROWS, delay={"seconds": 0.034, "source": "photodiode"})
    assert events.table["onset"].tolist() == [1.034, 2.034, 3.034]
    reason = "delay of 0.034 s applied: photodiode"
    assert events.losses == (Loss("events", "event", "repaired", 3, reason),)


def test_delay_that_the_table_has_is_recorded_and_not_applied(table: Read) -> None:
    events = table(ROWS, delay={"seconds": 0.034, "source": "README", "in_table": True})
    assert events.table["onset"].tolist() == [1.0, 2.0, 3.0]
    reason = "the table has a delay of 0.034 s already: README"
    assert events.losses == (Loss("events", "event", "flagged", 3, reason),)


def test_duration_from_the_rule_where_the_table_has_none(table: Read) -> None:
    rules = [{"concept": "rest", "duration": 5}]
    events = table(ROWS.replace("2\t0\t", "2\tn/a\t"), rules=rules)
    assert events.table["duration"].tolist() == [0.0, 5.0, 0.0]


def test_duration_until_a_mark(table: Read) -> None:
    content = HEAD + "1\t0\tbeg\t1\n4\t0\tend\t2\n5\t0\tbeg\t1\n"
    rules = [
        {"where": {"trial_type": "beg"}, "concept": "rest", "until": {"trial_type": "end"}},
        {"where": {"trial_type": "end"}, "concept": "marker"},
    ]
    duration = table(content, rules=rules).table["duration"]
    assert duration.iloc[:2].tolist() == [3.0, 0.0]
    assert pd.isna(duration.iloc[2])


def test_attributes_are_json_and_values_are_mapped(table: Read) -> None:
    rules = [
        {
            "concept": "rest",
            "attributes": {
                "kind": {"column": "value", "values": {"1": "one", "2.0": 2}},
                "raw": {"column": "value"},
                "fixed": True,
            },
        }
    ]
    events = table(ROWS, rules=rules)
    assert [json.loads(text) for text in events.table["attributes"]] == [
        {"fixed": True, "kind": "one", "raw": "1.0"},
        {"fixed": True, "kind": 2, "raw": "2"},
        {"fixed": True, "kind": None, "raw": None},
    ]


def test_value_that_the_recipe_does_not_list(table: Read) -> None:
    rules = [
        {"concept": "rest", "attributes": {"kind": {"column": "value", "values": {"1": "one"}}}}
    ]
    with pytest.raises(DatasetError) as error:
        table(ROWS, rules=rules)
    assert error.value.where == f"{PATH}:3"
    assert error.value.problem == "column value has '2', which the recipe does not list."
    assert error.value.remedy == "add it to 'values'; listed are 1"


def test_value_and_trial_type_from_columns_of_other_names(table: Read) -> None:
    content = "onset\tduration\tstim\ttrigger\n1\t0\tface\t5\n"
    entry = {
        "value": "trigger",
        "trial_type": "stim",
        "rules": [{"concept": "rest", "hed": "Rest"}],
    }
    row = table(content, **entry).table.iloc[0]
    assert (row["value"], row["trial_type"], row["hed"]) == ("5", "face", "Rest")
