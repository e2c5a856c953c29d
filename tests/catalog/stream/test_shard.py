from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zarr.codecs import BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec
from zarr.core.array import Array

from neuropair.catalog.stream.layout import parse_layout
from neuropair.catalog.stream.shard import MappedArray
from neuropair.schemas.errors import DamagedError

DTYPES = ["bool", "int8", "uint16", "int16", "int32", "uint64", "float32", "float64"]


def _create(folder: Path, **options: Any) -> Array[Any]:
    return zarr.create_array(folder, zarr_format=3, **options)


def _mapped(folder: Path) -> MappedArray:
    layout = parse_layout(json.loads((folder / "zarr.json").read_text()))
    assert layout is not None
    return MappedArray(folder, layout)


@st.composite
def arrays(draw: st.DrawFn) -> dict[str, Any]:
    n_dims = draw(st.integers(1, 3))
    sizes = st.lists(st.integers(1, 4), min_size=n_dims, max_size=n_dims)
    chunk, per_file = tuple(draw(sizes)), tuple(draw(sizes))
    shape = (draw(st.integers(0, 20)), *draw(st.tuples(*[st.integers(1, 9)] * (n_dims - 1))))
    return {
        "shape": shape,
        "chunk": chunk,
        "file": tuple(a * b for a, b in zip(chunk, per_file, strict=True)),
        "sharded": draw(st.booleans()),
        "dtype": draw(st.sampled_from(DTYPES)),
        "endian": draw(st.sampled_from(["little", "big"])),
        "crc": draw(st.booleans()),
        "index_crc": draw(st.booleans()),
        "index_location": draw(st.sampled_from(["start", "end"])),
        "encoding": draw(st.sampled_from(["default", "v2"])),
        "separator": draw(st.sampled_from(["/", "."])),
        "fill": draw(st.integers(0, 1)),
        "written": draw(st.lists(st.integers(0, 19), max_size=4)),
        "seed": draw(st.integers(0, 1000)),
    }


def _make(folder: Path, case: dict[str, Any]) -> Array[Any]:
    inner = [BytesCodec(endian=case["endian"]), *([Crc32cCodec()] * case["crc"])]
    sharding = ShardingCodec(
        chunk_shape=case["chunk"],
        codecs=inner,
        index_codecs=[BytesCodec(), *([Crc32cCodec()] * case["index_crc"])],
        index_location=case["index_location"],
    )
    serializer = sharding if case["sharded"] else inner[0]
    array = _create(
        folder,
        shape=case["shape"],
        chunks=case["file"],
        dtype=case["dtype"],
        fill_value=np.dtype(case["dtype"]).type(case["fill"]),
        serializer=serializer,
        filters=None,
        compressors=None if case["sharded"] or not case["crc"] else [Crc32cCodec()],
        chunk_key_encoding={
            "name": case["encoding"],
            "configuration": {"separator": case["separator"]},
        },
    )
    generator = np.random.default_rng(case["seed"])
    for row in case["written"]:
        if row < case["shape"][0]:
            values = generator.integers(0, 100, size=case["shape"][1:])
            array[row] = values.astype(case["dtype"])
    return array


@given(case=arrays(), pick=st.lists(st.integers(0, 19), max_size=12))
@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_it_reads_what_zarr_reads(
    tmp_path_factory: pytest.TempPathFactory, case: dict[str, Any], pick: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("array")
    expected = _make(folder, case)[:]
    mapped = _mapped(folder)
    np.testing.assert_array_equal(mapped.read(), expected)
    rows = np.array([r for r in pick if r < case["shape"][0]], dtype=np.int64)
    got = mapped.take(rows)
    np.testing.assert_array_equal(got, expected[rows])
    assert got.dtype == expected.dtype.newbyteorder("=")
    for row in rows.tolist():
        np.testing.assert_array_equal(mapped.row(row), expected[row])


def _plain(folder: Path) -> MappedArray:
    array = _create(
        folder,
        shape=(7, 3),
        chunks=(2, 3),
        shards=(4, 3),
        dtype="int16",
        filters=None,
        compressors=[Crc32cCodec()],
    )
    array[:] = np.arange(21).reshape(7, 3)
    return _mapped(folder)


@pytest.mark.parametrize("where", [0, 5, 11, 12, 20, -1, -5, -20])
def test_one_flipped_byte_is_damage(tmp_path: Path, where: int) -> None:
    mapped = _plain(tmp_path)
    shard = tmp_path / "c" / "0" / "0"
    content = bytearray(shard.read_bytes())
    content[where] ^= 1
    shard.write_bytes(content)
    with pytest.raises(DamagedError, match="c/0/0"):
        mapped.read()


@pytest.mark.parametrize("size", [0, 3, 40])
def test_a_truncated_shard_is_damage(tmp_path: Path, size: int) -> None:
    mapped = _plain(tmp_path)
    shard = tmp_path / "c" / "0" / "0"
    shard.write_bytes(shard.read_bytes()[:size])
    with pytest.raises(DamagedError):
        mapped.read()


def test_rows_outside_are_an_error(tmp_path: Path) -> None:
    mapped = _plain(tmp_path)
    for row in (-1, 7):
        with pytest.raises(IndexError):
            mapped.take(np.array([row]))


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": "int16", "compressors": [GzipCodec()]},
        {"dtype": "str"},
        {"dtype": "complex64", "compressors": None},
        {"dtype": "int16", "compressors": None, "shape": ()},
    ],
    ids=["compressed", "text", "complex", "scalar"],
)
@pytest.mark.filterwarnings("ignore:.*:zarr.errors.ZarrUserWarning")
def test_what_it_does_not_know_it_refuses(tmp_path: Path, options: dict[str, Any]) -> None:
    _create(tmp_path, **{"shape": (4,), **options})
    assert parse_layout(json.loads((tmp_path / "zarr.json").read_text())) is None
