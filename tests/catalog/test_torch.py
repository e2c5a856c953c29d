from __future__ import annotations

import itertools
import multiprocessing
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from neuropair.catalog import Corpus
from neuropair.catalog.torch import PairDataset
from neuropair.schemas.errors import QueryError


def _ids(batches: Any) -> list[str]:
    return [pair_id for batch in batches for pair_id in batch["pair_id"]]


def _loader(dataset: PairDataset, workers: int) -> DataLoader[Any]:
    context = multiprocessing.get_context("forkserver")
    # two workers that import torch each took 55 s on two busy cores
    context.set_forkserver_preload(["neuropair.catalog.torch"])
    return DataLoader(
        dataset,
        batch_size=None,
        num_workers=workers,
        multiprocessing_context=context if workers else None,
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_gives_the_stream_whatever_its_workers(corpus: Corpus, workers: int) -> None:
    pairs = corpus.pairs()
    expected = list(pairs.stream(9, seed=1, epochs=2))
    dataset = PairDataset(pairs.stream(9, seed=1, epochs=2))
    loader = _loader(dataset, workers)
    assert len(loader) == len(expected)
    for reference, batch in zip(expected, loader, strict=True):
        assert batch["pair_id"] == reference["pair_id"]
        assert batch["stimulus"] == reference["stimulus"]
        assert (batch["epoch"], batch["consumed"]) == (reference["epoch"], reference["consumed"])
        for name, value in reference["fnirs"].items():
            assert isinstance(batch["fnirs"][name], torch.Tensor)
            np.testing.assert_array_equal(batch["fnirs"][name].numpy(), value)


def test_a_position_from_a_batch_fits_any_loader(corpus: Corpus) -> None:
    pairs = corpus.pairs()
    expected = _ids(pairs.stream(9, seed=1))
    dataset = PairDataset(pairs.stream(9, seed=1))
    batches = list(itertools.islice(_loader(dataset, 0), 3))
    state = dataset.stream.state_after(batches[-1])
    resumed = PairDataset(pairs.stream(4, seed=1))
    resumed.load_state_dict(state)
    assert _ids(batches) + _ids(_loader(resumed, 0)) == expected


def test_epochs_differ_when_set(corpus: Corpus) -> None:
    dataset = PairDataset(corpus.pairs().stream(9, seed=1))
    first = _ids(dataset)
    dataset.set_epoch(0)
    assert _ids(dataset) == first
    dataset.set_epoch(1)
    assert _ids(dataset) != first


def test_it_pins(corpus: Corpus) -> None:
    batch = next(iter(PairDataset(corpus.pairs().stream(9))))
    converted = torch.utils.data.default_convert(batch)
    assert converted["eeg_a"]["signal"].dtype == torch.float32
    assert converted["pair_id"] == batch["pair_id"]


class _Info:
    def __init__(self, worker: int, workers: int) -> None:
        self.id, self.num_workers = worker, workers


def test_stateful_workers_resume_where_each_was(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What torchdata's StatefulDataLoader does: it asks and restores every worker's own copy."""

    def in_worker(worker: int, workers: int = 2) -> None:
        info = _Info(worker, workers)
        monkeypatch.setattr("neuropair.catalog.torch.get_worker_info", lambda: info)

    pairs = corpus.pairs()
    expected = [b["pair_id"] for b in pairs.stream(9, seed=1, epochs=2)]
    states, given = [], []
    for worker, n in ((0, 3), (1, 2)):
        in_worker(worker)
        dataset = PairDataset(pairs.stream(9, seed=1, epochs=2))
        given.append([b["pair_id"] for b in itertools.islice(dataset, n)])
        states.append(dataset.state_dict())
    for worker in (0, 1):
        in_worker(worker)
        dataset = PairDataset(pairs.stream(9, seed=1, epochs=2))
        dataset.load_state_dict(states[worker])
        assert dataset.state_dict() == states[worker]
        given[worker] += [b["pair_id"] for b in dataset]
    assert [given[i % 2][i // 2] for i in range(len(expected))] == expected
    in_worker(0, 3)
    with pytest.raises(QueryError, match="worker 0 of 2"):
        PairDataset(pairs.stream(9, seed=1)).load_state_dict(states[0])
