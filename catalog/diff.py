"""What changed between two releases of a corpus; DuckDB compares them, nothing is loaded whole."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from neuropair.catalog.corpus import Corpus
from neuropair.catalog.query import Database
from neuropair.schemas.tables import KEYS, TABLES

if TYPE_CHECKING:
    from rich.console import Group

EXAMPLES = 5
"""Keys that are told of each kind of change."""
_GROUPS = ("tier", "rule", "split")
"""What pairs are counted by."""


@dataclass(frozen=True)
class TableDiff:
    """How one table changed.

    Parameters
    ----------
    table : str
    before, after : int
        Rows.
    added, removed, changed : int
        Rows whose key is new, is gone, or stands for other values. Of a table without a key
        a changed row is one removed and one added.
    examples : dict
        ``added, removed, changed`` -> a few keys; of a table without a key, whole rows.
    """

    table: str
    before: int
    after: int
    added: int
    removed: int
    changed: int
    examples: dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Diff:
    """What changed from release `before` to release `after`.

    Parameters
    ----------
    before, after : str
        Releases.
    tables : tuple of TableDiff
        Those that differ.
    same : tuple of str
        Tables without a difference.
    pairs : tuple of dict
        ``tier, rule, split, before, after, added, removed, changed`` where they differ.
    digests : int
        Recordings in both whose arrays were made from something else.
    digest_examples : tuple of dict
        ``recording, before, after``.
    """

    before: str
    after: str
    tables: tuple[TableDiff, ...]
    same: tuple[str, ...]
    pairs: tuple[dict[str, Any], ...]
    digests: int
    digest_examples: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as ``--json`` prints it."""
        return asdict(self)

    def __rich__(self) -> Group:
        """Show counts by table, pairs, digests, and a few keys of each."""
        from neuropair.catalog.show import text_table

        return text_table(f"from release {self.before} to {self.after}", self._sections())

    def _sections(self) -> dict[str, list[dict[str, Any]]]:
        counts = ("table", "before", "after", "added", "removed", "changed")
        examples = [
            {"table": one.table, "what": what, "such as": _said(key)}
            for one in self.tables
            for what, keys in one.examples.items()
            for key in keys
        ]
        return {
            "Rows": [{name: getattr(one, name) for name in counts} for one in self.tables],
            "Pairs": list(self.pairs),
            f"Recordings made anew: {self.digests}": list(self.digest_examples),
            "For example": examples,
            "Without a difference": [{"tables": ", ".join(self.same) or "none"}],
        }


def diff(before: Corpus, after: Corpus) -> Diff:
    """Compare two releases of a corpus.

    Tables whose rows have equal digests in both releases are not read. The others are joined by
    their key inside DuckDB, which spills to disk what does not fit in memory.

    Parameters
    ----------
    before, after : Corpus

    Raises
    ------
    DamagedError
        If a file of a table cannot be read.
    """
    sides = {"before": before.release, "after": after.release}
    database = Database(after.location, after.release, beside=sides)
    differ = [name for name in TABLES if _studies(before, name) != _studies(after, name)]
    found = [_table_diff(database, name) for name in differ]
    tables = tuple(one for one in found if one.added or one.removed or one.changed)
    named = {one.table for one in tables}
    pairs = _pairs(database) if "pairs" in named else ()
    count, examples = _digests(database) if "recordings" in named else (0, ())
    return Diff(
        before=before.release.id,
        after=after.release.id,
        tables=tables,
        same=tuple(name for name in TABLES if name not in named),
        pairs=pairs,
        digests=count,
        digest_examples=examples,
    )


def _studies(corpus: Corpus, table: str) -> dict[str, str]:
    released = corpus.release.tables.get(table)
    return dict(released.studies) if released else {}


def _table_diff(database: Database, table: str) -> TableDiff:
    counts = {
        side: _rows(database, f"SELECT count(*) AS n FROM {side}.{table}")[0]["n"]
        for side in ("before", "after")
    }
    if not KEYS[table]:
        return _keyless_diff(database, table, counts)
    joined = _joined(database, table)
    kinds = {row["difference"]: row["n"] for row in _rows(database, _counted(joined))}
    key = ", ".join(f'"{name}"' for name in KEYS[table])
    examples = {
        kind: _rows(
            database,
            f"SELECT {key} FROM ({joined}) WHERE difference = '{kind}' "
            f"ORDER BY ALL LIMIT {EXAMPLES}",
        )
        for kind in sorted(kinds)
    }
    return _made(table, counts, kinds, examples)


