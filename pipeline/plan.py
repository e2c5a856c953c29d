"""What an ingest would read or pull, before anything is touched."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from neuropair.pipeline.bids.duration import duration
from neuropair.pipeline.bids.find import read_listing
from neuropair.pipeline.bids.index import header_has_eeg, index_tree
from neuropair.pipeline.bids.names import COMPANIONS, parse_name
from neuropair.pipeline.bids.tree import Tree, local_tree
from neuropair.pipeline.sources import (
    Source,
    extra_folders,
    open_source,
    select_files,
    selects,
)
from neuropair.pipeline.sources.walk import Absent
from neuropair.pipeline.types import Dataset, Index, Recording, RemoteFile
from neuropair.schemas.errors import DatasetError, NeuropairError, RecipeError
from neuropair.schemas.kinds import Modality
from neuropair.schemas.layout import DESCRIPTION_FILE
from neuropair.schemas.recipe import Recipe
from neuropair.schemas.study import Study, StudyDataset

_READERS = 16
"""Sidecars of a bucket read at a time: each is one request of tens of milliseconds."""
_SIDECARS = (*(modality.suffix for modality in Modality), "scans", "channels")


@dataclass(frozen=True)
class Missing:
    """Something that a dataset lacks."""

    what: str
    count: int
    example: str
    remedy: str
    bytes: int | None = None
    """Size of what is missing, as far as the dataset tells."""


@dataclass(frozen=True)
class PlanRow:
    """What one dataset would give.

    Parameters
    ----------
    dataset, recipe, source : str
    local : bool
        It lies here and is read in place; else its files would be pulled.
    files, bytes : int
        Files that the selected recordings need.
    recordings : mapping
        Modality -> readable recordings.
    hours : mapping
        Modality -> hours of those whose length is known.
    unknown_length : mapping
        Modality -> recordings whose length neither sidecar nor header tells.
    license : str or None
    missing : tuple of Missing
    problem : str or None
        Why nothing is known of it; the numbers are 0 then.
    """

    dataset: str
    recipe: str
    source: str
    local: bool = False
    files: int = 0
    bytes: int = 0
    recordings: Mapping[str, int] = field(default_factory=dict)
    hours: Mapping[str, float] = field(default_factory=dict)
    unknown_length: Mapping[str, int] = field(default_factory=dict)
    license: str | None = None
    missing: tuple[Missing, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class Plan:
    """A row a dataset of a study."""

    study: str
    rows: tuple[PlanRow, ...]

    @property
    def files(self) -> int:
        """Files of all datasets."""
        return sum(row.files for row in self.rows)

    @property
    def bytes(self) -> int:
        """Bytes of all datasets."""
        return sum(row.bytes for row in self.rows)

    @property
    def bytes_to_pull(self) -> int:
        """Bytes of the datasets that do not lie here."""
        return sum(row.bytes for row in self.rows if not row.local)

    @property
    def recordings(self) -> Mapping[str, int]:
        """Modality -> recordings of all datasets."""
        return dict(sum((Counter(row.recordings) for row in self.rows), Counter()))

    def to_dict(self) -> dict[str, Any]:
        """Give the plan as plain values, for JSON."""
        totals = {name: getattr(self, name) for name in ("files", "bytes", "bytes_to_pull")}
        return {"study": self.study, **totals, "datasets": [asdict(row) for row in self.rows]}


def plan_study(
    study: Study, sources: Mapping[str, str] | None = None, base: Path | None = None
) -> Plan:
    """Say what an ingest of a study would read or pull; nothing is written anywhere.

    Parameters
    ----------
    study : Study
    sources : mapping, optional
        Dataset id -> folder or URL, in place of what study and recipe say.
    base : Path or None
        What relative paths of the study are relative to.

    Raises
    ------
    RecipeError
        If a recipe does not fit, or a dataset has no source. A source that cannot be listed is
        its row's ``problem``.
    """
    from neuropair.schemas.library import find_recipe

    given = sources or {}
    rows: list[PlanRow] = []
    for entry in study.datasets:
        recipe = find_recipe(entry.recipe or entry.dataset, base)
        url = given.get(entry.dataset) or entry.source or recipe.source
        if url is None:
            raise RecipeError(
                f"dataset {entry.dataset} has no source.",
                where=f"study {study.study}",
                remedy=f"give one in the study, or --source {entry.dataset}=URL",
            )
        rows.append(_row(study, entry, recipe, url, base))
    return Plan(study.study, tuple(rows))


def _row(study: Study, entry: StudyDataset, recipe: Recipe, url: str, base: Path | None) -> PlanRow:
    try:
        return _known_row(study, entry, recipe, open_source(url, base=base))
    except NeuropairError as error:
        return PlanRow(entry.dataset, recipe.recipe, url, problem=str(error))


def _known_row(study: Study, entry: StudyDataset, recipe: Recipe, source: Source) -> PlanRow:
    files = select_files(
        source.list(),
        entry.include,
        entry.exclude,
        extra=extra_folders(recipe, entry.signals or study.signals),
        signals=recipe.signals,
    )
    root = source.local_root
    tree = _remote_tree(source, files) if root is None else local_tree(root)
    listing = {} if root is None else read_listing(root)
    index = index_tree(
        tree,
        Dataset(entry.dataset, root or Path(), source.url, {}),
        entry.include,
        entry.exclude,
        signals_needed=recipe.signals,
        listing=listing,
        has_eeg=None if root is None else lambda path: header_has_eeg(root / path),
    )
    hours, unknown, broken = _lengths(index.recordings, tree)
    license_ = recipe.license or _license(tree)
    missing = [
        *_absent(index, tree, {**listing, **tree.absent}),
        *broken,
        *_without_events(index, recipe),
        *([] if license_ else [_no_license()]),
    ]
    return PlanRow(
        entry.dataset,
        recipe.recipe,
        source.url,
        local=root is not None,
        files=len(files),
        bytes=sum(file.size for file in files),
        recordings=_by_modality(index.recordings),
        hours=hours,
        unknown_length=unknown,
        license=license_,
        missing=tuple(missing),
    )


def _remote_tree(source: Source, files: Iterable[RemoteFile]) -> Tree:
    """List a bucket as a tree; what its index needs is read side by side first."""
    sizes = {file.path.as_posix(): file.size for file in files}
    wanted = [path for path in sizes if path == DESCRIPTION_FILE or _is_sidecar(path)]
    with ThreadPoolExecutor(_READERS, thread_name_prefix="plan") as pool:
        read = pool.map(lambda path: source.read(PurePosixPath(path)), wanted)
        contents = dict(zip(wanted, read, strict=True))
    return Tree(sizes, lambda path: contents[path])


def _is_sidecar(path: str) -> bool:
    named = parse_name(path)
    return named is not None and named.suffix in _SIDECARS and named.extension in (".json", ".tsv")


def _license(tree: Tree) -> str | None:
    if DESCRIPTION_FILE not in tree.files:
        return None
    said = tree.json(DESCRIPTION_FILE).get("License")
    return str(said) if said else None


def _lengths(
    recordings: Iterable[Recording], tree: Tree
) -> tuple[dict[str, float], dict[str, int], list[Missing]]:
    hours: dict[str, float] = defaultdict(float)
    unknown: Counter[str] = Counter()
    broken: list[Missing] = []
    for one in recordings:
        here = tree.root is not None and one.path.as_posix() in tree.files
        path = tree.root / one.path if tree.root is not None and here else None
        try:
            seconds = duration(path, one.sidecar)
        except DatasetError as error:
            what = "signal file that cannot be read"
            broken.append(Missing(what, 1, f"{one.path}: {error.problem}", error.remedy))
            seconds = None
        if seconds is None:
            unknown[str(one.modality)] += 1
        else:
            hours[str(one.modality)] += seconds / 3600
    return dict(sorted(hours.items())), dict(sorted(unknown.items())), broken


def _absent(index: Index, tree: Tree, sizes: Mapping[str, Absent]) -> list[Missing]:
    by_remedy: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for failure in index.failures:
        by_remedy[failure.remedy].append((failure.recording.path.as_posix(), failure.reason))
    missing = [
        _group("recording that cannot be read", found, remedy, sizes)
        for remedy, found in sorted(by_remedy.items())
    ]
    tables_only = sorted({one.path.as_posix() for one in index.recordings} - {*tree.files}, key=str)
    if tables_only:
        found = [(path, "not here; the recipe asks for tables only") for path in tables_only]
        missing.append(_group("signal file", found, "fetch it to use its signal", sizes))
    return missing


def _group(
    what: str, found: list[tuple[str, str]], remedy: str, sizes: Mapping[str, Absent]
) -> Missing:
    paths = {file for path, _ in found for file in _with_companions(path)}
    known = [sizes[path].size or 0 for path in paths if path in sizes]
    example = ": ".join(found[0])
    return Missing(what, len(found), example, remedy, sum(known) if known else None)


def _with_companions(path: str) -> list[str]:
    stem, dot, extension = path.rpartition(".")
    return [path, *(stem + other for other in COMPANIONS.get(dot + extension, ()))]


def _without_events(index: Index, recipe: Recipe) -> list[Missing]:
    needs = [one for one in index.recordings if one.events_path is None and _by_table(one, recipe)]
    if not needs:
        return []
    return [
        Missing(
            "events table",
            len(needs),
            needs[0].path.as_posix(),
            "add events.tsv, or say 'source: annotations' or 'none' in the recipe",
        )
    ]


def _by_table(recording: Recording, recipe: Recipe) -> bool:
    labels = {
        "subject": recording.subject,
        "session": recording.session,
        "task": recording.task,
        "acquisition": recording.acquisition,
        "run": recording.run,
    }
    for entry in recipe.events:
        if selects(entry.recordings, recording.modality, labels):
            return entry.source == "table"
    return False


def _no_license() -> Missing:
    return Missing(
        "licence",
        1,
        DESCRIPTION_FILE,
        "ask the authors, and say it in the recipe ('license')",
    )


def _by_modality(recordings: Iterable[Recording]) -> dict[str, int]:
    return dict(sorted(Counter(str(one.modality) for one in recordings).items()))
