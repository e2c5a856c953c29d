from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropair.pipeline.align.confidence import UNKNOWN, confidence, fit, judged_by
from neuropair.pipeline.align.confidence.components import components_of
from neuropair.pipeline.align.confidence.corpora import ASSUMPTIONS, SOURCES, judged_pairs
from neuropair.pipeline.align.confidence.fit import (
    calibrate,
    fit_curve,
    fit_family,
    refit,
    write_calibration,
)
from neuropair.pipeline.align.confidence.reliability import expected_calibration_error, reliability
from neuropair.schemas.calibration import calibration, parse_calibration, read_calibration
from neuropair.schemas.errors import NeuropairError, RecipeError, StorageError

CLOCK = {
    "tier": "T1",
    "evidence": "triggers",
    "concept": "marker",
    "coverage": 0.9,
    "ambiguity": 0.1,
    "clock_interval": 0.005,
    "time_difference": 0.0,
    "clock_bias": 0.1,
}


def _frame(*rows: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame(list(rows))


def test_the_shipped_calibration_knows_every_family_and_its_components() -> None:
    shipped = calibration()
    assert set(shipped.families) == set(SOURCES)
    for name, family in shipped.families.items():
        assert set(family.components) == set(components_of(name))
    assert shipped.assumptions == ASSUMPTIONS


@pytest.mark.parametrize("family", SOURCES)
def test_the_shipped_calibration_holds_on_corpora_that_it_never_saw(family: str) -> None:
    pairs = judged_pairs(family, range(900_000, 900_012))
    stated = confidence(pairs)
    assert len(pairs) > 100
    assert pairs["right"].mean() == pytest.approx(stated.mean(), abs=0.03)


@pytest.fixture
def few_families(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two families are enough to see how a fit is made, and take a second."""
    few = {name: SOURCES[name] for name in ("T2/content", "T3/condition")}
    monkeypatch.setattr(fit, "SOURCES", few)


@pytest.mark.usefixtures("few_families")
def test_a_calibration_is_the_same_bytes_twice(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_calibration(calibrate(4), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    read_calibration(tmp_path / "one")


def test_a_file_that_lacks_a_component_is_refused() -> None:
    family = calibration().families["T1/triggers"]
    lacking = family.model_copy(update={"components": {}})
    stale = calibration().model_copy(update={"families": {"T1/triggers": lacking}})
    with pytest.raises(NeuropairError, match="lacks component 'coverage'") as refused:
        confidence(_frame(CLOCK), stale)
    assert "neuropair calibrate" in refused.value.remedy


def test_the_parts_of_a_fit_share_no_seed() -> None:
    parts = sorted(calibration().seeds.values())
    assert len(parts) == 3
    assert all(before[1] <= after[0] for before, after in pairwise(parts))


def test_a_fit_that_cannot_be_written_says_so_before_it_starts(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such folder"):
        refit(1, tmp_path / "absent" / "calibration.json")
    with pytest.raises(StorageError, match="cannot be written"):
        write_calibration(calibration(), tmp_path)


def test_what_no_simulation_has_shown_is_an_even_bet() -> None:
    strange = _frame(
        {**CLOCK, "evidence": "telepathy"}, {**CLOCK, "tier": "T6"}, {**CLOCK, "evidence": None}
    )
    assert confidence(strange).tolist() == [UNKNOWN] * 3
    assert confidence(strange[:0]).shape == (0,)


def test_no_row_depends_on_its_neighbours() -> None:
    rows = [
        CLOCK,
        {**CLOCK, "coverage": 0.5},
        {"tier": "T2", "evidence": "content", "concept": "marker", "n_alternatives": 1},
        {**CLOCK, "concept": "sliding"},
        {"tier": "T0", "evidence": "sample", "concept": "sliding"},
    ]
    together = confidence(_frame(*rows))
    alone = [confidence(_frame(row))[0] for row in rows]
    assert together.tolist() == alone
    assert confidence(_frame(*rows[::-1])).tolist() == alone[::-1]


def test_a_null_component_counts_as_it_did_on_average() -> None:
    known = confidence(_frame(CLOCK, {**CLOCK, "coverage": None}, {**CLOCK, "coverage": 0.41}))
    assert known[2] <= known[1] <= confidence(_frame({**CLOCK, "coverage": 1.0}))[0]


@settings(max_examples=60, deadline=None)
@given(
    coverage=st.floats(0.4, 1),
    ambiguity=st.floats(0, 0.8),
    interval=st.floats(0, 1),
    difference=st.floats(-0.2, 0.2),
    better=st.sampled_from(["coverage", "ambiguity", "clock_interval", "time_difference"]),
    by=st.floats(0, 1),
)
def test_better_evidence_never_lowers_the_confidence(
    coverage: float, ambiguity: float, interval: float, difference: float, better: str, by: float
) -> None:
    row = {
        **CLOCK,
        "coverage": coverage,
        "ambiguity": ambiguity,
        "clock_interval": interval,
        "time_difference": difference,
    }
    improved = dict(row)
    value = float(row[better])
    improved[better] = value + by * (1 - value) if better == "coverage" else value * (1 - by)
    before, after = confidence(_frame(row, improved))
    assert 0 < before <= after < 1


def test_a_fit_finds_what_tells_right_from_wrong_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    n = 6000
    ambiguity, coverage = rng.uniform(0, 0.8, n), rng.uniform(0.4, 1, n)
    right = rng.random(n) < np.where(ambiguity < 0.4, 0.95, 0.6)
    pairs = pd.DataFrame([CLOCK]).loc[np.zeros(n, int)].reset_index(drop=True)
    pairs = pairs.assign(ambiguity=ambiguity, coverage=coverage, right=right)
    pairs["corpus"] = np.arange(n) // 3
    fitted = fit_family("T1/triggers", pairs[: n // 2], pairs[n // 2 :])
    low, high = (np.ptp(fitted.components[name].adds) for name in ("coverage", "ambiguity"))
    assert high > 1.5
    assert low < 0.7
    shipped = calibration()
    judged = shipped.model_copy(update={"families": {"T1/triggers": fitted}})
    with judged_by(judged):
        stated = confidence(pairs)
    assert stated[ambiguity < 0.35].mean() == pytest.approx(0.95, abs=0.02)
    assert stated[ambiguity > 0.45].mean() == pytest.approx(0.6, abs=0.04)
    assert confidence(pairs, judged).tolist() == stated.tolist()


def test_an_isotonic_curve_claims_no_more_than_its_corpora_can_show() -> None:
    n = 5000
    score = np.repeat([0.0, 1.0], n // 2)
    right = np.ones(n, bool)
    _, few = fit_curve(score, right, np.repeat(np.arange(5), n // 5))
    _, many = fit_curve(score, right, np.arange(n))
    assert max(few) == pytest.approx(1 - 0.5 / 6)
    assert max(many) == pytest.approx(1 - 0.5 / (n + 1), abs=1e-6)
    _, none = fit_curve(score, ~right, np.arange(n))
    assert 0 < min(none) < 0.001


def test_reliability_and_its_error() -> None:
    rng = np.random.default_rng(1)
    stated = rng.uniform(0.5, 1, 40_000).round(3)
    right = rng.random(stated.size) < stated
    tier = np.where(np.arange(stated.size) % 2, "T1", "T2")
    curve = reliability(tier, stated, right)
    assert set(curve["tier"]) == {"T1", "T2", "all"}
    assert curve.groupby("tier")["n"].sum().to_dict() == {"T1": 20_000, "T2": 20_000, "all": 40_000}
    assert max(expected_calibration_error(curve).values()) < 0.02
    boasted = reliability(tier, np.minimum(stated + 0.1, 0.999), right)
    assert expected_calibration_error(boasted)["all"] > 0.06


@pytest.mark.usefixtures("few_families")
def test_what_is_fitted_reads_back(tmp_path: Path) -> None:
    fitted, path = refit(3, tmp_path / "calibration.json")
    assert read_calibration(path) == fitted
    assert parse_calibration(fitted.model_dump(mode="json"), "here") == fitted
    pairs = judged_pairs("T3/condition", range(3))
    assert 0.5 < confidence(pairs, fitted).max() <= 1 - 0.5 / 4


def test_too_few_corpora_for_a_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "judged_pairs", lambda *_: pd.DataFrame())
    with pytest.raises(RecipeError, match="no pair of T0/sample"):
        calibrate(1)
