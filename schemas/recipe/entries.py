"""The entries of a recipe: rules, what is dropped and debounced, persons, the recipe itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from neuropair.schemas.base import Strict
from neuropair.schemas.recipe.assertions import Assertion
from neuropair.schemas.recipe.cells import Column, Measure, Scalar, Selection, Where
from neuropair.schemas.recipe.lists import Join, Synthesise
from neuropair.schemas.recipe.media import Media, NominalFile
from neuropair.schemas.recipe.stimulus import Stimulus


class Rule(Strict):
    """Rows that hold `where` become events of `concept`. The first rule that holds wins."""

    where: Where = {}
    concept: str
    """A concept of the vocabulary, slash-tagged, such as `motor/tapping`."""
    attributes: dict[str, Scalar | Column] = {}
    stimulus: Stimulus | None = None
    hed: str | None = None
    duration: float | None = Field(default=None, ge=0)
    """Seconds; for tables that do not give it."""
    until: Where | None = None
    """The event lasts to the next row that holds this: for tables that mark begin and end."""
    media: Media | None = None
    """The event is a playback of a story or film: a media clock, and events keyed to it."""
    repetition: Literal["stimulus", "column", "none"] = "none"
    """How the repetition class is found: by counting the stimulus names of the session, from
    `repetition_column`, or not at all."""
    repetition_column: Column | None = None
    """Its values are `first`, `immediate` and `delayed`."""
    response_time: str | Measure | None = None
    """Column of the response time; in seconds unless a `Measure` says otherwise."""

    @model_validator(mode="after")
    def _repetition_has_its_column(self) -> Rule:
        column = self.repetition_column
        if (self.repetition == "column") != (column is not None):
            raise ValueError("repetition 'column' and 'repetition_column' go together")
        if self.repetition == "stimulus" and self.stimulus is None:
            raise ValueError("repetition 'stimulus' needs 'stimulus'")
        known = {"first", "immediate", "delayed"}
        if column is not None and (column.values is None or set(column.values.values()) - known):
            raise ValueError(
                "'repetition_column' needs 'values' that are first, immediate or delayed"
            )
        return self

    @model_validator(mode="after")
    def _media_has_marks_and_a_key(self) -> Rule:
        if self.media is None:
            return self
        if (self.media.end == "until") != (self.until is not None):
            raise ValueError(
                "'media' has no end mark: give 'until', or 'end: none' where the table marks the "
                "start only"
                if self.until is None
                else "'media' says 'end: none', and 'until' gives an end mark"
            )
        if self.stimulus is None or self.stimulus.identity == "none":
            raise ValueError("'media' needs 'stimulus' with an identity: which media is it?")
        if self.media.lost_start is not None and self.stimulus.template is None:
            raise ValueError(
                "'lost_start' needs a 'template' of the stimulus: the row that would name it is "
                "the one that is lost"
            )
        return self


class Drop(Strict):
    """Rows that are known and no event; they are counted as dropped with the reason."""

    where: Where
    because: str
    recordings: Selection = Selection()
    """Only in these recordings."""


class Delay(Strict):
    """A constant delay between the trigger and what reached the person."""

    seconds: float = Field(ge=-10, le=10)
    source: str
    """Where the number comes from."""
    in_table: bool = False
    """The table's onsets have it already: it is recorded, and not applied a second time."""


class Debounce(Strict):
    """Rows of equal key closer than `seconds` to the one kept before are bounces."""

    seconds: float = Field(gt=0)
    where: Where = {}
    by: str = "trial_type"
    """Column whose equal cells are one key."""


