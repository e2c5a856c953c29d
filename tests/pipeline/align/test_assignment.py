from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropair.pipeline.align import assignment, large
from neuropair.pipeline.align.assignment import assign
from neuropair.pipeline.align.dense import dense
from neuropair.pipeline.align.points import Points, Rules

OPEN = np.ones((1, 1), dtype=bool)


def _points(x, block=None):
    n = len(x)
    zero = np.zeros(n, dtype=np.int64)
    return Points(zero, zero if block is None else np.asarray(block), zero, np.asarray(x, float))


def _best(x, y, caliper):
    """Most pairs, then least distance, by trying everything."""
    best = (0, 0.0)
    small, large = (x, y) if len(x) <= len(y) else (y, x)
    for chosen in permutations(range(len(large)), len(small)):
        near = np.abs(small[:, 0] - large[list(chosen), 0])
        best = max(best, ((near <= caliper).sum(), -near[near <= caliper].sum()))
    return best


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 5), m=st.integers(1, 5))
def test_assignment_is_optimal(seed, n, m):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 1)), rng.normal(size=(m, 1))
    found = assign(_points(x), _points(y), Rules(OPEN, OPEN, 0.8))
    pairs, distance = _best(x, y, 0.8)
    assert len(found.a) == pairs
    assert found.distance.sum() == pytest.approx(-distance)
    assert len(set(found.a)) == len(found.a)
    assert len(set(found.b)) == len(found.b)
    admissible = np.abs(x - y.T) <= 0.8
    np.testing.assert_array_equal(found.alternatives, admissible.sum(axis=1)[found.a] - 1)


def test_blocks_keep_apart():
    rng = np.random.default_rng(0)
    blocks_a, blocks_b = rng.integers(0, 30, 200), rng.integers(0, 30, 200)
    found = assign(
        _points(np.zeros((200, 1)), blocks_a),
        _points(np.zeros((200, 1)), blocks_b),
        Rules(OPEN, OPEN, None),
    )
    assert (blocks_a[found.a] == blocks_b[found.b]).all()
    counts = [min((blocks_a == k).sum(), (blocks_b == k).sum()) for k in range(30)]
    assert len(found.a) == sum(counts)


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_the_sparse_way_is_nearly_as_good_as_the_dense(monkeypatch, shift):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(700, 2)), rng.normal(size=(700, 2)) + shift
    rules = Rules(OPEN, OPEN, 0.5)
    dense = assign(_points(x), _points(y), rules)
    monkeypatch.setattr(assignment, "DENSE_LIMIT", 100)
    sparse = assign(_points(x), _points(y), rules)
    assert len(sparse.a) >= 0.97 * len(dense.a)
    assert sparse.distance.mean() <= 1.1 * dense.distance.mean()
    assert (np.abs(x[sparse.a] - y[sparse.b]) <= 0.5).all()
    within = (np.abs(x[:, None] - y[None]) <= 0.5).all(axis=-1).sum(axis=1)
    np.testing.assert_array_equal(sparse.alternatives, within[sparse.a] - 1)


@pytest.mark.parametrize("uses_b", [1, 3])
def test_cells_are_nearly_as_good_as_the_dense_way(monkeypatch, uses_b):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(900, 2)), rng.normal(size=(900 // uses_b, 2)) + 0.2
    rules = Rules(OPEN, OPEN, 0.5, uses_b, 3)
    dense = assign(_points(x), _points(y), rules)
    monkeypatch.setattr(assignment, "DENSE_LIMIT", 100)
    monkeypatch.setattr(assignment, "PART", 200)
    monkeypatch.setattr(large, "CELL", 64)
    cells = assign(_points(x), _points(y), rules)
    assert len(cells.a) >= 0.85 * len(dense.a)
    assert len(set(cells.a)) == len(cells.a)
    assert np.bincount(cells.b).max() <= uses_b
    assert (np.abs(x[cells.a] - y[cells.b]) <= 0.5).all()
    within = (np.abs(x[:, None] - y[None]) <= 0.5).all(axis=-1).sum(axis=1)
    assert np.corrcoef(cells.alternatives, within[cells.a] - 1)[0, 1] > 0.8
    assert (cells.other_b != cells.b[cells.other_pair]).all()
    other = np.column_stack([cells.other_pair, cells.other_b])
    assert len(np.unique(other, axis=0)) == len(other)
    assert (np.diff(cells.other_pair) >= 0).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), p=st.integers(1, 5), q=st.integers(1, 5))
def test_small_blocks_tried_out_are_as_good_as_the_dense_way(seed, p, q):
    rng = np.random.default_rng(seed)
    block = [np.repeat(np.arange(6), n) for n in (p, q)]
    sides = [rng.normal(size=(b.size, 2)) for b in block]
    rules = Rules(OPEN, OPEN, 1.0, 1, 2)
    found = assign(*(_points(x, b) for x, b in zip(sides, block, strict=True)), rules)
    for k in range(6):
        alone = dense(
            *(_points(x) for x in sides),
            *(np.flatnonzero(b == k) for b in block),
            rules,
        )
        mine = block[0][found.a] == k
        assert mine.sum() == alone.a.size
        assert found.distance[mine].sum() == pytest.approx(alone.distance.sum())


@pytest.mark.parametrize("uses_b", [1, 4])
def test_equal_covariates_do_not_crowd_a_few_partners(monkeypatch, uses_b):
    monkeypatch.setattr(assignment, "DENSE_LIMIT", 100)
    x, y = np.zeros((800, 1)), np.zeros((200, 1))
    found = assign(_points(x), _points(y), Rules(OPEN, OPEN, 0.5, uses_b))
    assert len(found.a) >= 0.95 * 200 * uses_b
    assert np.bincount(found.b).max() <= uses_b


def test_closed_recording_pairs_stay_closed_in_large_blocks(monkeypatch):
    monkeypatch.setattr(assignment, "DENSE_LIMIT", 100)
    rng = np.random.default_rng(2)
    n = 400
    allowed = ~np.eye(3, dtype=bool)
    sides = [
        Points(rng.integers(0, 3, n), np.zeros(n, int), np.zeros(n, int), rng.normal(size=(n, 1)))
        for _ in range(2)
    ]
    found = assign(*sides, Rules(allowed, OPEN, 0.5))
    assert (sides[0].rec[found.a] != sides[1].rec[found.b]).all()
    assert len(found.a) > 0.9 * n
