"""How a column of a table is declared: name, type, meaning, unit."""

from __future__ import annotations

import pyarrow as pa

STR, I32, I64 = pa.string(), pa.int32(), pa.int64()
F32, F64, BOOL = pa.float32(), pa.float64(), pa.bool_()


def column(name: str, kind: pa.DataType, doc: str, unit: str = "", null: bool = False) -> pa.Field:
    """Declare a column with its meaning and unit."""
    metadata = {"description": doc, "unit": unit} if unit else {"description": doc}
    return pa.field(name, kind, nullable=null, metadata=metadata)


def key(name: str, doc: str) -> pa.Field:
    """Declare a text that every row has."""
    return column(name, STR, doc)


def text(name: str, doc: str) -> pa.Field:
    """Declare a text that may be null."""
    return column(name, STR, doc, null=True)


def number(name: str, doc: str, unit: str = "") -> pa.Field:
    """Declare a number that may be null."""
    return column(name, F64, doc, unit, null=True)


def table(doc: str, *fields: pa.Field) -> pa.Schema:
    """Put columns together to a table with its meaning."""
    return pa.schema(fields, metadata={"description": doc})


STUDY = key("study", "name of the study whose ingest wrote the row")
RECORDING = key(
    "recording", "recording id: <dataset>/sub-..[/ses-..]/task-..[_acq-..][_run-..]_<modality>"
)
