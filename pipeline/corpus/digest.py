"""Digests: of files, of rows, and of everything that a recording's group is made from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

import neuropair
from neuropair.pipeline.corpus.group import to_json
from neuropair.pipeline.types import Events, Recording
from neuropair.schemas import layout
from neuropair.schemas.kinds import Modality
from neuropair.schemas.signals import Signals
from neuropair.schemas.study import Windows
from neuropair.schemas.tables import conform

_BLOCK = 2**20
_DIGITS = 16
_SOFTWARE: Mapping[Modality, tuple[str, ...]] = {
    Modality.EEG: ("mne", "numpy", "pyprep", "scipy"),
    Modality.MEG: ("mne", "numpy", "pyprep", "scipy"),
    Modality.FNIRS: ("mne", "mne-nirs", "numpy", "scipy"),
    Modality.FMRI: ("nibabel", "nilearn", "numpy", "scipy"),
}
"""Packages whose version can change a signal."""


def sha256_file(path: Path) -> str:
    """``sha256:<hex>`` of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return f"sha256:{digest.hexdigest()}"


def rows_digest(table: pa.Table) -> str:
    """SHA-256 of the rows of a table: of the values, not of how Arrow or Parquet hold them."""
    digest = hashlib.sha256(f"{table.num_rows}".encode())
    for field in table.schema:
        column = table.column(field.name)
        digest.update(f"|{field.name}:{field.type}|".encode())
        digest.update(np.packbits(column.is_valid().to_numpy()).tobytes())
        for part in _text_bytes(column) if pa.types.is_string(field.type) else _bytes(column):
            digest.update(part)
    return digest.hexdigest()


def _bytes(column: pa.ChunkedArray) -> Iterator[bytes]:
    values = column.fill_null(False if pa.types.is_boolean(column.type) else 0).to_numpy()
    yield values.astype(values.dtype.newbyteorder("<")).tobytes()


def _text_bytes(column: pa.ChunkedArray) -> Iterator[bytes | memoryview]:
    """Lengths, then the text itself, straight from Arrow's buffers."""
    text = column.fill_null("")
    yield pc.binary_length(text).to_numpy().astype("<i4").tobytes()
    for chunk in text.chunks:
        _, offsets, characters = chunk.buffers()
        if characters is not None and len(chunk):
            ends = np.frombuffer(offsets, np.int32)
            first, last = ends[chunk.offset], ends[chunk.offset + len(chunk)]
            yield memoryview(characters)[first:last]


def input_digest(
    recording: Recording,
    *,
    files: Mapping[str, str],
    events: Events,
    person: str,
    signals: Signals,
    windows: Windows,
    rename: Mapping[str, str] | None = None,
    sliding_onsets: Sequence[float] | np.ndarray | None = None,
    license: str | None = None,
) -> str:
    """Digest of everything that one recording's group is made from: its folder's name.

    Only what concerns the recording enters, so that a change of another modality's settings, or
    of a rule that changes none of its events, makes nothing anew.

    Parameters
    ----------
    recording : Recording
    files : Mapping
        Path -> checksum of every file that is read for it.
    events : Events
        Its canonical events: what the recipe made of the table.
    person : str
    signals : Signals
        Settings of all modalities; the recording's own is used.
    windows : Windows
    rename : Mapping, optional
        Channel name -> standard name, of the recipe.
    sliding_onsets : array, optional
        Onsets of sliding windows on the recording's clock, s.
    license : str, optional

    Returns
    -------
    str
        16 hex digits of a SHA-256.
    """
    modality = recording.modality
    content = {
        "format": layout.FORMAT,
        "neuropair": neuropair.__version__,
        "software": {name: _version(name) for name in _SOFTWARE[modality]},
        "recording": _described(recording),
        "files": dict(files),
        "events": _events_digest(events),
        "person": person,
        "settings": getattr(signals, modality.value).model_dump(mode="json"),
        "window": getattr(windows, modality.value).model_dump(mode="json"),
        "sliding": windows.sliding.model_dump(mode="json") if windows.sliding else None,
        "sliding_onsets": None if sliding_onsets is None else np.asarray(sliding_onsets).tolist(),
        "rename": dict(rename or {}),
        "license": license,
    }
    return hashlib.sha256(to_json(content).encode()).hexdigest()[:_DIGITS]


def _described(recording: Recording) -> dict[str, Any]:
    return {"id": recording.id, "path": recording.path, "sidecar": recording.sidecar} | {
        "acq_time": recording.acq_time
    }


def _events_digest(events: Events) -> str:
    table = events.table.assign(study="", recording="")
    losses = to_json([vars(loss) for loss in events.losses])
    return rows_digest(conform(pd.DataFrame(table), "events")) + losses


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
