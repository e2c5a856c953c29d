"""The stream: batches of pairs, the same for the same release, query, seed and epoch."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import count, islice
from typing import Any, NamedTuple

from neuropair.catalog.stream.batch import Batch, assemble
from neuropair.catalog.stream.order import Cut, Indices, epoch_order
from neuropair.catalog.stream.prefetch import ordered_map
from neuropair.catalog.stream.selection import Channel, Selection
from neuropair.schemas.errors import QueryError


class _Step(NamedTuple):
    epoch: int
    pairs: Indices
    size: int
    epoch_after: int
    consumed_after: int


class PairStream:
    """Batches of pairs, every pair exactly once an epoch over all ranks.

    Each iteration yields the rest of the current epoch, or as many epochs as `epochs` says. The
    order depends on release, selection, seed and epoch, and on nothing else. A state
    is a position in that order: it resumes at any world size and batch size, with exactly the
    pairs that are left.

    A step deals ``world_size * batch_size`` pairs. The last step of an epoch deals what is left
    evenly: batches there are smaller, ranks differ by one pair, and where fewer pairs than ranks
    are left the later ranks have one batch less. `drop_last` leaves that step out; `pad` gives
    every rank a full last batch, whose surplus rows have ``is_pair`` False and nothing present.

    A batch is a dict that PyTorch's ``pin_memory`` and ``default_convert`` take as it is:

    ==================  =========================================================================
    ``<modality>``      dict of arrays, see below. Where pairs have the same modality on both
                        sides, ``<modality>_a`` and ``<modality>_b``
    ``is_pair``         bool (batch): False in rows that only fill the last batch
    ``pair_id, study, tier, rule, concept, stimulus, split``  lists of str; stimulus may be None
    ``modality_a, modality_b, recording_a, recording_b, person_a, person_b``  lists of str
    ``window_a, window_b``     int32 (batch): the windows' numbers in their recordings
    ``confidence, quality``    float32 (batch)
    ``epoch, consumed``        int: the position after this batch, see `state_after`
    ==================  =========================================================================

    and under each modality, padded to the largest recording of the selection (masks: True = valid):

    ==================  =========================================================================
    ``present``         bool (batch): the pair has this modality
    ``signal``          float32 (batch, channel, time): SI units; 0 where nothing valid is
    ``time``            float32 (batch, time): s from the event, true acquisition time
    ``time_mask``       bool (batch, time)
    ``channel``         int32 (batch, channel): position in `channels`; -1 where there is none
    ``channel_mask``    bool (batch, channel)
    ``position``        float32 (batch, channel, 3): m; see ``position_mask``
    ``position_mask``   bool (batch, channel): the position is known
    ``beta, beta_se``   float32 (batch, channel): single-trial amplitude and its standard error,
                        where any recording has it
    ``beta_mask``       bool (batch, channel)
    ==================  =========================================================================

    Parameters
    ----------
    selection : Selection
    batch_size : int
        Pairs in a batch of one rank.
    seed : int
    rank, world_size : int
    epochs : int or None
        Epochs that one iteration yields; None never ends.
    shuffle : bool
        False gives the pairs by study and pair id.
    drop_last, pad : bool
    threads : int
        That read ahead; 0 reads when asked.
    prefetch : int
        Batches that are read ahead at most.

    Raises
    ------
    QueryError
        If an argument cannot be, or the selection is empty.
    """

    def __init__(
        self,
        selection: Selection,
        batch_size: int,
        *,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        epochs: int | None = 1,
        shuffle: bool = True,
        drop_last: bool = False,
        pad: bool = False,
        threads: int = 2,
        prefetch: int = 4,
    ) -> None:
        self._selection = selection
        self._cut = partial(
            Cut,
            len(selection),
            batch_size=batch_size,
            rank=rank,
            world_size=world_size,
            drop_last=drop_last,
            pad=pad,
        )
        self._cut(0).check()
        if epochs is not None and epochs < 1:
            raise QueryError(
                f"{epochs} epochs are none.",
                where=f"stream(epochs={epochs})",
                remedy="give 1 or more, or None for a stream that never ends",
            )
        self._batch_size = batch_size
        self._seed = seed
        self._epochs = epochs
        self._shuffle = shuffle
        self._pad = pad
        self._threads = threads
        self._prefetch = prefetch
        self._epoch = 0
        self._consumed = 0

    @property
    def channels(self) -> dict[str, tuple[Channel, ...]]:
        """Name, type and unit of what the numbers in ``channel`` stand for, by modality."""
        return {key: plan.channels for key, plan in self._selection.keys.items()}

    @property
    def epoch(self) -> int:
        """Epoch of the next batch."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of an epoch."""
        self._epoch, self._consumed = epoch, 0

    def __len__(self) -> int:
        """Batches that the next iteration yields on this rank."""
        if self._epochs is None:
            raise TypeError("the stream has no length: epochs=None never ends")
        _, consumed = self._start()
        rest, whole = self._cut(consumed).n_batches, self._cut(0).n_batches
        return rest + (self._epochs - 1) * whole

    def __repr__(self) -> str:
        cut = self._cut(self._consumed)
        return (
            f"PairStream({cut.n} pairs of {', '.join(self._selection.keys)}; batch_size="
            f"{cut.batch_size}, rank {cut.rank} of {cut.world_size}; epoch {self._epoch}, "
            f"{self._consumed} pairs consumed)"
        )

    def __iter__(self) -> Iterator[Batch]:
        """Yield batches from the current position on, and move it."""
        first, _ = self._start()
        for batch in self.batches():
            self._epoch, self._consumed = batch["epoch"], batch["consumed"]
            yield batch
        # a rank without a batch in the last step comes to the same place as the others
        self.set_epoch(first + (self._epochs or 0))

    def batches(self, worker: int = 0, workers: int = 1, skip: int = 0) -> Iterator[Batch]:
        """Yield batches from the current position on, without moving it.

        Parameters
        ----------
        worker, workers : int
            Yield every `workers`-th batch, beginning with number `worker`: reading them in turn
            gives what one reader would get.
        skip : int
            Leave out so many of those.
        """
        steps = islice(self._steps(), worker + skip * workers, None, workers)
        return ordered_map(self._read, steps, threads=self._threads, ahead=self._prefetch)

    def state_dict(self) -> dict[str, Any]:
        """Position after the last batch that was yielded.

        Save it on rank 0, or on any rank at the same step, and load it on all.
        """
        return self._state(self._epoch, self._consumed)

    def state_after(self, batch: Batch) -> dict[str, Any]:
        """Position after a batch, for those who read it in another process."""
        return self._state(int(batch["epoch"]), int(batch["consumed"]))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where a stream of the same release, selection and seed was.

        World size, rank and batch size may differ.

        Raises
        ------
        QueryError
            If the state is of another release, selection or seed.
        """
        own = self._state(0, 0)
        for name in ("release", "selection", "seed", "shuffle"):
            if state.get(name) != own[name]:
                raise QueryError(
                    f"the state is of {name} {state.get(name)}, this stream of {own[name]}.",
                    where="load_state_dict",
                    remedy="open that release (Corpus.open(url, release=...)) with the same query, "
                    "split and seed, or start from the first epoch",
                )
        consumed = int(state["consumed"])
        if not 0 <= consumed <= len(self._selection):
            raise QueryError(
                f"{consumed} pairs of {len(self._selection)} are consumed.",
                where="load_state_dict",
                remedy="load a state that state_dict() gave",
            )
        self._epoch, self._consumed = int(state["epoch"]), consumed

    def _state(self, epoch: int, consumed: int) -> dict[str, Any]:
        return {
            "release": self._selection.release,
            "selection": self._selection.digest,
            "seed": self._seed,
            "shuffle": self._shuffle,
            "epoch": epoch,
            "consumed": consumed,
        }

    def _start(self) -> tuple[int, int]:
        """Epoch and pairs consumed where the next iteration begins."""
        has_more = self._cut(self._consumed).n_steps > 0
        return (self._epoch, self._consumed) if has_more else (self._epoch + 1, 0)

    def _steps(self) -> Iterator[_Step]:
        """Batches of this rank, epoch after epoch."""
        epoch, consumed = self._start()
        for done in count():
            if done == self._epochs:
                return
            yield from self._epoch_steps(epoch + done, consumed)
            consumed = 0

    def _epoch_steps(self, epoch: int, consumed: int) -> Iterator[_Step]:
        key = f"{self._selection.release}|{self._selection.digest}|{self._seed}"
        order = epoch_order(len(self._selection), key, epoch, shuffle=self._shuffle)
        cut = self._cut(consumed)
        for step in range(cut.n_batches):
            part = cut.part(step)
            is_last = step == cut.n_steps - 1
            yield _Step(
                epoch=epoch,
                pairs=order[part.start : part.stop],
                size=self._batch_size if self._pad else len(part),
                epoch_after=epoch + is_last,
                consumed_after=0 if is_last else cut.consumed_after(step),
            )

    def _read(self, step: _Step) -> Batch:
        batch = assemble(self._selection, step.pairs, step.size)
        return batch | {"epoch": step.epoch_after, "consumed": step.consumed_after}
