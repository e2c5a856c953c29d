from __future__ import annotations

import json
import shutil
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from neuropair.catalog import Corpus
from neuropair.catalog.location import Location
from neuropair.catalog.release import read_releases
from neuropair.catalog.verify import Report, verify
from neuropair.catalog.verify.releases import check_releases
from neuropair.pipeline.corpus import CorpusStore, publish
from neuropair.schemas.errors import CorpusError, DamagedError, NeuropairError
from neuropair.schemas.tables import TABLES

GROUP = "signals/ds1/sub-01/task-tap_fnirs/*"
KINDS = {
    "signal": f"{GROUP}/signal/c/0/0/0",
    "scale": f"{GROUP}/scale/c/0/0",
    "mask": f"{GROUP}/valid/c/0/0",
    "names": f"{GROUP}/channel/c/0",
    "array metadata": f"{GROUP}/signal/zarr.json",
    "group metadata": f"{GROUP}/zarr.json",
    "rows": f"{GROUP}/rows/windows.parquet",
    "manifest": f"{GROUP}/manifest.json",
    "table": "tables/pairs/*.parquet",
    "recordings": "tables/recordings/*.parquet",
    "table log": "tables/pairs/_delta_log/*0.json",
    "description": "dataset_description.json",
}


@pytest.fixture
def path(small: Any, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small.path, tmp_path / "corpus"))


def _flip(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


def _paths(report: Report) -> list[str]:
    return [damage.path for damage in report.damages]


def test_an_undamaged_corpus_is_whole(path: Path) -> None:
    seen: list[tuple[int, int]] = []
    report = verify(path, progress=lambda done, of: seen.append((done, of)))
    assert report.is_whole
    assert report.notes == []
    assert seen == [(i, 4) for i in range(4)]
    assert report.checked["groups"] == 4
    assert report.checked["bytes"] == sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
    assert json.loads(json.dumps(report.to_dict()))["whole"]


@pytest.mark.parametrize("kind", KINDS)
def test_one_flipped_byte_is_found_and_named(path: Path, kind: str) -> None:
    (file,) = path.glob(KINDS[kind])
    _flip(file, file.stat().st_size // 2)
    assert file.relative_to(path).as_posix() in _paths(verify(path))


@pytest.mark.parametrize("kind", ["signal", "manifest", "table", "description"])
@pytest.mark.parametrize("what", ["missing", "truncated"])
def test_missing_and_truncated_files_are_found(path: Path, kind: str, what: str) -> None:
    (file,) = path.glob(KINDS[kind])
    if what == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1])
    report = verify(path)
    assert file.relative_to(path).as_posix() in _paths(report)
    shown = StringIO()
    Console(file=shown, width=200).print(report)
    assert "DAMAGED" in shown.getvalue()


