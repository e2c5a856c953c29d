"""A selection of pairs for other tools: Parquet for rows, plain Zarr for windows, row by row."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

import neuropair
from neuropair.catalog.corpus import Corpus
from neuropair.catalog.export_arrays import SideArrays, SideShape
from neuropair.catalog.stream.recording import RecordingReader
from neuropair.schemas.errors import QueryError, StorageError
from neuropair.schemas.tables import TABLES

DESCRIPTION = "export.json"
ROWS = 4096
"""Pairs at a time: of 64 channels x 256 samples they are 268 MB a side when they are decoded."""
BLOCK_BYTES = 64 * 2**20
"""Decoded windows that are held at a time, a side."""
ORDER = "modality_a, modality_b, recording_a, window_a, recording_b, window_b, study, pair_id"
"""Rows of one pair of modalities stand together, so that what others lack is stored nowhere."""


@dataclass(frozen=True)
class Exported:
    """What an export holds.

    Parameters
    ----------
    folder : str
    release : str
    where : str or None
        Condition that selected the pairs.
    pairs, recordings, channels, events : int
        Rows of the Parquet files.
    arrays : dict
        Zarr group -> shape of its ``signal``: pair, channel, time.
    neuropair_version : str
    """

    folder: str
    release: str
    where: str | None
    pairs: int
    recordings: int
    channels: int
    events: int
    arrays: dict[str, tuple[int, int, int]]
    neuropair_version: str

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as ``--json`` prints it."""
        return asdict(self)


def export(corpus: Corpus, where: str | None, folder: Path) -> Exported:
    """Write pairs, what belongs to them, and their windows.

    ``pairs.parquet`` has a row a pair; row i of every array is of that pair. ``recordings``,
    ``channels`` and ``events.parquet`` hold the recordings of the pairs. ``<side>_<modality>.zarr``
    are groups that ``xarray.open_zarr`` opens: `SideArrays` says what is in them.

    Memory does not grow with the number of pairs; the folder is there when it is whole.

    Parameters
    ----------
    corpus : Corpus
    where : str or None
        SQL condition on the columns of table ``pairs``; all pairs if None.
    folder : Path
        Must be absent or empty.

    Raises
    ------
    QueryError
        If the condition is wrong or selects nothing, or a recording has no signal.
    DamagedError
        If a recording or a table cannot be read.
    StorageError
        If the folder is not empty or cannot be written.
    """
    n_pairs = len(corpus.pairs(where))
    if not n_pairs:
        raise QueryError(
            "no pair is selected.",
            where=f"condition {where!r}",
            remedy="look at the pairs: neuropair show --corpus URL",
        )
    _require_signals(corpus, where)
    with _aside(folder) as aside:
        exporter = _Exporter(corpus, where, aside)
        arrays = exporter.write_arrays(n_pairs)
        done = Exported(
            folder=str(folder),
            release=corpus.release.id,
            where=where,
            pairs=n_pairs,
            recordings=exporter.write_rows("recordings", "recording"),
            channels=exporter.write_rows("channels", 'recording, "row", channel'),
            events=exporter.write_rows("events", "recording, event"),
            arrays=arrays,
            neuropair_version=neuropair.__version__,
        )
        described = done.to_dict() | {"corpus": corpus.location.url, "order": ORDER}
        del described["folder"]
        (aside / DESCRIPTION).write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    return done


