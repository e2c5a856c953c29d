"""What must hold of the events of a run."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from neuropair.schemas.base import Strict


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


class MediaAssertion(Strict):
    """Bounds of the media clocks of a run."""

    kind: Literal["media"]
    maximum_ppm: float = Field(gt=0)
    """Largest absolute rate, where both marks are measured."""
    maximum_uncertainty: float = Field(gt=0)
    """Largest half width, s, of the 95 % interval of media time 0."""


Assertion = Annotated[
    CountAssertion | UniqueStimuliAssertion | IntervalAssertion | MediaAssertion,
    Field(discriminator="kind"),
]
