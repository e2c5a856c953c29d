"""The index of a dataset: its recordings, each with the sidecars that apply to it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from neuropair.pipeline.bids.find import (
    Candidate,
    Scans,
    find_announced,
    find_signals,
    read_listing,
    read_scans,
)
from neuropair.pipeline.bids.names import Entry
from neuropair.pipeline.bids.tree import Tree, local_tree
from neuropair.pipeline.sources.selection import EMPTY_ROOM, says_nothing, selects
from neuropair.pipeline.sources.walk import Absent
from neuropair.pipeline.types import Dataset, Failure, Index, Loss, Recording
from neuropair.schemas.errors import DatasetError, NeuropairError
from neuropair.schemas.kinds import Modality
from neuropair.schemas.recipe import Selection

HasEEG = Callable[[PurePosixPath], bool]
"""Tells from a MEG file's header whether it holds EEG channels."""


def index_dataset(
    dataset: Dataset,
    include: Selection | None = None,
    exclude: Sequence[Selection] = (),
    *,
    signals_needed: bool = True,
    files: Collection[str] | None = None,
) -> Index:
    """List the recordings of a dataset that lies here.

    What is announced and cannot be read (a missing file, an annexed pointer, two files of one
    recording, a broken sidecar) stands in `Index.failures` and, counted, in `Index.losses`. Empty
    rooms (``sub-emptyroom``, ``task-noise``) are recordings of no task: left out and counted,
    unless `include` names them.

    Parameters
    ----------
    dataset : Dataset
    include : Selection
        Recordings to take; all unless given.
    exclude : sequence of Selection
        Recordings to leave out; an entry that names nothing leaves out nothing.
    signals_needed : bool
        False for folders that hold tables without signals: recordings are then what events
        tables stand for. Where the tables are inherited, files are named by scans.tsv and by
        ``<folder>_annexed.tsv`` beside the folder.
    files : collection of str or None
        Files to see, of a copy that may hold more (`Fetched.files`); all unless given.

    Raises
    ------
    DatasetError
        If a link leads out of the folder; if `include` and `exclude` leave nothing of something.
    SourceError
        If the folder cannot be read.
    """
    return index_tree(
        local_tree(dataset.root, files),
        dataset,
        include,
        exclude,
        signals_needed=signals_needed,
        listing=read_listing(dataset.root),
        has_eeg=lambda path: header_has_eeg(dataset.root / path),
    )


def index_tree(
    tree: Tree,
    dataset: Dataset,
    include: Selection | None = None,
    exclude: Sequence[Selection] = (),
    *,
    signals_needed: bool = True,
    listing: Mapping[str, Absent] | None = None,
    has_eeg: HasEEG | None = None,
) -> Index:
    """List the recordings of a dataset whose files are listed, here or in a bucket.

    Parameters
    ----------
    tree : Tree
    dataset : Dataset
        Its ``root`` is not touched.
    include, exclude, signals_needed
        As for `index_dataset`.
    listing : mapping of str to Absent
        Signal files that a listing from outside of the dataset names.
    has_eeg : callable or None
        Asked for MEG FIF files to which no channels.tsv applies; without it they hold no EEG.

    Raises
    ------
    DatasetError
        If `include` and `exclude` leave nothing of something.
    """
    indexer = _Indexer(tree, dataset, signals_needed, has_eeg)
    scans = read_scans(tree)
    present, losses = find_signals(tree)
    announced = find_announced(tree, present, scans, listing or {})
    indexer.losses += [*losses, *scans.losses, *_passed_over(tree)]
    include = include or Selection()
    candidates = indexer.with_eeg_of_meg([*present, *announced], include)
    chosen = indexer.select(candidates, include, exclude)
    for one in indexer.without_conflicts(chosen):
        indexer.add(one, scans)
    return indexer.index()


def header_has_eeg(path: Path) -> bool:
    """Whether the header of a FIF file lists EEG channels.

    Raises
    ------
    DatasetError
        If the header cannot be read.
    """
    import mne

    try:
        info = mne.io.read_info(path, verbose="error")
    except Exception as error:
        raise DatasetError(
            f"its header cannot be read ({error}).",
            where=str(path),
            remedy="fetch the file again; it may be truncated",
        ) from error
    return "eeg" in info.get_channel_types(unique=True)


