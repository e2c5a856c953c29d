from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropair.catalog.splits import assign_splits, keep_splits
from neuropair.schemas.errors import CorpusError
from neuropair.schemas.study import Splits


def _tables(persons: list[int], stimuli: list[list[int | None]]) -> tuple[pd.DataFrame, ...]:
    names = [f"d/{i}" for i in range(len(persons))]
    recordings = pd.DataFrame(
        {
            "recording": names,
            "dataset": "d",
            "modality": ["eeg" if i % 2 else "fmri" for i in range(len(names))],
            "person": [f"p{p}" for p in persons],
        }
    )
    rows = [
        (name, None if s is None else f"s{s}")
        for name, shown in zip(names, stimuli, strict=True)
        for s in shown
    ]
    return recordings, pd.DataFrame(rows, columns=["recording", "stimulus"])


studies = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.lists(st.one_of(st.none(), st.integers(0, 30)), max_size=4),
    ),
    min_size=1,
    max_size=25,
).map(lambda rows: _tables([p for p, _ in rows], [s for _, s in rows]))


@given(studies, st.integers(0, 5))
@settings(deadline=None, max_examples=80)
def test_nothing_that_is_shared_crosses_a_split(
    tables: tuple[pd.DataFrame, pd.DataFrame], seed: int
) -> None:
    recordings, windows = tables
    result = assign_splits(recordings, windows, Splits(seed=seed))
    assert not result.duplicated(["kind", "key"]).any()
    split = result.set_index(["kind", "key"])["split"]
    component = result.set_index(["kind", "key"])["component"]
    for row in recordings.itertuples():
        assert split["recording", row.recording] == split["person", row.person]
        assert component["recording", row.recording] == component["person", row.person]
    for row in windows.dropna().itertuples():
        assert split["recording", row.recording] == split["stimulus", row.stimulus]
    assert set(result["kind"]) <= {"person", "recording", "stimulus"}
    assert result.groupby("component")["split"].nunique().eq(1).all()


@given(studies, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=40)
def test_the_order_of_the_rows_does_not_matter(
    tables: tuple[pd.DataFrame, pd.DataFrame], random: np.random.Generator
) -> None:
    recordings, windows = tables
    expected = assign_splits(recordings, windows, Splits())
    seed = random.randint(0, 1000)
    shuffled = assign_splits(
        recordings.sample(frac=1, random_state=seed),
        windows.sample(frac=1, random_state=seed),
        Splits(),
    )
    pd.testing.assert_frame_equal(expected, shuffled)


def test_shares_are_approached_where_there_are_many_components() -> None:
    generator = np.random.default_rng(0)
    sizes = generator.integers(5, 40, size=200)
    recordings, windows = _tables(list(range(200)), [[None] * int(n) for n in sizes])
    result = assign_splits(recordings, windows, Splits(train=0.7, validation=0.2, test=0.1))
    split = result[result["kind"] == "recording"].set_index("key")["split"]
    for modality in ("eeg", "fmri"):
        chosen = recordings[recordings["modality"] == modality]["recording"]
        counts = windows[windows["recording"].isin(chosen)]["recording"].map(split)
        shares = counts.value_counts(normalize=True)
        assert shares["train"] == pytest.approx(0.7, abs=0.02)
        assert shares["validation"] == pytest.approx(0.2, abs=0.02)
        assert shares["test"] == pytest.approx(0.1, abs=0.02)


def test_each_split_gets_a_component_as_soon_as_there_are_enough() -> None:
    recordings, windows = _tables([0, 0, 1, 1, 2, 2], [[None] * 4] * 6)
    result = assign_splits(recordings, windows, Splits())
    persons = result[result["kind"] == "person"]["split"]
    assert sorted(persons) == ["test", "train", "validation"]


def test_a_stratum_with_too_few_components_goes_to_train() -> None:
    recordings, windows = _tables([0, 0, 1, 1], [[None]] * 4)
    assert set(assign_splits(recordings, windows, Splits())["split"]) == {"train"}
    two_ways = assign_splits(recordings, windows, Splits(train=0.5, validation=0, test=0.5))
    assert set(two_ways["split"]) == {"train", "test"}


def test_a_person_without_windows_takes_no_split_from_the_others() -> None:
    recordings, windows = _tables([0, 2, 4, 6], [[], [None], [None], [None]])
    recordings["modality"] = "eeg"
    result = assign_splits(recordings, windows, Splits()).set_index(["kind", "key"])["split"]
    assert result["person", "p0"] == "train"
    assert {result["person", f"p{p}"] for p in (2, 4, 6)} == {"train", "validation", "test"}


def test_the_seed_decides_between_equal_components() -> None:
    recordings, windows = _tables(list(range(20)), [[None]] * 20)
    recordings["modality"] = "eeg"
    splits = [tuple(assign_splits(recordings, windows, Splits(seed=s))["split"]) for s in range(4)]
    assert len(set(splits)) > 1


def test_links_keep_recordings_together() -> None:
    recordings, windows = _tables(list(range(20)), [[None]] * 20)
    links = [(f"d/{i}", f"d/{i + 10}") for i in range(10)]
    result = assign_splits(recordings, windows, Splits(), links).set_index(["kind", "key"])["split"]
    assert all(result["recording", a] == result["recording", b] for a, b in links)


def test_a_window_of_an_unknown_recording_is_an_error() -> None:
    recordings, windows = _tables([0], [[None]])
    windows.loc[0, "recording"] = "d/other"
    with pytest.raises(CorpusError, match="d/other"):
        assign_splits(recordings, windows, Splits())


def test_empty_tables_give_an_empty_table() -> None:
    recordings, windows = _tables([], [])
    assert assign_splits(recordings, windows, Splits()).empty


def test_who_is_left_after_a_removal_keeps_the_split() -> None:
    people = [f"p{i}" for i in range(6)]
    recordings = pd.DataFrame(
        {
            "recording": [f"r-{p}" for p in people],
            "dataset": "d",
            "modality": "eeg",
            "person": people,
        }
    )
    windows = pd.DataFrame({"recording": recordings["recording"], "stimulus": None})
    before = assign_splits(recordings, windows, Splits())
    had = before.set_index(["kind", "key"])["split"]
    assert set(had) == {"train", "validation", "test"}
    for gone in people:
        left = recordings[recordings["person"] != gone]
        shown = windows[windows["recording"].isin(left["recording"])]
        fresh = assign_splits(left.iloc[:2], shown.iloc[:2], Splits())
        assert set(fresh["split"]) == {"train"}
        kept = keep_splits(fresh, before).set_index(["kind", "key"])["split"]
        assert kept.to_dict() == had.loc[kept.index].to_dict()


def test_a_component_that_was_on_two_sides_or_is_new_is_split_afresh() -> None:
    assigned = pd.DataFrame(
        {
            "kind": ["person", "person", "person", "stimulus"],
            "key": ["a", "b", "new", "s"],
            "component": ["one", "one", "two", "two"],
            "split": ["train", "train", "validation", "validation"],
        }
    )
    before = pd.DataFrame(
        {"kind": ["person", "person", "stimulus"], "key": ["a", "b", "s"]}
    ).assign(split=["test", "train", "test"])
    kept = keep_splits(assigned, before)
    assert kept["split"].tolist() == assigned["split"].tolist()
