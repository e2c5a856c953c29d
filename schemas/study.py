"""A study: which datasets, from where, how signals are cleaned and cut, and what is paired."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from neuropair.schemas.base import Strict
from neuropair.schemas.kinds import Modality, Tier
from neuropair.schemas.recipe import Selection
from neuropair.schemas.signals import Signals
from neuropair.schemas.vocabulary import is_within


class StudyDataset(Strict):
    """One dataset of the study."""

    dataset: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    """Id of the dataset in the corpus."""
    recipe: str | None = None
    """Name of a shipped recipe or path relative to the study; the dataset id unless given."""
    source: str | None = None
    """Folder (relative to the study), URL, or `openneuro:<accession>`; else the recipe's."""
    include: Selection = Selection()
    exclude: list[Selection] = []
    signals: Signals | None = None
    """Settings for this dataset in place of the study's."""


class Window(Strict):
    """The window of a modality around its events, in seconds from the event."""

    tmin: float
    tmax: float
    to_duration_plus: float | None = None
    """Block designs: the window ends this long after the event's duration, if that is later."""

    @model_validator(mode="after")
    def _has_a_length(self) -> Window:
        if self.tmax <= self.tmin:
            raise ValueError("tmax must be greater than tmin")
        return self


class Sliding(Strict):
    """Windows on a common clock, for simultaneous recordings, beside those by event."""

    length: float = Field(gt=0)
    """Seconds."""
    step: float = Field(gt=0)
    """Seconds."""


class Windows(Strict):
    """Windows per modality; the defaults are science.md section 6's table."""

    eeg: Window = Window(tmin=-0.2, tmax=1.0)
    meg: Window = Window(tmin=-0.2, tmax=1.0)
    fnirs: Window = Window(tmin=-5.0, tmax=20.0)
    fmri: Window = Window(tmin=-4.0, tmax=20.0)
    sliding: Sliding | None = None


class Side(Strict):
    """One side of a pairing: recordings, and the events of theirs that take part."""

    modality: Modality
    dataset: list[str] | None = None
    task: list[str] | None = None
    concept: list[str] | None = None
    """These concepts and all below them; all events unless given."""


class _Pairing(Strict):
    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    """Name of the rule; it stands in `pairs.rule`."""
    a: Side
    b: Side


class SameClock(_Pairing):
    """T0: both sides come from one file."""

    tier: Literal[Tier.T0]


class Simultaneous(_Pairing):
    """T1: recorded together on two clocks, aligned by shared triggers."""

    tier: Literal[Tier.T1]
    together: list[Literal["subject", "session", "task", "run"]] = ["subject", "session"]
    """Entities that two files of one sitting share. Leave `task` out where they name it apart."""
    code: Literal["concept", "value", "trial_type", "none"] = "value"
    """What must be equal for two events to be one trigger."""
    jitter: float = Field(default=0.005, gt=0)
    """Trigger jitter, s."""
    quantum: float | None = Field(default=None, gt=0)
    """Step in which the slower device stamps its triggers, s; the sample period of the slower
    device unless given (fMRI apart, whose tables are stamped by the computer of the stimuli)."""


class _Matched(_Pairing):
    covariates: list[
        Literal[
            "preceding_interval",
            "run_position",
            "trial_position",
            "response_time",
            "repetition",
            "repetition_lag",
            "previous_same",
        ]
    ] = ["preceding_interval", "run_position"]
    """What the partners should be alike in. `preceding_interval`: s, longer ones count as 10;
    `run_position`: 0 to 1; `trial_position`: number of the stimulus in its run; `repetition_lag`:
    trials since the same stimulus, 0 for the first time; `previous_same`: 1 if the stimulus before
    was of the same concept, else 0."""
    caliper: float | None = Field(default=0.5, gt=0, allow_inf_nan=False)
    """Largest difference in any covariate, in pooled SD, before the assignment."""
    max_smd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Pairs are dropped, as few as needed, until every covariate's standardised mean difference is
    below this in every pool (a person, or a split for T5): the caliper bounds each pair, and not
    their mean."""
    max_dropped: float = Field(default=0.2, ge=0, le=1)
    """Share of a pool's pairs that `max_smd` may cost; a pool that it would cost more is kept whole
    and flagged. So is one where caliper and balance leave out more of the pairs possible."""
    uses_b: int = Field(default=1, ge=1)
    """How many events of side a may share one event of side b (a block has many trials)."""
    exact: list[Literal["repetition_class", "trial_type", "value", "previous_condition"]] = []
    """Columns that must be known and equal on both sides, beside the concept or stimulus.
    `previous_condition` is the concept of the stimulus before."""
    repetition_class: Literal["exact", "any"] = "exact"
    """Whether a first look goes with a first look only, where both sides know it: the response to
    a repeated stimulus is another. `any` where the recipes' classes do not mean the same."""
    alternates: int = Field(default=5, ge=0)
    """How many further admissible partners of an event are told, with their weights."""
    negatives: int = Field(default=1, ge=0)
    """How many wrong partners of each kind are told for a pair."""


