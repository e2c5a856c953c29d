from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neuropair.catalog.ledger import Rule, measure_rule
from neuropair.catalog.ledger.folds import make_folds
from neuropair.catalog.ledger.identity import identity
from neuropair.catalog.ledger.maps import Maps
from neuropair.catalog.ledger.nulls import as_paired, moved
from neuropair.catalog.ledger.paired import Paired, comparable
from neuropair.catalog.ledger.rows import Measured
from neuropair.catalog.ledger.simulated import World, draw
from neuropair.schemas.errors import QueryError
from neuropair.schemas.kinds import Tier
from neuropair.schemas.tables import conform

WORLD = World(persons=6, trials=30, condition=0.8, instance=0.8)


def _rule(tier: Tier) -> Rule:
    return Rule(tier, "rule", "meg", "fmri")


def _measured(tier: Tier, paired: Paired | str, **options: Any) -> dict[tuple[str, str], Any]:
    rows = measure_rule(_rule(tier), paired, permutations=99, **options)
    return {(row["measure"], row["null"]): row for row in rows}


def _draw(world: World, seed: int = 0) -> Paired:
    return draw(world, np.random.default_rng(seed))


def test_right_pairs_beat_every_null_and_doses_fall() -> None:
    rows = _measured(Tier.T1, _draw(WORLD))
    for null in ("L1", "L2", "L3", "L4"):
        assert rows["map", null]["claim"] == "holds"
        assert rows["map", null]["p"] == pytest.approx(0.01)
    full, some, half = (
        rows[key]["effect"] for key in (("map", "L1"), ("dose-10", "none"), ("dose-50", "none"))
    )
    assert full > some > half
    assert rows["map", "L1"]["low"] < full < rows["map", "L1"]["high"]
    assert rows["dose-50", "none"]["claim"] == "holds"


def test_the_right_condition_and_the_wrong_stimulus_is_flagged_in_t2() -> None:
    rows = _measured(Tier.T2, _draw(replace(WORLD, instance=0.0, condition=2.0, jumbled=True), 2))
    assert rows["map", "L1"]["claim"] == "holds"
    assert rows["map", "L2"]["claim"] == "fails"
    assert "T2 claims right partners" in rows["map", "L2"]["flag"]


def test_t3_holds_by_failing_l2_and_a_leak_is_flagged() -> None:
    world = replace(WORLD, instance=0.0, condition=2.0, jumbled=True)
    rows = _measured(Tier.T3, _draw(world, 2))
    assert (rows["map", "L1"]["claim"], rows["map", "L2"]["claim"]) == ("holds", "holds")
    assert rows["map", "L2"]["p"] > 0.05
    leaky = _measured(Tier.T3, _draw(replace(world, instance=0.8)))
    assert leaky["map", "L2"]["claim"] == "fails"
    assert "a leak" in leaky["map", "L2"]["flag"]


def test_rows_fit_the_table_and_are_repeated_by_the_seed() -> None:
    paired = _draw(replace(WORLD, stimuli=6, stimulus=0.5, trials=20))
    one = measure_rule(_rule(Tier.T2), paired, permutations=19, seed=4)
    other = measure_rule(_rule(Tier.T2), paired, permutations=19, seed=4)
    third = measure_rule(_rule(Tier.T2), paired, permutations=19, seed=5)
    assert one == other
    assert one != third
    table = conform([{"study": "s", **row} for row in one], "ledger")
    assert table.num_rows == 10
    assert len({(row["measure"], row["null"]) for row in one}) == 10


def test_too_few_persons_or_pairs_are_untested_with_the_reason() -> None:
    two = _measured(Tier.T1, _draw(replace(WORLD, persons=2)))["map", "L2"]
    assert two["claim"] == "untested"
    assert "2 groups of persons" in two["flag"]
    few = _measured(Tier.T1, _draw(World(persons=3, runs=1, trials=6)))["map", "L2"]
    assert few["claim"] == "untested"
    assert "held-out pairs, where 30" in few["flag"]


