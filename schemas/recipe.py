"""A recipe: how one dataset's own tables become canonical events. Declarative and typed."""

from __future__ import annotations

from typing import Annotated, Literal

from neuropair.schemas.base import Strict
from neuropair.schemas.kinds import Modality
from pydantic import Field, model_validator

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


Where = dict[str, OneOrMany | Match]
"""Column -> value, list of values, or `Match`. All columns must hold; {} holds for every row."""


class Stimulus(Strict):
    """Which stimulus a row shows, and what the claim of its identity rests on."""

    column: str
    """Column that names it."""
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
        if self.identity == "name" and not (self.because and self.because.strip()):
            raise ValueError(
                "identity 'name' needs 'because': say why equal names are equal stimuli"
            )
        return self


class Column(Strict):
    """A value taken from a column, optionally renamed value by value."""

    column: str
    values: dict[str, Scalar] | None = None
    """Cell -> value; a cell that is not listed is an error."""


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
    repetition: Literal["stimulus", "column", "none"] = "none"
    """How the repetition class is found: by counting the stimulus names of the session, from
    `repetition_column`, or not at all."""
    repetition_column: Column | None = None
    response_time: str | None = None
    """Column of the response time, in seconds."""


class Drop(Strict):
    """Rows that are known and no event; they are counted as dropped with the reason."""

    where: Where
    because: str


class Delay(Strict):
    """A constant delay between what the table's onset marks and what reached the person."""

    seconds: float = Field(ge=-10, le=10)
    source: str
    """Where the number comes from."""


class Debounce(Strict):
    """Rows of equal key closer than `seconds` to the one kept before are bounces."""

    seconds: float = Field(gt=0)
    where: Where = {}
    by: str = "trial_type"
    """Column whose equal cells are one key."""


class CountAssertion(Strict):
    """How many events a run has."""

    kind: Literal["count"]
    concept: str | None = None
    """This concept and all below it; all events if not given."""
    equals: int | None = None
    minimum: int | None = None
    maximum: int | None = None
    except_for: dict[str, int] = {}
    """Recording id (or a suffix of it that begins at a slash) -> the count it has instead."""
    because: str | None = None
    """Why these are exceptions, where they are any."""


class UniqueStimuliAssertion(Strict):
    """How many different stimulus names a run has."""

    kind: Literal["unique_stimuli"]
    concept: str | None = None
    equals: int | None = None
    minimum: int | None = None
    maximum: int | None = None


class IntervalAssertion(Strict):
    """Bounds of the intervals between successive events, in seconds."""

    kind: Literal["interval"]
    concept: str | None = None
    minimum: float | None = None
    maximum: float | None = None


Assertion = Annotated[
    CountAssertion | UniqueStimuliAssertion | IntervalAssertion, Field(discriminator="kind")
]


class Selection(Strict):
    """Recordings, by their entities. What is not given does not select."""

    modality: list[Modality] | None = None
    subject: list[str] | None = None
    session: list[str] | None = None
    task: list[str] | None = None
    acquisition: list[str] | None = None
    run: list[str] | None = None


class EventsRecipe(Strict):
    """How the recordings that `recordings` selects get their events."""

    recordings: Selection = Selection()
    source: Literal["table", "annotations", "none"] = "table"
    """events.tsv, the annotations in the signal file, or no events at all (resting state)."""
    onset: str = "onset"
    onset_unit: Literal["s", "ms"] = "s"
    duration: str | None = "duration"
    duration_unit: Literal["s", "ms"] = "s"
    delay: Delay | None = None
    debounce: list[Debounce] = []
    drop: list[Drop] = []
    rules: list[Rule] = []
    unmatched: Literal["error", "count"] = "error"
    """A row that no rule and no drop holds for is an error, or is counted as dropped."""
    assertions: list[Assertion] = []


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
