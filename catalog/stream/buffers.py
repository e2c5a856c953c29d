"""Memory that is used again once nobody looks at it."""

from __future__ import annotations

import sys
import threading
from collections import defaultdict
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_MOST = 32
"""Buffers of one size that are watched at most; the oldest is left to its holders then."""
_IDLE = sys.getrefcount(np.empty(0)) + 2
"""References to a buffer that nobody else holds: the pool's list and the loop's name beside those
that the count itself has."""


class Buffers:
    """Hands out arrays, and hands one out again when the last view of it is gone.

    A fresh array of some hundred KB costs a page fault every 4 KB when it is first written to,
    which takes longer than the copy itself. A caller may keep what it got as long as it likes: a
    buffer is used again only if no view of it is left (NumPy's views hold their base).
    """

    def __init__(self) -> None:
        self._kept: dict[int, list[NDArray[np.uint8]]] = defaultdict(list)
        self._lock = threading.Lock()

    def take(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Give an array whose content is left over from before."""
        n_bytes = prod(shape) * np.dtype(dtype).itemsize
        return self._view(n_bytes).view(dtype).reshape(shape)

    def rows(self, column: NDArray[Any], rows: NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Give rows of a column; rows that do not exist are the nearest that do."""
        out = self.take((len(rows), *column.shape[1:]), column.dtype)
        # any other mode fills a copy first, and then `out`
        return np.take(column, rows, axis=0, out=out, mode="clip")

    def _view(self, n_bytes: int) -> NDArray[np.uint8]:
        with self._lock:
            kept = self._kept[n_bytes]
            for buffer in kept:
                if sys.getrefcount(buffer) <= _IDLE:
                    return buffer[:]
            if len(kept) >= _MOST:
                del kept[0]
            buffer = np.empty(n_bytes, np.uint8)
            kept.append(buffer)
            return buffer[:]
