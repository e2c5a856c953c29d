"""Leaving out, when a study is ingested again, the subjects who were removed from its corpus."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from neuropair.pipeline.corpus import CorpusStore, read_forgotten
from neuropair.pipeline.corpus.forget_rows import Gone
from neuropair.pipeline.corpus.forgotten import REASON
from neuropair.pipeline.events import person_id
from neuropair.pipeline.sources import Source, remove_copies
from neuropair.pipeline.types import Index, Loss
from neuropair.schemas.recipe import Recipe, Selection

_SUBJECT = re.compile(r"(?:^|/)sub-([0-9A-Za-z+]+)(?=[/_])")


@dataclass(frozen=True)
class LeftOut:
    """Subjects of one dataset who were removed from the corpus; mostly none.

    Parameters
    ----------
    subjects : tuple of str
        Labels.
    files : frozenset of str or None
        Files of the dataset less those of the subjects; None if nobody was removed.
    losses : tuple of Loss
        How many files are left out. Whose they are is not said: it would be in the corpus again.
    """

    subjects: tuple[str, ...] = ()
    files: frozenset[str] | None = None
    losses: tuple[Loss, ...] = ()
    gone: Gone = field(default_factory=Gone)

    def excluding(self, exclude: Sequence[Selection]) -> Sequence[Selection]:
        """Add them to what is not fetched."""
        return [*exclude, Selection(subject=list(self.subjects))] if self.subjects else exclude

    def seen(self, fetched: Collection[str] | None) -> Collection[str] | None:
        """Files that the index may see."""
        if self.files is None:
            return fetched
        return self.files if fetched is None else self.files & set(fetched)

    def without(self, index: Index) -> Index:
        """Take the subjects out of an index: tables that several share may announce them."""
        if not self.subjects:
            return index
        return replace(
            index,
            recordings=tuple(r for r in index.recordings if r.subject not in self.subjects),
            failures=tuple(f for f in index.failures if f.recording.subject not in self.subjects),
            losses=self.blotted(index.losses),
        )

    def blotted(self, losses: Iterable[Loss]) -> tuple[Loss, ...]:
        """Blot out the subjects' names in what is told of other things."""
        return tuple(self._blotted(loss) for loss in losses) if self.subjects else tuple(losses)

    def clean(self, cache: Path, dataset: str) -> None:
        """Take the subjects out of tables that several share and that a fetch has just brought."""
        if self.subjects:
            remove_copies(cache, [(dataset, subject) for subject in self.subjects])

    def _blotted(self, loss: Loss) -> Loss:
        reason, where = (self.gone.blot(text, None) for text in (loss.reason, loss.where))
        return replace(loss, reason=str(reason), where=where)


def find_left_out(corpus: str, source: Source, recipe: Recipe, dataset: str) -> LeftOut:
    """Find the subjects of a source who were removed from a corpus.

    Raises
    ------
    SourceError
        If the source cannot be listed.
    DamagedError
        If a receipt of a removal is damaged.
    """
    forgotten = read_forgotten(CorpusStore(corpus))
    if not forgotten.digests:
        return LeftOut()
    by_file = {file.path.as_posix(): _subject(file.path.as_posix()) for file in source.list()}
    labels = {label for label in by_file.values() if label is not None}
    subjects = forgotten.subjects(
        dataset, [(label, person_id(recipe, dataset, label)) for label in sorted(labels)]
    )
    if not subjects:
        return LeftOut()
    n_files = sum(label in subjects for label in by_file.values())
    return LeftOut(
        tuple(subjects),
        frozenset(path for path, label in by_file.items() if label not in subjects),
        (Loss("source", "file", "dropped", n_files, f"of {REASON}", None),),
        Gone(subjects=frozenset((dataset, subject) for subject in subjects)),
    )


def _subject(path: str) -> str | None:
    found = _SUBJECT.search(path)
    return found.group(1) if found else None
