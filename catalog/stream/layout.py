"""What a ``zarr.json`` says about where an array's bytes lie.

The layout is that of the Zarr core specification 3.0 and of its ``sharding_indexed`` codec
(https://zarr-specs.readthedocs.io/en/latest/v3/codecs/sharding-indexed/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal, NamedTuple

import numpy as np

Order = Literal["<", ">"]

CRC_BYTES = 4
_INTEGERS = [f"{kind}int{bits}" for kind in ("", "u") for bits in (8, 16, 32, 64)]
_DTYPES = frozenset(["bool", *_INTEGERS, "float16", "float32", "float64"])


@dataclass(frozen=True)
class ArrayLayout:
    """How the bytes of one array lie in its files.

    Parameters
    ----------
    shape : tuple of int
    dtype : numpy.dtype
        With the byte order of the file.
    file_shape : tuple of int
        Shape of what one file holds: a shard, or a chunk where there are no shards.
    chunk_shape : tuple of int
        Shape of what is read at once; `file_shape` where there are no shards.
    chunk_crc, index_crc : bool
        Whether crc32c follows each chunk, and the shard's index.
    index_order : str or None
        Byte order of the shard's index; None where there are no shards.
    index_at_end : bool
    prefix, separator : str
        A file is named ``<prefix><i><separator><j>...``.
    fill : numpy scalar
        Value of what was never written.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    file_shape: tuple[int, ...]
    chunk_shape: tuple[int, ...]
    chunk_crc: bool
    index_crc: bool
    index_order: Order | None
    index_at_end: bool
    prefix: str
    separator: str
    fill: Any

    @property
    def chunks_per_file(self) -> tuple[int, ...]:
        """Number of chunks in a file along each dimension."""
        return tuple(f // c for f, c in zip(self.file_shape, self.chunk_shape, strict=True))

    @property
    def chunk_bytes(self) -> int:
        """Stored size of a chunk, without its checksum."""
        return prod(self.chunk_shape) * self.dtype.itemsize

    def file_name(self, number: tuple[int, ...]) -> str:
        """Path of a file, relative to the array's folder."""
        return self.prefix + self.separator.join(map(str, number))


class _Bytes(NamedTuple):
    order: Order
    has_crc: bool


class _Sharding(NamedTuple):
    chunk_shape: tuple[int, ...]
    chunk: _Bytes
    shard_index: _Bytes | None
    index_at_end: bool


def parse_layout(metadata: Mapping[str, Any]) -> ArrayLayout | None:
    """Read an array's metadata.

    Parameters
    ----------
    metadata : Mapping
        Parsed content of an array's ``zarr.json``, or its part of consolidated metadata.

    Returns
    -------
    ArrayLayout or None
        None where the array uses anything but regular chunks or shards of uncompressed numbers,
        with or without crc32c.
    """
    if not _is_plain(metadata):
        return None
    keys = _key_encoding(metadata["chunk_key_encoding"])
    file_shape = tuple(metadata["chunk_grid"]["configuration"]["chunk_shape"])
    coded = _sharding(metadata["codecs"], file_shape)
    if keys is None or coded is None:
        return None
    dtype = np.dtype(metadata["data_type"]).newbyteorder(coded.chunk.order)
    fill = _fill(metadata["fill_value"], dtype)
    if fill is None:
        return None
    return ArrayLayout(
        shape=tuple(metadata["shape"]),
        dtype=dtype,
        file_shape=file_shape,
        chunk_shape=coded.chunk_shape,
        chunk_crc=coded.chunk.has_crc,
        index_crc=coded.shard_index is not None and coded.shard_index.has_crc,
        index_order=None if coded.shard_index is None else coded.shard_index.order,
        index_at_end=coded.index_at_end,
        prefix=keys[0],
        separator=keys[1],
        fill=fill,
    )


def _is_plain(metadata: Mapping[str, Any]) -> bool:
    return (
        metadata.get("zarr_format") == 3
        and metadata.get("node_type") == "array"
        and len(metadata["shape"]) > 0
        and isinstance(metadata["data_type"], str)
        and metadata["data_type"] in _DTYPES
        and metadata["chunk_grid"]["name"] == "regular"
        and not metadata.get("storage_transformers")
    )


def _key_encoding(encoding: Mapping[str, Any]) -> tuple[str, str] | None:
    settings = encoding.get("configuration", {})
    if encoding["name"] == "default":
        separator = settings.get("separator", "/")
        return f"c{separator}", separator
    if encoding["name"] == "v2":
        return "", settings.get("separator", ".")
    return None


def _sharding(codecs: Sequence[Any], file_shape: tuple[int, ...]) -> _Sharding | None:
    if [_name(codec) for codec in codecs] != ["sharding_indexed"]:
        plain = _bytes(codecs)
        return None if plain is None else _Sharding(file_shape, plain, None, True)
    settings = codecs[0]["configuration"]
    chunk, index = _bytes(settings["codecs"]), _bytes(settings["index_codecs"])
    if chunk is None or index is None:
        return None
    at_end = settings.get("index_location", "end") == "end"
    return _Sharding(tuple(settings["chunk_shape"]), chunk, index, at_end)


def _bytes(codecs: Sequence[Any]) -> _Bytes | None:
    names = [_name(codec) for codec in codecs]
    if names not in (["bytes"], ["bytes", "crc32c"]):
        return None
    settings = codecs[0].get("configuration", {}) if isinstance(codecs[0], Mapping) else {}
    return _Bytes(">" if settings.get("endian") == "big" else "<", "crc32c" in names)


def _name(codec: Any) -> str:
    return str(codec["name"] if isinstance(codec, Mapping) else codec)


def _fill(value: Any, dtype: np.dtype[Any]) -> Any | None:
    if isinstance(value, str):
        return dtype.type(float(value)) if value in ("NaN", "Infinity", "-Infinity") else None
    return dtype.type(value)
