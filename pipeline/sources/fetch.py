"""Bring a dataset here: all files side by side, each of them whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from neuropair.pipeline.sources.base import Source
from neuropair.pipeline.sources.download import PARTS_FOLDER, Progress, download
from neuropair.pipeline.sources.selection import select_files
from neuropair.pipeline.sources.walk import APPLE_DOUBLE, walk
from neuropair.pipeline.types import Dataset, Loss, RemoteFile
from neuropair.schemas.errors import DatasetError, SourceError
from neuropair.schemas.layout import DESCRIPTION_FILE
from neuropair.schemas.recipe import Selection

ATTEMPTS = 4
BACKOFF_S = 0.5
WORKERS = 8
"""Files at a time. Object stores answer in tens of milliseconds; sidecars are small and many."""

_TABLES = (".json", ".tsv", ".bval", ".bvec")


class Fetched(NamedTuple):
    """A dataset that lies here, with what did not come.

    Parameters
    ----------
    dataset : Dataset
    losses : tuple of Loss
    n_files : int
        Files of the dataset that are here.
    n_bytes : int
        Their bytes.
    files : frozenset of str or None
        Paths of what was selected and is here. A copy may hold more, of a study that selected
        more: give it to `index_dataset`, so that what is read does not depend on that. None for
        a local folder.
    listed : tuple of RemoteFile
        All that the source holds, fetched or not; empty for a local folder.
    """

    dataset: Dataset
    losses: tuple[Loss, ...]
    n_files: int
    n_bytes: int
    files: frozenset[str] | None = None
    listed: tuple[RemoteFile, ...] = ()


def fetch(
    source: Source,
    dataset_id: str,
    destination: Path,
    include: Selection | None = None,
    exclude: Sequence[Selection] = (),
    *,
    extra: Sequence[str] = (),
    signals: bool = True,
    workers: int = WORKERS,
    progress: Progress | None = None,
    attempts: int = ATTEMPTS,
    backoff: float = BACKOFF_S,
) -> Fetched:
    """Make a dataset readable here. A local folder is used where it is, and never written.

    Parameters
    ----------
    source : Source
    dataset_id : str
        Id in the study.
    destination : Path
        Copies lie in a folder of it, one a dataset id and source.
    include, exclude
        As in the study; only the files that these need are fetched (`select_files`).
    extra : sequence of str
        Folders beyond the raw data, such as ``derivatives/fmriprep`` (`extra_folders`).
    signals : bool
        False leaves out the signal files: tables and sidecars only.
    workers : int
        Files at a time.
    progress : callable or None
        Called with a path and the bytes of it that have just arrived, from several threads.
    attempts : int
        Tries a file.
    backoff : float
        Seconds before the second try, doubled for each one after.

    Raises
    ------
    SourceError
        If the source cannot be listed; if nothing at all can be fetched; or if a sidecar or a
        table cannot: without it a file would inherit from another. A signal file that cannot be
        fetched is a `Loss`.
    StorageError
        If the disk is full or the folder cannot be written.
    DatasetError
        If a path leaves the dataset's folder, or dataset_description.json is no JSON.
    """
    listed = source.list()
    if source.local_root is not None:
        n_bytes = sum(file.size for file in listed)
        return _fetched(source, dataset_id, source.local_root, [], len(listed), n_bytes)
    wanted = select_files(listed, include or Selection(), exclude, extra=extra, signals=signals)
    root = copy_folder(source, dataset_id, destination)
    one = partial(
        download, source, root=root, attempts=attempts, backoff=backoff, progress=progress
    )
    pool = ThreadPoolExecutor(max(1, workers), thread_name_prefix="fetch")
    try:
        failed = _failures({pool.submit(one, file): file for file in wanted})
    finally:
        pool.shutdown(cancel_futures=True)
    losses = [_loss(file, error) for file, error in failed]
    losses += [*_apple_doubles(listed), *_remove_stale(root, listed)]
    if not failed:
        _remove_parts(root)
    missing = {file for file, _ in failed}
    here = [file for file in wanted if file not in missing]
    if not here:
        raise failed[0][1] if failed else _nothing_selected(source)
    n_bytes = sum(file.size for file in here)
    got = _fetched(source, dataset_id, root, losses, len(here), n_bytes)
    here_now = frozenset(file.path.as_posix() for file in here)
    return got._replace(files=here_now, listed=tuple(listed))


def copy_folder(source: Source, dataset_id: str, destination: Path) -> Path:
    """Name the folder of a copy: of the id, and of the address, lest two sources mix."""
    address = hashlib.sha256(source.url.encode()).hexdigest()[:8]
    return destination / f"{dataset_id}-{address}"


def read_description(root: Path) -> tuple[Mapping[str, Any], tuple[Loss, ...]]:
    """Read dataset_description.json; its absence is a flagged loss.

    Raises
    ------
    DatasetError
        If it is no JSON object.
    """
    path = root / DESCRIPTION_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        loss = Loss("source", "file", "flagged", 1, "there is no such file", DESCRIPTION_FILE)
        return {}, (loss,)
    except (OSError, ValueError) as error:
        raise _bad_description(path, str(error)) from error
    if not isinstance(content, dict):
        raise _bad_description(path, "it holds no object")
    return content, ()


def _failures(futures: Mapping[Future[Path], RemoteFile]) -> list[tuple[RemoteFile, SourceError]]:
    """Wait for all; anything but a signal file's SourceError ends the fetch at once."""
    pending = set(futures)
    failed: list[tuple[RemoteFile, SourceError]] = []
    while pending:
        done, pending = wait(pending, return_when=FIRST_EXCEPTION)
        for future in sorted(done, key=lambda one: futures[one].path.as_posix()):
            error = future.exception()
            if error is None:
                continue
            if not isinstance(error, SourceError) or futures[future].path.name.endswith(_TABLES):
                raise error
            failed.append((futures[future], error))
    return sorted(failed, key=lambda pair: pair[0].path.as_posix())


