"""An abstention: a short stable code with the numbers, and what would unlock the pair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Abstention(NamedTuple):
    """Why something is not paired.

    Parameters
    ----------
    reason : str
        ``<code>: <what failed, with the numbers>``; the codes are stable.
    remedy : str
        What would unlock it.
    """

    reason: str
    remedy: str

    @property
    def code(self) -> str:
        """The part of the reason that programs may rely on."""
        return self.reason.split(":", 1)[0]


@dataclass(frozen=True)
class Abstained:
    """Recording pairs that are not paired: a million of them share a few thousand reasons.

    Parameters
    ----------
    a, b : ndarray of int
        Rows of ``SideTable.recordings`` of either side.
    which : ndarray of int
        Row of `why` for each.
    why : tuple of Abstention
    """

    a: npt.NDArray[np.int64]
    b: npt.NDArray[np.int64]
    which: npt.NDArray[np.int64]
    why: tuple[Abstention, ...]

    def __len__(self) -> int:
        return self.a.size

    @staticmethod
    def of(answers: Mapping[Any, Abstention]) -> Abstained:
        """Take what a matcher answers recording pair by recording pair."""
        pairs = np.array([tuple(pair) for pair in answers], dtype=np.int64).reshape(-1, 2)
        return Abstained(pairs[:, 0], pairs[:, 1], np.arange(len(pairs)), tuple(answers.values()))

    @staticmethod
    def joined(parts: Iterable[Abstained]) -> Abstained:
        """Put parts together; no recording pair may stand in two of them."""
        parts = list(parts)
        none = np.zeros(0, dtype=np.int64)
        first = np.cumsum([0, *(len(part.why) for part in parts)])[:-1]
        which = [part.which + k for part, k in zip(parts, first, strict=True)]
        return Abstained(
            np.concatenate([none, *(part.a for part in parts)]),
            np.concatenate([none, *(part.b for part in parts)]),
            np.concatenate([none, *which]),
            tuple(why for part in parts for why in part.why),
        )
