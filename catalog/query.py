"""DuckDB over the tables of one release, locked so that a query reads them and nothing else."""

from __future__ import annotations

import re
import shutil
import tempfile
import uuid
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from neuropair.catalog.location import Location
from neuropair.catalog.release import Release
from neuropair.schemas.errors import DamagedError, QueryError
from neuropair.schemas.tables import TABLES

_SQL_TYPES = {
    pa.string(): "VARCHAR",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
}


class Database:
    """The tables of one release as views of an in-memory DuckDB.

    The files of a remote corpus are copied to a temporary folder first: DuckDB's ``httpfs`` is an
    extension that cannot be assumed where there is no network.

    Parameters
    ----------
    location : Location
    release : Release
    beside : Mapping, optional
        Schema -> a release whose tables are views of that schema, to be compared with others.
    """

    def __init__(
        self, location: Location, release: Release, beside: Mapping[str, Release] | None = None
    ) -> None:
        self._copies: Path | None = None
        # what does not fit in memory goes there, made when needed and removed by DuckDB; its
        # default is a folder of the working directory, which may not be writable
        spill = Path(tempfile.gettempdir()) / f"neuropair-duckdb-{uuid.uuid4().hex}"
        self._connection = duckdb.connect(config={"temp_directory": str(spill)})
        read: list[str] = []
        for schema, one in {"main": release, **(beside or {})}.items():
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            for name in TABLES:
                paths = self._local_files(location, one, name)
                self._create_view(name, paths, schema)
                read += paths
        self._lock(sorted(set(read)))

    def select(self, query: str) -> pa.Table:
        """Run one SELECT.

        Raises
        ------
        QueryError
            If it is no SELECT, or names something that does not exist.
        DamagedError
            If a file of a table cannot be read.
        """
        return _translated(query, lambda: self._cursor().sql(_one_select(query)))

    def filter(self, table: str, condition: str | None, order: str, columns: str = "*") -> pa.Table:
        """Rows of a table that hold a condition, in order.

        Parameters
        ----------
        table : str
        condition : str or None
            What stands after WHERE; all rows if None.
        order, columns : str
            SQL lists.

        Raises
        ------
        QueryError, DamagedError
            As `select`.
        """

        def run() -> Any:
            relation = self._cursor().table(table)
            kept = relation if condition is None else relation.filter(condition)
            return kept.order(order).project(columns) if order else kept.aggregate(columns)

        return _translated(condition or "true", run, table)

    def batches(self, query: str, rows: int) -> Iterator[pa.Table]:
        """Run one SELECT and yield its rows part by part, in the order that it asks for.

        Parameters
        ----------
        query : str
        rows : int
            Most rows in a part.

        Raises
        ------
        QueryError, DamagedError
            As `select`.
        """
        reader = _translated(query, lambda: self._cursor().sql(_one_select(query)), rows=rows)
        while True:
            try:
                batch = next(reader, None)
            except (pa.ArrowException, duckdb.Error, OSError) as error:
                raise _damaged(error, "the tables of the corpus") from error
            if batch is None:
                return
            yield pa.Table.from_batches([batch])

    def count(self, table: str, condition: str | None) -> int:
        """Count the rows of a table that hold a condition; raises as `select`."""
        counted = self.filter(table, condition, order="", columns="count(*) AS n")
        return int(counted["n"][0].as_py())

    def _cursor(self) -> Any:
        # a cursor a call: threads may query side by side
        return self._connection.cursor()

    def _local_files(self, location: Location, release: Release, name: str) -> list[str]:
        released = release.tables.get(name)
        paths = [file.path for file in released.files] if released else []
        folder = location.local
        # DuckDB takes these characters for a pattern, in the name of a folder too
        if folder is None or set("*?[") & set(str(folder.absolute())):
            return [self._copied(location, path) for path in paths]
        return [str((folder / path).absolute()) for path in paths]

    def _copied(self, location: Location, path: str) -> str:
        if self._copies is None:
            self._copies = Path(tempfile.mkdtemp(prefix="neuropair-tables-"))
            weakref.finalize(self, shutil.rmtree, self._copies, ignore_errors=True)
        target = self._copies / path
        if target.exists():
            return str(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(location.read(path))
        return str(target)

    def _create_view(self, name: str, paths: list[str], schema: str) -> None:
        if not paths:
            empty = TABLES[name].empty_table()
            self._connection.register("empty_rows", empty)
            self._connection.execute(f'CREATE TABLE {schema}."{name}" AS FROM empty_rows')
            self._connection.unregister("empty_rows")
            return
        listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
        try:
            stored = self._connection.sql(f"FROM read_parquet([{listed}]) LIMIT 0").columns
            later = "".join(_null(field) for field in TABLES[name] if field.name not in stored)
            self._connection.execute(
                f'CREATE VIEW {schema}."{name}" AS SELECT *{later} FROM read_parquet([{listed}])'
            )
        except duckdb.Error as error:
            raise _damaged(error, f"table {name}") from error

    def _lock(self, paths: list[str]) -> None:
        listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
        for setting in (
            f"allowed_paths = [{listed}]",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            self._connection.execute(f"SET {setting}")


def _null(field: pa.Field) -> str:
    """Column that a release of an older neuropair does not have yet."""
    return f', NULL::{_SQL_TYPES[field.type]} AS "{field.name}"'


def _one_select(query: str) -> str:
    statements = duckdb.extract_statements(query)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        found = ", ".join(statement.type.name for statement in statements) or "nothing"
        raise QueryError(
            f"the query is {found}, where one SELECT is expected.",
            where=_shortened(query),
            remedy="give one SELECT (or WITH ... SELECT); a corpus is read-only",
        )
    return query


def _translated(
    query: str, run: Callable[[], Any], table: str | None = None, rows: int | None = None
) -> Any:
    try:
        relation = run()
        return relation.to_arrow_table() if rows is None else relation.to_arrow_reader(rows)
    except (
        duckdb.IOException,
        duckdb.SerializationException,
        duckdb.FatalException,
        duckdb.InternalException,
    ) as error:
        raise _damaged(error, "the tables of the corpus") from error
    except duckdb.Error as error:
        if "parquet" in str(error).lower() and isinstance(error, duckdb.InvalidInputException):
            raise _damaged(error, "the tables of the corpus") from error
        raise _query_error(error, query, table) from error


def _query_error(error: duckdb.Error, query: str, table: str | None) -> QueryError:
    problem = re.sub(r"\s+", " ", str(error).split("\n\nLINE")[0]).strip()
    return QueryError(
        problem if problem.endswith((".", "!")) else f"{problem}.",
        where=_shortened(query),
        remedy=_known_names(query, str(error), table),
    )


def _known_names(query: str, problem: str, table: str | None) -> str:
    named = [table] if table else [name for name in TABLES if re.search(rf"\b{name}\b", query)]
    if "column" in problem and named:
        return "; ".join(f"columns of {name}: {', '.join(TABLES[name].names)}" for name in named)
    if isinstance(table, str):
        return "write what stands after WHERE, such as \"tier = 'T1' AND concept = 'motor'\""
    return f"the tables are {', '.join(TABLES)}"


def _damaged(error: Exception, where: str) -> DamagedError:
    return DamagedError(
        f"cannot be read ({str(error).splitlines()[0][:300]}).",
        where=where,
        remedy="run `neuropair verify`; a damaged release is mended by restoring its files",
    )


def _shortened(query: str) -> str:
    line = re.sub(r"\s+", " ", query).strip()
    return f"query {line[:120] + '…' if len(line) > 120 else line!r}"
