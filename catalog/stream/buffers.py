"""Memory that is used again once nobody looks at it."""

from __future__ import annotations

import sys
import threading
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_MOST = 32
"""Buffers that are watched at most; the oldest is left to its holders then."""
_IDLE = sys.getrefcount(np.empty(0)) + 2
"""References to a buffer that nobody else holds: the pool's list and the loop's name beside those
that the count itself has."""


class Buffers:
    """Hands out arrays, and hands one out again when the last view of it is gone.

    A fresh array of some MB costs a page fault every 4 KB when it is first written to, which takes
    as long as the copy itself. A caller may keep what it got as long as it likes: a buffer is used
    again only if no view of it is left (NumPy's views hold their base).
    """

    def __init__(self) -> None:
        self._kept: list[NDArray[np.uint8]] = []
        self._lock = threading.Lock()

    def take(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Give an array whose content is left over from before."""
        n_bytes = prod(shape) * np.dtype(dtype).itemsize
        return self._view(n_bytes).view(dtype).reshape(shape)

    def _view(self, n_bytes: int) -> NDArray[np.uint8]:
        with self._lock:
            for buffer in self._kept:
                if sys.getrefcount(buffer) <= _IDLE and len(buffer) == n_bytes:
                    return buffer[:]
            if len(self._kept) >= _MOST:
                del self._kept[0]
            buffer = np.empty(n_bytes, np.uint8)
            self._kept.append(buffer)
            return buffer[:]
