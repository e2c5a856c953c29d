"""The shipped calibration: how a pair's evidence becomes the probability that it is right.

`calibration.json` beside this module is written by ``neuropair calibrate``, from simulated corpora
whose right pairs are known. It is plain numbers: per family of evidence the log-odds that each
component adds, the isotonic curve from their sum to a probability, and the reliability of both on
corpora that the fit never saw.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from neuropair.schemas.base import Strict
from neuropair.schemas.errors import NeuropairError, RecipeError

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
"""Of the file; another number has other keys."""
ALL = "all"
"""Tier of the rows of `calibration_curve` that pool every tier."""
_REMEDY = "fit it anew with `neuropair calibrate`"


class Component(Strict):
    """Log-odds that one component of the evidence adds, linear between its knots."""

    at: list[float] = Field(min_length=1)
    """Values of the component, ascending."""
    adds: list[float] = Field(min_length=1)
    """Log-odds at these values; beyond the ends, that of the end."""
    absent: float
    """Log-odds where the component is unknown: what it added on average in the simulation."""

    @model_validator(mode="after")
    def _is_a_curve(self) -> Self:
        _require_curve(self.at, self.adds)
        return self


class Family(Strict):
    """How pairs of one tier and kind of evidence are judged."""

    components: dict[str, Component]
    """By name."""
    score: list[float] = Field(min_length=1)
    """Sums of log-odds, ascending."""
    probability: list[float] = Field(min_length=1)
    """Probability that a pair of this score is right, linear between; never 0 or 1."""
    pairs: int = Field(ge=0)
    """Pairs that the isotonic curve was fitted on."""
    corpora: int = Field(ge=0)
    """Simulated recording pairs that these come from."""

    @model_validator(mode="after")
    def _is_monotone(self) -> Self:
        _require_curve(self.score, self.probability)
        if any(after < before for before, after in pairwise(self.probability)):
            raise ValueError("probability falls with the score")
        if not all(0 < value < 1 for value in self.probability):
            raise ValueError("probability is not between 0 and 1")
        return self


class CurvePoint(Strict):
    """One bin of the reliability curve, on corpora that the fit never saw."""

    tier: str
    predicted: float = Field(gt=0, lt=1)
    """Mean confidence of the bin's pairs."""
    observed: float = Field(ge=0, le=1)
    """Share of them that are right."""
    n: int = Field(gt=0)


class Calibration(Strict):
    """Content of `calibration.json`."""

    format: int
    neuropair: str
    """Version that fitted it."""
    runs: int = Field(gt=0)
    """Simulated corpora of the largest family in each of the three parts."""
    seeds: dict[str, tuple[int, int]]
    """First seed and the one after the last of each part: ``score``, ``isotonic``, ``unseen``."""
    assumptions: dict[str, float]
    """What the simulated corpora suffer from: the confidence holds as far as these do."""
    families: dict[str, Family]
    """Tier/evidence -> how its pairs are judged."""
    curve: list[CurvePoint]
    """Reliability on the unseen seeds, by tier, and for all tiers together."""
    expected_calibration_error: dict[str, float]
    """By tier, on the unseen seeds: mean of |predicted - observed| over pairs."""


def _require_curve(at: list[float], values: list[float]) -> None:
    if len(at) != len(values):
        raise ValueError(f"{len(at)} places and {len(values)} values")
    if any(after <= before for before, after in pairwise(at)):
        raise ValueError("places do not ascend")


@cache
def calibration() -> Calibration:
    """Read the calibration that ships with neuropair.

    Raises
    ------
    NeuropairError
        If the file is damaged or of another format.
    """
    return read_calibration(shipped_file())


def shipped_file() -> Path:
    """Path of the shipped `calibration.json`."""
    return Path(str(files("neuropair.schemas").joinpath("calibration.json")))


def read_calibration(path: Path) -> Calibration:
    """Read a calibration file.

    Raises
    ------
    NeuropairError
        If the file cannot be read, is no JSON, is of another format, or lacks a key.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NeuropairError(
            f"cannot be read ({error.strerror}).", where=str(path), remedy=_REMEDY
        ) from error
    except ValueError as error:
        raise NeuropairError(f"is not JSON: {error}.", where=str(path), remedy=_REMEDY) from error
    return parse_calibration(content, where=str(path))


def parse_calibration(content: Any, where: str) -> Calibration:
    """Check the content of a calibration file.

    Raises
    ------
    NeuropairError
        If it is of another format, lacks a key, or holds what is no calibration.
    """
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise NeuropairError(
            f"is of format {found}; this version reads format {FORMAT}.",
            where=f"{where}, key format",
            remedy=_REMEDY,
        )
    try:
        return Calibration.parse(content, where=where)
    except RecipeError as error:
        raise NeuropairError(error.problem, where=error.where, remedy=_REMEDY) from error


def calibration_curve(of: Calibration | None = None) -> pd.DataFrame:
    """Give the reliability curve of a calibration, the shipped one unless given.

    Returns
    -------
    pandas.DataFrame
        One row a tier and bin of equally many pairs: ``tier`` (``T0`` to ``T5``, and ``all`` for
        the pairs of every tier together), ``predicted`` (mean confidence), ``observed`` (share
        that is right), ``n`` (pairs). Of simulated corpora that the fit never saw.
    """
    import pandas as pd

    points = [point.model_dump() for point in (of or calibration()).curve]
    return pd.DataFrame(points, columns=["tier", "predicted", "observed", "n"])