@dataclass(frozen=True)
class _Chosen:
    candidate: Candidate
    modality: Modality
    recording: Recording


class _Indexer:
    def __init__(
        self, tree: Tree, dataset: Dataset, signals_needed: bool, has_eeg: HasEEG | None
    ) -> None:
        self.tree = tree
        self.dataset = dataset
        self.signals_needed = signals_needed
        self.has_eeg = has_eeg
        self.losses: list[Loss] = []
        self.failures: list[Failure] = []
        self.recordings: list[Recording] = []
        self.uncounted: dict[str, list[str]] = defaultdict(list)

    def with_eeg_of_meg(self, candidates: list[Candidate], include: Selection) -> list[_Chosen]:
        """Take each file as its modality, and a MEG file with EEG channels as EEG too."""
        chosen = [_Chosen(one, one.modality, self._bare(one, one.modality)) for one in candidates]
        held = {one.recording.id: one.candidate.entry.path for one in chosen}
        for one in candidates:
            twin = self._bare(one, Modality.EEG)
            wanted = selects(include, Modality.EEG, _labels(twin))
            if one.modality is not Modality.MEG or not wanted or not self._lists_eeg(one):
                continue
            if twin.id in held:
                reason = f"its EEG channels are held by {held[twin.id]}; not indexed twice"
                self.losses.append(Loss("index", "file", "flagged", 1, reason, one.entry.path))
            else:
                chosen.append(_Chosen(one, Modality.EEG, twin))
        return chosen

    def select(
        self, chosen: list[_Chosen], include: Selection, exclude: Sequence[Selection]
    ) -> list[_Chosen]:
        excluding = [one for one in exclude if not says_nothing(one)]
        kept: list[_Chosen] = []
        for one in chosen:
            recording = one.recording
            labels = _labels(recording)
            if _is_empty_room(recording, include):
                reason = "empty room: a recording of no task"
            elif not selects(include, one.modality, labels) or any(
                selects(other, one.modality, labels) for other in excluding
            ):
                reason = "not selected by the study's include and exclude"
            else:
                kept.append(one)
                continue
            self.uncounted[reason].append(one.candidate.entry.path)
        if chosen and not kept and not says_nothing(include):
            raise DatasetError(
                f"include and exclude leave none of its {len(chosen)} recordings.",
                where=f"dataset {self.dataset.id}",
                remedy=f"it has {_inventory(one.recording for one in chosen)}",
            )
        return kept

    def without_conflicts(self, chosen: list[_Chosen]) -> list[_Chosen]:
        """Fail recordings that several files claim: which one is right, nobody can tell."""
        by_id: dict[str, list[_Chosen]] = defaultdict(list)
        for one in chosen:
            by_id[one.recording.id].append(one)
        single: list[_Chosen] = []
        for claims in by_id.values():
            if len(claims) == 1:
                single += claims
                continue
            files = sorted(one.candidate.entry.path for one in claims)
            first = min(claims, key=lambda one: one.candidate.entry.path)
            self._fail(
                first.recording,
                f"{len(files)} files claim this recording: {', '.join(files)}",
                "keep one of them; entities other than subject, session, task, acquisition and "
                "run do not tell recordings apart",
                len(files),
            )
        return single

    def add(self, one: _Chosen, scans: Scans) -> None:
        candidate = one.candidate
        try:
            recording = self._complete(one, scans)
        except NeuropairError as error:
            self._fail(one.recording, f"{error.where}: {error.problem}", error.remedy)
            return
        if self.signals_needed and candidate.reason is not None:
            self._fail(recording, candidate.reason, candidate.remedy)
        elif recording.events_path is None and candidate.reason is not None:
            self.uncounted["no events table applies"].append(candidate.entry.path)
        else:
            self.recordings.append(recording)

    def index(self) -> Index:
        for reason, paths in self.uncounted.items():
            where = min(paths) if len(paths) == 1 else f"{min(paths)} and others"
            self.losses.append(Loss("index", "file", "dropped", len(paths), reason, where))
        return Index(
            self.dataset,
            tuple(sorted(self.recordings, key=lambda one: one.id)),
            tuple(sorted(self.losses, key=lambda loss: (loss.where or "", loss.reason))),
            tuple(sorted(self.failures, key=lambda one: one.recording.id)),
        )

    def _fail(self, recording: Recording, reason: str, remedy: str, count: int = 1) -> None:
        self.failures.append(Failure(recording, reason, remedy))
        text = f"{reason}. Remedy: {remedy}"
        where = recording.path.as_posix()
        self.losses.append(Loss("index", "file", "dropped", count, text, where))

    def _bare(self, candidate: Candidate, modality: Modality) -> Recording:
        labels = candidate.entry.labels
        return Recording(
            dataset=self.dataset.id,
            modality=modality,
            subject=labels["sub"],
            session=labels.get("ses"),
            task=labels.get("task"),
            acquisition=labels.get("acq"),
            run=labels.get("run"),
            path=PurePosixPath(candidate.entry.path),
        )

    def _complete(self, one: _Chosen, scans: Scans) -> Recording:
        """Add what applies to the file.

        Raises
        ------
        DatasetError
            If a sidecar cannot be read, or two apply equally.
        """
        entry = one.candidate.entry
        sidecars = self.tree.applicable(entry, entry.suffix, ".json")
        positions = "optodes" if one.modality is Modality.FNIRS else "electrodes"
        has_channels = one.modality is not Modality.FMRI
        return replace(
            one.recording,
            sidecar=self.tree.merged(sidecars),
            sidecar_paths=tuple(PurePosixPath(other.path) for other in sidecars),
            channels_path=self._nearest(entry, "channels") if has_channels else None,
            electrodes_path=self._nearest(entry, positions, "space") if has_channels else None,
            events_path=self._nearest(entry, "events"),
            acq_time=scans.acq_time.get(entry.path),
        )

    def _nearest(self, entry: Entry, suffix: str, *free: str) -> PurePosixPath | None:
        found = self.tree.nearest(entry, suffix, ".tsv", free)
        return None if found is None else PurePosixPath(found.path)

    def _lists_eeg(self, candidate: Candidate) -> bool:
        entry = candidate.entry
        try:
            channels = self.tree.nearest(entry, "channels", ".tsv")
            if channels is not None:
                rows = self.tree.table(channels.path)
                return any(row.get("type", "").upper() == "EEG" for row in rows)
            here = candidate.reason is None and entry.extension.lower() == ".fif"
            return here and self.has_eeg is not None and self.has_eeg(PurePosixPath(entry.path))
        except DatasetError as error:
            reason = f"cannot tell whether it holds EEG channels: {error}"
            self.losses.append(Loss("index", "file", "flagged", 1, reason, entry.path))
            return False


