"""Columns are documented in one place: their Arrow schemas."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from neuropair.schemas.errors import QueryError
from neuropair.schemas.tables import RELEASES, TABLES
from neuropair.schemas.tables.documented import document_tables

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
_NAMED = 4
"""Columns of one table in one paragraph that make a list."""


@pytest.mark.parametrize("table", [*TABLES, "releases"])
def test_every_table_and_column_has_a_meaning(table: str) -> None:
    (found,) = document_tables(table)
    assert found.meaning.endswith(".")
    assert all(column.meaning for column in found.columns)
    assert set(found.key) <= {column.name for column in found.columns}


def test_seconds_are_said_to_be_seconds() -> None:
    units = {column.name: column.unit for column in document_tables("windows")[0].columns}
    assert (units["onset"], units["tmin"], units["quality"]) == ("s", "s", "")


def test_all_tables_are_described_unless_one_is_named() -> None:
    assert [table.name for table in document_tables()] == [*TABLES, "releases"]


def test_a_table_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(QueryError, match=r"no such table.*recordings"):
        document_tables("recording")


def _listed_by_hand(text: str) -> list[set[str]]:
    """Find paragraphs and Markdown tables that name several columns of one table as code."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    schemas = [set(schema.names) for schema in (*TABLES.values(), RELEASES)]
    named = [
        {word for code in re.findall(r"`([^`\n]+)`", part) for word in re.findall(r"\w+", code)}
        for part in re.split(r"\n\s*\n", prose)
    ]
    return [words & names for words in named for names in schemas if len(words & names) >= _NAMED]


def test_a_list_of_columns_would_be_found() -> None:
    text = "| column | meaning |\n|---|---|\n" + "".join(
        f"| `{name}` | ... |\n" for name in ("tier", "rule", "recording_a", "confidence")
    )
    assert _listed_by_hand(text)
    assert _listed_by_hand("Table windows has `onset`, `tmin`, `tmax` and `clipped`.")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_document_lists_columns_by_hand(document: Path) -> None:
    assert _listed_by_hand(document.read_text(encoding="utf-8")) == []
