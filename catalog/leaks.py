"""What stands in two splits of a release and may not."""

from __future__ import annotations

from typing import NamedTuple
from weakref import WeakKeyDictionary

from neuropair.catalog.query import Database
from neuropair.catalog.splits import HELD_OUT, SEPARATE
from neuropair.schemas.relations import LINKED


class Leak(NamedTuple):
    """One thing in two splits of a study.

    Parameters
    ----------
    study, kind, key : str
        Kind: recording, person, stimulus, duplicate, source file, held-out dataset.
    splits : str
        The splits.
    n : int
        How many such things there are.
    """

    study: str
    kind: str
    key: str
    splits: str
    n: int

    def __str__(self) -> str:
        more = f" ({self.n} such in all)" if self.n > 1 else ""
        return f"{self.kind} {self.key} is in {self.splits}{more}"


_found: WeakKeyDictionary[Database, tuple[Leak, ...]] = WeakKeyDictionary()


def find_leaks(database: Database) -> tuple[Leak, ...]:
    """Find what the policy of a study keeps apart and its tables do not; once a release.

    The split of a recording is what tables ``recordings``, ``splits`` and ``pairs`` say: a
    recording of which two of them say different things is in two splits.

    Returns
    -------
    tuple of Leak
        At most one a study and kind, with the first key by name.
    """
    if database not in _found:
        _found[database] = tuple(
            leak for kind, query in _queries(database) for leak in _of(database, kind, query)
        )
    return _found[database]


def _of(database: Database, kind: str, query: str) -> list[Leak]:
    """Turn rows ``study, key, split`` into one leak a study."""
    rows = database.select(
        f"WITH named AS ({query}), "
        "several AS (SELECT study, key, string_agg(DISTINCT split, ' and ' ORDER BY split) AS "
        "splits FROM named GROUP BY study, key HAVING count(DISTINCT split) > 1) "
        "SELECT study, min(key) AS key, arg_min(splits, key) AS splits, count(*) AS n "
        "FROM several GROUP BY study ORDER BY study"
    )
    return [Leak(r["study"], kind, r["key"], r["splits"], r["n"]) for r in rows.to_pylist()]


def _queries(database: Database) -> list[tuple[str, str]]:
    """Give a SELECT of ``study, key, split`` for every kind of thing that belongs in one split."""
    # the tables of an older corpus say no policy: theirs was to keep both apart
    columns = database.filter("splits", "FALSE", "study").column_names
    said = "coalesce(max(policy), 'both')" if "policy" in columns else "'both'"
    policy = f"SELECT study, {said} AS policy FROM splits GROUP BY study"

    def under(kind: str) -> str:
        names = [name for name, separate in SEPARATE.items() if kind in separate]
        listed = ", ".join(f"'{name}'" for name in names)
        return (
            f"study NOT IN (SELECT study FROM ({policy}) "
            f"WHERE split_part(policy, '{HELD_OUT}', 1) NOT IN ({listed}))"
        )

    assigned = (
        "(SELECT study, recording, split FROM recordings WHERE split IS NOT NULL "
        "UNION SELECT study, key, split FROM splits WHERE kind = 'recording' "
        "UNION SELECT study, recording_a, split FROM pairs "
        "UNION SELECT study, recording_b, split FROM pairs)"
    )
    relations = ", ".join(f"'{name}'" for name in LINKED)
    linked = f"SELECT * FROM duplicates WHERE relation IN ({relations})"
    return [
        ("recording", f"SELECT study, recording AS key, split FROM {assigned}"),
        (
            "person",
            f"SELECT s.study, r.person AS key, s.split FROM {assigned} s "
            f"JOIN recordings r USING (recording) WHERE s.{under('person')} "
            "UNION ALL SELECT study, key, split FROM splits "
            f"WHERE kind = 'person' AND {under('person')}",
        ),
        (
            "stimulus",
            f"SELECT s.study, w.stimulus AS key, s.split FROM {assigned} s JOIN "
            "(SELECT DISTINCT recording, stimulus FROM windows WHERE stimulus IS NOT NULL) w "
            f"USING (recording) WHERE s.{under('stimulus')} "
            "UNION ALL SELECT study, key, split FROM splits "
            f"WHERE kind = 'stimulus' AND {under('stimulus')}",
        ),
        (
            "duplicate",
            "SELECT d.study, d.recording_a || ' = ' || d.recording_b AS key, s.split "
            f"FROM ({linked}) d JOIN {assigned} s ON s.study = d.study "
            "AND s.recording IN (d.recording_a, d.recording_b)",
        ),
        (
            "source file",
            "SELECT s.study, r.dataset || '/' || r.source_file AS key, s.split "
            f"FROM {assigned} s JOIN recordings r USING (recording)",
        ),
        (
            "held-out dataset",
            # a second row makes any split but test one of two
            "SELECT s.study, r.dataset AS key, unnest([s.split, 'test']) AS split "
            f"FROM {assigned} s JOIN recordings r USING (recording) JOIN ({policy}) p "
            f"ON p.study = s.study WHERE contains(p.policy, '{HELD_OUT}') AND list_contains("
            f"string_split(split_part(p.policy, '{HELD_OUT}', 2), ', '), r.dataset)",
        ),
    ]
