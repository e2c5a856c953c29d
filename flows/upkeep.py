"""Commands that keep a corpus: tables, diff, card, export, forget, gc."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from neuropair.flows import console
from neuropair.schemas.errors import ExitCode

if TYPE_CHECKING:
    from neuropair.schemas.tables.documented import DocumentedTable


def tables(options: argparse.Namespace) -> ExitCode:
    """Say what the columns of the tables mean."""
    from neuropair.schemas.tables.documented import document_tables

    found = document_tables(options.table)
    if options.json:
        _print_json([table.to_dict() for table in found])
    else:
        for table in found:
            console.show(_columns_of(table))
    return ExitCode.OK


def _columns_of(table: DocumentedTable) -> object:
    from neuropair.flows.render import table_of

    title = f"\n{table.name}: {table.meaning}"
    if table.key:
        title += f"\nkey: {', '.join(table.key)}"
    rows = [
        {
            "column": column.name,
            "type": column.type + (" or null" if column.null else ""),
            "unit": column.unit,
            "meaning": column.meaning,
        }
        for column in table.columns
    ]
    return table_of(title, rows)


def _print_json(content: object) -> None:
    json.dump(content, sys.stdout, indent=2, default=str)
    sys.stdout.write("\n")
