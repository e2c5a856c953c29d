from __future__ import annotations

import gc
import threading
import time

import pytest

from neuropair.catalog.stream.prefetch import ordered_map


def _names() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("neuropair-stream")]


def _wait_for_no_threads() -> bool:
    for _ in range(100):
        if not _names():
            return True
        time.sleep(0.02)
    return False


def _slow_first(i: int) -> int:
    time.sleep(0.02 if i % 3 == 0 else 0)
    return i


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_results_come_in_order(threads: int) -> None:
    got = list(ordered_map(_slow_first, range(20), threads=threads, ahead=6))
    assert got == list(range(20))
    assert _wait_for_no_threads()


def test_it_works_no_further_ahead_than_asked() -> None:
    taken: list[int] = []

    def items():
        for i in range(100):
            taken.append(i)
            yield i

    results = ordered_map(lambda i: i, items(), threads=2, ahead=3)
    assert [next(results) for _ in range(5)] == list(range(5))
    assert len(taken) <= 8
    results.close()


@pytest.mark.parametrize("threads", [0, 2])
def test_an_error_comes_at_its_place(threads: int) -> None:
    results = ordered_map(lambda i: 1 // (i - 2), range(5), threads=threads, ahead=4)
    assert [next(results), next(results)] == [-1, -1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert _wait_for_no_threads()


@pytest.mark.parametrize("how", ["close", "drop"])
def test_threads_end_with_the_iterator(how: str) -> None:
    results = ordered_map(_slow_first, range(1000), threads=3, ahead=8)
    next(results)
    assert _names()
    if how == "close":
        results.close()
    del results
    gc.collect()
    assert _wait_for_no_threads()