def _loss(file: RemoteFile, error: SourceError) -> Loss:
    reason = f"not fetched: {error.problem} Remedy: {error.remedy}"
    return Loss("source", "file", "dropped", 1, reason, file.path.as_posix())


def _apple_doubles(listed: list[RemoteFile]) -> list[Loss]:
    found = [file for file in listed if file.path.name.startswith(APPLE_DOUBLE)]
    if not found:
        return []
    reason = "AppleDouble file (._*), no data"
    return [Loss("source", "file", "dropped", len(found), reason, found[0].path.as_posix())]


def _remove_stale(root: Path, listed: list[RemoteFile]) -> list[Loss]:
    """Remove what an earlier fetch brought and the source no longer has."""
    if not root.is_dir():
        return []
    known = {file.path.as_posix() for file in listed}
    stale = [path for path in walk(root).files if path not in known]
    for path in stale:
        (root / path).unlink()
    if not stale:
        return []
    reason = "no longer at the source, removed from the copy"
    return [Loss("source", "file", "repaired", len(stale), reason, stale[0])]


def _remove_parts(root: Path) -> None:
    """Parts of versions that the source no longer has."""
    folder = root / PARTS_FOLDER
    if folder.is_dir():
        for part in folder.glob("*.part"):
            part.unlink()
        folder.rmdir()


def _fetched(
    source: Source, dataset_id: str, root: Path, losses: list[Loss], n_files: int, n_bytes: int
) -> Fetched:
    description, more = read_description(root)
    dataset = Dataset(dataset_id, root, source.url, description)
    return Fetched(dataset, (*losses, *more), n_files, n_bytes)


def _nothing_selected(source: Source) -> SourceError:
    return SourceError(
        "holds no file that the study selects.",
        where=source.url,
        remedy="look at the dataset's 'include' and 'exclude'",
    )


def _bad_description(path: PurePosixPath | Path, problem: str) -> DatasetError:
    return DatasetError(f"is no JSON ({problem}).", where=str(path), remedy="mend the file")
