"""Finding all that a person left in a corpus, before anything of it is removed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import pyarrow as pa

from neuropair.pipeline.corpus.forget_rows import Gone
from neuropair.pipeline.corpus.forgotten import subject_folder
from neuropair.pipeline.corpus.release import Release
from neuropair.pipeline.corpus.store import CorpusStore
from neuropair.pipeline.corpus.tables import read_table
from neuropair.schemas import layout
from neuropair.schemas.errors import CorpusError

_SHOWN = 10
_COLUMNS = ["recording", "dataset", "subject", "person"]


@dataclass(frozen=True)
class Found:
    """A person, and the releases that name one.

    Parameters
    ----------
    gone : Gone
    releases : tuple of str
        Ids, oldest first.
    """

    gone: Gone
    releases: tuple[str, ...]


def find_person(store: CorpusStore, releases: Sequence[Release], wanted: str) -> Found | None:
    """Find a person by its id, or by a subject that it is; None if nothing is of that name.

    A person is removed whole: every subject that it is in any dataset, in any release.

    Parameters
    ----------
    store : CorpusStore
    releases : sequence of Release
        Those that can be opened.
    wanted : str
        Person id, ``dataset/subject`` or ``dataset/sub-subject``.

    Raises
    ------
    CorpusError
        If it fits more than one person.
    """
    rows_of = _recordings(store, releases)
    rows = sorted({row for rows in rows_of.values() for row in rows})
    persons = {row[3] for row in rows if wanted in (row[3], *_names(row[1], row[2]))}
    if len(persons) > 1:
        raise CorpusError(
            f"{wanted!r} fits {len(persons)} persons.",
            where=store.url,
            remedy="give one of " + "; ".join(_described(rows, one) for one in sorted(persons)),
        )
    if not persons:
        return _unreleased(store, wanted)
    gone = _closure(rows, persons)
    named = [r.id for r in releases if gone.recordings & {row[0] for row in rows_of[r.id]}]
    return Found(gone, tuple(named))


def no_such(store: CorpusStore, releases: Sequence[Release], wanted: str) -> CorpusError:
    """Say that nobody is of that name, and who comes close."""
    rows = {row for rows in _recordings(store, releases).values() for row in rows}
    names = sorted({name for row in rows for name in (row[3], f"{row[1]}/{row[2]}")})
    label = wanted.rsplit("/", 1)[-1].removeprefix("sub-")
    fitting = sorted({f"{row[1]}/{row[2]}" for row in rows if row[2] == label})
    close = fitting or get_close_matches(wanted, names, n=5, cutoff=0.5) or names
    more = f" and {len(close) - _SHOWN} more" if len(close) > _SHOWN else ""
    return CorpusError(
        f"no recording is of {wanted!r}.",
        where=store.url,
        remedy=f"give a person id or dataset/subject, such as {', '.join(close[:_SHOWN])}{more}",
    )


_Row = tuple[str, str, str, str]


def _recordings(store: CorpusStore, releases: Iterable[Release]) -> dict[str, set[_Row]]:
    by_version: dict[int, set[_Row]] = {}
    found = {}
    for release in releases:
        version = release.tables["recordings"]["version"]
        if version not in by_version:
            by_version[version] = _rows(read_table(store, "recordings", version, _COLUMNS))
        found[release.id] = by_version[version]
    return found


def _rows(table: pa.Table) -> set[_Row]:
    columns = [table[name].to_pylist() for name in _COLUMNS]
    return set(zip(*columns, strict=True))


def _names(dataset: str, subject: str) -> tuple[str, str]:
    return f"{dataset}/{subject}", f"{dataset}/sub-{subject}"


def _closure(rows: Iterable[_Row], persons: set[str]) -> Gone:
    """All subjects of a person, and all that other recipes call the person of such a subject."""
    rows = list(rows)
    people = set(persons)
    while True:
        subjects = {(d, s) for _, d, s, person in rows if person in people}
        more = {person for _, d, s, person in rows if (d, s) in subjects}
        if more <= people:
            own = {r for r, d, s, _ in rows if (d, s) in subjects}
            return Gone(frozenset(people), frozenset(subjects), frozenset(own))
        people |= more


def _unreleased(store: CorpusStore, wanted: str) -> Found | None:
    """Arrays that an ingest wrote and no release names are found by their folder."""
    dataset, _, label = wanted.rpartition("/")
    label = label.removeprefix("sub-")
    if not dataset or not label or not store.list(subject_folder(dataset, label)):
        return None
    groups = {
        path.removeprefix(f"{layout.SIGNALS_FOLDER}/").rsplit("/", 2)[0]
        for path, _ in store.list(subject_folder(dataset, label))
        if path.endswith(f"/{layout.MANIFEST_FILE}")
    }
    gone = Gone(frozenset({f"{dataset}/{label}"}), frozenset({(dataset, label)}), frozenset(groups))
    return Found(gone, ())


def _described(rows: Iterable[_Row], person: str) -> str:
    subjects = sorted({f"{row[1]}/{row[2]}" for row in rows if row[3] == person})
    return f"{person} ({', '.join(subjects)})"
