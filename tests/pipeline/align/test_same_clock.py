from __future__ import annotations

import numpy as np
import pandas as pd

from neuropair.pipeline.align import align_study


def _tables(make, onsets_a, onsets_b):
    recordings = pd.DataFrame(
        [make.recording("p_meg", source_file="f"), make.recording("p_eeg", source_file="f")]
    )
    events = [make.events("p_meg", onsets_a), make.events("p_eeg", onsets_b)]
    return recordings, pd.concat(events)


def _windows(events, step, n):
    event = events[["recording", "event", "onset"]].assign(kind="event", quality=1.0)
    event["window"] = event["event"]
    sliding = []
    for name, rows in events.groupby("recording"):
        onset = step * np.arange(n)
        table = pd.DataFrame({"onset": onset, "window": len(rows) + np.arange(n)})
        sliding.append(table.assign(recording=name, kind="sliding", event=pd.NA, quality=0.5))
    return pd.concat([event, *sliding])


def test_events_of_one_file_pair_by_number(make):
    recordings, events = _tables(make, [1, 2, 3], [1, 2, 3])
    pairs = align_study(make.study({"tier": "T0"}), recordings, events).pairs
    assert pairs["window_a"].tolist() == pairs["window_b"].tolist() == [0, 1, 2]
    assert pairs["evidence"].eq("sample").all()
    assert pairs["time_difference"].eq(0).all()
    assert pairs["confidence"].min() > 0.999


def test_an_event_at_another_onset_is_counted_and_not_paired(make):
    recordings, events = _tables(make, [1, 2, 3], [1, 2.001, 3])
    found = align_study(make.study({"tier": "T0"}), recordings, events)
    assert found.pairs["window_a"].tolist() == [0, 2]
    assert found.losses["count"].tolist() == [1, 1]


def test_onsets_that_all_differ_abstain(make):
    recordings, events = _tables(make, [1, 2, 3], [1.5, 2.5, 3.5])
    found = align_study(make.study({"tier": "T0"}), recordings, events)
    assert found.pairs.empty
    assert found.abstentions["reason"].iloc[0].startswith("onsets-differ: ")


def test_sliding_windows_pair_by_index_whatever_concepts_are_selected(make):
    recordings, events = _tables(make, [1, 2, 3], [1, 2, 3])
    windows = _windows(events, 2.0, 5)
    pairs = align_study(make.study({"tier": "T0"}), recordings, events, windows).pairs
    assert pairs["concept"].tolist() == ["marker"] * 3 + ["sliding"] * 5
    assert (pairs["window_a"] == pairs["window_b"]).all()
    only = {"tier": "T0", "a": {"modality": "meg", "concept": ["rest"]}}
    assert len(align_study(make.study(only), recordings, events, windows).pairs) == 5


def test_side_selects_by_concept(make):
    recordings, events = _tables(make, [1, 2, 3], [1, 2, 3])
    events["concept"] = ["motor/tapping/left", "rest", "motor/tapping"] * 2
    only = {"tier": "T0", "a": {"modality": "meg", "concept": ["motor"]}}
    pairs = align_study(make.study(only), recordings, events).pairs
    assert pairs["window_a"].tolist() == [0, 2]
