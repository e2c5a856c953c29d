from __future__ import annotations

import pickle
import shutil
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neuropair.catalog import Corpus
from neuropair.catalog.stream import PairStream
from neuropair.catalog.stream.recording import RecordingReader, ZarrArray
from neuropair.catalog.stream.selection import Selection
from neuropair.schemas.errors import DamagedError, QueryError

Batch = dict[str, Any]


def _flat(batch: Batch, prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in batch.items():
        part = (
            _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
        )
        found |= part
    return found


def assert_equal(a: Batch, b: Batch) -> None:
    first, second = _flat(a), _flat(b)
    assert first.keys() == second.keys()
    for name, value in first.items():
        if isinstance(value, np.ndarray):
            assert value.dtype == second[name].dtype
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def _ids(batches: list[Batch]) -> list[str]:
    return [i for b in batches for i, real in zip(b["pair_id"], b["is_pair"], strict=True) if real]


@pytest.fixture(scope="module")
def everything(corpus: Corpus) -> list[str]:
    return corpus.pairs().to_pandas()["pair_id"].tolist()


@pytest.fixture(scope="module")
def selection(corpus: Corpus) -> Selection:
    return corpus.pairs().select()


def _decoded(made: Any, recording: str, window: int) -> np.ndarray:
    return made.windows[recording].data["signal"].to_numpy()[window]


def test_a_batch_holds_what_was_written(corpus: Corpus, made: Any) -> None:
    stream = corpus.pairs("tier <> 'T5'").stream(16, seed=3)
    for batch in stream:
        for i in range(len(batch["pair_id"])):
            sides = {
                batch[f"modality_{s}"][i]: (batch[f"recording_{s}"][i], batch[f"window_{s}"][i])
                for s in "ab"
            }
            for modality in ("eeg", "fnirs", "meg", "fmri"):
                out = {name: value[i] for name, value in batch[modality].items()}
                if modality not in sides:
                    assert not out["present"]
                    assert not any(np.any(out[name]) for name in out if name != "channel")
                    assert (out["channel"] == -1).all()
                    continue
                _check_row(made, stream, modality, out, *sides[modality])


def _check_row(
    made: Any, stream: PairStream, modality: str, out: Batch, recording: str, window: int
) -> None:
    data = made.windows[recording].data.isel(window=window)
    n_channels, n_times = data["signal"].shape
    expected = data["signal"].to_numpy()
    step = np.abs(expected).max(axis=-1, keepdims=True) / 32767
    assert out["present"]
    assert (np.abs(out["signal"][:n_channels, :n_times] - expected) <= step * 0.51).all()
    assert not out["signal"][n_channels:].any()
    assert not out["signal"][:, n_times:].any()
    np.testing.assert_array_equal(out["time_mask"][:n_times], data["valid"])
    assert not out["time_mask"][n_times:].any()
    np.testing.assert_array_equal(out["channel_mask"][:n_channels], data["channel_valid"])
    assert not out["channel_mask"][n_channels:].any()
    time = data["time"].to_numpy() + float(data["time_offset"])
    np.testing.assert_allclose(out["time"][:n_times], time, atol=1e-6)
    names = [stream.channels[modality][code].name for code in out["channel"][:n_channels]]
    assert names == data["channel"].to_numpy().tolist()
    assert out["position_mask"].tolist() == [True] + [False] * (len(out["position_mask"]) - 1)
    np.testing.assert_allclose(out["position"][0], [0.01, 0.02, 0.03])
    if modality in ("fnirs", "fmri"):
        known = window == 3
        assert (out["beta_mask"][:n_channels] == known).all()
        wanted = data["beta"].to_numpy() if known else np.zeros(n_channels)
        np.testing.assert_allclose(out["beta"][:n_channels], wanted, rtol=1e-6)
    else:
        assert "beta" not in out


def test_one_modality_on_both_sides_gets_two_keys(corpus: Corpus, made: Any) -> None:
    (batch,) = corpus.pairs("tier = 'T5'").stream(8)
    assert {"eeg_a", "eeg_b"} <= batch.keys()
    assert "eeg" not in batch
    for side in "ab":
        for i in range(4):
            stored = _decoded(made, batch[f"recording_{side}"][i], batch[f"window_{side}"][i])
            got = batch[f"eeg_{side}"]["signal"][i, : stored.shape[0], : stored.shape[1]]
            np.testing.assert_allclose(got, stored, atol=np.abs(stored).max() / 32767)


def test_channels_have_name_type_and_unit(corpus: Corpus) -> None:
    channels = corpus.pairs("tier = 'T1'").stream(4).channels
    assert [c.name for c in channels["eeg"]] == ["C0", "C1", "C2", "C3", "C4"]
    assert {(c.type, c.unit) for c in channels["fnirs"]} == {("hbo", "mol/L")}


@pytest.mark.parametrize(("threads", "prefetch"), [(0, 0), (1, 1), (4, 9)])
def test_bytes_depend_on_nothing_but_release_query_seed_and_epoch(
    corpus: Corpus, threads: int, prefetch: int
) -> None:
    reference = list(corpus.pairs().stream(7, seed=5, epochs=2, threads=0))
    same = corpus.pairs("TRUE OR tier = 'T1'").stream(
        7, seed=5, epochs=2, threads=threads, prefetch=prefetch
    )
    got = list(same)
    assert len(got) == len(reference)
    for a, b in zip(reference, got, strict=True):
        assert_equal(a, b)
    half = len(reference) // 2
    assert _ids(got[:half]) != _ids(got[half:])
    assert _ids(list(corpus.pairs().stream(7, seed=6))) != _ids(reference[:half])


def test_one_iteration_is_an_epoch_and_the_next_goes_on(
    corpus: Corpus, everything: list[str]
) -> None:
    stream = corpus.pairs().stream(7, seed=5)
    first, second = _ids(list(stream)), _ids(list(stream))
    assert sorted(first) == sorted(second) == sorted(everything)
    assert first != second
    assert stream.epoch == 2
    stream.set_epoch(0)
    assert _ids(list(stream)) == first


@pytest.mark.parametrize("world", [1, 2, 3, 8])
@pytest.mark.parametrize("pad", [False, True])
def test_every_pair_once_an_epoch_over_all_ranks(
    corpus: Corpus, everything: list[str], world: int, pad: bool
) -> None:
    streams = [
        corpus.pairs().stream(5, rank=r, world_size=world, pad=pad, threads=0) for r in range(world)
    ]
    lengths = [len(stream) for stream in streams]
    by_rank = [list(stream) for stream in streams]
    batches = [batch for one in by_rank for batch in one]
    assert sorted(_ids(batches)) == sorted(everything)
    assert [len(one) for one in by_rank] == lengths
    assert {stream.epoch for stream in streams} == {1}
    if pad:
        assert len(set(lengths)) == 1
        assert {len(b["pair_id"]) for b in batches} == {5}


def test_padding_is_marked_and_holds_nothing(corpus: Corpus) -> None:
    last = list(corpus.pairs("tier = 'T1'").stream(16, pad=True))[-1]
    is_pair = last["is_pair"]
    assert is_pair.tolist() == [True] * 2 + [False] * 14
    assert last["pair_id"][2:] == [""] * 14
    assert last["eeg"]["present"].tolist() == is_pair.tolist()
    assert not last["eeg"]["signal"][2:].any()
    assert last["window_a"].dtype == np.int32


def test_drop_last_gives_full_batches(corpus: Corpus) -> None:
    stream = corpus.pairs("tier = 'T1'").stream(16, drop_last=True)
    assert [len(b["pair_id"]) for b in stream] == [16] * 3
    assert stream.epoch == 1


@given(
    size=st.integers(1, 30),
    other_size=st.integers(1, 30),
    world=st.integers(1, 4),
    other_world=st.integers(1, 4),
    stop=st.integers(0, 30),
)
@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_resume_gives_exactly_the_rest(
    selection: Selection,
    everything: list[str],
    size: int,
    other_size: int,
    world: int,
    other_world: int,
    stop: int,
) -> None:
    options = {"seed": 1, "threads": 0}
    before: list[Batch] = []
    states = []
    stop = min(stop, len(everything) // (size * world))
    for rank in range(world):
        stream = PairStream(selection, size, rank=rank, world_size=world, **options)
        before += islice(stream, stop)
        states.append(stream.state_dict())
    assert all(state == states[0] for state in states)
    after: list[Batch] = []
    for rank in range(other_world):
        stream = PairStream(selection, other_size, rank=rank, world_size=other_world, **options)
        stream.load_state_dict(pickle.loads(pickle.dumps(states[0])))
        after += list(stream)
    expected = everything if states[0]["epoch"] == 0 else everything * 2
    assert sorted(_ids(before + after)) == sorted(expected)


def test_a_resumed_stream_gives_the_same_batches(corpus: Corpus) -> None:
    pairs = corpus.pairs("tier = 'T1'")
    whole = list(pairs.stream(8, seed=2, epochs=2))
    stream = pairs.stream(8, seed=2, epochs=None)
    for batch in islice(stream, 3):
        assert stream.state_after(batch) == stream.state_dict()
    resumed = pairs.stream(8, seed=2, epochs=2)
    resumed.load_state_dict(stream.state_dict())
    assert len(resumed) == len(whole) - 3
    for a, b in zip(whole[3:], resumed, strict=True):
        assert_equal(a, b)


def test_a_state_at_the_end_of_an_epoch_leads_to_the_next(corpus: Corpus) -> None:
    stream = corpus.pairs("tier = 'T1'").stream(25)
    states = [stream.state_dict() for _ in stream]
    assert [(s["epoch"], s["consumed"]) for s in states] == [(0, 25), (1, 0)]


def test_a_state_of_another_stream_is_refused(corpus: Corpus) -> None:
    stream = corpus.pairs("tier = 'T1'").stream(8)
    state = stream.state_dict()
    for other in (corpus.pairs().stream(8), corpus.pairs("tier = 'T1'").stream(8, seed=1)):
        with pytest.raises(QueryError, match=r"selection|seed"):
            other.load_state_dict(state)
    with pytest.raises(QueryError, match="release"):
        stream.load_state_dict(state | {"release": "000000000000"})
    with pytest.raises(QueryError, match="51 pairs of 50"):
        stream.load_state_dict(state | {"consumed": 51})


def test_a_stream_crosses_a_process(corpus: Corpus) -> None:
    stream = corpus.pairs("tier = 'T1'").stream(8)
    expected = list(stream)
    stream.set_epoch(0)
    copy = pickle.loads(pickle.dumps(stream))
    for a, b in zip(expected, copy, strict=True):
        assert_equal(a, b)


def test_workers_in_turn_give_what_one_reader_gets(corpus: Corpus) -> None:
    stream = corpus.pairs().stream(9, epochs=2)
    expected = list(stream.batches())
    readers = [list(stream.batches(worker, 3)) for worker in range(3)]
    assert [b["pair_id"] for b in readers[1][1:]] == [
        b["pair_id"] for b in stream.batches(1, 3, skip=1)
    ]
    in_turn = [readers[i % 3][i // 3] for i in range(len(expected))]
    for a, b in zip(expected, in_turn, strict=True):
        assert_equal(a, b)


def test_without_shuffle_the_pairs_come_by_id(corpus: Corpus, everything: list[str]) -> None:
    stream = corpus.pairs().stream(9, shuffle=False)
    assert _ids(list(stream)) == everything == _ids(list(stream))


def test_no_end(corpus: Corpus, everything: list[str]) -> None:
    stream = corpus.pairs().stream(10, epochs=None)
    ids = _ids(list(islice(stream, 24)))
    assert sorted(ids[: 3 * len(everything)]) == sorted(everything * 3)
    with pytest.raises(TypeError, match="epochs=None"):
        len(stream)


@pytest.mark.parametrize(
    ("where", "options", "says"),
    [
        (None, {"batch_size": 0}, "batch of 0"),
        (None, {"batch_size": 4, "rank": 4, "world_size": 4}, "no rank 4"),
        ("tier = 'T0'", {"batch_size": 4}, "no pair"),
        (None, {"batch_size": 4, "epochs": 0}, "0 epochs"),
    ],
)
def test_wrong_arguments_are_one_clear_error(
    corpus: Corpus, where: str | None, options: dict[str, int], says: str
) -> None:
    with pytest.raises(QueryError, match=says):
        corpus.pairs(where).stream(**options)


def test_a_damaged_shard_stops_the_stream(made: Any, tmp_path: Path) -> None:
    shutil.copytree(made.path, tmp_path / "corpus")
    shard = next((tmp_path / "corpus").glob("signals/**/sub-01/**/signal/c/0/0/0"))
    content = bytearray(shard.read_bytes())
    content[100] ^= 4
    shard.write_bytes(content)
    with pytest.raises(DamagedError, match="checksum"):
        list(Corpus.open(tmp_path / "corpus").pairs().stream(8))


def test_zarr_reads_what_the_mapped_reader_reads(corpus: Corpus, made: Any) -> None:
    path = corpus.sql("SELECT path FROM recordings ORDER BY recording")["path"][0].as_py()
    reader = RecordingReader(corpus.location, path)
    rows = np.array([7, 2, 2, 0])
    for name in ("signal", "scale", "valid", "time"):
        other = ZarrArray(corpus.location, path, name)
        np.testing.assert_array_equal(other.take(rows), reader.array(name).take(rows))
        np.testing.assert_array_equal(other.read(), reader.array(name).read())
        assert other.take(rows[:0]).shape == reader.array(name).take(rows[:0]).shape
    group = zarr.open_group(made.path / path, mode="r")
    stored = group["signal"][:][rows] * group["scale"][:][rows][..., None]
    np.testing.assert_array_equal(reader.signal(rows), stored)
