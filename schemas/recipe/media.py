"""Stories and films: their start and end marks, their length, and stretches of them as events."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from neuropair.schemas.base import Strict
from neuropair.schemas.recipe.cells import ENTITIES, Selection, check_template
from neuropair.schemas.recipe.lists import Rows


class NominalSeconds(Strict):
    """The length is a number that the recipe states."""

    kind: Literal["seconds"]
    seconds: float = Field(gt=0)
    source: str = Field(min_length=1)
    """Where the number comes from."""


class NominalDuration(Strict):
    """The length stands in the duration column of the same row."""

    kind: Literal["duration"]


class NominalRecordings(Strict):
    """The length is the duration that other recordings' tables give the same stimulus."""

    kind: Literal["recordings"]
    recordings: Selection
    """These recordings of the dataset; the median of what they say."""
    because: str = Field(min_length=1)
    """Why their duration is the length of the media."""


class NominalFile(Strict):
    """The length is that of the media file: samples over the sampling rate of its header."""

    kind: Literal["file"]
    path: str
    """WAV file of the dataset, filled from the entities and `{stimulus}`: the stimulus' name by
    the rules of spelling, such as `stimuli/audio/{stimulus}.wav`."""

    @model_validator(mode="after")
    def _names_entities(self) -> NominalFile:
        check_template(self.path, "path", (*ENTITIES, "stimulus"))
        return self


Nominal = Annotated[
    NominalSeconds | NominalDuration | NominalRecordings | NominalFile,
    Field(discriminator="kind"),
]


class Segments(Strict):
    """Events at equal media times, so that recordings of one story pair stretch by stretch.

    Each has the stimulus key `<key>@<media time in s>`, and lies where the recording's media
    clock puts it.
    """

    length: float = Field(gt=0)
    """Seconds of media time; a rest at the end that is shorter makes no event."""
    step: float | None = Field(default=None, gt=0)
    """Seconds of media time from one to the next; `length` unless given."""
    concept: str
    """Their concept."""


class Annotations(Rows):
    """Events from a table that counts in media time: words of a story, cuts of a film.

    Each has the stimulus key `<key>@<media time in s>`, as `Segments` have. The entry needs an
    assertion of kind `count`.
    """

    names: ClassVar[tuple[str, ...]] = (*ENTITIES, "stimulus")
    path: str
    """Table of the dataset, filled from the entities and `{stimulus}`, the stimulus' name by the
    rules of spelling."""
    onset: str = "onset"
    """Column of the media time."""
    duration: str | None = None
    """Column of the duration."""
    unit: Literal["s", "ms"] = "s"
    offset: float = Field(default=0.0, ge=-3600, le=3600)
    """Seconds to add to the table's times for media time."""
    offset_source: str | None = None
    """Where the offset comes from. Needed where it is not 0."""
    attributes: dict[str, str] = {}
    """Attribute of the event -> column."""
    concept: str

    @model_validator(mode="after")
    def _offset_has_a_source(self) -> Annotations:
        if self.offset and not (self.offset_source and self.offset_source.strip()):
            raise ValueError("'offset' needs 'offset_source': say where the number comes from")
        return self


class LostStart(Strict):
    """What is done where the start mark is absent, or contradicts the length."""

    because: str = Field(min_length=1)
    """Why the end mark is right where the start mark is not. The start is then the end mark less
    the length that runs with both marks show."""


class Media(Strict):
    """The event is a playback of a story or film: its clock comes from the marks of its ends.

    The rule's `where` is the start mark and its `until` the end mark. A distance of the marks
    that contradicts the length is not believed: the start mark is set aside. The entry needs an
    assertion of kind `media`.
    """

    nominal: Nominal
    """Length of the media."""
    end: Literal["until", "none"] = "until"
    """`none`: the table marks the start only; media time then runs at the recording's rate."""
    lost_start: LostStart | None = None
    """Recover a start whose mark is not usable from the end mark; without it there is no event,
    and the reason is recorded."""
    bound: float | None = Field(default=None, gt=0)
    """Largest difference, s, of the marks' distance and the length that a player can make;
    0.5 s (audio and video buffers) and 1,500 ppm (the largest slope of two clocks that trigger
    alignment accepts) unless given."""
    segments: Segments | None = None
    annotations: list[Annotations] = []

    @property
    def keyed_concepts(self) -> list[str]:
        """Concepts of the events that are keyed to media time."""
        keyed = [one.concept for one in self.annotations]
        return keyed if self.segments is None else [self.segments.concept, *keyed]

    @model_validator(mode="after")
    def _lost_start_has_an_end(self) -> Media:
        if self.end == "none" and self.lost_start is not None:
            raise ValueError("'lost_start' needs an end mark, and 'end' is none")
        return self
