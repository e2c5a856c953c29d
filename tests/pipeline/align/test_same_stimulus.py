from __future__ import annotations

import pandas as pd
import pytest

from neuropair.pipeline.align import align_study

T2 = {"tier": "T2"}


def _tables(make, left, right, persons=("p", "p"), **columns):
    names = (f"{persons[0]}_meg", f"{persons[1]}_eeg")
    recordings = pd.DataFrame([make.recording(name) for name in names])
    events = [
        make.events(
            name,
            [2.0 * k for k in range(len(keys))],
            **{"stimulus": keys, "stimulus_name": keys, "identity": "content"}
            | {k: v[side] for k, v in columns.items()},
        )
        for side, (name, keys) in enumerate(zip(names, (left, right), strict=True))
    ]
    return recordings, pd.concat(events)


def test_equal_keys_pair_and_the_rest_is_counted(make):
    recordings, events = _tables(make, ["x", "y", "z"], ["z", "x", None])
    found = align_study(make.study(T2), recordings, events)
    assert found.pairs[["window_a", "window_b", "stimulus"]].to_numpy().tolist() == [
        [0, 1, "x"],
        [2, 0, "z"],
    ]
    assert found.pairs["evidence"].eq("content").all()
    assert sorted(zip(found.losses["recording"], found.losses["reason"], strict=True)) == [
        ("ds/sub-p/p_eeg", "rule-0: has no key to match by"),
        ("ds/sub-p/p_meg", "rule-0: the other side has no event of its key"),
    ]


def test_the_repetition_nearest_in_covariates_is_chosen(make):
    recordings, events = _tables(
        make,
        ["x", "o", "o", "x"],
        ["x", "q", "q", "x"],
        run_position=([0.0, 0.3, 0.6, 1.0], [1.0, 0.5, 0.4, 0.1]),
    )
    study = make.study(T2 | {"covariates": ["run_position"]})
    pairs = align_study(study, recordings, events).pairs
    assert pairs[["window_a", "window_b"]].to_numpy().tolist() == [[0, 3], [3, 0]]
    assert pairs["n_alternatives"].tolist() == [1, 1]


def test_repetition_classes_are_exact_where_both_are_known(make):
    classes = (["first", "delayed", None], ["delayed", "first", "first"])
    recordings, events = _tables(make, ["x"] * 3, ["x"] * 3, repetition_class=classes)
    pairs = align_study(make.study(T2), recordings, events).pairs
    assert len(pairs) == 3
    of = events.set_index(["recording", "event"])["repetition_class"]
    for row in pairs.itertuples():
        a, b = of[row.recording_a, row.window_a], of[row.recording_b, row.window_b]
        assert a == b or pd.isna(a)


def test_weaker_identity_is_the_evidence(make):
    recordings, events = _tables(make, ["x"], ["x"], identity=("content", "name"))
    pairs = align_study(make.study(T2), recordings, events).pairs
    assert pairs["evidence"].tolist() == ["name"]


def test_seen_and_imagined_are_two_events(make):
    concepts = ("perception/visual/object", "imagery/visual")
    recordings, events = _tables(make, ["x"], ["x"], concept=concepts)
    found = align_study(make.study(T2), recordings, events)
    assert found.pairs.empty
    assert found.abstentions["reason"].iloc[0].startswith("no-common-concept: 1 stimuli")


def test_no_name_in_common_is_told_apart_from_no_evidence(make):
    recordings, events = _tables(make, ["x", "y"], ["u", "v"])
    reason = align_study(make.study(T2), recordings, events).abstentions["reason"].iloc[0]
    assert reason.startswith("no-common-stimulus: 2 and 2 evidenced stimuli")
    recordings, events = _tables(make, [None], [None], stimulus_name=("a/x.bmp", "b\\x.bmp"))
    reason = align_study(make.study(T2), recordings, events).abstentions["reason"].iloc[0]
    assert reason.startswith("no-evidenced-stimulus: 1 names are common, 0 have equal content: x.b")


def test_other_persons_at_another_pace_are_refused(make):
    recordings, events = _tables(make, ["x", "y", "z"], ["x", "y", "z"], persons=("p", "q"))
    slow = events["recording"].str.endswith("eeg")
    events["concept"] = "perception/visual"
    events.loc[slow, "onset"] *= 6
    study = make.study({"tier": "T4"})
    found = align_study(study, recordings, events)
    assert found.pairs.empty
    assert found.abstentions["reason"].iloc[0] == (
        "soa-ratio: median stimulus intervals of 2.00 s and 12.00 s, ratio 6.0 above 5"
    )
    wide = make.study({"tier": "T4", "max_soa_ratio": 7})
    pairs = align_study(wide, recordings, events).pairs
    assert pairs["soa_ratio"].tolist() == pytest.approx([6.0] * 3)


@pytest.mark.real
def test_ds000117_has_no_stimulus_pair_where_names_give_432_a_person(make, faces):
    """science.md section 1: every pair by basename would be false."""
    recordings, events = faces
    study = make.study(T2 | {"b": {"modality": "fmri"}})
    found = align_study(study, recordings, events)
    assert found.pairs.empty
    assert len(found.abstentions) == 6 * 6 * 9
    assert found.abstentions["reason"].str.startswith("no-evidenced-stimulus: ").all()
    assert found.abstentions["reason"].str.contains(", 0 have equal content: ").all()
    names = events["stimulus_name"].str.split("/").str[-1]
    person = events["recording"].str[7:9]
    for one in sorted(person.unique()):
        sides = [
            set(names[(person == one) & events["recording"].str.endswith(modality)])
            for modality in ("meg", "fmri")
        ]
        assert len(sides[0] & sides[1]) == 432
