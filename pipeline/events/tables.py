"""Read events tables as they are in the wild: every repair is recorded, every refusal names a line.

What is met in public releases stands in section 5 of the project's science notes: byte-order
marks, AppleDouble files, ragged and blank rows, several spellings of a missing value.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import pandas as pd

from neuropair.pipeline.types import Loss
from neuropair.schemas.errors import DatasetError

MISSING = frozenset({"", "n/a", "na", "nan"})
"""Spellings of a missing value, in lower case."""

_APPLE_DOUBLE = b"\x00\x05\x16\x07"
_LINES_NAMED = 5
_BLANK = "blank row"
_SHORT = "row shorter than the header, filled with n/a"
_LONG = "row ends in empty cells beyond the header"
_PADDED = "blanks around cells removed"
_SPELLED = "missing value not written as n/a"
_NOTES: Mapping[str, Literal["dropped", "repaired"]] = {
    _BLANK: "dropped",
    _SHORT: "repaired",
    _LONG: "repaired",
    _PADDED: "repaired",
    _SPELLED: "repaired",
}
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class RawTable:
    """A table as text.

    Parameters
    ----------
    path : str
        Relative to the dataset's root; it is named in errors.
    frame : pandas.DataFrame
        Cells as text, None where missing; the index is the line in the file, the header is 1.
    losses : tuple of Loss
        What was repaired.
    """

    path: str
    frame: pd.DataFrame
    losses: tuple[Loss, ...] = ()

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self.frame.columns)


def is_missing(cell: str) -> bool:
    """Whether a cell stands for no value.

    Examples
    --------
    >>> [is_missing(cell) for cell in ("", "N/A", "n/a", "0")]
    [True, True, True, False]
    """
    return cell.strip().lower() in MISSING


def read_table(root: Path, path: PurePosixPath) -> RawTable:
    """Read a table of tab-separated values, or of commas where its name ends in ``.csv``.

    Parameters
    ----------
    root : Path
        The dataset's folder.
    path : PurePosixPath
        The table, relative to it.

    Raises
    ------
    DatasetError
        If the file is absent, lies outside the dataset, or cannot be read as a table.
    """
    where = str(path)
    content = _bytes_inside(root, path)
    if path.name.startswith("._") or content.startswith(_APPLE_DOUBLE):
        raise DatasetError(
            "is an AppleDouble file, the resource fork that macOS writes, and no table.",
            where=where,
            remedy="delete it; the table is the file without '._'",
        )
    text, losses = _decode(content, where)
    separator = "," if path.suffix.lower() == ".csv" else "\t"
    return _parse(text, where, losses, separator)


def _bytes_inside(root: Path, path: PurePosixPath) -> bytes:
    base = root.resolve()
    target = (base / path).resolve()
    if not target.is_relative_to(base):
        raise DatasetError(
            "leads out of the dataset's folder.",
            where=str(path),
            remedy="put the file into the dataset; links and '..' out of it are not followed",
        )
    try:
        return target.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"cannot be read ({error.strerror}).",
            where=str(path),
            remedy="fetch the file again",
        ) from error


def _decode(content: bytes, where: str) -> tuple[str, list[Loss]]:
    losses: list[Loss] = []
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        losses.append(_repaired("UTF-16, read as such", f"{where}:1"))
        try:
            return content.decode("utf-16"), losses
        except UnicodeDecodeError as error:
            raise _no_text(where, 1) from error
    if b"\x00" in content:
        line = content[: content.index(b"\x00")].count(b"\n") + 1
        raise _no_text(where, line)
    if content.startswith(b"\xef\xbb\xbf"):
        losses.append(_repaired("byte-order mark removed", f"{where}:1"))
        content = content[3:]
    if b"\r" in content:
        reason = "carriage return at the line's end"
        losses.append(Loss("events", "row", "repaired", content.count(b"\r"), reason, where))
    try:
        return content.decode("utf-8"), losses
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        reason = "not UTF-8, read as Latin-1"
        losses.append(_repaired(reason, f"{where}:{line}"))
        return content.decode("latin-1"), losses


def _no_text(where: str, line: int) -> DatasetError:
    return DatasetError(
        "holds bytes that are no text.", where=f"{where}:{line}", remedy="fetch the file again"
    )


def _parse(text: str, where: str, losses: list[Loss], separator: str) -> RawTable:
    lines = _LINE_END.split(text)
    if lines and lines[-1] == "":
        lines.pop()
    if not lines or not lines[0].strip():
        raise DatasetError(
            "has no header line.", where=f"{where}:1", remedy="the first line names the columns"
        )
    header = _header(_split(lines[0], separator, f"{where}:1"), separator, where)
    notes: dict[str, list[int]] = {reason: [] for reason in _NOTES}
    rows: dict[int, list[str | None]] = {}
    for number, line in enumerate(lines[1:], start=2):
        raw = _split(line, separator, f"{where}:{number}")
        cells = [cell.strip() for cell in raw]
        if not any(cells):
            notes[_BLANK].append(number)
            continue
        if raw != cells:
            notes[_PADDED].append(number)
        cells = _fit(cells, len(header), f"{where}:{number}", number, notes)
        if any(is_missing(cell) and cell != "n/a" for cell in cells):
            notes[_SPELLED].append(number)
        rows[number] = [None if is_missing(cell) else cell for cell in cells]
    losses += [
        Loss("events", "row", _NOTES[reason], len(found), reason, lines_at(where, found))
        for reason, found in notes.items()
        if found
    ]
    index = pd.Index(list(rows), name="line", dtype="int64")
    frame = pd.DataFrame(list(rows.values()), columns=header, index=index, dtype=object)
    return RawTable(where, frame, tuple(losses))


def _fit(
    cells: list[str], width: int, where: str, number: int, notes: dict[str, list[int]]
) -> list[str]:
    if len(cells) < width:
        notes[_SHORT].append(number)
        return cells + ["n/a"] * (width - len(cells))
    if len(cells) > width:
        if any(cells[width:]):
            raise DatasetError(
                f"the row has {len(cells)} cells, the header {width}.",
                where=where,
                remedy="mend the row: its cells cannot be told apart",
            )
        notes[_LONG].append(number)
    return cells[:width]


def _split(line: str, separator: str, where: str) -> list[str]:
    if separator == "\t":
        return line.split("\t")
    try:
        return next(csv.reader([line], strict=True), [""])
    except csv.Error as error:
        raise DatasetError(
            f"the row cannot be read as comma-separated values ({error}).",
            where=where,
            remedy="close the quotes; a cell may not hold a line end",
        ) from error


def _header(cells: list[str], separator: str, where: str) -> list[str]:
    header = [name.strip() for name in cells]
    if separator == "\t" and len(header) == 1 and re.search(r"[,;]", header[0]):
        raise DatasetError(
            "the header has no tab: columns are separated by something else.",
            where=f"{where}:1",
            remedy="BIDS tables are separated by tabs",
        )
    while header and not header[-1]:
        header.pop()
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice or "" in header:
        named = bool(twice and twice[0])
        problem = f"column {twice[0]!r} stands twice" if named else "a column has no name"
        raise DatasetError(
            f"{problem}.", where=f"{where}:1", remedy="give every column a name of its own"
        )
    return header


def _repaired(reason: str, where: str) -> Loss:
    return Loss("events", "file", "repaired", 1, reason, where)


def lines_at(path: str, lines: Iterable[int]) -> str:
    """``path:line,line,...``, the first five lines.

    Examples
    --------
    >>> lines_at("a.tsv", [3, 4, 5, 6, 7, 8])
    'a.tsv:3,4,5,6,7,...'
    """
    listed = list(lines)
    named = ",".join(str(line) for line in listed[:_LINES_NAMED])
    more = ",..." if len(listed) > _LINES_NAMED else ""
    return f"{path}:{named}{more}"