class _Exporter:
    def __init__(self, corpus: Corpus, where: str | None, folder: Path) -> None:
        self.corpus, self.folder = corpus, folder
        self.condition = _condition(where)

    def write_rows(self, table: str, order: str) -> int:
        """Write the rows of the recordings of the pairs; how many there are."""
        query = (
            f"SELECT * FROM {table} WHERE recording IN ({_recordings(self.condition)}) "
            f"ORDER BY {order}"
        )
        with _parquet(self.folder, table) as writer:
            return sum(_put(writer, part, table) for part in self._parts(query))

    def write_arrays(self, n_pairs: int) -> dict[str, tuple[int, int, int]]:
        """Write pairs, and their windows row by row."""
        sides = self._sides(n_pairs)
        query = f"SELECT * FROM pairs WHERE {self.condition} ORDER BY {ORDER}"
        start = 0
        with _parquet(self.folder, "pairs") as writer:
            for part in self._parts(query):
                _put(writer, part, "pairs")
                for side in sides:
                    side.write(start, part)
                start += part.num_rows
        for side in sides:
            side.close()
        return {f"{side.name}.zarr": side.shape.array for side in sides}

    def _sides(self, n_pairs: int) -> list[SideArrays]:
        rows = self.corpus.sql(
            "SELECT recording, path, modality, n_channels FROM recordings "
            f"WHERE recording IN ({_recordings(self.condition)}) ORDER BY recording"
        ).to_pylist()
        number = {row["recording"]: i for i, row in enumerate(rows)}
        paths = {row["recording"]: str(row["path"]) for row in rows}
        found = []
        for side in "ab":
            used = self.corpus.sql(
                f"SELECT DISTINCT modality_{side} AS modality, recording_{side} AS recording "
                f"FROM pairs WHERE {self.condition} ORDER BY ALL"
            ).to_pylist()
            for modality in sorted({row["modality"] for row in used}):
                own = [row["recording"] for row in used if row["modality"] == modality]
                shape = self._shape([paths[name] for name in own], n_pairs)
                place = self.folder / f"{side}_{modality}.zarr"
                found.append(
                    SideArrays(self.corpus.location, place, side, modality, shape, paths, number)
                )
        return found

    def _shape(self, paths: list[str], n_pairs: int) -> SideShape:
        shapes = [RecordingReader(self.corpus.location, path).shape for path in paths]
        n_channels = max((shape[1] for shape in shapes), default=0)
        n_times = max((shape[2] for shape in shapes), default=0)
        return SideShape(n_pairs, n_channels, n_times, BLOCK_BYTES)

    def _parts(self, query: str) -> Iterator[pa.Table]:
        return self.corpus.database.batches(query, ROWS)


def _condition(where: str | None) -> str:
    # the line break ends a comment that the condition may end with
    return "TRUE" if where is None else f"({where}\n)"


def _recordings(condition: str) -> str:
    return " UNION ".join(f"SELECT recording_{s} FROM pairs WHERE {condition}" for s in "ab")


def _require_signals(corpus: Corpus, where: str | None) -> None:
    found = corpus.sql(
        "SELECT count(*) AS n FROM recordings WHERE path IS NULL "
        f"AND recording IN ({_recordings(_condition(where))})"
    )
    n = found["n"][0].as_py()
    if n:
        raise QueryError(
            f"{n} recordings were rehearsed from their tables: there are no signals to export.",
            where=f"release {corpus.release.id}",
            remedy="run `neuropair ingest` of the study into a corpus of its own",
        )


@contextmanager
def _parquet(folder: Path, table: str) -> Iterator[Any]:
    import pyarrow.parquet as pq

    path = folder / f"{table}.parquet"
    with pq.ParquetWriter(path, TABLES[table], compression="zstd") as writer:
        yield writer


def _put(writer: Any, part: pa.Table, table: str) -> int:
    schema = TABLES[table]
    # a release of an older format lacks columns
    lacking = [field for field in schema if field.name not in part.column_names]
    for field in lacking:
        part = part.append_column(field, pa.nulls(part.num_rows, field.type))
    writer.write_table(part.select(schema.names).cast(schema))
    return int(part.num_rows)


@contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    """Make a folder beside the target, and rename it when it is whole."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StorageError(
            "is not empty.", where=str(folder), remedy="name a folder that does not exist yet"
        )
    target = folder.absolute()
    aside = target.parent / f".{target.name}.{uuid.uuid4().hex}.partial"
    try:
        aside.mkdir(parents=True)
        yield aside
        os.replace(aside, target)  # noqa: PTH105  a folder may replace an empty one
    except OSError as error:
        raise StorageError(
            f"cannot be written ({error.strerror or error}).",
            where=str(folder),
            remedy="make room, or name a folder that can be written; nothing is left of this one",
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
