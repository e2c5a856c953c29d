from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropair.catalog.ledger.nulls import NULLS, moved, replaced, room
from neuropair.catalog.ledger.paired import Paired, comparable
from neuropair.catalog.ledger.simulated import World, draw
from neuropair.schemas.errors import QueryError


@pytest.fixture(scope="module")
def paired() -> Paired:
    return draw(World(persons=4, trials=16, conditions=3), np.random.default_rng(0))


@settings(max_examples=40, deadline=None)
@given(
    null=st.sampled_from(NULLS),
    conditions=st.integers(1, 4),
    trials=st.integers(4, 20),
    seed=st.integers(0, 1000),
)
def test_a_null_keeps_what_it_says(null: str, conditions: int, trials: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one = draw(World(persons=3, trials=trials, conditions=conditions), rng)
    partners = moved(one, null, 5, rng)
    assert (np.sort(partners, axis=1) == np.arange(len(one))).all()
    assert (one.unit[partners] == one.unit).all()
    if null in ("L2", "L3"):
        assert (one.cell[partners] == one.cell).all()
    if null == "L3":
        quarter = (one.position * 4).astype(int)
        assert (quarter[partners] == quarter).all()
    if null == "L4":
        assert (one.recording_a[partners] == one.recording_a).all()
        start = np.flatnonzero(one.recording_a == 0)
        steps = np.diff(partners[:, start], axis=1) % len(start)
        assert (steps == 1).all()


def test_stimuli_move_whole_and_alike_in_all_persons() -> None:
    world = World(persons=4, runs=1, trials=40, stimuli=5, conditions=2)
    one = draw(world, np.random.default_rng(0))
    partners = moved(one, "L2", 20, np.random.default_rng(1))
    assert (one.cell[partners] == one.cell).all()
    for row in partners:
        given = {(int(s), int(t)) for s, t in zip(one.stimulus, one.stimulus[row], strict=True)}
        # every person has seen every stimulus: one partner each, and each once
        assert len(given) == len({s for s, _ in given}) == len({t for _, t in given})


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_dose_moves_its_share(paired: Paired, share: float) -> None:
    partners = replaced(paired, share, 30, np.random.default_rng(0))
    wrong = (partners != np.arange(len(paired))).mean()
    assert wrong == pytest.approx(share, abs=0.05)
    assert (paired.unit[partners] == paired.unit).all()


def test_draws_are_repeated_by_their_seed(paired: Paired) -> None:
    one, other, third = (moved(paired, "L2", 4, np.random.default_rng(k)) for k in (5, 5, 6))
    assert (one == other).all()
    assert (one != third).any()


def test_room_counts_what_can_move(paired: Paired) -> None:
    assert room(paired, "L1").rows == len(paired)
    assert room(paired, "L1").arrangements > room(paired, "L2").arrangements
    alone = replace(paired, cell=np.arange(len(paired)))
    assert room(alone, "L2") == (0, 0.0)


def test_offsets_of_persons_and_recordings_go(paired: Paired) -> None:
    rng = np.random.default_rng(0)
    moved_up = replace(paired, a=paired.a + 50 * rng.standard_normal((8, 1))[paired.recording_a])
    np.testing.assert_allclose(comparable(moved_up).a, comparable(paired).a, atol=1e-6)


def test_a_missing_value_is_its_recordings_mean(paired: Paired) -> None:
    holed = paired.a.copy()
    holed[3, 2] = np.nan
    clean = comparable(replace(paired, a=holed)).a
    assert np.isfinite(clean).all()
    assert abs(clean[3, 2]) < 0.5


@pytest.mark.parametrize("autocorrelation", [0.3, 0.6])
def test_autocorrelation_goes(autocorrelation: float) -> None:
    world = World(persons=3, trials=200, autocorrelation=autocorrelation, conditions=1)
    clean = comparable(draw(world, np.random.default_rng(0))).a
    assert abs(np.mean(clean[1:] * clean[:-1]) / np.mean(clean**2)) < 0.05


def test_infinite_features_are_refused(paired: Paired) -> None:
    holed = paired.b.copy()
    holed[0, 0] = np.inf
    with pytest.raises(QueryError, match="infinite"):
        comparable(replace(paired, b=holed))


def test_columns_of_unequal_length_are_refused(paired: Paired) -> None:
    with pytest.raises(QueryError, match="different lengths"):
        comparable(replace(paired, cell=paired.cell[1:]))
