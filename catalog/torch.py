"""The stream as a PyTorch dataset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import from_numpy
from torch.utils.data import IterableDataset, get_worker_info

from neuropair.catalog.stream import PairStream
from neuropair.schemas.errors import QueryError


class PairDataset(IterableDataset[dict[str, Any]]):
    """Batches of a `PairStream` as tensors.

    Give it to ``DataLoader(dataset, batch_size=None)``: it makes batches itself. Whatever the
    number of workers, the loader yields the batches of the stream in the stream's order; worker
    ``i`` of ``n`` reads every ``n``-th. Reading in the training process with the stream's own
    threads (``num_workers=0``) is faster than handing batches from process to process.

    Workers have copies of the stream: with `num_workers` and ``epochs=1``, call `set_epoch`
    before each epoch, as with PyTorch's ``DistributedSampler``, or use ``epochs=None``.

    Position: `state_dict` and `load_state_dict` follow torchdata's ``StatefulDataLoader``, which
    calls them in the workers. With a plain ``DataLoader``, save
    ``dataset.stream.state_after(batch)`` of the last batch trained on, and load that; it fits any
    number of workers, ranks and any batch size.

    Parameters
    ----------
    stream : PairStream

    Examples
    --------
    >>> from torch.utils.data import DataLoader                              # doctest: +SKIP
    >>> stream = corpus.pairs().split("train").stream(64, seed=0)            # doctest: +SKIP
    >>> loader = DataLoader(PairDataset(stream), batch_size=None)            # doctest: +SKIP
    """

    def __init__(self, stream: PairStream) -> None:
        super().__init__()
        self.stream = stream
        self._skip = 0
        self._given = 0

    def __len__(self) -> int:
        return len(self.stream)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield this worker's batches."""
        worker, workers = _worker()
        if workers == 1:
            yield from map(_as_tensors, self.stream)
            return
        self._given, self._skip = self._skip, 0
        for batch in self.stream.batches(worker, workers, skip=self._given):
            self._given += 1
            yield _as_tensors(batch)
        self._given = 0

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of an epoch."""
        self.stream.set_epoch(epoch)
        self._skip = self._given = 0

    def state_dict(self) -> dict[str, Any]:
        """Position: of the stream, or in a worker where it began and what this worker has given."""
        worker, workers = _worker()
        state = self.stream.state_dict()
        if workers == 1:
            return state
        return state | {"worker": worker, "workers": workers, "given": self._given}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a position.

        Raises
        ------
        QueryError
            If it is another stream's, or that of a worker among another number of workers.
        """
        worker, workers = _worker()
        saved = (state.get("worker", worker), state.get("workers", workers))
        if saved != (worker, workers):
            raise QueryError(
                f"the state is that of worker {saved[0]} of {saved[1]}, "
                f"this is worker {worker} of {workers}.",
                where="load_state_dict",
                remedy=f"use num_workers={saved[1]}, or load stream.state_after(batch), which fits "
                "any number",
            )
        self.stream.load_state_dict(state)
        self._skip = self._given = int(state.get("given", 0))


def _worker() -> tuple[int, int]:
    info = get_worker_info()
    return (0, 1) if info is None else (info.id, info.num_workers)


def _as_tensors(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_tensors(part) for key, part in value.items()}
    return from_numpy(value) if isinstance(value, np.ndarray) else value
