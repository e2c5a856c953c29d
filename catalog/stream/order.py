"""Which pairs come when, and which rank gets them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuropair.schemas.errors import QueryError

Indices = NDArray[np.integer[Any]]


def epoch_order(n: int, key: str, epoch: int, *, shuffle: bool) -> Indices:
    """Order of all pairs in one epoch.

    Sorting by raw Philox numbers, because NumPy promises that those stay the same from version to
    version and promises nothing for ``Generator.permutation`` (NEP 19).

    Parameters
    ----------
    n : int
        Number of pairs.
    key : str
        Release, selection and seed.
    epoch : int
    shuffle : bool
        Else the order is that of the pairs.

    Returns
    -------
    array of int64, shape (n,)
    """
    if not shuffle:
        return np.arange(n)
    digest = hashlib.sha256(f"{key}|{epoch}".encode()).digest()
    generator = np.random.Philox(key=int.from_bytes(digest[:16], "little"))
    return np.argsort(generator.random_raw(n), kind="stable")


@dataclass(frozen=True)
class Cut:
    """How the rest of an epoch is cut into batches and dealt to ranks.

    A step takes the next ``world_size * batch_size`` pairs of the order, and each rank one
    contiguous part of them. What is left for the last step is dealt evenly: ranks differ by one
    pair at most there, and where fewer pairs than ranks are left, the later ranks have no batch.

    Parameters
    ----------
    n : int
        Pairs of an epoch.
    consumed : int
        Pairs that all ranks together have had before.
    batch_size, rank, world_size : int
    drop_last : bool
        Leave out the last step where it is not full.
    pad : bool
        Let every rank have the last batch, filled up with rows that are no pairs.
    """

    n: int
    consumed: int
    batch_size: int
    rank: int
    world_size: int
    drop_last: bool
    pad: bool

    @property
    def step_size(self) -> int:
        """Pairs that all ranks take in a step."""
        return self.batch_size * self.world_size

    @property
    def n_steps(self) -> int:
        """Steps of the rest of the epoch, over all ranks."""
        full, rest = divmod(self.n - self.consumed, self.step_size)
        return full + (1 if rest and not self.drop_last else 0)

    @property
    def n_batches(self) -> int:
        """Batches of this rank."""
        if not self.n_steps or self.pad or len(self.part(self.n_steps - 1)):
            return self.n_steps
        return self.n_steps - 1

    def part(self, step: int) -> range:
        """Places in the epoch's order that this rank takes in a step."""
        start = self.consumed + step * self.step_size
        share, extra = divmod(min(self.step_size, self.n - start), self.world_size)
        first = start + self.rank * share + min(self.rank, extra)
        return range(first, first + share + (self.rank < extra))

    def consumed_after(self, step: int) -> int:
        """Pairs that all ranks together have had after a step."""
        return min(self.n, self.consumed + (step + 1) * self.step_size)

    def check(self) -> None:
        """Refuse what no epoch can be cut with.

        Raises
        ------
        QueryError
        """
        sizes = f"batch_size={self.batch_size}, rank={self.rank}, world_size={self.world_size}"
        problem = self._problem()
        if problem is not None:
            raise QueryError(problem[0], where=f"stream({sizes})", remedy=problem[1])

    def _problem(self) -> tuple[str, str] | None:
        if self.batch_size < 1:
            return f"a batch of {self.batch_size} pairs is none.", "give 1 or more"
        if not 0 <= self.rank < self.world_size:
            problem = f"there is no rank {self.rank} among {self.world_size}."
            return problem, "ranks count from 0 to world_size - 1"
        if self.drop_last and self.pad:
            return "drop_last and pad exclude each other.", "give one of them"
        if not self.n:
            return "no pair is selected.", "loosen the condition or choose another split"
        if self.n < self.world_size and not self.pad:
            problem = f"{self.n} pairs are fewer than {self.world_size} ranks."
            return problem, "take fewer ranks, or pad=True"
        if not self.n_steps:
            problem = f"{self.n} pairs do not fill one step of {self.step_size}, drop_last drops it"
            return f"{problem}.", "choose a smaller batch, or pad=True in place of drop_last"
        return None
