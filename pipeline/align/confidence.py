"""Confidence: how often a pair of the same kind of evidence was right where the truth is known.

No product of heuristics: `calibration.json` holds, for every bin of evidence, how many pairs
`neuropair.pipeline.align.calibrate` formed on simulated corpora and how many of them were right.
The confidence of a pair is ``(right + 0.5) / (n + 1)`` of its bin (Krichevsky and Trofimov's
estimate: a bin that was never seen says 0.5).
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

COVERAGE_EDGES = (0.6, 0.8, 0.9)
AMBIGUITY_EDGES = (0.2, 0.4, 0.6)


def bin_name(tier: str, evidence: str) -> str:
    """Name of a bin that tier and evidence alone make."""
    return f"{tier}/{evidence}"


def clock_bin(kind: str, coverage: float, ambiguity: float) -> str:
    """Name of a T1 bin; `kind` is ``event`` or ``sliding``.

    Examples
    --------
    >>> clock_bin("event", 0.97, 0.21)
    'T1/triggers/event/coverage 0.9-1.0/ambiguity 0.2-0.4'
    """
    covered = _between(coverage, (0.4, *COVERAGE_EDGES, 1.0))
    ambiguous = _between(ambiguity, (0.0, *AMBIGUITY_EDGES, 0.8))
    return f"T1/triggers/{kind}/coverage {covered}/ambiguity {ambiguous}"


def _between(value: float, edges: tuple[float, ...]) -> str:
    row = int(np.clip(np.searchsorted(edges, value, side="right") - 1, 0, len(edges) - 2))
    return f"{edges[row]:.1f}-{edges[row + 1]:.1f}"


def _bins(pairs: pd.DataFrame) -> list[str]:
    columns = (pairs[c].tolist() for c in ("tier", "evidence", "concept", "coverage", "ambiguity"))
    return [
        clock_bin("sliding" if concept == "sliding" else "event", coverage, ambiguity)
        if tier == "T1"
        else bin_name(tier, evidence)
        for tier, evidence, concept, coverage, ambiguity in zip(*columns, strict=True)
    ]


@cache
def calibration() -> dict[str, Any]:
    """Read the shipped calibration: ``bins`` (name -> n, right), and its ``assumptions``."""
    text = files("neuropair.pipeline.align").joinpath("calibration.json").read_text("utf-8")
    return dict(json.loads(text))


def confidence(pairs: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Probability that a pair is right, from the columns of its evidence.

    Parameters
    ----------
    pairs : pandas.DataFrame
        Columns ``tier, evidence, concept, coverage, ambiguity`` of table ``pairs``.

    Returns
    -------
    ndarray, shape (n_pairs,)
    """
    return of_bins(np.array(_bins(pairs), dtype=str))


def of_bins(bins: npt.NDArray[np.str_]) -> npt.NDArray[np.float64]:
    """Probability that a pair is right, by the name of its bin."""
    names, inverse = np.unique(bins, return_inverse=True)
    counts = [calibration()["bins"].get(str(name), {"n": 0, "right": 0}) for name in names]
    values = np.array([(c["right"] + 0.5) / (c["n"] + 1) for c in counts], dtype=float)
    return values[inverse] if len(names) else np.zeros(0)
