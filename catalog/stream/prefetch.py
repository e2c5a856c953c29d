"""Work ahead in threads, results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int, ahead: int
) -> Iterator[Result]:
    """Apply a function in threads, at most `ahead` items ahead of the reader.

    Results come in the order of the items, so they do not depend on the timing of the threads.
    An error comes at its item's place. Closing the iterator, or dropping the last reference to
    it, drops what is queued and ends the threads.

    Parameters
    ----------
    function : callable
    items : iterable
        Taken in the reader's thread.
    threads : int
        0 works in the reader's thread.
    ahead : int
        Results that wait at most.

    Examples
    --------
    >>> list(ordered_map(abs, [-1, 2, -3], threads=2, ahead=2))
    [1, 2, 3]
    """
    if threads < 1:
        yield from map(function, items)
        return
    source = iter(items)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="neuropair-stream")
    waiting: deque[Future[Result]] = deque()
    try:
        waiting.extend(pool.submit(function, item) for item in islice(source, max(1, ahead)))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(source, 1))
            yield result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
