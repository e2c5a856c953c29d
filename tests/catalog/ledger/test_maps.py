from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropair.catalog.ledger.folds import Fold, make_folds
from neuropair.catalog.ledger.maps import PENALTIES, Maps, principal_axes
from neuropair.catalog.ledger.nulls import NULLS, as_paired, moved
from neuropair.catalog.ledger.paired import Paired, comparable
from neuropair.catalog.ledger.simulated import World, draw


def _naive(paired: Paired, folds: list[Fold], partner: np.ndarray) -> float:
    """Fit from scratch: a ridge a penalty by solving, the penalty by GCV from the hat matrix."""
    y_all, unit, total, weight = paired.b[partner], paired.unit, 0.0, 0
    for fold in folds:
        most = min(64, len(fold.train) // 2)
        x = paired.a @ principal_axes(paired.a[fold.basis], most)
        y = y_all @ principal_axes(paired.b[fold.basis], most, whiten=True)
        train, n = x[fold.train], len(fold.train)
        gram = train.T @ train
        eigenvalues = np.linalg.eigvalsh(gram)
        mean = eigenvalues[eigenvalues > 1e-9 * eigenvalues.max()].mean()
        best, weights = np.inf, np.zeros(0)
        for penalty in PENALTIES * mean:
            solve = np.linalg.solve(gram + penalty * np.eye(len(gram)), train.T)
            fitted = solve @ y[fold.train]
            residual = ((y[fold.train] - train @ fitted) ** 2).sum()
            validation = residual / (n - np.trace(train @ solve)) ** 2
            if validation < best:
                best, weights = validation, fitted
        for code in np.unique(unit[fold.test]):
            rows = fold.test[unit[fold.test] == code]
            if len(rows) < 2:
                continue
            guess, truth = (x[rows] @ weights).ravel(), y[rows].ravel()
            scale = np.sqrt((guess @ guess) * (truth @ truth))
            total += len(rows) * (guess @ truth / scale if scale > 0 else 0.0)
            weight += len(rows)
    return total / max(weight, 1)


@settings(max_examples=25, deadline=None)
@given(
    persons=st.integers(3, 7),
    trials=st.integers(6, 16),
    features=st.tuples(st.integers(1, 40), st.integers(1, 30)),
    stimuli=st.sampled_from([0, 4]),
    null=st.sampled_from(NULLS),
    seed=st.integers(0, 10_000),
)
def test_a_refit_is_a_fit_from_scratch(
    persons: int,
    trials: int,
    features: tuple[int, int],
    stimuli: int,
    null: str,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    world = World(
        persons=persons,
        trials=trials,
        features_a=features[0],
        features_b=features[1],
        stimuli=stimuli,
        condition=0.5,
        instance=0.5,
    )
    paired = comparable(draw(world, rng))
    folds = make_folds(paired)
    partners = np.vstack([as_paired(len(paired)), moved(paired, null, 3, rng)])
    fast = Maps(paired, folds).scores(partners)
    slow = [_naive(paired, folds, row) for row in partners]
    np.testing.assert_allclose(fast, slow, atol=1e-7)


@pytest.fixture
def full() -> Paired:
    return draw(World(condition=0.8, instance=0.5, stimuli=8), np.random.default_rng(3))


def _score(paired: Paired) -> float:
    clean = comparable(paired)
    return float(Maps(clean, make_folds(clean)).scores(as_paired(len(clean)))[0])


def test_the_order_of_channels_does_not_matter(full: Paired) -> None:
    from dataclasses import replace

    rng = np.random.default_rng(0)
    shuffled = replace(
        full,
        a=full.a[:, rng.permutation(full.a.shape[1])],
        b=full.b[:, rng.permutation(full.b.shape[1])],
    )
    assert _score(shuffled) == pytest.approx(_score(full), abs=1e-9)


def test_the_unit_of_a_channel_does_not_matter(full: Paired) -> None:
    from dataclasses import replace

    gains = np.logspace(-9, 3, full.a.shape[1])
    assert _score(replace(full, a=full.a * gains)) == pytest.approx(_score(full), abs=1e-9)


def test_batches_give_what_single_arrangements_give(full: Paired) -> None:
    paired = comparable(full)
    maps = Maps(paired, make_folds(paired))
    partners = moved(paired, "L2", 7, np.random.default_rng(0))
    single = [maps.scores(row[None])[0] for row in partners]
    np.testing.assert_allclose(maps.scores(partners), single, atol=1e-10)


def test_rows_of_the_observed_score_add_up_to_it(full: Paired) -> None:
    paired = comparable(full)
    maps = Maps(paired, make_folds(paired))
    rows = maps.observed()
    total = 0.0
    for cell in np.unique(rows.cell):
        own = rows.cell == cell
        scale = np.sqrt(rows.predicted[own].sum() * rows.actual[own].sum())
        total += own.sum() * rows.product[own].sum() / scale
    assert total / len(rows.cell) == pytest.approx(maps.scores(as_paired(len(paired)))[0])


def test_nobody_and_no_stimulus_is_on_both_sides_of_a_fold(full: Paired) -> None:
    folds = make_folds(full)
    for fold in folds:
        assert not set(full.person_a[fold.basis]) & set(full.person_a[fold.test])
        assert not set(full.stimulus[fold.train]) & set(full.stimulus[fold.test])
        assert set(fold.train) <= set(fold.basis)
    scored = np.concatenate([fold.test for fold in folds])
    assert sorted(scored) == list(range(len(full)))


def test_two_persons_are_too_few_for_folds() -> None:
    assert make_folds(draw(World(persons=2), np.random.default_rng(0))) == []
