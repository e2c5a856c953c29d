"""The tables of a release against each other."""

from __future__ import annotations

from typing import Any, NamedTuple

from neuropair.catalog.leaks import find_leaks
from neuropair.catalog.query import Database
from neuropair.catalog.release import Release
from neuropair.catalog.verify.report import Damage


class _Rule(NamedTuple):
    """A table, what is wrong, and the SELECT whose first column names each wrong row."""

    table: str
    what: str
    query: str


def _pair_rules() -> list[_Rule]:
    rules = []
    for side in "ab":
        join = f"FROM pairs p LEFT JOIN recordings r ON p.recording_{side} = r.recording WHERE"
        for what, condition in (
            (
                f"recording_{side} is not in the release, or failed",
                "r.status IS NULL OR r.status NOT IN ('ok', 'rehearsed')",
            ),
            (
                f"window_{side} is out of range",
                f"p.window_{side} < 0 OR p.window_{side} >= "
                "CASE r.status WHEN 'rehearsed' THEN r.n_events ELSE r.n_windows END",
            ),
            (f"its split is not that of recording_{side}", "p.split IS DISTINCT FROM r.split"),
            (f"person_{side} is not the recording's", f"p.person_{side} <> r.person"),
            (f"modality_{side} is not the recording's", f"p.modality_{side} <> r.modality"),
        ):
            rules.append(_Rule("pairs", what, f"SELECT p.pair_id {join} {condition}"))
    return rules


_RULES = [
    *_pair_rules(),
    _Rule(
        "pairs",
        "the id stands twice in a study",
        "SELECT pair_id FROM pairs GROUP BY study, pair_id HAVING count(*) > 1",
    ),
    _Rule(
        "recordings",
        "the recording stands twice",
        "SELECT recording FROM recordings GROUP BY recording HAVING count(*) > 1",
    ),
    _Rule(
        "recordings",
        "it is 'ok' and names no group",
        "SELECT recording FROM recordings WHERE status = 'ok' "
        "AND (path IS NULL OR digest IS NULL OR manifest_sha256 IS NULL)",
    ),
    _Rule(
        "windows",
        "windows of the recording are not 0 to n_windows - 1",
        "SELECT r.recording FROM recordings r LEFT JOIN windows w USING (recording) GROUP BY "
        'r.recording, r.n_windows HAVING count(DISTINCT w."window") <> r.n_windows '
        'OR count(w."window") <> r.n_windows OR min(w."window") <> 0 '
        'OR max(w."window") <> r.n_windows - 1',
    ),
    _Rule(
        "channels",
        "stored channels of the recording are not 0 to n_channels - 1",
        "SELECT r.recording FROM recordings r LEFT JOIN "
        '(FROM channels WHERE "row" >= 0) c USING (recording) GROUP BY r.recording, r.n_channels '
        'HAVING count(DISTINCT c."row") <> r.n_channels OR count(c."row") <> r.n_channels '
        'OR max(c."row") <> r.n_channels - 1',
    ),
    _Rule(
        "events",
        "events of the recording are not n_events",
        "SELECT r.recording FROM recordings r LEFT JOIN events e USING (recording) "
        "GROUP BY r.recording, r.n_events HAVING count(e.event) <> r.n_events",
    ),
    _Rule(
        "splits",
        "it is in more than one split",
        "SELECT kind || ' ' || key FROM splits GROUP BY study, kind, key "
        "HAVING count(DISTINCT split) > 1",
    ),
    _Rule(
        "splits",
        "parts of the component are in different splits",
        "SELECT component FROM splits GROUP BY study, component HAVING count(DISTINCT split) > 1",
    ),
    _Rule(
        "recordings",
        "its split is not that of table splits",
        "SELECT r.recording FROM recordings r JOIN splits s ON r.study = s.study "
        "AND s.kind = 'recording' AND s.key = r.recording WHERE r.split IS DISTINCT FROM s.split",
    ),
]

_ACROSS_STUDIES = [
    _Rule(
        "recordings",
        "studies put this person into different splits: do not train on both",
        "SELECT person FROM recordings WHERE split IS NOT NULL GROUP BY person "
        "HAVING count(DISTINCT split) > 1 AND count(DISTINCT study) > 1",
    ),
    _Rule(
        "windows",
        "studies put this stimulus into different splits: do not train on both",
        "SELECT w.stimulus FROM windows w JOIN recordings r USING (recording) "
        "WHERE w.stimulus IS NOT NULL AND r.split IS NOT NULL GROUP BY w.stimulus "
        "HAVING count(DISTINCT r.split) > 1 AND count(DISTINCT r.study) > 1",
    ),
]


def check_content(database: Database, release: Release) -> tuple[list[Damage], list[Damage]]:
    """Check what holds between the tables of a release.

    Returns
    -------
    damages, notes : lists of Damage

    Raises
    ------
    DamagedError
        If a table cannot be read.
    """
    damages = [damage for rule in _RULES for damage in _broken(database, rule)]
    damages += [
        Damage("table splits", f"study {leak.study} leaks: {leak}") for leak in find_leaks(database)
    ]
    notes = [note for rule in _ACROSS_STUDIES for note in _broken(database, rule)]
    return damages + _summary_damages(database, release), notes


def _broken(database: Database, rule: _Rule) -> list[Damage]:
    rows = database.select(f"SELECT * FROM ({rule.query}) ORDER BY 1")
    if not rows.num_rows:
        return []
    first = rows.column(0)[0].as_py()
    more = f" ({rows.num_rows} in all)" if rows.num_rows > 1 else ""
    return [Damage(f"table {rule.table}", f"{first}: {rule.what}{more}")]


def _summary_damages(database: Database, release: Release) -> list[Damage]:
    pairs: dict[str, dict[str, int]] = {}
    for row in _rows(database, "SELECT tier, split, count(*) AS n FROM pairs GROUP BY ALL"):
        pairs.setdefault(row["tier"], {})[row["split"]] = row["n"]
    counted = {
        "pairs": pairs,
        "abstentions": _counts(database, "abstentions", "tier"),
        "recordings": _counts(database, "recordings", "status"),
        "rows": {
            name: _rows(database, f"SELECT count(*) AS n FROM {name}")[0]["n"]
            for name in release.tables
        },
    }
    return [
        Damage("table releases", f"the summary's {name} are not those of the tables")
        for name, expected in counted.items()
        if release.summary.get(name) != expected
    ]


def _counts(database: Database, table: str, by: str) -> dict[str, int]:
    rows = _rows(database, f"SELECT {by} AS key, count(*) AS n FROM {table} GROUP BY ALL")
    return {row["key"]: row["n"] for row in rows}


def _rows(database: Database, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = database.select(query).to_pylist()
    return rows
