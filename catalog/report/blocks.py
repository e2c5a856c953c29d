"""What a page is made of: parts with figures and tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pandas as pd
from markupsafe import Markup

ABSENT = "\N{EN DASH}"
ROWS = 200
"""Rows of a table that a page shows; `neuropair evidence --json` and SQL give all."""


@dataclass(frozen=True)
class Panel:
    """One drawing with its heading and a line of numbers."""

    heading: str
    drawing: Markup
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """Drawings side by side, and the caption that says what is seen and how to read it."""

    panels: tuple[Panel, ...]
    caption: str


@dataclass(frozen=True)
class Cell:
    """A cell as text; whether it is a number, and a word of style."""

    text: str
    is_number: bool = False
    mark: str = ""


@dataclass(frozen=True)
class Grid:
    """A table: its title, column names and cells."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    folded: bool = False


Block: TypeAlias = Figure | Grid


@dataclass(frozen=True)
class Part:
    """A part of the page."""

    id: str
    title: str
    lead: str
    blocks: list[Block] = field(default_factory=list)


_LONG = 24
"""Letters of a cell that may be broken anywhere."""
_MARKS = {
    "fails": "bad",
    "failed": "bad",
    "flagged": "bad",
    "holds": "good",
    "over": "bad",
    "caution": "bad",
}


def grid(
    title: str, frame: pd.DataFrame, names: dict[str, str] | None = None, *, folded: bool = False
) -> Grid:
    """Make a table of a frame's first `ROWS` rows.

    Parameters
    ----------
    title : str
    frame : pandas.DataFrame
    names : dict of str to str, optional
        Column -> its heading; columns that it does not name are left out. All columns, with blanks
        for underscores, unless given.
    folded : bool
        Show the title only, until it is opened.
    """
    if names is not None:
        kept = [c for c in ("study", *names) if c in frame.columns]
        frame = frame[kept].rename(columns=names)
    shown = frame.head(ROWS)
    columns = tuple(str(name).replace("_", " ") for name in frame.columns)
    rows = tuple(tuple(cell(v) for v in row) for row in shown.itertuples(index=False, name=None))
    left = len(frame) - len(shown)
    note = f"The first {ROWS} of {len(frame):,} rows; `neuropair evidence --json` gives all."
    return Grid(title, columns, rows, note if left else "", folded)


def cell(value: Any) -> Cell:
    """Write a value as a person would read it."""
    if value is None or pd.isna(value):
        return Cell(ABSENT)
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool):
        return Cell("over" if value else "no", mark="bad" if value else "")
    if isinstance(value, int):
        return Cell(f"{value:,}", is_number=True)
    if isinstance(value, float):
        return Cell(decimal(value), is_number=True)
    text = str(value)
    return Cell(text, mark=_MARKS.get(text, "long" if len(text) > _LONG else ""))


def decimal(value: float) -> str:
    """Three digits, never as a power of ten where a person would not."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.1e}"


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as values by column."""
    found: list[dict[str, Any]] = frame.to_dict("records")  # type: ignore[assignment]  # its keys
    return found


def chosen(items: Iterable[Any], most: int) -> list[Any]:
    """At most so many of a list, evenly spread, its first and last among them."""
    every = list(items)
    if len(every) <= most:
        return every
    return [every[round(k * (len(every) - 1) / (most - 1))] for k in range(most)]


def span(low: float, high: float, unit: str = "") -> str:
    """Write a range, or one number where both ends read alike."""
    one, other = decimal(low), decimal(high)
    return f"{one}{unit}" if one == other else f"{one} to {other}{unit}"


def counted(n: int, thing: str) -> str:
    """Write a number of things.

    Examples
    --------
    >>> counted(1, "remedy"), counted(2000, "remedy")
    ('1 remedy', '2,000 remedies')
    """
    many = f"{thing[:-1]}ies" if thing.endswith("y") else f"{thing}s"
    return f"{n:,} {thing if n == 1 else many}"
