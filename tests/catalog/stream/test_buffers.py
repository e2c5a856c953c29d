"""Memory that is used again only when nobody looks at it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropair.catalog.stream.buffers import Buffers


def _address(array: np.ndarray[Any, Any]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def test_a_dropped_array_is_given_out_again() -> None:
    buffers = Buffers()
    first = buffers.take((4, 5), np.float32)
    address = _address(first)
    del first
    assert _address(buffers.take((4, 5), np.float32)) == address


@pytest.mark.parametrize("hold", [lambda a: a, lambda a: a[1:], lambda a: memoryview(a), np.ravel])
def test_what_somebody_holds_is_never_given_out(hold: Any) -> None:
    buffers = Buffers()
    held = hold(buffers.take((4, 5), np.float32))
    other = buffers.take((4, 5), np.float32)
    other[:] = 1
    assert not np.shares_memory(np.asarray(held), other)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60))
def test_arrays_that_are_held_never_share_memory(steps: list[tuple[int, bool]]) -> None:
    buffers, held = Buffers(), []
    for size, drop in steps:
        array = buffers.take((size + 1, 3), np.int16)
        array[:] = len(held)
        if not drop:
            held.append((len(held), array))
    assert all((array == number).all() for number, array in held)