def _labels(recording: Recording) -> dict[str, str | None]:
    return {
        "subject": recording.subject,
        "session": recording.session,
        "task": recording.task,
        "acquisition": recording.acquisition,
        "run": recording.run,
    }


def _is_empty_room(recording: Recording, include: Selection) -> bool:
    if recording.subject == EMPTY_ROOM:
        return EMPTY_ROOM not in (include.subject or [])
    noise = recording.task == "noise" and recording.modality is Modality.MEG
    return noise and "noise" not in (include.task or [])


def _inventory(recordings: Iterable[Recording]) -> str:
    found = list(recordings)
    modalities = Counter(str(one.modality) for one in found)
    text = ", ".join(f"{count} {name}" for name, count in sorted(modalities.items()))
    for name in ("subject", "session", "task"):
        labels = sorted({getattr(one, name) for one in found} - {None})
        if labels:
            text += f"; {name} {', '.join(labels[:8])}{', …' if len(labels) > 8 else ''}"
    return text


def _passed_over(tree: Tree) -> list[Loss]:
    losses: list[Loss] = []
    for paths, reason in (
        (tree.apple_doubles, "AppleDouble file (._*), no data"),
        (tree.folder_links, "a link to a folder is not followed"),
    ):
        if paths:
            losses.append(Loss("index", "file", "dropped", len(paths), reason, paths[0]))
    return losses
