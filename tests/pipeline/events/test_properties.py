"""What holds for every table and every recipe."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuropair.pipeline.events
from neuropair.pipeline.events.canonical import draft_events, first_of_bounces
from neuropair.pipeline.events.identity import normalise
from neuropair.pipeline.events.tables import RawTable
from neuropair.pipeline.types import Recording
from neuropair.schemas.kinds import Modality
from neuropair.schemas.recipe import EventsRecipe, Stimulus

RECORDING = Recording("ds", Modality.EEG, "01", None, "t", None, "1", PurePosixPath("a.edf"))
KINDS = ("face", "house", "resp")
RULES = [{"concept": "rest"}]

rows = st.lists(
    st.tuples(st.integers(0, 4000), st.sampled_from(KINDS)),
    unique_by=lambda row: row[0],
    max_size=40,
)
names = st.text(st.sampled_from("abAB/\\._ 01pngbmp"), max_size=20)
spellings = st.builds(
    Stimulus,
    column=st.just("c"),
    identity=st.just("none"),
    strip_prefix=st.lists(st.text(st.sampled_from("abp/"), max_size=3), max_size=3),
    basename=st.booleans(),
    lower=st.booleans(),
    strip_extension=st.booleans(),
)


def _draft(table: list[tuple[int, str]], **entry: object) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "onset": [f"{at / 100:.2f}" for at, _ in table],
            "duration": ["0"] * len(table),
            "trial_type": [kind for _, kind in table],
        },
        index=pd.RangeIndex(2, len(table) + 2, name="line"),
        dtype=object,
    )
    recipe = EventsRecipe.model_validate({"rules": RULES} | entry)
    raw = RawTable("t.tsv", frame)
    return draft_events(raw, recipe, RECORDING, where="r").table.drop(columns="source_row")


@settings(deadline=None)
@given(rows, st.integers(1, 200))
def test_debouncing_twice_is_debouncing_once(table: list[tuple[int, str]], limit: int) -> None:
    table = sorted(table)
    at = np.array([at / 100 for at, _ in table])
    keys = np.array([KINDS.index(kind) for _, kind in table], dtype=np.int64)
    kept = first_of_bounces(at, keys, limit / 100)
    assert first_of_bounces(at[kept], keys[kept], limit / 100).all()
    for key in range(len(KINDS)):
        mine = at[kept & (keys == key)]
        assert (np.diff(mine) >= limit / 100 - 1e-9).all()
        assert (keys == key).any() == (len(mine) > 0)


@settings(deadline=None)
@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(table: list[tuple[int, str]], random: object) -> None:
    entry = {"debounce": [{"seconds": 0.5, "by": "trial_type"}]}
    shuffled = list(table)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    pd.testing.assert_frame_equal(_draft(table, **entry), _draft(shuffled, **entry))


@settings(deadline=None)
@given(rows, st.floats(-5, 5))
def test_a_delay_shifts_every_onset_by_the_same(table: list[tuple[int, str]], by: float) -> None:
    plain = _draft(table)
    late = _draft(table, delay={"seconds": by, "source": "a test"})
    assert np.array_equal(late["onset"], plain["onset"] + by)
    columns = [name for name in plain.columns if name != "onset"]
    pd.testing.assert_frame_equal(late[columns], plain[columns])


@settings(deadline=None)
@given(names, spellings)
def test_normalising_twice_is_normalising_once(name: str, how: Stimulus) -> None:
    once = normalise(name, how)
    assert normalise(once, how) == once


@settings(deadline=None)
@given(names)
def test_no_rules_of_spelling_change_slashes_only(name: str) -> None:
    how = Stimulus(column="c", identity="none")
    assert normalise(name, how).endswith(name.replace("\\", "/").lstrip("./"))


@settings(deadline=None)
@given(names, spellings)
def test_slashes_and_backslashes_are_one(name: str, how: Stimulus) -> None:
    assert normalise(name, how) == normalise(name.replace("\\", "/"), how)


@settings(deadline=None)
@given(names, spellings)
def test_lower_case_forgets_case_alone(name: str, how: Stimulus) -> None:
    lower = how.model_copy(update={"lower": True, "strip_prefix": []})
    assert normalise(name, lower) == normalise(name.swapcase(), lower)


@settings(deadline=None)
@given(names, spellings)
def test_a_normal_spelling_is_the_end_of_the_name_or_less(name: str, how: Stimulus) -> None:
    found = normalise(name, how)
    assert found.lower() in name.replace("\\", "/").lower()


MODULES = sorted(m.name for m in pkgutil.iter_modules(neuropair.pipeline.events.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name: str) -> None:
    module = importlib.import_module(f"neuropair.pipeline.events.{name}")
    assert doctest.testmod(module).failed == 0
