"""Other tables of a dataset that a recipe reads: a stimulus list, a table of annotations."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from neuropair.schemas.base import Strict
from neuropair.schemas.recipe.cells import ENTITIES, Scalar, Where, check_template, fields_of


class Rows(Strict):
    """Rows of a table of the dataset."""

    names: ClassVar[tuple[str, ...]] = ENTITIES
    """What `path` and `rows` may name."""
    path: str | None = None
    """Table of the dataset (.csv with commas, else tabs), filled from the recording's entities,
    such as `derivatives/detailed_events/sub-{subject}_events.csv`."""
    rows: dict[str, Scalar] = {}
    """Column -> value, filled from the entities, too: the rows of the table that are this
    recording's, such as `{session: "{session}", run: "{run}"}`. 1 and 01 are equal."""
    because: str = Field(min_length=1)
    """Where it is said that this table belongs to these recordings."""

    @model_validator(mode="after")
    def _templates_name_entities(self) -> Rows:
        check_template(self.path or "", "path", self.names)
        for column, value in self.rows.items():
            check_template(str(value), f"rows.{column}", self.names)
        if self.path is not None and (self.path.startswith("/") or ".." in self.path.split("/")):
            raise ValueError(f"'path' {self.path!r} leaves the dataset's folder")
        if self.path is not None and not self.rows and not fields_of(self.path):
            raise ValueError(
                f"'path' names no entity ({', '.join(self.names)}) and 'rows' is empty: every "
                "recording would get the same rows"
            )
        return self


class Join(Rows):
    """Columns of another table, joined to this table's rows by their order.

    The order is that of the events after drops, sorting and debouncing, and of the lines in the
    other table. Where the counts differ the recording is refused. The entry needs an assertion
    of kind `count`, too: two tables can be short by the same row.
    """

    path: str
    """Table of the dataset that holds the list, as for `synthesise`."""
    where: Where
    """Rows of the events table that take part, such as `{trial_type: stim_on}`."""
    columns: dict[str, str] = Field(min_length=1)
    """Column that rules then see -> column of the list."""
    agree: dict[str, str] = {}
    """Column of the events table -> column of the list, whose cells must be equal in every row."""


class Synthesise(Rows):
    """Events of a recording that has no events table, from another table or from its sidecar.

    `onset`, `duration`, `rules` and all other keys of the entry then speak of the rows of this
    table. The entry needs an assertion of kind `count`.
    """

    sidecar: dict[str, str] = {}
    """In place of `path`: column -> key of the JSON sidecar that holds a list, one entry an
    event."""
    offset: float = Field(default=0.0, ge=-3600, le=3600)
    """Seconds to add to the onsets, where the table counts from another instant."""
    offset_source: str | None = None
    """Where the offset comes from. Needed where it is not 0."""

    @model_validator(mode="after")
    def _reads_one_thing(self) -> Synthesise:
        if (self.path is None) == (not self.sidecar):
            raise ValueError("give either 'path' or 'sidecar'")
        if self.sidecar and self.rows:
            raise ValueError("'rows' selects rows of 'path'; a sidecar has none")
        if self.offset and not (self.offset_source and self.offset_source.strip()):
            raise ValueError("'offset' needs 'offset_source': say where the number comes from")
        return self
