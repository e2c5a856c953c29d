"""A recipe: how one dataset's own tables become canonical events. Declarative and typed."""

from __future__ import annotations

import re
from string import Formatter
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from neuropair.schemas.base import Strict
from neuropair.schemas.kinds import Modality

ENTITIES = ("subject", "session", "task", "acquisition", "run")
"""Entities that a template may name."""

Scalar = str | int | float | bool
OneOrMany = Scalar | list[Scalar]


class Match(Strict):
    """A test of one column. All that is given must hold."""

    regex: str | None = None
    """The whole cell matches this regular expression."""
    exclude: list[Scalar] | None = None
    """The cell is none of these."""
    minimum: float | None = None
    maximum: float | None = None
    present: bool | None = None
    """The cell is (or is not) given: neither empty nor n/a."""

    @model_validator(mode="after")
    def _tests_something(self) -> Match:
        if not self.model_fields_set:
            raise ValueError("a test needs one of regex, exclude, minimum, maximum or present")
        try:
            re.compile(self.regex or "")
        except re.error as error:
            raise ValueError(f"regex {self.regex!r} is no regular expression: {error}") from error
        return self


Where = dict[str, OneOrMany | Match]
"""Column -> value, list of values, or `Match`. All columns must hold; {} holds for every row."""


class Stimulus(Strict):
    """Which stimulus a row shows, and what the claim of its identity rests on."""

    column: str | None = None
    """Column that names it."""
    template: str | None = None
    """In place of a column: a name filled from the recording's entities, such as
    `story_{run}`, where the table does not name the stimulus. Needs `because`."""
    identity: Literal["content", "name", "none"]
    """`content`: a content key of the file evidences it; `name`: the name does, see `because`;
    `none`: the name is kept, and is no evidence."""
    because: str | None = None
    """Why equal names are equal stimuli. Needed for `name`."""
    folder: str = "stimuli"
    """For `content`: folder of the dataset that the column's paths are relative to."""
    namespace: str | None = None
    """For `name`: names are compared within a namespace; the recipe's id unless given."""
    strip_prefix: list[str] = []
    """Prefixes to remove from the name; the first that fits is removed."""
    basename: bool = False
    """Keep the part after the last slash only."""
    lower: bool = False
    strip_extension: bool = False

    @model_validator(mode="after")
    def _name_needs_a_reason(self) -> Stimulus:
        reason = self.because and self.because.strip()
        if self.identity == "name" and not reason:
            raise ValueError(
                "identity 'name' needs 'because': say why equal names are equal stimuli"
            )
        if (self.column is None) == (self.template is None):
            raise ValueError("give either 'column' or 'template'")
        if self.template is not None:
            if not reason:
                raise ValueError("'template' needs 'because': say why the entities name it")
            fields = {field for _, field, _, _ in Formatter().parse(self.template) if field}
            if strangers := sorted(fields - set(ENTITIES)):
                raise ValueError(
                    f"'template' names {', '.join(strangers)}; the entities are "
                    f"{', '.join(ENTITIES)}"
                )
        return self


class Column(Strict):
    """A value taken from a column, optionally renamed value by value."""

    column: str
    values: dict[str, Scalar] | None = None
    """Cell -> value; a cell that is not listed is an error."""


class Measure(Strict):
    """A column of numbers."""

    column: str
    unit: Literal["s", "ms"] = "s"
    missing: list[Scalar] = []
    """Cells that stand for no value, such as 0 for a response that was not given."""


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


class Selection(Strict):
    """Recordings, by their entities. What is not given does not select."""

    modality: list[Modality] | None = None
    subject: list[str] | None = None
    session: list[str] | None = None
    task: list[str] | None = None
    acquisition: list[str] | None = None
    run: list[str] | None = None


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


class _Bounded(Strict):
    concept: str | None = None
    """This concept and all below it; all events if not given."""

    @model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        if not self.model_fields_set & {"equals", "minimum", "maximum"}:
            raise ValueError("an assertion needs a bound: equals, minimum or maximum")
        return self


class CountAssertion(_Bounded):
    """How many events a run has."""

    kind: Literal["count"]
    equals: int | None = None
    minimum: int | None = None
    maximum: int | None = None
    except_for: dict[str, int] = {}
    """Recording id (or a suffix of it that begins at a slash) -> the count it has instead."""
    because: str | None = None
    """Why these are exceptions, where they are any."""

    @model_validator(mode="after")
    def _exceptions_have_a_reason(self) -> CountAssertion:
        if self.except_for and not (self.because and self.because.strip()):
            raise ValueError("'except_for' needs 'because': say why these are exceptions")
        return self


class UniqueStimuliAssertion(_Bounded):
    """How many different stimulus names a run has."""

    kind: Literal["unique_stimuli"]
    equals: int | None = None
    minimum: int | None = None
    maximum: int | None = None


class IntervalAssertion(_Bounded):
    """Bounds of the intervals between successive events, in seconds."""

    kind: Literal["interval"]
    minimum: float | None = None
    maximum: float | None = None


Assertion = Annotated[
    CountAssertion | UniqueStimuliAssertion | IntervalAssertion, Field(discriminator="kind")
]


class EventsRecipe(Strict):
    """How the recordings that `recordings` selects get their events."""

    recordings: Selection = Selection()
    source: Literal["table", "annotations", "none"] = "table"
    """events.tsv, the annotations in the signal file, or no events at all (resting state)."""
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
