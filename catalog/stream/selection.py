"""The pairs of a stream, resolved once: which row of which array, in what shape."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from neuropair.catalog.location import Location
from neuropair.catalog.stream.gather import Gather
from neuropair.catalog.stream.recording import RecordingReader
from neuropair.schemas import layout
from neuropair.schemas.errors import DamagedError

_REMOTE_READS = 16
"""Small metadata files that are read side by side; they wait for the network."""


_TEXT = ("study", "pair_id", "tier", "rule", "concept", "stimulus", "split")
_SIDE_TEXT = ("modality", "recording", "person")


class Channel(NamedTuple):
    """What a number in ``channel`` of a batch stands for."""

    name: str
    type: str
    unit: str


@dataclass(frozen=True)
class KeyPlan:
    """One signal of the batches.

    Parameters
    ----------
    modality : str
    recording : array of int32, shape (pair,)
        Position in `Selection.readers`; -1 where the pair has no such side.
    window : array of int32, shape (pair,)
    n_channels, n_times : int
        Largest of the selection: what batches are padded to.
    channels : tuple of Channel
        All channels of the selection, sorted.
    codes : dict
        Recording position -> position of each of its channels in `channels`.
    has_beta : bool
        Whether a recording of the selection has single-trial estimates.
    """

    modality: str
    recording: NDArray[np.int32]
    window: NDArray[np.int32]
    n_channels: int
    n_times: int
    channels: tuple[Channel, ...]
    codes: dict[int, NDArray[np.int32]]
    has_beta: bool


@dataclass(frozen=True)
class Selection:
    """Pairs in an order of their own, by study and pair id, whatever the files' order is.

    Parameters
    ----------
    release : str
    digest : str
        SHA-256 of the ids of the pairs: what two queries have in common if they give the same.
    pairs : pyarrow.Table
    readers : tuple of RecordingReader
    keys : dict
        Name in the batch -> `KeyPlan`.
    """

    release: str
    digest: str
    pairs: pa.Table
    readers: tuple[RecordingReader, ...]
    keys: dict[str, KeyPlan]

    def __getstate__(self) -> dict[str, Any]:
        """Leave maps and buffers behind: another process makes its own."""
        made = ("gathers", "texts", "numbers")
        return {name: value for name, value in self.__dict__.items() if name not in made}

    @cached_property
    def gathers(self) -> dict[str, Gather]:
        """Name in the batch -> what reads it."""
        return {key: Gather(plan, self.readers) for key, plan in self.keys.items()}

    @cached_property
    def texts(self) -> dict[str, tuple[NDArray[Any], NDArray[np.integer[Any]]]]:
        """Column of text -> its different values, and which of them each pair has."""
        sides = [f"{name}_{side}" for name in _SIDE_TEXT for side in "ab"]
        found: dict[str, tuple[NDArray[Any], NDArray[np.integer[Any]]]] = {}
        for name in (*_TEXT, *sides):
            column = self.pairs[name].combine_chunks()
            if pa.types.is_dictionary(column.type):
                # the value after the last stands for null
                values = np.array([*column.dictionary.to_pylist(), None], dtype=object)
                codes = pc.fill_null(column.indices, len(values) - 1).to_numpy()
            else:
                values = np.array([*column.to_pylist(), None], dtype=object)
                codes = np.arange(len(column))
            found[name] = values, codes
        return found

    @cached_property
    def numbers(self) -> dict[str, NDArray[Any]]:
        """Column of numbers -> value of each pair."""
        kinds = {"window_a": "i4", "window_b": "i4", "confidence": "f4", "quality": "f4"}
        return {name: self.pairs[name].to_numpy().astype(kind) for name, kind in kinds.items()}

    def __len__(self) -> int:
        return int(self.pairs.num_rows)


def resolve(
    location: Location, release: str, pairs: pa.Table, recordings: pa.Table, channels: pa.Table
) -> Selection:
    """Resolve pairs to rows of arrays.

    Parameters
    ----------
    location : Location
    release : str
    pairs : pyarrow.Table
        Rows of ``pairs``, sorted by study and pair id.
    recordings : pyarrow.Table
        Columns ``recording, path`` of the recordings that the pairs name.
    channels : pyarrow.Table
        Columns ``recording, channel, type, unit`` of their stored channels, in stored order.

    Raises
    ------
    DamagedError
        If a pair names a recording that the release has not, or whose group cannot be read.
    """
    names = recordings["recording"].to_pylist()
    readers = tuple(RecordingReader(location, path) for path in recordings["path"].to_pylist())
    shapes = _shapes(readers)
    channels_of = _channels_of(channels)
    for name, reader, shape in zip(names, readers, shapes, strict=True):
        _check_channels(location.where(reader.path), len(channels_of.get(name, [])), shape[1])
    sides = {side: _codes(pairs[f"recording_{side}"], names, location) for side in "ab"}
    keys = {
        key: _key_plan(key, pairs, sides, readers, shapes, [channels_of.get(n, []) for n in names])
        for key in _key_names(pairs)
    }
    return Selection(release, _digest(pairs), _compact(pairs), readers, keys)


def _key_names(pairs: pa.Table) -> list[str]:
    both = pc.equal(pairs["modality_a"], pairs["modality_b"])
    twice = set(pairs.filter(both)["modality_a"].to_pylist())
    modalities = {*pairs["modality_a"].unique().to_pylist()}
    modalities |= {*pairs["modality_b"].unique().to_pylist()}
    return sorted(key for m in modalities for key in ([f"{m}_a", f"{m}_b"] if m in twice else [m]))


def _codes(column: Any, names: list[str], location: Location) -> NDArray[np.int32]:
    codes = pc.index_in(column, value_set=pa.array(names, pa.string()))
    if codes.null_count:
        stranger = column.filter(pc.is_null(codes))[0].as_py()
        raise DamagedError(
            f"pairs name the recording {stranger}, which the release does not hold.",
            where=location.url,
            remedy="run `neuropair verify`, and ingest the study of these pairs again",
        )
    return np.asarray(codes.to_numpy(), np.int32)


def _key_plan(
    key: str,
    pairs: pa.Table,
    sides: dict[str, NDArray[np.int32]],
    readers: Sequence[RecordingReader],
    shapes: list[tuple[int, int, int]],
    channels: list[list[Channel]],
) -> KeyPlan:
    modality, _, side = key.partition("_")
    recording = np.full(pairs.num_rows, -1, np.int32)
    window = np.zeros(pairs.num_rows, np.int32)
    for name in side or "ab":
        is_it = np.asarray(pc.equal(pairs[f"modality_{name}"], modality))
        recording[is_it] = sides[name][is_it]
        window[is_it] = pairs[f"window_{name}"].to_numpy()[is_it]
    used = [int(number) for number in np.unique(recording) if number >= 0]
    known = sorted({channel for number in used for channel in channels[number]})
    code_of = {channel: code for code, channel in enumerate(known)}
    return KeyPlan(
        modality=modality,
        recording=recording,
        window=window,
        n_channels=max(shapes[number][1] for number in used),
        n_times=max(shapes[number][2] for number in used),
        channels=tuple(known),
        codes={n: np.array([code_of[c] for c in channels[n]], np.int32) for n in used},
        has_beta=any(readers[number].has(layout.BETA) for number in used),
    )


def _shapes(readers: Sequence[RecordingReader]) -> list[tuple[int, int, int]]:
    with ThreadPoolExecutor(_REMOTE_READS) as pool:
        return list(pool.map(lambda reader: reader.shape, readers))


def _channels_of(channels: pa.Table) -> dict[str, list[Channel]]:
    found: dict[str, list[Channel]] = {}
    columns = (channels[name].to_pylist() for name in ("recording", "channel", "type", "unit"))
    for recording, *channel in zip(*columns, strict=True):
        found.setdefault(recording, []).append(Channel(*channel))
    return found


def _check_channels(where: str, listed: int, stored: int) -> None:
    if listed != stored:
        raise DamagedError(
            f"it holds {stored} channels, table channels lists {listed}.",
            where=where,
            remedy="run `neuropair verify`, remove the damaged recording and ingest it again",
        )


def _digest(pairs: pa.Table) -> str:
    digest = hashlib.sha256()
    for batch in pairs.select(["study", "pair_id"]).to_batches(max_chunksize=2**16):
        for study, pair_id in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            digest.update(f"{study}\0{pair_id}\n".encode())
    return digest.hexdigest()


_KEPT_AS_IT_IS = frozenset(["pair_id"])


def _compact(pairs: pa.Table) -> pa.Table:
    """Hold repeated text once; ids repeat nowhere."""
    columns = [
        pairs[field.name].dictionary_encode()
        if pa.types.is_string(field.type) and field.name not in _KEPT_AS_IT_IS
        else pairs[field.name]
        for field in pairs.schema
    ]
    return pa.table(dict(zip(pairs.column_names, columns, strict=True))).combine_chunks()