def test_a_flip_in_the_table_of_releases_is_found_or_changes_nothing(path: Path) -> None:
    """No release can hold the digest of its own row: its content is checked in its place."""
    location = Location.of(path)
    (before,) = read_releases(location)
    free = {"created": "", "study": "", "neuropair_version": "", "summary": {}}
    found = 0
    files = [f for f in (path / "tables" / "releases").rglob("*") if f.is_file()]
    for file in files:
        content = file.read_bytes()
        for place in range(0, len(content), max(1, len(content) // 60)):
            _flip(file, place)
            try:
                releases = read_releases(location)
                damages = check_releases(location, releases)
            except NeuropairError:
                damages = ["unreadable"]
            found += bool(damages)
            if not damages:
                (after,) = releases
                assert replace(after, **free, tables={}) == replace(before, **free, tables={})
            file.write_bytes(content)
    assert found > 60


def test_a_file_that_was_put_into_a_group_is_found(path: Path) -> None:
    (group,) = path.glob(GROUP)
    (group / "signal" / "c" / "1").write_text("x")
    assert _paths(verify(path)) == [f"{group.relative_to(path).as_posix()}/signal/c/1"]


def test_what_no_release_names_is_a_note(path: Path) -> None:
    (group,) = path.glob(GROUP)
    shutil.copytree(group, group.with_name("0" * 16))
    (path / ".staging" / "abc" / "group").mkdir(parents=True)
    (path / ".staging" / "abc" / "group" / "zarr.json").write_text("{")
    half = path / "signals" / "ds1" / "sub-09" / "task-tap_eeg" / ("1" * 16)
    half.mkdir(parents=True)
    (half / "zarr.json").write_text("{}")
    (path / "tables" / "pairs" / "part-lost.parquet").write_text("x")
    report = verify(path)
    assert report.is_whole
    assert [note.path for note in report.notes] == [
        ".staging",
        group.with_name("0" * 16).relative_to(path).as_posix(),
        "signals",
        "tables",
    ]


def test_groups_of_older_releases_count(path: Path) -> None:
    tables = _tables(path)
    tables["recordings"] = tables["recordings"].iloc[:0]
    empty = dict.fromkeys(["pairs", "windows", "channels", "events", "losses", "splits"])
    publish(CorpusStore(path), "tap", {**tables, **{name: tables[name].iloc[:0] for name in empty}})
    assert verify(path).is_whole
    (file,) = path.glob(KINDS["signal"])
    _flip(file, 10)
    report = verify(path)
    assert report.release != read_releases(Location.of(path))[0].id
    assert _paths(report) == [file.relative_to(path).as_posix()]


def test_no_corpus_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="does not exist"):
        verify(tmp_path)


def _tables(path: Path) -> dict[str, pd.DataFrame]:
    corpus = Corpus.open(path)
    frames = {name: corpus.sql(f"SELECT * FROM {name}").to_pandas() for name in TABLES}
    return {name: frame.drop(columns="study") for name, frame in frames.items()}


def _window_out_of_range(tables: dict[str, pd.DataFrame]) -> None:
    tables["pairs"].loc[0, "window_b"] = 10


def _unknown_recording(tables: dict[str, pd.DataFrame]) -> None:
    tables["pairs"].loc[0, "recording_a"] = "ds1/sub-77/task-tap_eeg"


def _other_split(tables: dict[str, pd.DataFrame]) -> None:
    tables["pairs"].loc[0, "split"] = "test"


def _person_in_two_splits(tables: dict[str, pd.DataFrame]) -> None:
    tables["recordings"].loc[0, "split"] = "test"


def _stimulus_in_two_splits(tables: dict[str, pd.DataFrame]) -> None:
    tables["recordings"].loc[0, "split"] = "test"
    tables["windows"]["stimulus"] = "key"


def _window_missing(tables: dict[str, pd.DataFrame]) -> None:
    tables["windows"] = tables["windows"].iloc[1:]


def _channel_renamed(tables: dict[str, pd.DataFrame]) -> None:
    tables["channels"]["channel"] = tables["channels"]["channel"].replace("C1", "C9")


def _onset_moved(tables: dict[str, pd.DataFrame]) -> None:
    tables["windows"].loc[3, "onset"] += 1e-3


def _event_missing(tables: dict[str, pd.DataFrame]) -> None:
    tables["events"] = tables["events"].iloc[1:]


def _shape(tables: dict[str, pd.DataFrame]) -> None:
    tables["recordings"].loc[0, "n_channels"] += 1


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_window_out_of_range, "window_b is out of range"),
        (_unknown_recording, "recording_a is not in the release"),
        (_other_split, "its split is not that of recording_a"),
        (_person_in_two_splits, "leaks: person ds1/01 is in test and train"),
        (_stimulus_in_two_splits, "leaks: stimulus key is in test and train"),
        (_window_missing, "windows of the recording are not 0"),
        (_channel_renamed, "differs from table channels"),
        (_onset_moved, "differs from table windows"),
        (_event_missing, "events of the recording are not n_events"),
        (_shape, "has shape (10, 5, 49), the tables say (10, 6, 49)"),
    ],
)
def test_tables_that_contradict_are_found(
    path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Any, says: str
) -> None:
    monkeypatch.setattr("neuropair.pipeline.corpus.release.check_tables", lambda *_: None)
    tables = _tables(path)
    spoil(tables)
    publish(CorpusStore(path), "tap", tables)
    report = verify(path)
    assert any(says in damage.what for damage in report.damages), report.damages


@pytest.mark.parametrize("column", ["created", "study", "neuropair_version", "summary"])
def test_a_row_of_releases_that_was_changed_breaks_its_seal(path: Path, column: str) -> None:
    from deltalake import DeltaTable, write_deltalake

    table = DeltaTable(str(path / "tables" / "releases")).to_pyarrow_table()
    place = table.schema.get_field_index(column)
    changed = [f"{value} " for value in table.column(column).to_pylist()]
    write_deltalake(
        str(path / "tables" / "releases"),
        table.set_column(place, table.schema.field(place), [changed]),
        mode="overwrite",
    )
    with pytest.raises(DamagedError, match="does not fit its seal"):
        Corpus.open(str(path))
    assert not verify(path).is_whole
