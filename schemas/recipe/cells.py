"""Words that all parts of a recipe use: cells, columns, entities, selections."""

from __future__ import annotations

import re
from string import Formatter
from typing import Literal

from pydantic import model_validator

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


class Selection(Strict):
    """Recordings, by their entities. What is not given does not select."""

    modality: list[Modality] | None = None
    subject: list[str] | None = None
    session: list[str] | None = None
    task: list[str] | None = None
    acquisition: list[str] | None = None
    run: list[str] | None = None


def fields_of(template: str) -> list[str]:
    """Names in braces of a template, in order.

    Examples
    --------
    >>> fields_of("sub-{subject}/story_{run}.tsv")
    ['subject', 'run']
    """
    return [name for _, name, _, _ in Formatter().parse(template) if name]


def check_template(template: str, key: str, known: tuple[str, ...] = ENTITIES) -> None:
    """Refuse a template that names something else than entities.

    Raises
    ------
    ValueError
        Naming the key of the recipe, the strangers, and what may be named.
    """
    if strangers := sorted(set(fields_of(template)) - set(known)):
        raise ValueError(
            f"{key!r} names {', '.join(strangers)}; the entities are {', '.join(known)}"
        )
