"""Removing a person from a corpus for good: arrays, rows, older releases; a receipt stays."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

import neuropair
from neuropair.pipeline.corpus.description import write_description
from neuropair.pipeline.corpus.digest import rows_digest
from neuropair.pipeline.corpus.forget_plan import Found, find_person, no_such
from neuropair.pipeline.corpus.forget_rows import Gone, StudyRows, without_person
from neuropair.pipeline.corpus.forgotten import REASON, read_receipt, subject_folder
from neuropair.pipeline.corpus.group import to_json
from neuropair.pipeline.corpus.release import Release, described, release_id, release_row
from neuropair.pipeline.corpus.store import CorpusStore
from neuropair.pipeline.corpus.tables import (
    ConflictError,
    contents_of,
    read_table,
    replace_study,
    set_aside,
)
from neuropair.pipeline.corpus.withdraw import Releases, checkpoint_all, unnamed_files
from neuropair.schemas import layout
from neuropair.schemas.errors import StorageError
from neuropair.schemas.forgotten import (
    FORGOTTEN_FOLDER,
    PENDING_FILE,
    RECEIPT_FORMAT,
    SALT_FILE,
    digests_of,
    is_receipt,
    receipt_file,
    salted,
)
from neuropair.schemas.seal import SEAL, seal_of
from neuropair.schemas.tables import TABLES

_ID_DIGITS = 12
Removal = Callable[[Set[tuple[str, str]]], int]
"""Removes copies of subjects, given as (dataset, label), that lie outside the corpus; counts."""


@dataclass(frozen=True)
class Receipt:
    """What was removed, without a name.

    Parameters
    ----------
    content : Mapping
        As the corpus keeps it: digests, counts, withdrawn releases, the release that follows.
    again : bool
        The person had been removed before: nothing was left of it.
    """

    content: Mapping[str, Any]
    again: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as ``--json`` prints it."""
        return {**self.content, "again": self.again}


def forget(store: CorpusStore, wanted: str, remove_copies: Removal | None = None) -> Receipt:
    """Remove a person for good.

    Every release that names the person is withdrawn; one without it, in which everybody else's
    rows and splits are as they were, takes the place of the newest. Then the arrays, the files of
    the tables and the Delta log before the new release are deleted: a log has the least and the
    greatest value of each column, names of recordings among them.

    A plan is written first, and while it is there the releases that it withdraws do not open.
    Killed at any moment, the same call finishes it.

    Parameters
    ----------
    store : CorpusStore
    wanted : str
        Person id or ``dataset/subject``; all that the person is in other datasets goes too.
    remove_copies : callable, optional
        Removes what else was made of the person's raw data, such as downloads.

    Raises
    ------
    CorpusError
        If nobody, or more than one person, is of that name; if there is no corpus.
    StorageError
        If an ingest is at work, or the store refuses. The same call goes on from there.
    """
    Releases(store)  # there is a corpus: a lock in any other folder would be a file too many
    with store.alone():
        if store.exists(PENDING_FILE):
            finished = _finish(store, read_receipt(store, PENDING_FILE), remove_copies)
            if _is_of(store, finished, wanted):
                return finished
        releases = Releases(store).open
        found = find_person(store, releases, wanted)
        if found is None:
            known = _known(store, wanted)
            if known is None:
                raise no_such(store, releases, wanted)
            return known
        plan = _plan(store, releases, found)
        store.write(PENDING_FILE, to_json(plan).encode())
        return _finish(store, plan, remove_copies)


def _plan(store: CorpusStore, releases: Sequence[Release], found: Found) -> dict[str, Any]:
    gone, salt = found.gone, _salt(store)
    groups = [
        (path, size)
        for subject in sorted(gone.subjects)
        for path, size in store.list(subject_folder(*subject))
    ]
    newest = releases[-1] if releases and releases[-1].id in found.releases else None
    removed: Counter[str] = Counter()
    for study in _studies(newest):
        removed.update(without_person(_rows_of(store, newest, study), gone).removed)
    name = salted(salt, "person", "\n".join(sorted(gone.persons)))[:_ID_DIGITS]
    taken = sum(is_receipt(path) and f"/{name}" in path for path, _ in store.list(FORGOTTEN_FOLDER))
    plan = {
        "format": RECEIPT_FORMAT,
        "receipt": f"{name}-{taken + 1}" if taken else name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "neuropair_version": neuropair.__version__,
        "persons": sorted(gone.persons),
        "members": sorted(list(subject) for subject in gone.subjects),
        "recordings": sorted(gone.recordings),
        "withdrawn": list(found.releases),
        "rows": dict(sorted(removed.items())),
        "groups": sum(path.endswith(f"/{layout.MANIFEST_FILE}") for path, _ in groups),
        "bytes": sum(size for _, size in groups),
    }
    return plan | {SEAL: seal_of(plan)}


def _salt(store: CorpusStore) -> str:
    if not store.exists(SALT_FILE):
        store.write(SALT_FILE, secrets.token_hex(16).encode())
    return store.read(SALT_FILE).decode()


