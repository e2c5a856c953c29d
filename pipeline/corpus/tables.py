"""Delta tables of the corpus: a study's rows are replaced as a whole, by one commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from neuropair.pipeline.corpus.errors import storage_errors
from neuropair.pipeline.corpus.store import CorpusStore
from neuropair.schemas import layout
from neuropair.schemas.errors import CorpusError
from neuropair.schemas.tables import KEYS, ORDER, RELEASES, TABLES, conform

_CHECKPOINT = ".checkpoint.parquet"
_VERSION_DIGITS = 20


def study_table(rows: pd.DataFrame, table: str, study: str) -> pa.Table:
    """Rows of one study: complete, conforming and in the table's order.

    Raises
    ------
    CorpusError
        If the rows do not fit the schema, or two rows share a key.
    """
    return arranged(conform(rows.assign(study=study), table), table)


def arranged(arrow: pa.Table, table: str) -> pa.Table:
    """Put the rows of one study into the table's order.

    Raises
    ------
    CorpusError
        If two rows share a key.
    """
    first = ORDER[table]
    names = [*first, *(name for name in arrow.column_names if name not in (*first, "study"))]
    arrow = arrow.take(
        pc.sort_indices(arrow, sort_keys=[(name, "ascending") for name in names])
    ).combine_chunks()
    _require_unique(arrow, table)
    return arrow


def _require_unique(arrow: pa.Table, table: str) -> None:
    keys = list(KEYS[table])
    if not keys or not arrow.num_rows:
        return
    counts = arrow.select(keys).group_by(keys).aggregate([([], "count_all")])
    twice = counts.filter(pc.greater(counts["count_all"], 1))
    if twice.num_rows:
        first = {key: twice[key][0].as_py() for key in keys}
        raise CorpusError(
            f"{twice.num_rows} keys stand in more than one row, the first is {first}.",
            where=f"table {table}",
            remedy="give every row its own key; two files may claim one recording",
        )


def open_table(store: CorpusStore, table: str, version: int | None = None) -> Any:
    """Open a Delta table; None if there is none."""
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    with storage_errors(store.table_uri(table)):
        try:
            return DeltaTable(
                store.table_uri(table), version=version, storage_options=store.storage_options
            )
        except TableNotFoundError:
            return None


def read_table(
    store: CorpusStore,
    table: str,
    version: int | None = None,
    columns: list[str] | None = None,
) -> pa.Table:
    """Read a version of a table, whole; an empty table if there is none."""
    schema = RELEASES if table == layout.RELEASES_TABLE else TABLES[table]
    wanted = pa.schema([schema.field(name) for name in columns or schema.names], schema.metadata)
    delta = open_table(store, table, version)
    if delta is None:
        return wanted.empty_table()
    with storage_errors(store.table_uri(table)):
        return delta.to_pyarrow_table(columns=wanted.names).cast(wanted)


class ConflictError(Exception):
    """Another writer committed first."""


def replace_study(
    store: CorpusStore, table: str, study: str, rows: pa.Table, base: int | None
) -> int:
    """Replace a study's rows in a table, on top of version `base`.

    What another writer left beyond `base` is set aside first: only what a release names counts.
    Every commit is refused if another writer's came in between, so a returned version holds the
    rows of `base` and these, and nothing else.

    Parameters
    ----------
    store : CorpusStore
    table : str
    study : str
    rows : pyarrow.Table
        From `study_table`.
    base : int or None
        Version that the newest release names; None if it names none.

    Returns
    -------
    int
        The new version.

    Raises
    ------
    ConflictError
        If another writer was faster; to be tried again from the newest release.
    """
    delta = open_table(store, table) or _created(store, table, rows.schema)
    quoted = study.replace("'", "''")
    with storage_errors(store.table_uri(table)), _conflicts(table):
        if base is not None and delta.version() != base:
            delta.restore(base, commit_properties=_once(), post_commithook_properties=_hooks())
        predicate = None if base is None else f"study = '{quoted}'"
        _write(delta, rows, mode="overwrite", predicate=predicate)
    return int(delta.version())


def append_row(store: CorpusStore, table: str, row: pa.Table, base: int | None) -> None:
    """Append to a table, only if nobody wrote to it since version `base`.

    Raises
    ------
    ConflictError
        If somebody did.
    """
    delta = open_table(store, table) or _created(store, table, row.schema)
    if base is not None and delta.version() != base:
        raise ConflictError(table)
    with storage_errors(store.table_uri(table)), _conflicts(table):
        _write(delta, row, mode="append")


def replace_all(store: CorpusStore, table: str, rows: pa.Table, base: int) -> None:
    """Replace every row of a table by one commit, only if nobody wrote to it since `base`.

    Raises
    ------
    ConflictError
        If somebody did.
    """
    delta = open_table(store, table)
    if delta is None or delta.version() != base:
        raise ConflictError(table)
    with storage_errors(store.table_uri(table)), _conflicts(table):
        _write(delta, rows, mode="overwrite")


def set_aside(store: CorpusStore, table: str, base: int) -> int:
    """Make version `base` the head of a table again, if unreleased commits follow it.

    Returns
    -------
    int
        The head's version, whose rows and files are those of `base`.

    Raises
    ------
    ConflictError
        If another writer was faster.
    """
    delta = open_table(store, table)
    if delta is None or delta.version() == base:
        return base
    with storage_errors(store.table_uri(table)), _conflicts(table):
        delta.restore(base, commit_properties=_once(), post_commithook_properties=_hooks())
    return int(delta.version())


def checkpoint(store: CorpusStore, table: str, version: int) -> list[str]:
    """Write a checkpoint of a version, so that it is read without the commits before it.

    Returns
    -------
    list of str
        The log files that the version is then read from, relative to the corpus root.
    """
    log = log_of(store, table, version)
    if not any(path.endswith(f"{version:0{_VERSION_DIGITS}}{_CHECKPOINT}") for path in log):
        with storage_errors(store.table_uri(table)):
            open_table(store, table, version).create_checkpoint()
        log = log_of(store, table, version)
    return log


def commit_file(table: str, version: int) -> str:
    """Path of the log file of a commit, relative to the corpus root."""
    return f"{layout.table_folder(table)}/_delta_log/{version:0{_VERSION_DIGITS}}.json"


def contents_of(store: CorpusStore, table: str, version: int) -> tuple[list[str], int]:
    """List the data files of a version, relative to the corpus root, and count its rows."""
    delta = open_table(store, table, version)
    with storage_errors(store.table_uri(table)):
        actions = pa.table(delta.get_add_actions(flatten=True))
    folder = layout.table_folder(table)
    paths = sorted(f"{folder}/{path}" for path in actions["path"].to_pylist())
    return paths, sum(actions["num_records"].to_pylist())


def log_of(store: CorpusStore, table: str, version: int) -> list[str]:
    """List the log files that a version is read from: newest checkpoint, commits after it."""
    folder = f"{layout.table_folder(table)}/_delta_log"
    numbered = [
        (int(path.rsplit("/", 1)[1][:_VERSION_DIGITS]), path)
        for path, _ in store.list(folder)
        if path.rsplit("/", 1)[1][:_VERSION_DIGITS].isdigit()
    ]
    upto = [(number, path) for number, path in numbered if number <= version]
    start = max((number for number, path in upto if path.endswith(_CHECKPOINT)), default=-1)
    commits = [path for number, path in upto if number > start and path.endswith(".json")]
    return sorted(
        commits + [path for number, path in upto if number == start and path.endswith(_CHECKPOINT)]
    )


def _write(delta: Any, rows: pa.Table, **how: Any) -> None:
    """Commit once, without another try; a corpus of an older format gains the columns it lacks."""
    from deltalake import write_deltalake

    write_deltalake(
        delta,
        _described_as(delta, rows),
        schema_mode="merge",
        commit_properties=_once(),
        post_commithook_properties=_hooks(),
        **how,
    )


def _described_as(delta: Any, rows: pa.Table) -> pa.Table:
    """Give the columns the descriptions that the table has: Delta merges no others.

    A corpus keeps the words of the neuropair that made it; what a column means does not change.
    """
    stored = {field.name: field.metadata for field in delta.schema().fields}
    fields = [
        field.with_metadata(stored[field.name]) if field.name in stored else field
        for field in rows.schema
    ]
    return pa.Table.from_arrays(rows.columns, schema=pa.schema(fields, rows.schema.metadata))


def _created(store: CorpusStore, table: str, schema: pa.Schema) -> Any:
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    uri = store.table_uri(table)
    with storage_errors(uri):
        if store.root is not None:
            Path(uri).mkdir(parents=True, exist_ok=True)
        try:
            return DeltaTable.create(
                uri, schema, storage_options=store.storage_options, commit_properties=_once()
            )
        except DeltaError:
            delta = open_table(store, table)
            if delta is None:
                raise
            return delta


@contextmanager
def _conflicts(table: str) -> Iterator[None]:
    from deltalake.exceptions import CommitFailedError

    try:
        yield
    except CommitFailedError as error:
        raise ConflictError(table) from error


def _once() -> Any:
    from deltalake import CommitProperties

    return CommitProperties(max_commit_retries=0)


def _hooks() -> Any:
    """Keep old commits: a release that names them stays readable by plain Delta readers."""
    from deltalake import PostCommitHookProperties

    return PostCommitHookProperties(cleanup_expired_logs=False)
