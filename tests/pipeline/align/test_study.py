"""What holds for every tier: one answer for every candidate, whatever the order of the rows."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropair.pipeline.align import align_study
from neuropair.pipeline.align.run import MODULES, matcher
from neuropair.schemas.errors import NeuropairError
from neuropair.schemas.kinds import Tier
from neuropair.schemas.tables import conform

CONCEPTS = ["perception/visual/face", "perception/visual/house", "motor/tapping"]


def _corpus(make, seed):
    rng = np.random.default_rng(seed)
    rows, tables = [], []
    for person, modality, run in product(range(3), ("meg", "eeg", "fmri"), range(2)):
        if rng.random() < 0.2:
            continue
        name = f"{person}_{run}_{modality}"
        one_file = modality in ("meg", "eeg")
        rows.append(
            make.recording(
                name,
                run=str(run),
                split=["train", "train", "test"][person],
                status="failed" if rng.random() < 0.1 else "ok",
                source_file=f"{person}_{run}" if one_file else name,
                sfreq_source=[1000.0, 10.0][modality == "fmri"],
            )
        )
        n = int(rng.integers(0, 12))
        onsets = np.cumsum(rng.uniform(1, 4, n))
        if rng.random() < 0.7:
            onsets = np.cumsum(np.random.default_rng(person).uniform(1, 4, 12))[:n] + 3 * one_file
        keys = [f"k{k}" if k < 6 else None for k in rng.integers(0, 9, n)]
        tables.append(
            make.events(
                name,
                onsets,
                rng.choice(CONCEPTS, n),
                value=[str(k) for k in range(n)],
                stimulus=keys,
                stimulus_name=keys,
                identity=[["content", "none"][k is None] for k in keys],
                repetition_class=rng.choice(np.array(["first", "delayed", None]), n),
                response_time=np.where(rng.random(n) < 0.3, np.nan, rng.random(n)),
            )
        )
    columns = [*make.recording("0_eeg")]
    recordings = pd.DataFrame(rows, columns=columns)
    return recordings, pd.concat(tables) if tables else make.events("0_eeg", [])


def _study(make, uses_b):
    return make.study(
        {"tier": "T0"},
        {"tier": "T1", "b": {"modality": "fmri"}, "together": ["subject", "run"]},
        {"tier": "T2", "b": {"modality": "fmri"}, "uses_b": uses_b},
        {"tier": "T3", "b": {"modality": "fmri"}, "caliper": 1.0, "uses_b": uses_b},
        {"tier": "T4", "b": {"modality": "fmri"}, "max_soa_ratio": 1.3},
        {
            "tier": "T5",
            "b": {"modality": "fmri"},
            "covariates": ["response_time"],
            "exact": ["repetition_class"],
        },
        {"tier": "T5", "a": {"modality": "eeg"}, "covariates": []},
    )


def _windows(events, seed):
    rng = np.random.default_rng(seed)
    windows = events[["recording", "event", "onset", "concept"]].copy()
    windows["window"], windows["kind"] = windows["event"] + 2, "event"
    windows["quality"] = rng.random(len(windows))
    return windows


def _candidates(pairing, recordings):
    rows = recordings.to_dict("records")
    for a, b in product(rows, rows):
        if a["recording"] == b["recording"]:
            continue
        if (a["modality"], b["modality"]) != (pairing.a.modality, pairing.b.modality):
            continue
        if a["modality"] == b["modality"] and a["recording"] > b["recording"]:
            continue
        person, file = a["person"] == b["person"], a["source_file"] == b["source_file"]
        fits = {
            "T0": file,
            "T1": person and not file and a["run"] == b["run"],
            "T2": person and not file,
            "T3": person and not file,
            "T4": not person,
            "T5": not person,
        }[pairing.tier]
        if fits:
            yield a, b


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), order=st.integers(0, 10_000), uses_b=st.sampled_from([1, 3]))
def test_every_candidate_is_paired_or_abstained(make, seed, order, uses_b):
    recordings, events = _corpus(make, seed)
    study = _study(make, uses_b)
    windows = _windows(events, seed)
    found = align_study(study, recordings, events, windows)

    for pairing in study.pairings:
        candidates = {(a["recording"], b["recording"]) for a, b in _candidates(pairing, recordings)}
        pairs = found.pairs[found.pairs["rule"] == pairing.name]
        paired = set(zip(pairs["recording_a"], pairs["recording_b"], strict=True))
        rows = found.abstentions[found.abstentions["rule"] == pairing.name]
        abstained = list(zip(rows["recording_a"], rows["recording_b"], strict=True))
        assert len(abstained) == len(set(abstained))
        assert not paired & set(abstained)
        assert paired | set(abstained) == candidates

        split = recordings.set_index("recording")["split"]
        assert (pairs["recording_a"].map(split) == pairs["recording_b"].map(split)).all()
        same = (pairs["person_a"] == pairs["person_b"]).to_numpy()
        assert same.all() if pairing.tier.same_person else not same.any()
        assert not pairs.duplicated(["recording_a", "window_a"]).any() or pairing.tier in (
            "T0",
            "T1",
        )
        uses = pairs.groupby(["recording_b", "window_b"]).size()
        assert uses.empty or uses.max() <= getattr(pairing, "uses_b", 1)

    assert found.pairs["pair_id"].is_unique
    assert found.pairs["pair_id"].str.fullmatch("[0-9a-f]{20}").all()
    assert found.pairs["confidence"].between(0, 1, inclusive="neither").all()
    for table, rows in (
        ("pairs", found.pairs),
        ("abstentions", found.abstentions),
        ("losses", found.losses),
    ):
        assert conform(rows.assign(study="s"), table).num_rows == len(rows)

    rng = np.random.default_rng(order)
    again = align_study(
        study,
        recordings.iloc[rng.permutation(len(recordings))],
        events.iloc[rng.permutation(len(events))],
        windows.iloc[rng.permutation(len(windows))],
    )
    for name in ("pairs", "abstentions", "losses", "balance", "alternates", "negatives"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(again, name))


def test_every_tier_has_a_matcher():
    assert set(MODULES) == set(Tier)
    assert all(callable(matcher(tier)) for tier in Tier)


def test_windows_are_paired_by_their_own_number_and_worse_quality(make):
    recordings = pd.DataFrame([make.recording("p_meg"), make.recording("p_eeg")])
    events = pd.concat(
        [make.events(n, [1, 2, 3], stimulus=["x", "y", "z"]) for n in ("p_meg", "p_eeg")]
    )
    windows = _windows(events, 0).iloc[:-1]
    windows["quality"] = [0.5, 0.9, 1.0, 0.7, 0.2]
    found = align_study(make.study({"tier": "T2"}), recordings, events, windows)
    assert found.pairs["window_a"].tolist() == [2, 3]
    assert found.pairs["quality"].tolist() == [0.5, 0.2]
    assert found.losses["reason"].tolist() == [
        "the event has no window",
        "rule-0: the other side has no event of its key",
    ]
    alone = align_study(make.study({"tier": "T2"}), recordings, events)
    assert alone.pairs["window_a"].tolist() == [0, 1, 2]
    assert alone.pairs["quality"].isna().all()


def test_failed_recordings_and_other_splits_abstain(make):
    recordings = pd.DataFrame(
        [
            make.recording("p_meg"),
            make.recording("q_eeg", status="failed", reason="truncated"),
            make.recording("r_eeg", split="test"),
            make.recording("s_eeg", split=None),
            make.recording("u_eeg"),
        ]
    )
    names = ["p_meg", "r_eeg", "s_eeg"]
    events = pd.concat([make.events(n, [1, 2], stimulus=["x", "y"]) for n in names])
    found = align_study(make.study({"tier": "T4"}), recordings, events)
    assert found.pairs.empty
    assert found.abstentions["reason"].tolist() == [
        "recording failed: ds/sub-q/q_eeg: truncated",
        "other-split: train and test",
        "other-split: train and None",
        "no-events: ds/sub-u/u_eeg has none that pairing rule-0 selects",
    ]
    assert found.abstentions["remedy"].str.len().gt(0).all()


def test_a_pairing_that_names_nothing_is_told(make):
    recordings = pd.DataFrame([make.recording("p_meg"), make.recording("q_eeg")])
    events = make.events("p_meg", [1, 2])
    found = align_study(make.study({"tier": "T3"}), recordings, events)
    assert found.losses["reason"].tolist() == [
        "rule-0: no recording pair fits T3: 1 recordings of side a, 1 of side b"
    ]


def test_one_modality_on_both_sides_pairs_each_two_recordings_once(make):
    names = ["p_meg", "q_meg", "r_meg"]
    recordings = pd.DataFrame([make.recording(n) for n in names])
    events = pd.concat([make.events(n, [1, 2], stimulus=["x", "y"]) for n in names])
    study = make.study({"tier": "T4", "b": {"modality": "meg"}})
    found = align_study(study, recordings, events)
    assert (found.pairs["recording_a"] < found.pairs["recording_b"]).all()
    assert (
        len(found.pairs[["recording_a", "recording_b"]].drop_duplicates()) + len(found.abstentions)
        == 3
    )


def test_tables_that_cannot_be_are_refused(make):
    recordings = pd.DataFrame([make.recording("p_meg")])
    events = make.events("p_meg", [1, 2])
    study = make.study({"tier": "T0"})
    with pytest.raises(NeuropairError, match="split"):
        align_study(study, recordings.drop(columns="split"), events)
    with pytest.raises(NeuropairError, match="stands 2 times"):
        align_study(study, pd.concat([recordings, recordings]), events)
    windows = _windows(events, 0)
    windows["event"] += 7
    with pytest.raises(NeuropairError, match="event 7, which is not in table events"):
        align_study(study, recordings, events, windows)


def _pool(make, seed, n=25, other=0):
    """Two recordings of one person, with `other` more events of a concept of their own."""
    rng = np.random.default_rng(seed)
    names = ("p_meg", "p_eeg")
    tables = []
    for name in names:
        position = rng.normal(size=n)
        concept = ["face", "house"] * n
        tables.append(make.events(name, 2.0 * np.arange(n), concept[:n], run_position=position))
        more = make.events(name, 1000 + 2.0 * np.arange(other), "rest", event=n + np.arange(other))
        tables.append(more)
    return pd.DataFrame([make.recording(name) for name in names]), pd.concat(tables)


def _partners(found):
    columns = ["recording_a", "window_a", "recording_b", "window_b"]
    rows = found.pairs[found.pairs["concept"] != "rest"][columns].to_numpy().tolist()
    return {(tuple(row[:2]), tuple(row[2:])) for row in rows}


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000), caliper=st.floats(0.05, 2), uses_b=st.integers(1, 3))
def test_no_pair_is_outside_the_caliper_and_no_partner_used_too_often(make, seed, caliper, uses_b):
    recordings, events = _pool(make, seed)
    pairing = {"tier": "T3", "covariates": ["run_position"], "max_smd": None}
    study = make.study(pairing | {"caliper": caliper, "uses_b": uses_b})
    found = align_study(study, recordings, events)
    position = events.set_index(["recording", "event"])["run_position"]
    sd = {}
    for concept, rows in events.groupby("concept"):
        parts = [part["run_position"].var(ddof=1) for _, part in rows.groupby("recording")]
        sd[concept] = np.sqrt(np.mean(parts))
    for row in found.pairs.itertuples():
        a = position[row.recording_a, row.window_a]
        b = position[row.recording_b, row.window_b]
        assert abs(a - b) / sd[row.concept] <= caliper + 1e-9
        assert row.covariate_distance == pytest.approx(abs(a - b) / sd[row.concept])
    assert found.pairs["window_a"].is_unique
    assert found.pairs.groupby("window_b").size().max() <= uses_b or found.pairs.empty


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_swapping_the_sides_swaps_the_pairs(make, seed):
    recordings, events = _pool(make, seed)
    # along one line many assignments cost the same; in a plane the best is one
    events["response_time"] = np.random.default_rng(seed + 1).normal(size=len(events))
    covariates = ["run_position", "response_time"]
    pairing = {"tier": "T3", "covariates": covariates, "caliper": 2.0, "max_smd": None}
    there = align_study(make.study(pairing), recordings, events)
    swapped = {"a": {"modality": "eeg"}, "b": {"modality": "meg"}}
    back = align_study(make.study(pairing | swapped), recordings, events)
    distance = [found.pairs["covariate_distance"].sum() for found in (there, back)]
    assert distance[0] == pytest.approx(distance[1])
    assert len(there.pairs) == len(back.pairs)
    assert _partners(there) == {(b, a) for a, b in _partners(back)}


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000), other=st.integers(1, 20))
def test_events_of_another_block_change_nothing(make, seed, other):
    pairing = {"tier": "T3", "covariates": ["run_position"], "max_smd": None}
    without, among = (
        _partners(align_study(make.study(pairing), *_pool(make, seed, other=n))) for n in (0, other)
    )
    assert without == among
