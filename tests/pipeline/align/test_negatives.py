"""Further partners and wrong partners of a pair: what each may be, and never is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropair.pipeline.align import align_study
from neuropair.pipeline.align.negatives import GRADES
from neuropair.schemas.tables import conform

CONCEPTS = ["perception/face", "perception/house", "rest"]


def corpus(make, seed, n=14):
    rng = np.random.default_rng(seed)
    rows, tables = [], []
    for person, run, modality in product("pqr", range(2), ("meg", "eeg")):
        name = f"{person}_{run}_{modality}"
        rows.append(make.recording(name, split="test" if person == "r" else "train"))
        keys = [f"k{k}" if k < 6 else None for k in rng.integers(0, 7, n)]
        tables.append(
            make.events(
                name,
                np.cumsum(rng.uniform(1, 4, n)),
                rng.choice(CONCEPTS, n),
                stimulus=keys,
                identity="content",
                repetition_class=rng.choice(np.array(["first", "delayed", None]), n),
            )
        )
    return pd.DataFrame(rows), pd.concat(tables)


def joined(found, events, recordings, table):
    """Rows of a table with its pair, and the events and recordings of a, b and the other."""
    rows = getattr(found, table).merge(found.pairs, on="pair_id", suffixes=("", "_own"))
    event = events.drop(columns="identity").rename(columns={"event": "window"})
    event = event.merge(recordings[["recording", "person", "split"]], on="recording")
    for side, recording, window in (
        ("a", "recording_a", "window_a"),
        ("own", "recording_b_own", "window_b_own"),
        ("other", "recording_b", "window_b"),
    ):
        named = event.add_prefix(f"{side}:")
        rows = rows.merge(
            named,
            left_on=[recording, window],
            right_on=[f"{side}:recording", f"{side}:window"],
            validate="many_to_one",
        )
    return rows


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000), tier=st.sampled_from(["T2", "T3", "T4", "T5"]))
def test_a_negative_is_never_an_admissible_partner(make, seed, tier):
    recordings, events = corpus(make, seed)
    pairing = {"tier": tier, "negatives": 2, "covariates": ["run_position"]}
    found = align_study(make.study(pairing), recordings, events)
    rows = joined(found, events, recordings, "negatives")
    assert len(rows) == len(found.negatives)
    assert (rows["a:split"] == rows["other:split"]).all()
    assert set(rows["kind"]) <= set(GRADES)
    assert (rows["kind"].map(GRADES) == rows["grade"]).all()
    assert rows.groupby(["pair_id", "kind"]).size().max() <= 2
    assert not rows.duplicated(["pair_id", "kind", "recording_b", "window_b"]).any()
    elsewhere = rows["kind"] == "same-stimulus"
    assert (rows["recording_b"] == rows["recording_b_own"])[~elsewhere].all()
    if tier in ("T3", "T5"):
        assert (rows["a:concept"] != rows["other:concept"])[~elsewhere].all()
        assert "same-condition" not in set(rows["kind"])
    else:
        assert (rows["a:stimulus"] != rows["other:stimulus"])[~elsewhere].all()
        same = rows[rows["kind"] == "same-condition"]
        assert (same["own:concept"] == same["other:concept"]).all()
        assert same["other:stimulus"].notna().all()
    if elsewhere.any():
        assert tier in ("T2", "T3")
        assert (rows["a:stimulus"] == rows["other:stimulus"])[elsewhere].all()
        assert (rows["a:person"] != rows["other:person"])[elsewhere].all()
    other = rows[rows["kind"] == "same-position"]
    assert (other["a:concept"] != other["other:concept"]).all()
    assert conform(found.negatives.assign(study="s"), "negatives").num_rows == len(rows)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000), tier=st.sampled_from(["T2", "T3", "T4", "T5"]))
def test_alternates_are_as_admissible_as_the_partner(make, seed, tier):
    recordings, events = corpus(make, seed)
    pairing = {"tier": tier, "alternates": 3, "covariates": ["run_position"], "caliper": 1.0}
    found = align_study(make.study(pairing), recordings, events)
    rows = joined(found, events, recordings, "alternates")
    assert len(rows) == len(found.alternates)
    key = "concept" if tier in ("T3", "T5") else "stimulus"
    assert (rows[f"a:{key}"] == rows[f"other:{key}"]).all()
    same = rows["a:person"] == rows["other:person"]
    assert same.all() if tier in ("T2", "T3") else not same.any()
    classes = rows[["a:repetition_class", "other:repetition_class"]]
    assert (classes.isna().any(axis=1) | (classes.nunique(axis=1) == 1)).all()
    own = (rows["recording_b"] == rows["recording_b_own"]) & (
        rows["window_b"] == rows["window_b_own"]
    )
    assert not own.any()
    assert (rows["distance"] <= 1.0).all()
    for _, mine in rows.groupby("pair_id"):
        assert mine["rank"].tolist() == list(range(1, len(mine) + 1))
        assert mine["distance"].is_monotonic_increasing
        assert mine["weight"].is_monotonic_decreasing
        assert 0 < mine["weight"].sum() < 1
    told = found.alternates.groupby("pair_id").size()
    wanted = found.pairs.set_index("pair_id")["n_alternatives"].clip(upper=3)
    assert (wanted[wanted > 0] == told.reindex(wanted[wanted > 0].index)).all()
    assert conform(found.alternates.assign(study="s"), "alternates").num_rows == len(rows)


@pytest.mark.parametrize("tier", ["T2", "T3"])
def test_none_are_told_where_the_study_wants_none(make, tier):
    recordings, events = corpus(make, 0)
    pairing = {"tier": tier, "alternates": 0, "negatives": 0}
    found = align_study(make.study(pairing), recordings, events)
    assert len(found.pairs)
    assert found.alternates.empty
    assert found.negatives.empty