def test_a_null_without_room_is_untested() -> None:
    paired = _draw(WORLD)
    row = _measured(Tier.T1, replace(paired, cell=np.arange(len(paired))))["map", "L2"]
    assert row["claim"] == "untested"
    assert "L2 can move 0 of" in row["flag"]
    assert row["effect"] is not None


def test_a_blind_test_is_untested_and_not_a_failure() -> None:
    world = World(persons=3, runs=1, trials=14, features_a=2, features_b=2, condition=0.0)
    row = _measured(Tier.T2, _draw(world, 2))["map", "L2"]
    assert row["detectable"] > 0.3
    assert row["claim"] == "untested"
    assert "too few pairs" in row["flag"]


def test_features_that_do_not_vary_are_untested() -> None:
    paired = _draw(WORLD)
    row = _measured(Tier.T1, replace(paired, b=np.zeros_like(paired.b)))["map", "L1"]
    assert row["claim"] == "untested"
    assert "do not vary" in row["flag"]


def test_too_few_permutations_are_refused() -> None:
    with pytest.raises(QueryError, match="cannot reach"):
        measure_rule(_rule(Tier.T1), _draw(WORLD), permutations=9)


def test_a_reason_in_place_of_pairs_stands_in_every_row() -> None:
    rows = _measured(Tier.T1, "no pair has features of both sides")
    assert len(rows) == 10
    assert {row["claim"] for row in rows.values()} == {"untested"}
    assert all("features of both sides" in row["flag"] for row in rows.values())


def test_shared_distances_are_found_below_their_ceiling() -> None:
    world = World(persons=5, trials=40, conditions=2, stimuli=6, features_a=10, features_b=10)
    paired = _draw(replace(world, stimulus=2.0, offset=0.0))
    same = replace(
        paired, b=paired.a + 0.5 * np.random.default_rng(1).standard_normal(paired.a.shape)
    )
    row = _measured(Tier.T2, same)["rsa", "L2"]
    assert row["claim"] == "holds"
    assert row["effect"] > row["null_mean"]
    assert 0 < row["ceiling_low"] <= row["ceiling"] <= 1
    other = _measured(Tier.T2, paired)["rsa", "L2"]
    assert other["claim"] != "holds"


def test_conditions_too_few_for_distances_are_untested() -> None:
    row = _measured(Tier.T3, _draw(WORLD))["rsa", "L1"]
    assert row["claim"] == "untested"
    assert "5 conditions" in row["flag"]


def test_persons_are_told_by_their_offsets_and_not_without() -> None:
    rng = np.random.default_rng(0)
    recording = np.repeat(np.arange(12), 20)
    person = recording // 2
    noise = rng.standard_normal((240, 8))
    told = identity(noise + 2 * rng.standard_normal((6, 8))[person], recording, person, 99, rng)
    blank = identity(noise, recording, person, 99, rng)
    assert not isinstance(told, str)
    assert not isinstance(blank, str)
    assert told.p <= 0.05
    assert told.effect > 0.8
    assert blank.p > 0.05
    assert blank.null.mean() == pytest.approx(1 / 6, abs=0.05)


def test_a_person_with_one_run_cannot_be_told() -> None:
    values, codes = np.zeros((6, 2)), np.arange(6)
    found = identity(values, codes, codes, 19, np.random.default_rng(0))
    assert found == "fewer than 5 persons have two runs"


@pytest.mark.parametrize(("null", "world"), [("L1", World()), ("L2", World(condition=1.0))])
def test_empty_corpora_pass_as_often_as_they_should(null: str, world: World) -> None:
    passed = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        paired = comparable(_draw(world, seed))
        maps = Maps(paired, make_folds(paired))
        effect = float(maps.scores(as_paired(len(paired)))[0])
        scores = maps.scores(moved(paired, null, 39, rng))
        passed += Measured(effect, scores, np.nan, np.nan).is_beaten
    # 5 % of 60 is 3; one such draw in ten thousand exceeds 10
    assert passed <= 10