class SameStimulus(_Matched):
    """T2 (same person) and T4 (other person): equal evidenced stimulus keys."""

    tier: Literal[Tier.T2, Tier.T4]
    caliper: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """No caliper unless given: the stimulus is the evidence, covariates choose the repetition."""
    max_soa_ratio: float = Field(default=5.0, ge=1)
    """T4 refuses recordings whose median stimulus intervals differ more."""


class SameCondition(_Matched):
    """T3 (same person) and T5 (other person): equal concepts, covariates within the caliper."""

    tier: Literal[Tier.T3, Tier.T5]
    max_smd: float | None = Field(default=0.1, gt=0, allow_inf_nan=False)
    """Pairs are dropped, as few as needed, until every covariate's standardised mean difference is
    below this in every pool (a person for T3, a split for T5); 0.1 is science.md section 8's."""
    concepts: dict[str, str] = {}
    """Concept of a -> concept of b, for labels that differ; equal concepts match anyway. What lies
    below a key is mapped to the same place below its value (`motor/fist: motor/tapping` takes
    `motor/fist/left` to `motor/tapping/left`); a value takes in what lies below it."""

    @model_validator(mode="after")
    def _maps_one_way(self) -> SameCondition:
        for key, value in self.concepts.items():
            for other, target in self.concepts.items():
                below = key.removeprefix(f"{other}/")
                if below != key and not is_within(value, f"{target}/{below}"):
                    raise ValueError(
                        f"concepts map {key} two ways: to {value}, and by {other} to "
                        f"{target}/{below}; name what lies below {other} one by one"
                    )
        return self


Pairing = Annotated[
    SameClock | Simultaneous | SameStimulus | SameCondition, Field(discriminator="tier")
]


class Splits(Strict):
    """Shares of the splits, by windows, and what may not be in two of them.

    Recordings that are, or may be, one recording under two names, and recordings of one sitting,
    stay in one split whatever the policy. A recording is never divided.
    """

    policy: Literal["both", "subject-disjoint", "stimulus-disjoint"] = "both"
    """What no two splits have in common: persons and evidenced stimuli, or one of the two."""
    hold_out: list[str] = []
    """Datasets that are the test split, with all that is connected with them; the others are train
    and validation."""
    train: float = Field(default=0.8, gt=0)
    validation: float = Field(default=0.1, ge=0)
    test: float = Field(default=0.1, ge=0)
    seed: int = 0

    @model_validator(mode="after")
    def _sums_to_one(self) -> Splits:
        if abs(self.train + self.validation + self.test - 1) > 1e-6:
            raise ValueError("train, validation and test must sum to 1")
        return self


class Study(Strict):
    """Datasets, windows and pairings: what one ingest makes."""

    study: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    title: str
    datasets: list[StudyDataset] = Field(min_length=1)
    signals: Signals = Signals()
    windows: Windows = Windows()
    pairings: list[Pairing] = []
    splits: Splits = Splits()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Study:
        for what, names in (
            ("dataset", [d.dataset for d in self.datasets]),
            ("pairing", [p.name for p in self.pairings]),
        ):
            twice = {name for name in names if names.count(name) > 1}
            if twice:
                raise ValueError(f"{what} {sorted(twice)} stands twice")
        known = {d.dataset for d in self.datasets}
        if strangers := set(self.splits.hold_out) - known:
            raise ValueError(
                f"splits.hold_out names datasets that the study has not: {sorted(strangers)}"
            )
        if known == set(self.splits.hold_out):
            raise ValueError("splits.hold_out names every dataset: nothing is left to train on")
        for pairing in self.pairings:
            for side in (pairing.a, pairing.b):
                strangers = set(side.dataset or []) - known
                if strangers:
                    raise ValueError(
                        f"pairing {pairing.name} names datasets that the study has not: "
                        f"{sorted(strangers)}"
                    )
        return self