def _finish(store: CorpusStore, plan: Mapping[str, Any], remove_copies: Removal | None) -> Receipt:
    """Do what a plan says, from wherever it stopped."""
    subjects = frozenset((dataset, label) for dataset, label in plan["members"])
    gone = Gone(frozenset(plan["persons"]), subjects, frozenset(plan["recordings"]))
    try:
        _rewrite(store, plan, gone)
    except ConflictError as error:
        raise StorageError(
            "another writer published meanwhile.", where=store.url, remedy="run the same again"
        ) from error
    for subject in sorted(subjects):
        store.delete(subject_folder(*subject))
    releases = Releases(store)
    store.remove_files(sorted(unnamed_files(store, releases.open, logs=True)))
    store.remove_leftovers()
    if remove_copies is not None:
        remove_copies(subjects)
    receipt = _receipt(store, plan, releases)
    store.write(receipt_file(plan["receipt"]), to_json(receipt).encode())
    store.remove_files([PENDING_FILE])
    return Receipt(receipt)


def _rewrite(store: CorpusStore, plan: Mapping[str, Any], gone: Gone) -> None:
    """Publish the newest release without the person, and withdraw those that name it."""
    releases = Releases(store)
    withdrawn = set(plan["withdrawn"])
    every = releases.open
    if not every:
        return
    newest, kept = every[-1], [release for release in every if release.id not in withdrawn]
    row, entries = None, dict(newest.tables)
    if newest.id in withdrawn:
        entries = _rewrite_tables(store, newest, gone)
        datasets = read_table(store, "datasets", entries["datasets"]["version"]).to_pandas()
        write_description(store, pd.DataFrame(datasets))
    else:
        for name, entry in entries.items():
            # commits that no release names may name the person
            set_aside(store, name, entry["version"])
    logs = checkpoint_all(store, [*(release.tables for release in kept), entries])
    if newest.id in withdrawn:
        for name, entry in entries.items():
            entry["log"] = logs[name, entry["version"]]
        ids = {name: dict(entry["studies"]) for name, entry in entries.items()}
        row = release_row(store, release_id(newest, ids), newest, _study_of(releases), entries)
    why = f"{plan['created']}: {REASON} was in it, receipt {plan['receipt']}"
    releases.commit(withdrawn, why, added=row, logs=logs)


def _rewrite_tables(store: CorpusStore, newest: Release, gone: Gone) -> dict[str, Any]:
    entries = {name: dict(entry) for name, entry in newest.tables.items()}
    for study in _studies(newest):
        rows = without_person(_rows_of(store, newest, study), gone)
        for name in sorted(rows.changed & entries.keys()):
            _replace(store, name, study, rows, entries[name])
    for name, entry in entries.items():
        entry["version"] = set_aside(store, name, entry["version"])
        paths, entry["rows"] = contents_of(store, name, entry["version"])
        known = {file["path"]: file for file in entry["files"]}
        entry["files"] = [known.get(path) or described(store, path) for path in paths]
    return entries


def _replace(
    store: CorpusStore, name: str, study: str, rows: StudyRows, entry: dict[str, Any]
) -> None:
    table = rows.tables[name]
    entry["version"] = replace_study(store, name, study, table, entry["version"])
    entry["studies"] = {**entry["studies"], study: rows_digest(table)}


def _rows_of(store: CorpusStore, release: Release | None, study: str) -> dict[str, pa.Table]:
    found = {}
    for name, schema in TABLES.items():
        if release is None or name not in release.tables:
            found[name] = schema.empty_table()
        else:
            table = read_table(store, name, release.tables[name]["version"])
            found[name] = table.filter(pc.equal(table["study"], study))
    return found


def _studies(release: Release | None) -> list[str]:
    entries = release.tables.values() if release else ()
    return sorted({study for entry in entries for study in entry["studies"]})


def _study_of(releases: Releases) -> str:
    return str(releases.rows[-1]["study"])


def _receipt(store: CorpusStore, plan: Mapping[str, Any], releases: Releases) -> dict[str, Any]:
    salt = _salt(store)
    said = ("format", "receipt", "created", "neuropair_version", "withdrawn", "rows", "groups")
    why = f"receipt {plan['receipt']}"
    follows = [row["sequence"] for row in releases.rows if why in (row.get("withdrawn") or "")]
    after = [row for row in releases.rows if follows and row["sequence"] == max(follows) + 1]
    receipt = {name: plan[name] for name in said} | {
        "bytes": plan["bytes"],
        "subjects": sorted(digests_of(salt, plan["persons"], plan["members"])),
        "recordings": sorted(salted(salt, "recording", name) for name in plan["recordings"]),
        "release": after[0]["release"] if after else None,
    }
    return receipt | {SEAL: seal_of(receipt)}


def _known(store: CorpusStore, wanted: str) -> Receipt | None:
    """Find the receipt of somebody who was removed before."""
    paths = [path for path, _ in store.list(FORGOTTEN_FOLDER) if is_receipt(path)]
    for path in paths:
        receipt = Receipt(read_receipt(store, path), again=True)
        if _is_of(store, receipt, wanted):
            return receipt
    return None


def _is_of(store: CorpusStore, receipt: Receipt, wanted: str) -> bool:
    salt = store.read(SALT_FILE).decode()
    dataset, _, label = wanted.rpartition("/")
    names = digests_of(salt, [wanted], [(dataset, label.removeprefix("sub-"))])
    return bool(names & set(receipt.content["subjects"]))