class EventsRecipe(Strict):
    """How the recordings that `recordings` selects get their events."""

    recordings: Selection = Selection()
    source: Literal["table", "annotations", "synthesise", "none"] = "table"
    """events.tsv, the annotations in the signal file, what `synthesise` says, or no events at all
    (resting state)."""
    synthesise: Synthesise | None = None
    """For recordings without an events table."""
    join: Join | None = None
    """A list in another table, joined by order."""
    onset: str = "onset"
    onset_unit: Literal["s", "ms"] = "s"
    duration: str | None = "duration"
    """Column of the duration; null where the column that there is says something else."""
    duration_unit: Literal["s", "ms"] = "s"
    value: str | None = None
    """Column of the trigger code; `value` where there is one, unless given."""
    trial_type: str | None = None
    """Column of the condition's name; `trial_type` where there is one, unless given."""
    delay: Delay | None = None
    debounce: list[Debounce] = []
    drop: list[Drop] = []
    rules: list[Rule] = []
    unmatched: Literal["error", "count"] = "error"
    """A row that no rule and no drop holds for is an error, or is counted as dropped."""
    assertions: list[Assertion] = []

    @model_validator(mode="after")
    def _reads_or_does_not(self) -> EventsRecipe:
        if self.source == "none" and (self.rules or self.drop or self.debounce):
            raise ValueError("source 'none' reads nothing: remove rules, drop and debounce")
        if self.source != "none" and not self.rules:
            raise ValueError("'rules' is empty: no row could become an event")
        if (self.source == "synthesise") != (self.synthesise is not None):
            raise ValueError("source 'synthesise' and the block 'synthesise' go together")
        if self.source == "none" and self.join is not None:
            raise ValueError("source 'none' reads nothing: remove 'join'")
        return self

    @model_validator(mode="after")
    def _what_is_inferred_is_guarded(self) -> EventsRecipe:
        asserted = {assertion.kind for assertion in self.assertions}
        annotations = [one for rule in self.rules if rule.media for one in rule.media.annotations]
        for key, block in (
            ("join", self.join),
            ("synthesise", self.synthesise),
            ("annotations", annotations or None),
        ):
            if block is not None and "count" not in asserted:
                raise ValueError(f"{key!r} needs an assertion of kind 'count' that guards it")
        if any(rule.media for rule in self.rules) and "media" not in asserted:
            raise ValueError("'media' needs an assertion of kind 'media' that guards it")
        return self


def _cycle(labels: dict[str, str]) -> list[str]:
    """Find labels that lead back to where they began, over others; the first by name."""
    for start in sorted(labels):
        path = [start]
        while (label := labels.get(path[-1])) is not None and label not in path:
            path.append(label)
        if label == start and len(path) > 1:
            return [*path, start]
    return []


class Persons(Strict):
    """Which subjects of this and other datasets are one person."""

    namespace: str | None = None
    """Persons are `<namespace>/<label>`; the dataset id unless given. Datasets whose recipes
    share a namespace share persons."""
    labels: dict[str, str] = {}
    """Subject label -> label in the namespace; the subject label itself unless given."""
    because: str | None = None
    """Why subjects of several datasets are one person; needed with `namespace`."""
    columns: list[str] = []
    """Columns of participants.tsv that may leave it. None unless named."""

    @model_validator(mode="after")
    def _shared_namespace_needs_a_reason(self) -> Persons:
        if self.namespace and not (self.because and self.because.strip()):
            raise ValueError("'namespace' needs 'because': say why these are the same persons")
        if len(set(self.labels.values())) != len(self.labels):
            raise ValueError("two subjects of 'labels' are mapped to one label")
        if cycle := _cycle(self.labels):
            raise ValueError(
                f"'labels' goes round in a circle: {' -> '.join(cycle)}; whether it reads from the "
                "dataset to the namespace or back cannot be told: give the persons labels of "
                "their own in all recipes that share the namespace"
            )
        return self


class Recipe(Strict):
    """How one dataset is read: licence, persons, events and what must hold."""

    recipe: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    """Name of the recipe."""
    title: str
    source: str | None = None
    """Where the dataset lies unless a study or `--source` says otherwise."""
    license: str | None = None
    """Licence, where dataset_description.json names none or an unclear one."""
    citation: list[str] = []
    notes: str | None = None
    signals: bool = True
    """Whether signal files are expected (false: the recipe is about event tables only)."""
    persons: Persons = Persons()
    concepts: dict[str, str] = {}
    """Concepts beyond the vocabulary, with what they mean."""
    channels: dict[str, str] = {}
    """Channel name in the file -> standard name."""
    events: list[EventsRecipe]
    """The first entry whose `recordings` selects a recording gives its events."""

    def paths(self) -> set[str]:
        """Templates of the files beyond the raw data that the events are made from."""
        rules = [rule for entry in self.events for rule in entry.rules]
        wanted = {
            f"{rule.stimulus.folder}/{{stimulus}}"
            for rule in rules
            if rule.stimulus is not None and rule.stimulus.identity in ("content", "decoded")
        }
        wanted |= {
            rule.media.nominal.path
            for rule in rules
            if rule.media is not None and isinstance(rule.media.nominal, NominalFile)
        }
        return wanted | self.table_paths()

    def table_paths(self) -> set[str]:
        """Templates of the tables beyond the raw data: lists, annotations."""
        others = [other for entry in self.events for other in (entry.join, entry.synthesise)]
        media = [rule.media for entry in self.events for rule in entry.rules]
        annotated = {one.path for each in media if each is not None for one in each.annotations}
        return annotated | {other.path for other in others if other is not None and other.path}
