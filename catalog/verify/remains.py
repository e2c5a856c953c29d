"""What lies in a corpus and belongs to no release."""

from __future__ import annotations

from pathlib import PurePosixPath

from neuropair.catalog.location import Location
from neuropair.catalog.verify.report import Damage
from neuropair.schemas import layout


def find_remains(location: Location, groups: set[str], table_files: set[str]) -> list[Damage]:
    """Find what killed or superseded ingests left: it is never read.

    Parameters
    ----------
    location : Location
    groups : set of str
        Paths of the groups that releases name.
    table_files : set of str
        Files of tables that releases name.

    Returns
    -------
    list of Damage
        One note a group, one for each kind of other files.
    """
    notes = []
    staged = location.sizes(layout.STAGING_FOLDER)
    if staged:
        what = f"{len(staged)} half-written files, {sum(staged.values()):,} bytes"
        notes.append(Damage(layout.STAGING_FOLDER, f"{what}; the next ingest removes them"))
    signals = location.sizes(layout.SIGNALS_FOLDER)
    unnamed = {path: n for path, n in signals.items() if not _is_in(path, groups)}
    finished = {
        str(PurePosixPath(path).parent)
        for path in unnamed
        if PurePosixPath(path).name == layout.MANIFEST_FILE
    }
    notes += [Damage(path, "a group that no release names") for path in sorted(finished)]
    rest = {path: n for path, n in unnamed.items() if not _is_in(path, finished)}
    if rest:
        what = f"{len(rest)} files of groups that were never finished, {sum(rest.values()):,} bytes"
        notes.append(Damage(layout.SIGNALS_FOLDER, what))
    return notes + _table_notes(location, table_files)


def _table_notes(location: Location, table_files: set[str]) -> list[Damage]:
    own = f"{layout.table_folder(layout.RELEASES_TABLE)}/"
    extra = [
        path
        for path in location.sizes(layout.TABLES_FOLDER)
        if path not in table_files
        and not path.startswith(own)
        and PurePosixPath(path).suffix == ".parquet"
        and "_delta_log" not in path
    ]
    if not extra:
        return []
    return [Damage(layout.TABLES_FOLDER, f"{len(extra)} Parquet files that no release names")]


def _is_in(path: str, folders: set[str]) -> bool:
    return any(str(parent) in folders for parent in PurePosixPath(path).parents)
