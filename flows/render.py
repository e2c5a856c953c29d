"""Tables for people: what a plan, an ingest and the library look like on a screen."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from rich.console import Group
from rich.table import Table

from neuropair.flows.summary import Summary
from neuropair.schemas.errors import NeuropairError, StorageError
from neuropair.schemas.library import find_recipe, find_study, list_recipes, list_studies

if TYPE_CHECKING:
    import pyarrow as pa

    from neuropair.pipeline.plan import Plan

SHOWN_ROWS = 1000
"""Rows that `query` prints as a table; the other formats print all."""


def table_of(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Make a table of rows that share their keys."""
    table = Table(title=title, title_justify="left", show_edge=False)
    for name in rows[0] if rows else ():
        is_number = isinstance(rows[0][name], (int, float))
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,.6g}" if isinstance(value, float) else str(value)


def plan_table(plan: Plan) -> Group:
    """Show what an ingest would read or pull, and below it what is missing."""
    rows = [
        {
            "dataset": row.dataset,
            "recipe": row.recipe,
            "from": row.source,
            "files": row.files,
            "MB": round(row.bytes / 1e6, 1),
            "recordings": _counts(row.recordings),
            "hours": _hours(row.hours, row.unknown_length),
            "licence": row.license or "none stated",
        }
        for row in plan.rows
    ]
    missing = [
        {
            "dataset": row.dataset,
            "missing": item.what,
            "count": item.count,
            "such as": item.example,
            "remedy": item.remedy,
        }
        for row in plan.rows
        for item in row.missing
    ]
    problems = [
        {"dataset": row.dataset, "problem": row.problem} for row in plan.rows if row.problem
    ]
    here, pulled = plan.bytes / 1e6, plan.bytes_to_pull / 1e6
    total = f"{plan.files} files, {here:,.1f} MB; to pull {pulled:,.1f} MB"
    parts = [table_of(f"{plan.study}: {total}", rows)]
    parts += [table_of("\nMissing", missing)] if missing else []
    parts += [table_of("\nCannot be read", problems)] if problems else []
    return Group(*parts)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(counts.items()))


def _hours(hours: Mapping[str, float], unknown: Mapping[str, int]) -> str:
    known = [f"{value:.2f} {name}" for name, value in sorted(hours.items())]
    return ", ".join(known + [f"unknown for {n} {name}" for name, n in sorted(unknown.items())])


def rehearsal_tables(rehearsed: Summary | NeuropairError) -> Iterable[object]:
    """Show what tables alone would pair, or why that cannot be told."""
    if isinstance(rehearsed, NeuropairError):
        yield f"\nWhat would be paired cannot be told: {rehearsed}"
        return
    yield table_of("\nWould be paired, from tables alone", rehearsed.pairs_table())
    if rehearsed.abstentions:
        yield table_of("\nWould be abstained from", rehearsed.abstentions)


def summary_tables(summary: Summary) -> Iterable[object]:
    """Show what an ingest came to."""
    made = (
        f"{summary.events} events, rehearsed from tables alone"
        if summary.rehearsed
        else f"{summary.reused} recordings were there already, {summary.windows} windows"
    )
    yield (
        f"release {summary.release} of {summary.corpus}: "
        f"{_counts(summary.recordings) or 'no recordings'}; {made}"
    )
    yield table_of("\nPairs", summary.pairs_table())
    if summary.abstentions:
        yield table_of("\nAbstentions", summary.abstentions)
    if summary.failures:
        yield table_of("\nRecordings that could not be read", summary.failures)
    if summary.losses:
        yield table_of("\nDropped, repaired, flagged", summary.losses)


def shipped() -> dict[str, list[dict[str, str]]]:
    """Recipes and studies that come with neuropair."""
    recipes = [find_recipe(name) for name in list_recipes()]
    studies = [find_study(name)[0] for name in list_studies()]
    return {
        "studies": [
            {
                "name": study.study,
                "title": study.title,
                "datasets": ", ".join(entry.dataset for entry in study.datasets),
                "tiers": ", ".join(sorted({pairing.tier.value for pairing in study.pairings})),
            }
            for study in studies
        ],
        "recipes": [
            {"name": recipe.recipe, "title": recipe.title, "source": recipe.source or ""}
            for recipe in recipes
        ],
    }


def shipped_table() -> Group:
    """Show the recipes and studies that come with neuropair."""
    found = shipped()
    return Group(table_of("Studies", found["studies"]), table_of("\nRecipes", found["recipes"]))


def write_rows(rows: pa.Table, style: str, output: Path | None) -> None:
    """Write the rows of a query.

    Parameters
    ----------
    rows : pyarrow.Table
    style : {'table', 'csv', 'json', 'parquet'}
    output : Path or None
        Standard output unless given.

    Raises
    ------
    StorageError
        If the file cannot be written, or Parquet would go to a terminal.
    """
    if style == "table" and output is None:
        _print_table(rows)
        return
    if style == "parquet" and output is None and sys.stdout.isatty():
        raise StorageError(
            "Parquet is no text.", where="--format parquet", remedy="add --output FILE"
        )
    if output is None:
        _write(rows, style, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    try:
        with output.open("wb") as file:
            _write(rows, style, file)
    except OSError as error:
        raise StorageError(
            f"cannot be written ({error.strerror}).", where=str(output), remedy="name another file"
        ) from error


def _print_table(rows: pa.Table) -> None:
    from neuropair.flows import console

    shown = rows.slice(0, SHOWN_ROWS).to_pylist()
    console.show(table_of(f"{rows.num_rows} rows", shown))
    if rows.num_rows > SHOWN_ROWS:
        console.say(f"the first {SHOWN_ROWS} of {rows.num_rows} rows; --format csv prints all")


def _write(rows: pa.Table, style: str, file: BinaryIO) -> None:
    if style == "parquet":
        import pyarrow.parquet as pq

        pq.write_table(rows, file)
    elif style == "json":
        frame = rows.to_pandas(types_mapper=None)
        file.write((frame.to_json(orient="records") + "\n").encode())
    else:
        import pyarrow.csv as csv

        csv.write_csv(rows, file)
