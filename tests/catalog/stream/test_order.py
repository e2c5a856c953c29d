from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropair.catalog.stream.order import Cut, epoch_order
from neuropair.schemas.errors import QueryError


def _cuts(
    n: int, consumed: int, size: int, world: int, *, drop_last: bool = False, pad: bool = False
) -> list[Cut]:
    return [Cut(n, consumed, size, r, world, drop_last, pad) for r in range(world)]


def _dealt(cuts: list[Cut], upto: int | None = None) -> list[int]:
    return [i for cut in cuts for step in range(cut.n_batches)[:upto] for i in cut.part(step)]


positions = st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


@given(positions, st.integers(1, 9), st.integers(1, 5), st.booleans())
def test_the_ranks_share_what_is_left_and_nothing_twice(
    position: tuple[int, int], size: int, world: int, pad: bool
) -> None:
    n, consumed = position
    cuts = _cuts(n, consumed, size, world, pad=pad)
    assert sorted(_dealt(cuts)) == list(range(consumed, n))
    parts = [len(cut.part(cut.n_steps - 1)) for cut in cuts if cut.n_steps]
    assert not parts or max(parts) - min(parts) <= 1
    assert max(parts, default=0) <= size
    batches = {cut.n_batches for cut in cuts}
    assert len(batches) == 1 if pad else max(batches) - min(batches) <= 1


@given(positions, st.integers(1, 9), st.integers(1, 5))
def test_drop_last_gives_full_batches_only(
    position: tuple[int, int], size: int, world: int
) -> None:
    n, consumed = position
    cuts = _cuts(n, consumed, size, world, drop_last=True)
    dealt = _dealt(cuts)
    assert len(dealt) == (n - consumed) // (size * world) * size * world
    assert all(len(cut.part(step)) == size for cut in cuts for step in range(cut.n_batches))


@given(st.integers(1, 80), st.data(), *[st.integers(1, 9)] * 2, *[st.integers(1, 5)] * 2)
def test_resuming_elsewhere_gives_exactly_the_rest(
    n: int, data: st.DataObject, size: int, other_size: int, world: int, other_world: int
) -> None:
    first = _cuts(n, 0, size, world)
    steps = data.draw(st.integers(0, first[0].n_steps))
    before = _dealt(first, upto=steps)
    consumed = first[0].consumed_after(steps - 1) if steps else 0
    after = _dealt(_cuts(n, consumed, other_size, other_world))
    assert sorted(before + after) == list(range(n))


def test_an_order_is_a_permutation_that_key_and_epoch_decide() -> None:
    order = epoch_order(1000, "a", 0, shuffle=True)
    assert sorted(order) == list(range(1000))
    assert not np.array_equal(order, np.arange(1000))
    np.testing.assert_array_equal(order, epoch_order(1000, "a", 0, shuffle=True))
    assert not np.array_equal(order, epoch_order(1000, "b", 0, shuffle=True))
    assert not np.array_equal(order, epoch_order(1000, "a", 1, shuffle=True))
    np.testing.assert_array_equal(epoch_order(5, "a", 0, shuffle=False), np.arange(5))


def test_an_order_stays_the_same_from_version_to_version() -> None:
    assert epoch_order(8, "release|selection|0", 3, shuffle=True).tolist() == ORDER_OF_8


ORDER_OF_8 = [6, 1, 5, 2, 3, 7, 4, 0]


def test_every_pair_comes_as_often_at_every_place() -> None:
    places = np.array([epoch_order(5, "a", epoch, shuffle=True) for epoch in range(2000)])
    counts = np.array([np.bincount(column, minlength=5) for column in places.T])
    # 400 expected, a standard deviation of 18
    assert np.abs(counts - 400).max() < 90


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"batch_size": 0}, "batch of 0"),
        ({"rank": 2}, "no rank 2 among 2"),
        ({"rank": -1}, "no rank -1"),
        ({"world_size": 0, "rank": 0}, "no rank 0 among 0"),
        ({"drop_last": True, "pad": True}, "exclude"),
        ({"n": 0}, "no pair"),
        ({"n": 1}, "fewer than 2 ranks"),
        ({"n": 7, "drop_last": True}, "drop_last drops it"),
    ],
)
def test_what_cannot_be_cut_is_one_clear_error(change: dict[str, int], says: str) -> None:
    good = {"n": 9, "consumed": 0, "batch_size": 4, "rank": 1, "world_size": 2}
    cut = Cut(**{**good, "drop_last": False, "pad": False, **change})
    with pytest.raises(QueryError, match=says):
        cut.check()
