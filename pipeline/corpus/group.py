"""One recording's windows as one Zarr v3 group that ``xarray.open_zarr`` opens as it is."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from neuropair.pipeline.corpus.quantise import quantise
from neuropair.schemas import layout

_LONG_NAMES = {
    layout.SIGNAL: "windows of the cleaned signal",
    layout.SCALE: "size of one integer step of the signal",
    layout.VALID: "sample was recorded, is not scrubbed and belongs to the window",
    layout.CHANNEL_VALID: "channel is good, and valid wherever the window is",
    layout.BASELINE: "mean of the valid samples before the onset, not subtracted",
    layout.BETA: "single-trial amplitude",
    layout.BETA_SE: "standard error of the single-trial amplitude",
    "time": "time from the onset",
    "channel": "channel name",
    "channel_type": "channel type as MNE names it",
    "channel_unit": "unit of the channel",
    "channel_status": "good or bad",
    "channel_position": "position of the channel: right, front, up",
    "xyz": "axis of the position",
    "onset": "time zero of the window on the recording's clock",
    "event": "number of the event; -1 for sliding windows",
    "time_offset": "what to add to time for the true acquisition time",
}
_UNITS = {"time": "s", "onset": "s", "time_offset": "s", "channel_position": "m"}
_COORDINATES = (
    "time", "channel", "channel_type", "channel_unit", "channel_status", "channel_position", "xyz",
    "onset", "event", "time_offset",
)  # fmt: skip
_IN_CHANNEL_UNITS = (layout.SIGNAL, layout.SCALE, layout.BASELINE, layout.BETA, layout.BETA_SE)


def write_group(
    folder: Path,
    data: xr.Dataset,
    attributes: Mapping[str, Any],
    dtype: Literal["int16", "float32"],
) -> None:
    """Write the windows of one recording; the same data give the same bytes.

    Every array is uncompressed with crc32c, so that readers can map it (design, section 4).

    Parameters
    ----------
    folder : Path
        Must not exist.
    data : xarray.Dataset
        As in `neuropair.pipeline.types.WindowSet`.
    attributes : Mapping
        Of the group; what JSON can hold.
    dtype : {'int16', 'float32'}
        Of the array ``signal``.
    """
    stored = _stored(data, dtype)
    stored.attrs = json.loads(to_json(attributes))
    stored.to_zarr(
        folder,
        mode="w-",
        zarr_format=3,
        consolidated=False,
        encoding={str(name): _encoding(stored[name]) for name in stored.variables},
        write_empty_chunks=True,
    )
    _consolidate(folder)


def _stored(data: xr.Dataset, dtype: Literal["int16", "float32"]) -> xr.Dataset:
    variables = {str(name): variable for name, variable in data.variables.items()}
    if "xyz" not in variables:
        variables["xyz"] = xr.Variable(("xyz",), ["x", "y", "z"])
    signal = data.variables[layout.SIGNAL].transpose(*layout.DIMS).to_numpy()
    if dtype == "int16":
        values, scale = quantise(signal)
        variables[layout.SCALE] = xr.Variable(layout.DIMS[:2], scale)
        variables[layout.SIGNAL] = xr.Variable(layout.DIMS, values, {"scale": layout.SCALE})
    else:
        variables[layout.SIGNAL] = xr.Variable(layout.DIMS, signal.astype(np.float32))
    units = set(data["channel_unit"].to_numpy().tolist())
    unit = units.pop() if len(units) == 1 else "see channel_unit"
    described = {name: _described(name, variables[name], unit) for name in sorted(variables)}
    arrays = {name: described.pop(name) for name in list(described) if name not in _COORDINATES}
    return xr.Dataset(arrays, coords=described)


def _described(name: str, variable: xr.Variable, unit: str) -> xr.Variable:
    values = variable.to_numpy()
    attributes: dict[str, Any] = {"long_name": _LONG_NAMES.get(name, name), **variable.attrs}
    if name in _IN_CHANNEL_UNITS:
        attributes["units"] = unit
    elif name in _UNITS:
        attributes["units"] = _UNITS[name]
    if values.dtype.kind in "UT":
        values = values.astype(object)
    return xr.Variable(variable.dims, values, attributes)


def _encoding(variable: xr.DataArray) -> dict[str, Any]:
    from zarr.codecs import Crc32cCodec

    encoding: dict[str, Any] = {
        "compressors": (Crc32cCodec(),),
        "chunks": tuple(max(1, size) for size in variable.shape),
    }
    if variable.dtype == bool:
        encoding["dtype"] = "bool"
    if variable.name == layout.SIGNAL:
        n_windows, *rest = variable.shape
        rest = [max(1, size) for size in rest]
        size = variable.dtype.itemsize * math.prod(rest)
        encoding["chunks"] = (layout.windows_per_chunk(n_windows, size), *rest)
        encoding["shards"] = (layout.windows_per_shard(n_windows, size), *rest)
    return encoding


def _consolidate(folder: Path) -> None:
    """Put the arrays' metadata into the group's.

    What ``zarr.consolidate_metadata`` writes, without its warning that the v3 specification has
    no such thing yet: readers look for it, and a remote corpus opens with one request.
    """
    group = json.loads((folder / "zarr.json").read_text())
    arrays = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("*/zarr.json")}
    group["consolidated_metadata"] = {
        "kind": "inline",
        "must_understand": False,
        "metadata": dict(sorted(arrays.items())),
    }
    (folder / "zarr.json").write_text(to_json(group))


def to_json(content: Any) -> str:
    """Compact JSON, the same for equal content; NaN and infinity become null."""
    return json.dumps(_plain(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _plain(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, np.ndarray | list | tuple | set | frozenset):
        items = sorted(content) if isinstance(content, set | frozenset) else content
        return [_plain(value) for value in items]
    if isinstance(content, np.generic):
        return _plain(content.item())
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    return content if isinstance(content, str | int | bool | None) else str(content)
