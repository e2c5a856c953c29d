"""Slow drift as regressors: one model with everything else that is regressed out."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuropair.schemas.errors import RecipeError

Floats = NDArray[np.float64]


def drift_regressors(times: Floats, highpass: float | None) -> pd.DataFrame:
    """Give a linear trend, and the cosines that are slower than `highpass`.

    Parameters
    ----------
    times : ndarray, shape (time,)
        s, evenly spaced.
    highpass : float or None
        Hz; None gives the trend only.

    Returns
    -------
    DataFrame
        Columns ``trend``, ``cosine00``, ...; a row a sample. The constant is not among them.

    Raises
    ------
    RecipeError
        If `highpass` is not below the Nyquist rate.
    """
    from nilearn.signal import create_cosine_drift

    columns = {"trend": np.linspace(-1.0, 1.0, len(times))}
    if highpass is not None and len(times) > 2:
        nyquist = 0.5 / float(np.median(np.diff(times)))
        if highpass >= nyquist:
            raise RecipeError(
                f"{highpass:g} Hz leaves nothing below the Nyquist rate of {nyquist:g} Hz.",
                where="signals, highpass",
                remedy="give a lower highpass",
            )
        cosines = create_cosine_drift(highpass, times)[:, :-1]
        columns |= {f"cosine{i:02d}": cosines[:, i] for i in range(cosines.shape[1])}
    return pd.DataFrame(columns)


def regress_out(values: Floats, regressors: pd.DataFrame, valid: NDArray[np.bool_]) -> Floats:
    """Remove a constant and regressors, fitted on valid samples, from all samples.

    ``nilearn.signal.clean`` does the same where every sample is valid (a test compares them); it
    deletes scrubbed samples, which here keep their place.

    Parameters
    ----------
    values : ndarray, shape (time, channel)
    regressors : DataFrame, shape (time, regressor)
    valid : ndarray of bool, shape (time,)

    Returns
    -------
    ndarray, shape (time, channel)
    """
    design = np.column_stack([np.ones(len(values)), regressors.to_numpy(float)])
    # confounds of thousands beside motion of 0.01 mm would fall under the rank's threshold
    lengths = np.linalg.norm(design[valid], axis=0)
    design = design[:, lengths > 0] / lengths[lengths > 0]
    weights = np.linalg.lstsq(design[valid], values[valid], rcond=1e-10)[0]
    cleaned: Floats = values - design @ weights
    return cleaned
