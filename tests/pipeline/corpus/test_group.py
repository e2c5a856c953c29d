from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import xarray as xr
import zarr
from corpora import make_windows

from neuropair.pipeline.corpus.group import to_json, write_group
from neuropair.schemas import layout


def _bytes(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def windows():
    return make_windows("eeg", n_windows=70, n_channels=3, n_times=48)


@pytest.fixture(scope="module")
def group(tmp_path_factory, windows):
    folder = tmp_path_factory.mktemp("group") / "g"
    write_group(folder, windows.data, {"sfreq": 40.0, "session": None}, "int16")
    return folder


def test_xarray_opens_it_as_it_is(group, windows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = xr.open_zarr(group).load()
    assert opened["signal"].dims == layout.DIMS
    assert opened["signal"].dtype == np.int16
    assert opened["valid"].dtype == bool
    assert opened["channel"].values.tolist() == ["C0", "C1", "C2"]
    assert {"onset", "event", "time_offset", "channel_type"} <= set(opened.coords)
    assert opened.attrs == {"sfreq": 40.0, "session": None}
    signal = windows.data["signal"].to_numpy()
    decoded = opened["signal"] * opened["scale"]
    peak = np.abs(signal).max(axis=-1, keepdims=True)
    assert (np.abs(decoded.transpose(*layout.DIMS).values - signal) <= peak * 1e-4).all()
    for name in ("valid", "channel_valid", "baseline", "onset", "time", "channel_position"):
        np.testing.assert_array_equal(opened[name].values, windows.data[name].values)


def test_every_array_says_what_it_is_and_in_which_unit(group):
    opened = xr.open_zarr(group)
    assert all(opened[name].attrs.get("long_name") for name in opened.variables)
    units = {name: opened[name].attrs.get("units") for name in opened.variables}
    assert units["signal"] == units["scale"] == units["baseline"] == "V"
    assert units["time"] == units["onset"] == units["time_offset"] == "s"
    assert units["channel_position"] == "m"


def test_plain_zarr_opens_it_and_the_codecs_are_the_promised_ones(group, windows):
    opened = zarr.open_group(group, mode="r")
    signal = opened["signal"]
    assert signal.chunks == (35, 3, 48)
    assert signal.shards == (70, 3, 48)
    scale = opened["scale"][:]
    np.testing.assert_allclose(
        signal[5] * scale[5][:, None], windows.data["signal"].to_numpy()[5], atol=1e-8
    )
    metadata = json.loads((group / "signal/zarr.json").read_text())
    (sharding,) = metadata["codecs"]
    inner = sharding["configuration"]
    names = [codec["name"] for codec in inner["codecs"]]
    assert (names, inner["index_location"]) == (["bytes", "crc32c"], "end")
    assert metadata["dimension_names"] == list(layout.DIMS)
    assert (group / "signal/c/0/0/0").stat().st_size == 2 * (35 * 3 * 48 * 2 + 4) + 2 * 16 + 4


def test_chunks_lie_in_order_with_their_checksums_and_zero_padding(group, tmp_path):
    write_group(tmp_path / "g", make_windows(n_windows=71, n_channels=3).data, {}, "int16")
    content = (tmp_path / "g/signal/c/0/0/0").read_bytes()
    size = 36 * 3 * 48 * 2
    index = np.frombuffer(content[-(2 * 16 + 4) : -4], "<u8").reshape(-1, 2)
    assert index.tolist() == [[0, size + 4], [size + 4, size + 4]]
    last = np.frombuffer(content[size + 4 : 2 * size + 4], "<i2").reshape(36, 3, 48)
    assert not last[35:].any()
    assert last[34].any()


def test_the_same_windows_give_the_same_bytes(group, windows, tmp_path):
    write_group(tmp_path / "g", windows.data, {"session": None, "sfreq": 40.0}, "int16")
    assert _bytes(tmp_path / "g") == _bytes(group)


@pytest.mark.parametrize("position", [0, 3000, 20_000])
def test_a_flipped_byte_of_the_signal_is_noticed(group, windows, tmp_path, position):
    write_group(tmp_path / "g", windows.data, {}, "int16")
    shard = tmp_path / "g/signal/c/0/0/0"
    content = bytearray(shard.read_bytes())
    content[position] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ValueError, match=r"(?i)checksum"):
        zarr.open_group(tmp_path / "g", mode="r")["signal"][:]


@pytest.mark.parametrize("name", ["scale/c/0/0", "valid/c/0/0", "channel/c/0", "onset/c/0"])
def test_a_flipped_byte_of_a_small_array_is_noticed(windows, tmp_path, name):
    write_group(tmp_path / "g", windows.data, {}, "int16")
    content = bytearray((tmp_path / "g" / name).read_bytes())
    content[5] ^= 1
    (tmp_path / "g" / name).write_bytes(content)
    with pytest.raises(ValueError, match=r"(?i)checksum"):
        zarr.open_group(tmp_path / "g", mode="r")[name.split("/")[0]][:]


def test_float32_keeps_every_bit_and_has_no_scale(windows, tmp_path):
    write_group(tmp_path / "g", windows.data, {}, "float32")
    opened = xr.open_zarr(tmp_path / "g")
    assert "scale" not in opened
    assert "scale" not in opened["signal"].attrs
    np.testing.assert_array_equal(opened["signal"].values, windows.data["signal"].values)


def test_no_windows_make_a_group_too(tmp_path):
    write_group(tmp_path / "g", make_windows(n_windows=0).data, {}, "int16")
    opened = xr.open_zarr(tmp_path / "g").load()
    assert opened["signal"].shape == (0, 4, 48)
    assert opened["valid"].shape == (0, 48)
    assert zarr.open_group(tmp_path / "g", mode="r")["signal"].shape == (0, 4, 48)


def test_a_long_recording_gets_several_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "SHARD_BYTES", 2**16)
    windows = make_windows(n_windows=300, n_channels=4)
    write_group(tmp_path / "g", windows.data, {}, "int16")
    files = sorted((tmp_path / "g/signal/c").iterdir())
    assert len(files) > 1
    assert all(path.stat().st_size < 2**16 + 2**10 for path in (f / "0/0" for f in files))
    opened = xr.open_zarr(tmp_path / "g")
    np.testing.assert_allclose(
        (opened["signal"] * opened["scale"]).values, windows.data["signal"].values, atol=1e-8
    )


def test_json_is_plain_sorted_and_without_nan():
    content = {"b": np.float32(1.5), "a": [np.nan, np.int64(3), {2, 1}], "c": np.array([True])}
    assert to_json(content) == '{"a":[null,3,[1,2]],"b":1.5,"c":[true]}'
