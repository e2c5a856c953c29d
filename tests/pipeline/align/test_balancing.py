"""Dropping pairs until the sides are alike in the mean, and telling what it cost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropair.pipeline.align import align_study
from neuropair.pipeline.align.balance import ks, smd
from neuropair.pipeline.align.balancing import balanced


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.floats(-0.5, 0.5), d=st.integers(1, 3))
def test_every_covariate_is_balanced_or_the_pool_is_kept_whole(seed, shift, d):
    rng = np.random.default_rng(seed)
    pool = np.repeat([3, 7], [150, 80])
    x = rng.normal(size=(230, d))
    y = x + rng.uniform(-0.5, 0.5, size=(230, d)) + np.r_[shift, np.zeros(d - 1)]
    found = balanced(x, y, pool, 0.1, 0.2)
    for name in (3, 7):
        mine = pool == name
        kept = mine & found.keep
        assert (mine & ~found.keep).sum() <= 0.2 * mine.sum()
        if name in found.refused:
            assert kept.sum() == mine.sum()
        else:
            assert max(smd(x[kept, c], y[kept, c]) for c in range(d)) < 0.1
        if max(smd(x[mine, c], y[mine, c]) for c in range(d)) < 0.1:
            assert kept.sum() == mine.sum()


def test_no_dropped_pair_could_have_stayed():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    y = x + rng.uniform(-0.3, 0.5, size=(200, 2))
    keep = balanced(x, y, np.zeros(200, dtype=int), 0.1, 0.5).keep
    assert 0 < (~keep).sum() < 60
    for pair in np.flatnonzero(~keep):
        again = keep.copy()
        again[pair] = True
        assert max(smd(x[again, c], y[again, c]) for c in range(2)) >= 0.1


def test_with_one_covariate_the_pairs_that_pull_hardest_go():
    x = np.linspace(0, 1, 100)[:, None]
    y = x.copy()
    y[:10] += 0.5
    keep = balanced(x, y, np.zeros(100, dtype=int), 0.1, 0.5).keep
    assert keep[10:].all()
    assert (~keep[:10]).any()


def test_sides_that_cannot_be_alike_are_kept_whole_and_told():
    x, y = np.zeros((10, 1)), np.ones((10, 1))
    found = balanced(x, y, np.full(10, 4), 0.1, 0.2)
    assert found.keep.all()
    assert found.refused == {4: (2, 10)}


def test_unknown_values_do_not_count():
    x = np.array([[1.0], [2.0], [np.nan], [4.0]])
    y = np.array([[1.0], [np.nan], [3.0], [4.0]])
    assert balanced(x, y, np.zeros(4, dtype=int), 5.0, 0.2).keep.all()


def test_ks_is_the_largest_difference_of_the_distributions():
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=50), rng.normal(0.5, 1, size=70)
    assert ks(np.r_[a, np.nan], b) == pytest.approx(ks_2samp(a, b).statistic)
    assert np.isnan(ks(np.array([]), b))


def test_what_balancing_drops_is_counted_with_its_reason(make):
    rng = np.random.default_rng(3)
    n = 120
    names = ("p_meg", "p_eeg")
    position = (rng.normal(0, 1, n), rng.normal(0.2, 1, n))
    recordings = pd.DataFrame([make.recording(name) for name in names])
    events = pd.concat(
        make.events(name, 2.0 * np.arange(n), "rest", run_position=values)
        for name, values in zip(names, position, strict=True)
    )
    pairing = {"tier": "T3", "covariates": ["run_position"]}
    found = align_study(make.study(pairing), recordings, events)
    row = found.balance.set_index("pool").loc["p"]
    assert row["smd_before"] > 0.1 > row["smd_after"]
    assert row["n_pairs"] == len(found.pairs)
    assert row["dropped_fraction"] == pytest.approx(1 - len(found.pairs) / n)
    assert found.balance["pool"].tolist() == ["p", "pooled"]
    dropped = found.losses[found.losses["reason"].str.contains("alike in the mean")]
    assert dropped["recording"].tolist() == ["ds/sub-p/p_meg", "ds/sub-p/p_eeg"]
    assert dropped["count"].nunique() == 1
    whole = align_study(make.study(pairing | {"max_smd": None}), recordings, events)
    assert len(whole.pairs) == len(found.pairs) + dropped["count"].iloc[0]


def test_a_caliper_that_costs_many_pairs_is_told(make):
    recordings = pd.DataFrame([make.recording(name) for name in ("p_meg", "p_eeg")])
    position = (np.r_[np.linspace(0, 1, 10), np.full(10, 9.0)], np.linspace(0, 1, 20))
    events = pd.concat(
        make.events(name, 2.0 * np.arange(20), "rest", run_position=values)
        for name, values in zip(("p_meg", "p_eeg"), position, strict=True)
    )
    study = make.study({"tier": "T3", "covariates": ["run_position"], "caliper": 0.1})
    found = align_study(study, recordings, events)
    told = found.losses[found.losses["action"] == "flagged"]["reason"].tolist()
    assert any("caliper and balance leave out 10 of 20 pairs possible" in text for text in told)
