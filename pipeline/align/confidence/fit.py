"""Fit the calibration that the package ships: scores, isotonic curves, and what they are worth.

Three disjoint parts of seeds: the score is fitted on the first, the isotonic curve on the second,
and both are judged on the third.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair import __version__
from neuropair.pipeline.align.confidence import confidence, judged_by, scores
from neuropair.pipeline.align.confidence.components import components, components_of
from neuropair.pipeline.align.confidence.corpora import ASSUMPTIONS, SOURCES, judged_pairs
from neuropair.pipeline.align.confidence.reliability import expected_calibration_error, reliability
from neuropair.schemas.calibration import (
    FORMAT,
    Calibration,
    Component,
    Family,
    calibration,
    shipped_file,
)
from neuropair.schemas.errors import RecipeError, StorageError

Floats = npt.NDArray[np.float64]

RUNS = 600
"""Corpora of a part, in full for T0: all of them right give it a confidence of 0.9992."""
FAMILIES = len(SOURCES)
"""Families of evidence that are fitted."""
KNOTS = 8
"""Of a component's curve: quantiles of the distinct values that were seen."""
PENALTY = 1.0
"""Of the squared steps of a component's curve, against the summed log-likelihood: the prior of a
step is a unit normal, which keeps a curve finite where no wrong pair was seen."""
DIGITS = 6
"""Of every number in the file, so that a library's last bits do not make another file."""


def calibrate(runs: int = RUNS, progress: Callable[[str], None] | None = None) -> Calibration:
    """Fit the calibration on simulated corpora.

    Parameters
    ----------
    runs : int
        Corpora of each of the three parts; a family of evidence takes its `Source.share` of them.
        The same number gives the same calibration.
    progress : callable, optional
        Called with each family that is done.

    Raises
    ------
    RecipeError
        If so few corpora are asked for that a family has no pairs.
    """
    parts = ("score", "isotonic", "unseen")
    seeds = {name: (part * runs, (part + 1) * runs) for part, name in enumerate(parts)}
    fitted = Calibration(
        format=FORMAT,
        neuropair=__version__,
        runs=runs,
        seeds=seeds,
        assumptions=ASSUMPTIONS,
        families={},
        curve=[],
        expected_calibration_error={},
    )
    families: dict[str, Family] = {}
    unseen = []
    for name, source in SOURCES.items():
        count = max(1, round(runs * source.share))
        with judged_by(fitted):
            drawn = {
                part: judged_pairs(name, range(first, first + count))
                for part, (first, _) in seeds.items()
            }
        _require_pairs(name, runs, drawn)
        families[name] = fit_family(name, drawn["score"], drawn["isotonic"])
        unseen.append(drawn["unseen"])
        if progress is not None:
            progress(name)
    fitted = fitted.model_copy(update={"families": families})
    return _judged(fitted, pd.concat(unseen, ignore_index=True))


def refit(
    runs: int = RUNS,
    out: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> tuple[Calibration, Path]:
    """Fit the calibration and write it, to the file that neuropair reads unless `out` is given.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    path = out or shipped_file()
    if not path.parent.is_dir():
        raise StorageError(
            "no such folder.", where=str(path.parent), remedy="make it, or give another file"
        )
    fitted = calibrate(runs, progress)
    write_calibration(fitted, path)
    calibration.cache_clear()
    return fitted, path


def _judged(fitted: Calibration, pairs: pd.DataFrame) -> Calibration:
    predicted = confidence(pairs, fitted)
    curve = reliability(pairs["tier"].to_numpy(str), predicted, pairs["right"].to_numpy(bool))
    errors = expected_calibration_error(curve)
    content = fitted.model_dump() | {
        "curve": curve.round(DIGITS).to_dict("records"),
        "expected_calibration_error": {tier: round(e, DIGITS) for tier, e in errors.items()},
    }
    return Calibration.model_validate(content)


def _require_pairs(name: str, runs: int, drawn: dict[str, pd.DataFrame]) -> None:
    empty = [part for part, pairs in drawn.items() if pairs.empty]
    if empty:
        raise RecipeError(
            f"{runs} corpora give no pair of {name} in part {empty[0]}.",
            where="calibrate, runs",
            remedy=f"give more, such as the default of {RUNS}",
        )


def write_calibration(fitted: Calibration, path: Path) -> None:
    """Write a calibration file: JSON, the same bytes for the same calibration.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    text = json.dumps(fitted.model_dump(mode="json"), indent=1, sort_keys=True) + "\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"cannot be written ({error.strerror}).",
            where=str(path),
            remedy="give a file in a folder that exists and may be written to",
        ) from error


def fit_family(name: str, for_score: pd.DataFrame, for_curve: pd.DataFrame) -> Family:
    """Fit one family's score and isotonic curve.

    Parameters
    ----------
    name : str
        Name of the family.
    for_score, for_curve : pandas.DataFrame
        Judged pairs of disjoint corpora, as `judged_pairs` gives them.
    """
    curves = fit_score(name, for_score)
    drafted = Family(components=curves, score=[0.0], probability=[0.5], pairs=0, corpora=0)
    score = scores(for_curve, slice(None), name, drafted)
    right = for_curve["right"].to_numpy(bool)
    at, probability = fit_curve(score, right, for_curve["corpus"].to_numpy())
    return Family(
        components=curves,
        score=at,
        probability=probability,
        pairs=len(for_curve),
        corpora=int(for_curve["corpus"].nunique()),
    )