def _made(
    table: str,
    counts: dict[str, int],
    kinds: dict[str, int],
    examples: dict[str, list[dict[str, Any]]],
) -> TableDiff:
    added, removed, changed = (kinds.get(k, 0) for k in ("added", "removed", "changed"))
    return TableDiff(table, counts["before"], counts["after"], added, removed, changed, examples)


def _joined(database: Database, table: str) -> str:
    """SELECT of the keys that differ, with the kind of difference.

    Rows are compared by a hash of 64 bits each, so that a join of 10^8 rows carries keys and one
    number, not every column; NULLs are values like others.
    """
    keys = KEYS[table]
    held = [_columns(database, f"{side}.{table}") for side in ("before", "after")]
    # a release of an older format has fewer columns: those that both have are compared
    values = [n for n in TABLES[table].names if n not in keys and all(n in one for one in held)]
    hashed = f"hash({', '.join(_quoted(name) for name in values)})" if values else "0"
    listed = ", ".join(_quoted(name) for name in keys)
    more = [name for name in _GROUPS if table == "pairs"]
    sides = [
        f"(SELECT {listed}, {hashed} AS content, true AS here"
        + "".join(f", {name} AS {name}_{side}" for name in more)
        + f" FROM {side}.{table})"
        for side in ("before", "after")
    ]
    grouped = "".join(f", coalesce({name}_after, {name}_before) AS of_{name}" for name in more)
    named = ", ".join(f"coalesce(a.{key}, b.{key}) AS {key}" for key in map(_quoted, keys))
    # a key may be null, as the onset of a playback that nobody measured
    same = " AND ".join(f"a.{key} IS NOT DISTINCT FROM b.{key}" for key in map(_quoted, keys))
    return (
        f"SELECT {named}, CASE WHEN b.here IS NULL THEN 'added' WHEN a.here IS NULL "
        f"THEN 'removed' ELSE 'changed' END AS difference{grouped} "
        f"FROM {sides[0]} b FULL JOIN {sides[1]} a ON {same} "
        "WHERE b.here IS NULL OR a.here IS NULL OR b.content <> a.content"
    )


def _counted(joined: str) -> str:
    return f"SELECT difference, count(*) AS n FROM ({joined}) GROUP BY difference"


def _keyless_diff(database: Database, table: str, counts: dict[str, int]) -> TableDiff:
    kinds: dict[str, int] = {}
    examples: dict[str, list[dict[str, Any]]] = {}
    for kind, one, other in (("added", "after", "before"), ("removed", "before", "after")):
        rows = f"SELECT * FROM {one}.{table} EXCEPT ALL SELECT * FROM {other}.{table}"
        n = _rows(database, f"SELECT count(*) AS n FROM ({rows})")[0]["n"]
        if n:
            kinds[kind] = n
            examples[kind] = _rows(database, f"{rows} ORDER BY ALL LIMIT {EXAMPLES}")
    return _made(table, counts, kinds, examples)


def _pairs(database: Database) -> tuple[dict[str, Any], ...]:
    by = ", ".join(_GROUPS)
    sides = [
        f"SELECT {by}, '{side}' AS what, count(*) AS n FROM {side}.pairs GROUP BY {by}"
        for side in ("before", "after")
    ]
    changes = (
        f"SELECT {', '.join(f'of_{name} AS {name}' for name in _GROUPS)}, difference AS what, "
        f"count(*) AS n FROM ({_joined(database, 'pairs')}) GROUP BY ALL"
    )
    columns = ", ".join(
        f"coalesce(sum(n) FILTER (what = '{what}'), 0)::BIGINT AS {what}"
        for what in ("before", "after", "added", "removed", "changed")
    )
    query = (
        f"SELECT {by}, {columns} FROM ({' UNION ALL '.join([*sides, changes])}) GROUP BY {by} "
        "HAVING added + removed + changed > 0 ORDER BY ALL"
    )
    return tuple(_rows(database, query))


def _digests(database: Database) -> tuple[int, tuple[dict[str, Any], ...]]:
    rows = (
        "SELECT recording, b.digest AS before, a.digest AS after FROM before.recordings b "
        "JOIN after.recordings a USING (recording) WHERE b.digest IS DISTINCT FROM a.digest"
    )
    count = _rows(database, f"SELECT count(*) AS n FROM ({rows})")[0]["n"]
    return count, tuple(_rows(database, f"{rows} ORDER BY recording LIMIT {EXAMPLES}"))


def _columns(database: Database, view: str) -> list[str]:
    return list(database.select(f"SELECT * FROM {view} LIMIT 0").column_names)


def _rows(database: Database, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = database.select(query).to_pylist()
    return rows


def _quoted(name: str) -> str:
    return f'"{name}"'


def _said(key: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in key.items() if value is not None)
