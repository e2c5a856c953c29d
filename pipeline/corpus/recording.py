"""One recording's group in the corpus: written whole, then visible, never changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import neuropair
from neuropair.pipeline.corpus.group import to_json, write_group
from neuropair.pipeline.corpus.rows import (
    NAMES,
    RecordingRows,
    from_parquet,
    recording_rows,
    to_parquet,
)
from neuropair.pipeline.corpus.store import CorpusStore
from neuropair.pipeline.types import CleanSignal, Events, Loss, Recording, WindowSet
from neuropair.schemas import layout
from neuropair.schemas.errors import CorpusError, DamagedError
from neuropair.schemas.signals import Signals


def write_recording(
    store: CorpusStore,
    recording: Recording,
    digest: str,
    windows: WindowSet,
    signal: CleanSignal,
    events: Events,
    *,
    person: str,
    settings: Signals,
    license: str | None = None,
    source_checksum: str | None = None,
    source_bytes: int | None = None,
    losses: Sequence[Loss] = (),
) -> RecordingRows:
    """Write a recording's windows and rows; they are visible when they are whole.

    Parameters
    ----------
    store : CorpusStore
    recording : Recording
    digest : str
        From `input_digest`.
    windows, signal, events
        What was made of it.
    person : str
        Person id.
    settings : Signals
        Says the type that the signal is stored in.
    license : str, optional
        Of the dataset.
    source_checksum : str, optional
        ``kind:hex`` of the signal file.
    source_bytes : int, optional
        Its size.
    losses : sequence of Loss
        Of the recording, from stages before its events.

    Returns
    -------
    RecordingRows
        As `read_rows` reads them.

    Raises
    ------
    StorageError
        If the store refuses, for want of space for example. Nothing is visible then.
    CorpusError
        If the rows or arrays do not fit the format.
    """
    rows = recording_rows(
        recording,
        digest,
        windows,
        signal,
        events,
        person=person,
        source_checksum=source_checksum,
        source_bytes=source_bytes,
        losses=losses,
    )
    attributes = _attributes(recording, digest, signal, person, license, source_checksum)
    with store.staging() as folder:
        group = folder / "group"
        write_group(
            group, windows.data, attributes, getattr(settings, recording.modality.value).dtype
        )
        (group / layout.ROWS_FOLDER).mkdir()
        parquet = {name: to_parquet(frame, name) for name, frame in rows.tables().items()}
        for name, content in parquet.items():
            (group / _rows_file(name)).write_bytes(content)
        manifest = _manifest(group, recording.id, digest)
        (group / layout.MANIFEST_FILE).write_bytes(manifest)
        place = layout.recording_folder(recording.id, digest)
        store.publish_folder(group, place, last=layout.MANIFEST_FILE)
    return _finished({name: from_parquet(content) for name, content in parquet.items()}, manifest)


def is_written(store: CorpusStore, recording: str, digest: str) -> bool:
    """Whether a recording's group is there and whole, by its manifest (one small read)."""
    try:
        manifest = read_manifest(store, recording, digest)
    except (CorpusError, FileNotFoundError):
        return False
    return (manifest["recording"], manifest["digest"]) == (recording, digest)


def read_manifest(store: CorpusStore, recording: str, digest: str) -> dict[str, Any]:
    """Read the manifest of a group.

    Raises
    ------
    FileNotFoundError
        If there is none: the group was never finished.
    DamagedError
        If it cannot be read.
    CorpusError
        If a newer neuropair wrote it.
    """
    path = f"{layout.recording_folder(recording, digest)}/{layout.MANIFEST_FILE}"
    return _parsed(store.read(path), store.where(path))


def read_rows(store: CorpusStore, recording: str, digest: str) -> RecordingRows:
    """Read the rows of a recording that is written.

    Raises
    ------
    FileNotFoundError
        If the group was never finished.
    DamagedError
        If the rows are not those that were written.
    """
    place = layout.recording_folder(recording, digest)
    content = store.read(f"{place}/{layout.MANIFEST_FILE}")
    files = _parsed(content, store.where(place))["files"]
    frames = {}
    for name in NAMES:
        path = _rows_file(name)
        rows = store.read(f"{place}/{path}")
        if path not in files or hashlib.sha256(rows).hexdigest() != files[path]["sha256"]:
            raise DamagedError(
                "does not have the digest that its manifest names.",
                where=store.where(f"{place}/{path}"),
                remedy=f"delete {store.where(place)} and ingest again",
            )
        frames[name] = from_parquet(rows)
    return _finished(frames, content)


def _finished(frames: dict[str, Any], manifest: bytes) -> RecordingRows:
    digest = hashlib.sha256(manifest).hexdigest()
    recordings = frames["recordings"].assign(manifest_sha256=digest)
    return RecordingRows(**{**frames, "recordings": recordings})


def _parsed(content: bytes, where: str) -> dict[str, Any]:
    try:
        manifest = json.loads(content)
        version, _ = manifest["format"], manifest["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(
            "is no manifest of a recording.",
            where=where,
            remedy="delete the recording's folder and ingest again",
        ) from error
    refuse_newer(version, where)
    return dict(manifest)


def refuse_newer(version: int, where: str) -> None:
    """Raise CorpusError if `version` of the format is newer than this neuropair knows."""
    if version > layout.FORMAT:
        raise CorpusError(
            f"is of corpus format {version}; this neuropair reads up to {layout.FORMAT}.",
            where=where,
            remedy="update neuropair",
        )


def _rows_file(table: str) -> str:
    return f"{layout.ROWS_FOLDER}/{table}.parquet"


def _manifest(group: Path, recording: str, digest: str) -> bytes:
    files = {
        path.relative_to(group).as_posix(): {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "size": path.stat().st_size,
        }
        for path in sorted(group.rglob("*"))
        if path.is_file()
    }
    content = {"format": layout.FORMAT, "recording": recording, "digest": digest, "files": files}
    return to_json(content).encode()


def _attributes(
    recording: Recording,
    digest: str,
    signal: CleanSignal,
    person: str,
    license_: str | None,
    source_checksum: str | None,
) -> dict[str, Any]:
    entities = ("dataset", "subject", "session", "task", "acquisition", "run")
    return {name: getattr(recording, name) for name in entities} | {
        "format": layout.FORMAT,
        "neuropair_version": neuropair.__version__,
        "recording": recording.id,
        "digest": digest,
        "modality": recording.modality.value,
        "person": person,
        "sfreq": signal.sfreq,
        "sfreq_source": signal.sfreq_source,
        "source_file": recording.path.as_posix(),
        "source_checksum": source_checksum,
        "license": license_,
        "steps": [step._asdict() for step in signal.steps],
        "quality": dict(signal.quality),
    }
