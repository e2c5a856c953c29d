"""A recipe: how one dataset's own tables become canonical events. Declarative and typed."""

from neuropair.schemas.recipe.assertions import (
    Assertion,
    CountAssertion,
    IntervalAssertion,
    MediaAssertion,
    UniqueStimuliAssertion,
)
from neuropair.schemas.recipe.cells import (
    ENTITIES,
    Column,
    Match,
    Measure,
    OneOrMany,
    Scalar,
    Selection,
    Where,
    fields_of,
)
from neuropair.schemas.recipe.entries import (
    Debounce,
    Delay,
    Drop,
    EventsRecipe,
    Persons,
    Recipe,
    Rule,
)
from neuropair.schemas.recipe.lists import Join, Rows, Synthesise
from neuropair.schemas.recipe.media import (
    Annotations,
    LostStart,
    Media,
    NominalDuration,
    NominalFile,
    NominalRecordings,
    NominalSeconds,
    Segments,
)
from neuropair.schemas.recipe.stimulus import Stimulus

__all__ = [
    "ENTITIES",
    "Annotations",
    "Assertion",
    "Column",
    "CountAssertion",
    "Debounce",
    "Delay",
    "Drop",
    "EventsRecipe",
    "IntervalAssertion",
    "Join",
    "LostStart",
    "Match",
    "Measure",
    "Media",
    "MediaAssertion",
    "NominalDuration",
    "NominalFile",
    "NominalRecordings",
    "NominalSeconds",
    "OneOrMany",
    "Persons",
    "Recipe",
    "Rows",
    "Rule",
    "Scalar",
    "Segments",
    "Selection",
    "Stimulus",
    "Synthesise",
    "UniqueStimuliAssertion",
    "Where",
    "fields_of",
]
