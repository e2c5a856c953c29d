"""The tables as documentation: every column's type, unit and meaning, from its Arrow schema."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from neuropair.schemas.errors import QueryError
from neuropair.schemas.tables import KEYS, RELEASES, TABLES


@dataclass(frozen=True)
class Column:
    """A column as its Arrow field declares it.

    Parameters
    ----------
    name, type : str
    unit : str
        Empty where it has none.
    null : bool
        Whether it may be null.
    meaning : str
    """

    name: str
    type: str
    unit: str
    null: bool
    meaning: str


@dataclass(frozen=True)
class DocumentedTable:
    """A table with its meaning, the columns that no two rows share, and all columns."""

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as ``--json`` prints it."""
        return asdict(self)


def document_tables(name: str | None = None) -> list[DocumentedTable]:
    """Describe one table, or all of them in the order of `TABLES`, with ``releases`` last.

    Raises
    ------
    QueryError
        If there is no such table.

    Examples
    --------
    >>> document_tables("windows")[0].columns[4].unit
    's'
    """
    schemas = {**TABLES, "releases": RELEASES}
    if name is not None and name not in schemas:
        raise QueryError(
            "there is no such table.",
            where=f"table {name!r}",
            remedy=f"the tables are {', '.join(schemas)}",
        )
    wanted = schemas if name is None else {name: schemas[name]}
    return [_documented(table, schema) for table, schema in wanted.items()]


def _documented(name: str, schema: pa.Schema) -> DocumentedTable:
    return DocumentedTable(
        name=name,
        meaning=_said(schema.metadata, b"description"),
        key=tuple(KEYS[name]),
        columns=tuple(
            Column(
                name=field.name,
                type=str(field.type),
                unit=_said(field.metadata, b"unit"),
                null=field.nullable,
                meaning=_said(field.metadata, b"description"),
            )
            for field in schema
        ),
    )


def _said(metadata: dict[bytes, bytes], what: bytes) -> str:
    return metadata.get(what, b"").decode()
