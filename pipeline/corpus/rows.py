"""The rows of one recording in every table, kept beside its signals as Parquet."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from neuropair.pipeline.corpus.group import to_json
from neuropair.pipeline.types import CleanSignal, Events, Loss, Recording, WindowSet
from neuropair.schemas import layout
from neuropair.schemas.errors import NeuropairError
from neuropair.schemas.tables import conform

NAMES = ("recordings", "channels", "events", "windows", "losses")
"""Tables that a recording has rows in."""


@dataclass(frozen=True)
class RecordingRows:
    """Rows of one recording, or of several; columns of `neuropair.schemas.tables` less ``study``.

    Parameters
    ----------
    recordings, channels, events, windows, losses : pandas.DataFrame
        ``recordings.split`` is null until splits are assigned.
    """

    recordings: pd.DataFrame
    channels: pd.DataFrame = field(default_factory=pd.DataFrame)
    events: pd.DataFrame = field(default_factory=pd.DataFrame)
    windows: pd.DataFrame = field(default_factory=pd.DataFrame)
    losses: pd.DataFrame = field(default_factory=pd.DataFrame)

    def tables(self) -> dict[str, pd.DataFrame]:
        """Rows by table name."""
        return {name: getattr(self, name) for name in NAMES}


def combine(parts: Iterable[RecordingRows]) -> dict[str, pd.DataFrame]:
    """Stack the rows of recordings, ordered by recording id, whatever order they came in."""
    ordered = sorted(parts, key=lambda part: list(part.recordings["recording"]))
    return {
        name: pa.concat_tables(
            [without_study(pd.DataFrame(), name)]
            + [without_study(part.tables()[name], name) for part in ordered]
        ).to_pandas()
        for name in NAMES
    }


def recording_rows(
    recording: Recording,
    digest: str,
    windows: WindowSet,
    signal: CleanSignal,
    events: Events,
    *,
    person: str,
    source_checksum: str | None,
    source_bytes: int | None,
    losses: Sequence[Loss] = (),
) -> RecordingRows:
    """Describe one recording in rows of every table."""
    bad, stored = (signal.channels["status"] == "bad").sum(), windows.data.sizes["channel"]
    row = _described(recording, person) | {
        "status": "ok",
        "path": layout.recording_folder(recording.id, digest),
        "digest": digest,
        "n_events": len(events.table),
        "n_windows": windows.data.sizes["window"],
        "n_channels": stored,
        "sfreq": signal.sfreq,
        "sfreq_source": signal.sfreq_source,
        "duration_s": signal.duration,
        "source_checksum": source_checksum,
        "source_bytes": source_bytes or 0,
        "bad_channel_fraction": float(bad) / stored if stored else None,
        "quality": to_json(signal.quality),
        "steps": to_json([step._asdict() for step in signal.steps]),
    }
    all_losses = (*losses, *events.losses, *signal.losses, *windows.losses)
    return RecordingRows(
        recordings=pd.DataFrame([row]),
        channels=_channel_rows(recording, signal.channels),
        events=events.table.assign(recording=recording.id),
        windows=windows.table.assign(recording=recording.id),
        losses=loss_rows(all_losses, recording.dataset, recording.id),
    )


def rehearsed_rows(recording: Recording, events: Events, *, person: str) -> RecordingRows:
    """Describe a recording of which only tables and sidecars were read: events, no windows."""
    row = _described(recording, person) | {
        "status": "rehearsed",
        "n_events": len(events.table),
        "n_windows": 0,
        "n_channels": 0,
        "sfreq_source": sidecar_number(recording, "SamplingFrequency"),
        "duration_s": sidecar_number(recording, "RecordingDuration"),
        "source_bytes": 0,
    }
    return RecordingRows(
        recordings=pd.DataFrame([row]),
        events=events.table.assign(recording=recording.id),
        losses=loss_rows(events.losses, recording.dataset, recording.id),
    )


def sidecar_number(recording: Recording, key: str) -> float | None:
    """Read a number of the sidecar; None if it has none."""
    value = recording.sidecar.get(key)
    return float(value) if isinstance(value, (int, float)) else None


def failed_rows(
    recording: Recording,
    error: NeuropairError,
    *,
    person: str,
    source_bytes: int | None = None,
    losses: Sequence[Loss] = (),
) -> RecordingRows:
    """Describe a recording that could not be read: status, reason and remedy, no windows."""
    row = _described(recording, person) | {
        "status": "failed",
        "reason": f"{error.where}: {error.problem}",
        "remedy": error.remedy,
        "n_events": 0,
        "n_windows": 0,
        "n_channels": 0,
        "source_bytes": source_bytes or 0,
    }
    return RecordingRows(
        recordings=pd.DataFrame([row]), losses=loss_rows(losses, recording.dataset, recording.id)
    )


def loss_rows(losses: Iterable[Loss], dataset: str, recording: str | None) -> pd.DataFrame:
    """Rows of table ``losses`` less ``study``."""
    return pd.DataFrame(
        [{"dataset": dataset, "recording": recording} | vars(loss) for loss in losses]
    )


def to_parquet(rows: pd.DataFrame, table: str) -> bytes:
    """Write rows (less ``study``) as Parquet; the same rows give the same bytes."""
    buffer = io.BytesIO()
    pq.write_table(without_study(rows, table), buffer, compression="zstd")
    return buffer.getvalue()


def from_parquet(content: bytes) -> pd.DataFrame:
    """Read what `to_parquet` wrote."""
    return pd.DataFrame(pq.read_table(io.BytesIO(content)).to_pandas())


def without_study(rows: pd.DataFrame, table: str) -> pa.Table:
    """Rows as an Arrow table of the table's schema less ``study``."""
    return conform(rows.assign(study=""), table).drop_columns("study")


def _described(recording: Recording, person: str) -> dict[str, Any]:
    names = ("dataset", "subject", "session", "task", "acquisition", "run", "acq_time")
    return {name: getattr(recording, name) for name in names} | {
        "recording": recording.id,
        "modality": recording.modality.value,
        "person": person,
        "source_file": recording.path.as_posix(),
    }


def _channel_rows(recording: Recording, channels: pd.DataFrame) -> pd.DataFrame:
    is_stored = (channels["status"] != "excluded").to_numpy()
    return channels.assign(
        recording=recording.id,
        row=np.where(is_stored, np.cumsum(is_stored) - 1, -1),
        quality=[
            to_json(value if isinstance(value, Mapping) else {}) for value in channels["quality"]
        ],
    )