def fit_score(name: str, pairs: pd.DataFrame) -> dict[str, Component]:
    """Fit a logistic model of the components, each one's curve monotone the way it should be.

    A component is spread over ramps between its quantiles; weights are not negative. What does
    not tell right from wrong gets none.
    """
    signs = {component: given.sign for component, given in components_of(name).items()}
    values = components(pairs, slice(None), name)
    knots = {c: _knots(values[c]) for c in values}
    usable = [c for c in values if len(knots[c]) > 1]
    ramps = [_ramps(values[c], knots[c], signs[c]) for c in usable]
    steps = _nonnegative_logistic(ramps, pairs["right"].to_numpy(bool))
    fitted = {}
    for component, given in values.items():
        at, adds = knots[component], np.zeros(max(len(knots[component]), 1))
        if component in usable:
            step = steps[usable.index(component)] * signs[component]
            adds = np.concatenate([[0.0], np.cumsum(step)])
        at = at if len(at) else np.zeros(1)
        known = given[~np.isnan(given)]
        mean = float(np.interp(known, at, adds).mean()) if known.size else 0.0
        fitted[component] = Component(
            at=at.round(DIGITS).tolist(),
            adds=adds.round(DIGITS).tolist(),
            absent=round(mean, DIGITS),
        )
    return fitted


def _knots(values: Floats) -> Floats:
    known = values[~np.isnan(values)]
    if not known.size:
        return np.zeros(0)
    return np.unique(np.quantile(np.unique(known), np.linspace(0, 1, KNOTS)).round(DIGITS))


def _ramps(values: Floats, knots: Floats, sign: int) -> Floats:
    """Share of the way through each interval of knots, in the direction that speaks for a pair."""
    way = np.clip((values[:, None] - knots[:-1]) / np.diff(knots), 0, 1)
    known = np.where(np.isnan(way), np.nanmean(way, axis=0), way)
    return np.asarray(sign * known)


def _nonnegative_logistic(ramps: list[Floats], right: npt.NDArray[np.bool_]) -> list[Floats]:
    """Maximum penalised likelihood under non-negative weights, and a free intercept."""
    from scipy.optimize import minimize
    from scipy.special import expit

    if not ramps:
        return []
    design = np.column_stack([np.ones(len(right)), *ramps])
    target = right.astype(float)
    prior = np.r_[0.0, np.full(design.shape[1] - 1, PENALTY)]

    def loss(weights: Floats) -> tuple[float, Floats]:
        odds = design @ weights
        value = np.logaddexp(0, odds).sum() - target @ odds + 0.5 * (prior * weights**2).sum()
        slope = design.T @ (expit(odds) - target) + prior * weights
        return float(value) / len(right), slope / len(right)

    bounds = [(None, None)] + [(0.0, None)] * (design.shape[1] - 1)
    found = minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds)
    ends = np.cumsum([ramp.shape[1] for ramp in ramps])[:-1]
    return list(np.split(np.asarray(found.x[1:], dtype=float), ends))


def fit_curve(
    score: Floats, right: npt.NDArray[np.bool_], corpus: npt.NDArray[Any]
) -> tuple[list[float], list[float]]:
    """Isotonic regression of right on score, and what its blocks can show at most.

    A block of n pairs, k of them right, says ``(k + 0.5) / (n + 1)`` (Krichevsky and Trofimov),
    and no more than so many independent corpora could say, all of them right: the pairs of one
    recording may be wrong together. So it is never 0 or 1.

    Parameters
    ----------
    score, right, corpus : ndarray, shape (n_pairs,)

    Returns
    -------
    score, probability : list of float
        Ends of the blocks, and their probability.
    """
    from sklearn.isotonic import IsotonicRegression

    rounded = score.round(DIGITS)
    level = IsotonicRegression().fit_transform(rounded, right.astype(float))
    frame = pd.DataFrame({"score": rounded, "right": right, "corpus": corpus})
    blocks = frame.groupby(np.unique(level, return_inverse=True)[1]).agg(
        low=("score", "min"),
        high=("score", "max"),
        n=("right", "size"),
        k=("right", "sum"),
        corpora=("corpus", "nunique"),
    )
    least = 0.5 / (blocks["corpora"] + 1)
    share = ((blocks["k"] + 0.5) / (blocks["n"] + 1)).clip(least, 1 - least)
    # what was taken off small blocks at the top may have put them below their neighbours
    smooth = IsotonicRegression().fit_transform(blocks.index, share, sample_weight=blocks["n"])
    at, probability = [], []
    for (_, block), value in zip(blocks.iterrows(), smooth, strict=True):
        for end in sorted({float(block["low"]), float(block["high"])}):
            at.append(round(end, DIGITS))
            probability.append(round(float(value), DIGITS))
    return at, probability
