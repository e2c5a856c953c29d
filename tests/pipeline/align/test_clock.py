from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchmarks.clock import SCENARIOS, run
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropair.pipeline.align import Abstention, Clock, align_clocks
from neuropair.pipeline.align.simulated import Damage, trains

SEEDS = 10


def _table(folder: Path) -> pd.DataFrame:
    (path,) = folder.glob("*_events.tsv")
    return pd.read_csv(path, sep="\t")


@pytest.mark.parametrize(
    ("name", "precision", "recall"),
    [("10/10 %", 0.995, 0.985), ("30/30 %", 0.98, 0.93), ("10/10 %, quantised", 0.99, 0.985)],
)
def test_reaches_the_figures_that_the_benchmark_prints(name, precision, recall):
    score = run(name, range(SEEDS))
    assert score.accepted == SEEDS
    assert score.wrong == 0
    assert score.split == 0
    assert score.precision >= precision
    assert score.recall >= recall
    assert 0.85 <= score.covered <= 1


@pytest.mark.parametrize("name", [n for n, scenario in SCENARIOS.items() if not scenario.can])
def test_what_triggers_cannot_align_abstains(name):
    assert run(name, range(SEEDS)).accepted == 0


@pytest.mark.parametrize("damage", [0.0, 0.1])
def test_a_fixed_interval_without_codes_abstains(damage):
    given = Damage(interval="fixed", n_codes=1, missing=damage, spurious=damage, duplicated=0, n=60)
    for seed in range(SEEDS):
        drawn = trains(np.random.default_rng(seed), given)
        found = align_clocks(drawn.times_a, drawn.codes_a, drawn.times_b, drawn.codes_b, q=0.001)
        assert isinstance(found, Abstention)
        assert found.code in ("ambiguous", "low-coverage", "chance")


@pytest.mark.parametrize(
    ("times_a", "times_b", "code"),
    [
        ([], [], "no-shared-triggers"),
        ([], [1, 2, 3], "no-shared-triggers"),
        ([5.0], [9.0], "too-few-triggers"),
        ([7.0] * 40, [3.0] * 40, "too-few-triggers"),
        ([1, 2.2, 3.1, 4.6], [11, 12.2, 13.1, 14.6], "too-few-triggers"),
    ],
)
def test_too_little_abstains(times_a, times_b, code):
    found = align_clocks(times_a, ["x"] * len(times_a), times_b, ["x"] * len(times_b), q=0.01)
    assert isinstance(found, Abstention)
    assert found.code == code
    assert found.remedy


def test_codes_that_are_not_common_abstain_with_the_numbers():
    times = np.cumsum(np.random.default_rng(0).uniform(1, 2, 30))
    found = align_clocks(times, ["a"] * 30, times, ["b"] * 30, q=0.01)
    assert isinstance(found, Abstention)
    assert found.reason.startswith("no-shared-triggers: 30 and 30 triggers of 1 and 1 codes")


def test_triggers_without_a_code_take_no_part():
    times = np.cumsum(np.random.default_rng(0).uniform(1, 3, 40))
    codes = np.array(["x"] * 40, dtype=object)
    codes[::4] = None
    clock = align_clocks(times, codes, times + 5, codes, q=0.001)
    assert isinstance(clock, Clock)
    assert not set(clock.matched[:, 0]) & set(range(0, 40, 4))


def test_bounces_are_set_aside_and_counted():
    times = np.cumsum(np.random.default_rng(1).uniform(1, 3, 50))
    bounced = np.sort(np.concatenate([times, times[:20] + 0.02, times[:20] + 0.06]))
    clock = align_clocks(times, [1] * 50, bounced + 3, [1] * 90, q=0.001)
    assert isinstance(clock, Clock)
    assert clock.debounced == (0, 20)
    assert clock.n_matched == 50


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), order=st.integers(0, 10_000), shift=st.floats(-1e4, 1e4))
def test_neither_order_nor_zero_of_the_clocks_matters(seed, order, shift):
    drawn = trains(np.random.default_rng(seed), Damage(n=40, jitter=0.003, drift_ppm=100))
    clock = align_clocks(drawn.times_a, drawn.codes_a, drawn.times_b, drawn.codes_b, q=0.001)
    rng = np.random.default_rng(order)
    p, r = rng.permutation(drawn.times_a.size), rng.permutation(drawn.times_b.size)
    other = align_clocks(
        drawn.times_a[p], drawn.codes_a[p], drawn.times_b[r] + shift, drawn.codes_b[r], q=0.001
    )
    assert isinstance(clock, Clock)
    assert isinstance(other, Clock)
    same = np.column_stack([p[other.matched[:, 0]], r[other.matched[:, 1]]])
    assert np.mean((same == clock.matched[: len(same)]).all(axis=1)) > 0.9
    assert abs(other.to_b(50.0) - shift - clock.to_b(50.0)) < 2e-3


def test_a_clock_goes_both_ways_and_is_surest_in_the_middle():
    drawn = trains(np.random.default_rng(3), Damage())
    clock = align_clocks(drawn.times_a, drawn.codes_a, drawn.times_b, drawn.codes_b, q=0.001)
    assert isinstance(clock, Clock)
    t = np.linspace(0, 600, 20)
    np.testing.assert_allclose(clock.to_a(clock.to_b(t)), t, atol=1e-9)
    assert clock.offset == pytest.approx(float(clock.to_b(0.0)))
    assert clock.half_width(clock.centre) < clock.half_width(clock.centre + 300)
    assert clock.drift_ppm == pytest.approx((drawn.slope - 1) * 1e6, abs=20)


def test_many_triggers_without_codes_take_a_second():
    drawn = trains(np.random.default_rng(0), Damage(n=20_000, n_codes=1, drift_ppm=100))
    clock = align_clocks(drawn.times_a, drawn.codes_a, drawn.times_b, drawn.codes_b, q=0.001)
    assert isinstance(clock, Clock)
    truth_a, truth_b = drawn.truth_a[clock.matched[:, 0]], drawn.truth_b[clock.matched[:, 1]]
    assert ((truth_a == truth_b) & (truth_a >= 0)).mean() > 0.992


@pytest.mark.real
@pytest.mark.parametrize("subject", range(1, 7))
def test_ds004514_aligns_at_the_physical_limit(real_data, subject):
    """EEG and fNIRS on two clocks: science.md section 3, the last paragraph."""
    folder = real_data / "events" / "ds004514" / f"sub-{subject:02d}"
    a, b = _table(folder / "eeg"), _table(folder / "nirs")
    (sidecar,) = (folder / "nirs").glob("*_nirs.json")
    q = 1 / json.loads(sidecar.read_text())["SamplingFrequency"]
    clock = align_clocks(a["onset"], a["value"], b["onset"], b["value"], q=q)
    assert isinstance(clock, Clock)
    assert clock.n_matched == len(a) == len(b) == 2219
    assert (clock.matched[:, 0] == clock.matched[:, 1]).all()
    assert 12.4 <= clock.drift_ppm <= 15.5
    assert 0.0366 <= clock.residual_sd <= 0.0371
    assert 0.9 <= clock.residual_sd / (q / np.sqrt(12)) <= 1.15
    assert clock.bias == q
