"""Checking a corpus: every byte, and every table against the arrays."""

from __future__ import annotations

import os
from collections.abc import Callable

from neuropair.catalog.corpus import Corpus
from neuropair.catalog.location import Location
from neuropair.catalog.release import Release, read_releases
from neuropair.catalog.verify.arrays import Expected, check_arrays
from neuropair.catalog.verify.content import check_content
from neuropair.catalog.verify.files import Group, check_files, check_group
from neuropair.catalog.verify.receipts import check_receipts
from neuropair.catalog.verify.releases import check_description, check_releases
from neuropair.catalog.verify.remains import find_remains
from neuropair.catalog.verify.report import Damage, Report
from neuropair.schemas.errors import DamagedError

__all__ = ["Damage", "Report", "verify"]

Progress = Callable[[int, int], None]


def verify(url: str | os.PathLike[str], progress: Progress | None = None) -> Report:
    """Check a corpus.

    The bytes of all releases are checked: table files and Delta logs against the release's
    manifest, each recording's group against its own manifest, and that against table
    ``recordings``. Then the newest release's tables are compared with each other and with the
    arrays. What no release names is a note: a killed ingest leaves it, and the next removes it.

    Parameters
    ----------
    url : str or path
    progress : callable, optional
        Called with the number of groups done and of all.

    Returns
    -------
    Report

    Raises
    ------
    CorpusError
        If there is no corpus, or a newer neuropair wrote it.
    StorageError
        If it cannot be read.
    """
    location = Location.of(url)
    report = Report(location.url)
    try:
        releases = read_releases(location)
    except DamagedError as error:
        report.damages.append(_of(location, error))
        return report
    report.damages += check_releases(location, releases)
    report.damages += check_receipts(location, releases)
    releases = [release for release in releases if release.withdrawn is None]
    if not releases:
        return report
    newest = releases[-1]
    report.release = newest.id
    named = {file for r in releases for t in r.tables.values() for file in (*t.files, *t.log)}
    files = sorted(named, key=lambda file: (file.path, file.sha256))
    report.damages += check_files(location, files)
    tables_are_whole = not report.damages
    groups = _groups(location, releases, report)
    _check_groups(location, groups, report, progress)
    if tables_are_whole:
        _check_newest(location, newest, report)
    else:
        report.notes.append(Damage("tables", "not compared with the arrays: files are damaged"))
    report.notes += find_remains(location, {g.path for g in groups}, {f.path for f in files})
    report.checked |= {
        "releases": len(releases),
        "groups": len(groups),
        "table files": len(files),
        "bytes": sum(location.sizes("").values()),
    }
    return report


def _groups(location: Location, releases: list[Release], report: Report) -> list[Group]:
    """List the groups that any release names."""
    found: set[Group] = set()
    seen: set[tuple[str, ...]] = set()
    for release in reversed(releases):
        files = tuple(file.path for file in release.tables["recordings"].files)
        if files in seen:
            continue
        seen.add(files)
        try:
            rows = Corpus(location, release).sql(
                "SELECT recording, path, manifest_sha256 FROM recordings WHERE status = 'ok'"
            )
            found |= {Group(*row.values()) for row in rows.to_pylist()}
        except DamagedError as error:
            report.damages.append(_of(location, error))
    return sorted(found)


def _check_groups(
    location: Location, groups: list[Group], report: Report, progress: Progress | None
) -> None:
    for done, group in enumerate(groups):
        if progress is not None:
            progress(done, len(groups))
        report.damages += check_group(location, group)


def _check_newest(location: Location, release: Release, report: Report) -> None:
    corpus = Corpus(location, release)
    damages, notes = check_content(corpus.database, release)
    report.damages += damages + check_description(corpus)
    report.notes += notes
    damaged = {damage.path for damage in report.damages}
    for expected in _expected(corpus):
        if any(path.startswith(f"{expected.path}/") for path in damaged):
            continue
        try:
            report.damages += check_arrays(location, expected)
        except DamagedError as error:
            report.damages.append(_of(location, error))


def _expected(corpus: Corpus) -> list[Expected]:
    recordings = corpus.sql("SELECT * FROM recordings WHERE status = 'ok'").to_pylist()
    windows = corpus.sql(
        'SELECT recording, "window", onset, event FROM windows ORDER BY recording, "window"'
    )
    channels = corpus.sql(
        'SELECT recording, channel FROM channels WHERE "row" >= 0 ORDER BY recording, "row"'
    ).to_pandas()
    windows_of = dict(iter(windows.to_pandas().groupby("recording")))
    channels_of = channels.groupby("recording")["channel"].agg(list).to_dict()
    none = windows.to_pandas().iloc[:0]
    return [
        Expected(
            path=row["path"],
            n_windows=row["n_windows"],
            n_channels=row["n_channels"],
            windows=windows_of.get(row["recording"], none),
            channels=channels_of.get(row["recording"], []),
        )
        for row in recordings
    ]


def _of(location: Location, error: DamagedError) -> Damage:
    return Damage(error.where.removeprefix(f"{location.url.rstrip('/')}/"), error.problem)
