from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropair.catalog.splits import assign_splits, keep_splits
from neuropair.schemas.errors import CorpusError, RecipeError
from neuropair.schemas.study import Splits, Study


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
            "policy": "both",
        }
    )
    before = pd.DataFrame(
        {"kind": ["person", "person", "stimulus"], "key": ["a", "b", "s"]}
    ).assign(split=["test", "train", "test"], policy="both")
    kept = keep_splits(assigned, before)
    assert kept["split"].tolist() == assigned["split"].tolist()


def test_by_policy_one_kind_may_cross_and_the_other_may_not() -> None:
    # four persons, each of whom saw stimulus 0 and one of two others
    recordings, windows = _tables([0, 1, 2, 3], [[0, 1], [0, 2], [0, 1], [0, 2]])
    recordings["modality"] = "eeg"
    halves = {"train": 0.5, "validation": 0.25, "test": 0.25}
    subjects = assign_splits(recordings, windows, Splits(policy="subject-disjoint", **halves))
    assert set(subjects["kind"]) == {"person", "recording"}
    assert subjects[subjects["kind"] == "person"]["split"].nunique() == 3
    both = assign_splits(recordings, windows, Splits(**halves))
    assert both["split"].nunique() == 1
    recordings["person"] = "one"
    windows = windows[windows["stimulus"] != "s0"]
    stimuli = assign_splits(
        recordings, windows, Splits(policy="stimulus-disjoint", train=0.5, validation=0, test=0.5)
    )
    assert set(stimuli["kind"]) == {"recording", "stimulus"}
    assert stimuli[stimuli["kind"] == "stimulus"]["split"].nunique() == 2
    assert set(stimuli["policy"]) == {"stimulus-disjoint"}


@pytest.mark.parametrize("policy", ["both", "subject-disjoint", "stimulus-disjoint"])
def test_recordings_of_one_sitting_stay_together_under_every_policy(policy: str) -> None:
    recordings, windows = _tables(list(range(24)), [[None]] * 24)
    recordings["source_file"] = [f"file-{i // 2}" for i in range(24)]
    result = assign_splits(recordings, windows, Splits.model_validate({"policy": policy}))
    split = result.set_index(["kind", "key"])["split"]
    assert all(
        split["recording", f"d/{i}"] == split["recording", f"d/{i + 1}"] for i in range(0, 24, 2)
    )
    by_session = recordings.drop(columns="source_file").assign(
        subject=[str(i // 2) for i in range(24)], session=None
    )
    again = assign_splits(by_session, windows, Splits.model_validate({"policy": policy}))
    pd.testing.assert_frame_equal(result, again)


def test_a_held_out_dataset_is_the_test_split_with_all_that_is_connected() -> None:
    recordings, windows = _tables(list(range(20)), [[None]] * 20)
    recordings["modality"] = "eeg"
    recordings["dataset"] = ["held" if i < 4 else "d" for i in range(20)]
    recordings.loc[4, "person"] = "p0"
    result = assign_splits(recordings, windows, Splits(hold_out=["held"]), [("d/5", "d/1")])
    split = result[result["kind"] == "recording"].set_index("key")["split"]
    assert set(split[[f"d/{i}" for i in range(6)]]) == {"test"}
    assert set(split[[f"d/{i}" for i in range(6, 20)]]) == {"train", "validation"}
    assert set(result["policy"]) == {"both; held out: held"}


@pytest.mark.parametrize(
    ("splits", "says"),
    [
        ({"hold_out": ["other"]}, "names datasets that the study has not"),
        ({"hold_out": ["d"]}, "nothing is left to train on"),
        ({"policy": "random"}, "policy"),
    ],
)
def test_splits_that_cannot_be_are_refused(splits: dict[str, object], says: str) -> None:
    content = {"study": "s", "title": "t", "datasets": [{"dataset": "d"}], "splits": splits}
    with pytest.raises(RecipeError, match=says):
        Study.parse(content, where="test")
