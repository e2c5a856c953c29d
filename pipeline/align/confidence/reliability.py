"""How far a stated confidence is from how often pairs are right."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.schemas.calibration import ALL

BINS = 10


def reliability(
    tier: npt.NDArray[np.str_], predicted: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]
) -> pd.DataFrame:
    """Compare confidence with truth, by tier and for all tiers together.

    Parameters
    ----------
    tier, predicted, right : ndarray, shape (n_pairs,)
        Tier, confidence, and whether the pair is right.

    Returns
    -------
    pandas.DataFrame
        As `neuropair.schemas.calibration.calibration_curve`: ten bins a tier of about equally many
        pairs, fewer where confidences are equal, for equal ones are never parted.
    """
    curves = [
        _binned(str(name), predicted[tier == name], right[tier == name]) for name in np.unique(tier)
    ]
    curves.append(_binned(ALL, predicted, right))
    return pd.concat(curves, ignore_index=True)


def _binned(
    tier: str, predicted: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]
) -> pd.DataFrame:
    _, inverse, counts = np.unique(predicted, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    of_value = np.minimum((middle * BINS / max(len(predicted), 1)).astype(int), BINS - 1)
    bins = of_value[inverse]
    grouped = pd.DataFrame({"predicted": predicted, "observed": right}).groupby(bins)
    means = grouped.mean().assign(n=grouped.size()).reset_index(drop=True)
    return means.assign(tier=tier)[["tier", "predicted", "observed", "n"]]


def expected_calibration_error(curve: pd.DataFrame) -> dict[str, float]:
    """Mean over pairs of the distance between confidence and truth of their bin, by tier.

    Guo et al. 2017 (ICML, arXiv:1706.04599), with bins of equally many pairs.
    """
    gap = (curve["predicted"] - curve["observed"]).abs() * curve["n"]
    sums = pd.DataFrame({"gap": gap, "n": curve["n"]}).groupby(curve["tier"]).sum()
    return {str(tier): float(value) for tier, value in (sums["gap"] / sums["n"]).items()}
