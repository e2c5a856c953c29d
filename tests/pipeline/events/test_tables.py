"""Tables as they are in the wild: a recorded repair, or an error with file, line and remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from neuropair.pipeline.events.tables import read_table
from neuropair.pipeline.types import Events, Loss
from neuropair.schemas.errors import DatasetError

Read = Callable[..., Events]
PATH = "sub-01/eeg/sub-01_task-t_run-1_events.tsv"
PLAIN = "onset\tduration\ttrial_type\n1.0\t0.5\tface\n2.5\t0.5\thouse\n"


def _refused(table: Read, content: str | bytes, **entry: object) -> DatasetError:
    with pytest.raises(DatasetError) as error:
        table(content, **entry)
    return error.value


def test_a_plain_table_needs_no_repair(table: Read) -> None:
    events = table(PLAIN)
    assert events.losses == ()
    assert events.table["onset"].tolist() == [1.0, 2.5]
    assert events.table["duration"].tolist() == [0.5, 0.5]
    assert events.table["concept"].tolist() == ["perception/visual/face", "perception/visual/house"]
    assert events.table["trial_type"].tolist() == ["face", "house"]
    assert events.table["source_row"].tolist() == [2, 3]
    assert events.table["event"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("content", "loss"),
    [
        pytest.param(
            b"\xef\xbb\xbf" + PLAIN.encode(),
            Loss("events", "file", "repaired", 1, "byte-order mark removed", f"{PATH}:1"),
            id="byte-order mark",
        ),
        pytest.param(
            PLAIN.replace("\n", "\r\n").encode(),
            Loss("events", "row", "repaired", 3, "carriage return at the line's end", PATH),
            id="CRLF",
        ),
        pytest.param(
            PLAIN.replace("\n", "\r").encode(),
            Loss("events", "row", "repaired", 3, "carriage return at the line's end", PATH),
            id="CR",
        ),
        pytest.param(
            PLAIN.encode("utf-16"),
            Loss("events", "file", "repaired", 1, "UTF-16, read as such", f"{PATH}:1"),
            id="UTF-16",
        ),
        pytest.param(
            PLAIN.replace("trial_type", "trial_type\tnote")
            .replace("face", "face\tCaf\xe9")
            .replace("house", "house\tn/a")
            .encode("latin-1"),
            Loss("events", "file", "repaired", 1, "not UTF-8, read as Latin-1", f"{PATH}:2"),
            id="not UTF-8",
        ),
        pytest.param(
            PLAIN.replace("2.5\t", "\n\t\t\n2.5\t").encode() + b"\n\t\n",
            Loss("events", "row", "dropped", 4, "blank row", f"{PATH}:3,4,6,7"),
            id="blank rows",
        ),
        pytest.param(
            PLAIN.replace("trial_type", "trial_type\tnote").replace("house", "house\tx").encode(),
            Loss(
                "events",
                "row",
                "repaired",
                1,
                "row shorter than the header, filled with n/a",
                f"{PATH}:2",
            ),
            id="ragged: short",
        ),
        pytest.param(
            PLAIN.replace("face", "face\t\t").encode(),
            Loss(
                "events",
                "row",
                "repaired",
                1,
                "row ends in empty cells beyond the header",
                f"{PATH}:2",
            ),
            id="ragged: long and empty",
        ),
        pytest.param(
            PLAIN.replace("face", " face ").encode(),
            Loss("events", "row", "repaired", 1, "blanks around cells removed", f"{PATH}:2"),
            id="padded cells",
        ),
    ],
)
def test_repair_is_recorded_and_changes_nothing_else(
    table: Read, content: bytes, loss: Loss
) -> None:
    events = table(content)
    assert events.losses == (loss,)
    assert events.table["onset"].tolist() == [1.0, 2.5]
    assert events.table["trial_type"].tolist() == ["face", "house"]


@pytest.mark.parametrize("spelling", ["N/A", "NA", "nan", "NaN", ""])
def test_missing_values_by_any_name(table: Read, spelling: str) -> None:
    events = table(PLAIN.replace("0.5\tface", f"{spelling}\tface"))
    assert events.table["duration"].isna().tolist() == [True, False]
    assert events.losses == (
        Loss("events", "row", "repaired", 1, "missing value not written as n/a", f"{PATH}:2"),
    )


def test_row_with_too_many_cells(table: Read) -> None:
    error = _refused(table, PLAIN.replace("face", "face\t7"))
    assert str(error) == (
        f"{PATH}:2: the row has 4 cells, the header 3. "
        "Remedy: mend the row: its cells cannot be told apart"
    )


def test_onset_that_is_no_number(table: Read) -> None:
    error = _refused(table, PLAIN.replace("2.5", "2.9999.1"))
    assert error.where == f"{PATH}:3"
    assert error.problem == "onset '2.9999.1' is no number."
    assert error.remedy == (
        "mend the cell, or drop the row in the recipe: "
        "drop: [{where: {onset: '2.9999.1'}, because: ...}]"
    )


def test_the_remedy_for_an_onset_that_is_no_number_works(table: Read) -> None:
    drop = [{"where": {"onset": "2.9999.1"}, "because": "two points"}]
    events = table(PLAIN.replace("2.5", "2.9999.1"), drop=drop)
    assert events.table["onset"].tolist() == [1.0]
    assert events.losses == (Loss("events", "row", "dropped", 1, "two points", f"{PATH}:3"),)


@pytest.mark.parametrize("cell", ["inf", "1_0", "1,5", "--"])
def test_what_python_or_excel_take_for_numbers(table: Read, cell: str) -> None:
    assert _refused(table, PLAIN.replace("2.5", cell)).problem == f"onset {cell!r} is no number."


def test_row_without_onset_is_counted(table: Read) -> None:
    events = table(PLAIN.replace("2.5", "n/a"))
    assert events.losses == (Loss("events", "row", "dropped", 1, "onset is missing", f"{PATH}:3"),)


@pytest.mark.parametrize("cell", ["0.5.5", "-1"])
def test_duration_that_cannot_be(table: Read, cell: str) -> None:
    events = table(PLAIN.replace("0.5\thouse", f"{cell}\thouse"))
    assert events.table["duration"].isna().tolist() == [False, True]
    reason = "duration is no number of at least 0, taken as missing"
    assert events.losses == (Loss("events", "row", "repaired", 1, reason, f"{PATH}:3"),)


@pytest.mark.parametrize(
    ("content", "where", "problem"),
    [
        (b"", f"{PATH}:1", "has no header line."),
        (b"\n1.0\t0.5\tface\n", f"{PATH}:1", "has no header line."),
        (
            PLAIN.replace("\t", ",").encode(),
            f"{PATH}:1",
            "the header has no tab: columns are separated by something else.",
        ),
        (
            PLAIN.replace("trial_type", "onset").encode(),
            f"{PATH}:1",
            "column 'onset' stands twice.",
        ),
        (PLAIN.replace("duration", "").encode(), f"{PATH}:1", "a column has no name."),
        (PLAIN.encode() + b"\x00\x00", f"{PATH}:4", "holds bytes that are no text."),
        (
            b"\x00\x05\x16\x07" + bytes(28),
            PATH,
            "is an AppleDouble file, the resource fork that macOS writes, and no table.",
        ),
    ],
)
def test_what_is_no_table(table: Read, content: bytes, where: str, problem: str) -> None:
    error = _refused(table, content)
    assert (error.where, error.problem) == (where, problem)
    assert error.remedy


def test_apple_double_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "._a_events.tsv").write_text(PLAIN, encoding="utf-8")
    with pytest.raises(DatasetError) as error:
        read_table(tmp_path, PurePosixPath("._a_events.tsv"))
    assert error.value.remedy == "delete it; the table is the file without '._'"


def test_table_that_is_absent(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"^a_events\.tsv: cannot be read \(No such file"):
        read_table(tmp_path, PurePosixPath("a_events.tsv"))


@pytest.mark.parametrize("path", ["../a_events.tsv", "link_events.tsv"])
def test_table_outside_the_dataset(tmp_path: Path, path: str) -> None:
    (tmp_path / "a_events.tsv").write_text(PLAIN, encoding="utf-8")
    root = tmp_path / "ds"
    root.mkdir()
    (root / "link_events.tsv").symlink_to("../a_events.tsv")
    with pytest.raises(DatasetError) as error:
        read_table(root, PurePosixPath(path))
    assert error.value.where == path
    assert error.value.problem == "leads out of the dataset's folder."


def test_link_inside_the_dataset_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a_events.tsv").write_text(PLAIN, encoding="utf-8")
    (tmp_path / "b_events.tsv").symlink_to("a_events.tsv")
    assert len(read_table(tmp_path, PurePosixPath("b_events.tsv")).frame) == 2


def test_rows_out_of_order_are_sorted_and_counted(table: Read) -> None:
    content = "onset\tduration\ttrial_type\n3\t0\tface\n1\t0\thouse\n2\t0\tface\n4\t0\tface\n"
    events = table(content)
    assert events.table["onset"].tolist() == [1, 2, 3, 4]
    assert events.table["source_row"].tolist() == [3, 4, 2, 5]
    reason = "row stands after a later onset, sorted"
    assert events.losses == (Loss("events", "row", "repaired", 2, reason, f"{PATH}:3,4"),)


def test_zero_events_is_flagged_and_no_error(table: Read) -> None:
    events = table("onset\tduration\ttrial_type\n")
    assert events.table.empty
    assert events.losses == (Loss("events", "file", "flagged", 1, "no events", PATH),)
