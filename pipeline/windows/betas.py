"""Single-trial response amplitudes of haemodynamic signals, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MINIMUM_INTERVAL = 4.0
"""s; below it single trials cannot be told apart (science.md, section 6): they are flagged."""
MINIMUM_COVERAGE = 0.5
"""Share of a response's energy that must lie in valid samples for an estimate to be given."""
STEP = 2.0
"""s; faster signals are averaged to it. Measured on simulated fNIRS (8 Hz, 0.01 to 0.2 Hz, 4.5 s
between events): correlation with the true amplitudes .632 at 2 s, .607 at 0.5 and 1 s."""

_RESOLUTION = 0.05
_RHO = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9)
_RIDGE = tuple(np.logspace(-4, 4, 33))
_TINY = 1e-9


@dataclass(frozen=True)
class Betas:
    """Single-trial amplitudes.

    Parameters
    ----------
    beta : ndarray, shape (event, channel)
        Peak of the event's response, in the signal's unit; NaN where there is no estimate.
    se : ndarray, shape (event, channel)
        Standard error of `beta` as an estimate of the true amplitude.
    flagged : ndarray of bool, shape (event,)
        No estimate, or a neighbour nearer than `MINIMUM_INTERVAL`: not to be used by itself.
    ridge : ndarray, shape (channel,)
        Ridge strength: noise variance over variance between trials.
    autocorrelation : ndarray, shape (channel,)
        AR(1) coefficient of the noise at the model's time step.
    method : str
        What was done, for the record.
    """

    beta: Floats
    se: Floats
    flagged: Bools
    ridge: Floats
    autocorrelation: Floats
    method: str


def single_trial_betas(
    signal: ArrayLike,
    frame_times: ArrayLike,
    onsets: ArrayLike,
    durations: ArrayLike,
    *,
    regressors: ArrayLike | pd.DataFrame | None = None,
    valid: ArrayLike | None = None,
    ridge: float | Literal["reml"] = "reml",
    autocorrelation: float | Literal["reml"] = "reml",
    hrf: Literal["spm", "glover"] = "spm",
    step: float | None = STEP,
) -> Betas:
    """Estimate the amplitude of every event's response (ridge-LSA).

    One regressor an event (least squares, all), shrunk towards the run's *mean response* and not
    towards zero: amplitudes are a fixed mean plus random deviations, whose best linear unbiased
    predictor is a ridge regression. Measured on simulated fMRI (TR 2 s, 4.5 s between events):
    correlation with the truth .71 without ridge, .73 shrunk to zero, .78 shrunk to the mean.
    The truth's own best ridge and autocorrelation would gain .003 at most (three cases at 4.5 s,
    tests/benchmarks/betas.py), an autocorrelation by channel nothing on simulated fNIRS and fMRI:
    restricted maximum likelihood is as near as this estimator comes.
    No condition labels enter, so the estimates carry no more of them than the signal does.

    Parameters
    ----------
    signal : array, shape (time, channel)
        Cleaned signal, in any unit.
    frame_times : array, shape (time,)
        Time of every sample, s, evenly spaced.
    onsets, durations : array, shape (event,)
        s, on the clock of `frame_times`. A duration of NaN or 0 is a brief event.
    regressors : array or DataFrame, shape (time, regressor), optional
        Nuisance regressors that the signal was cleaned with. The design is residualised by the
        same, on the same valid samples (Frisch-Waugh-Lovell); a constant is always added.
    valid : array of bool, shape (time,) or (time, channel), optional
        Samples to use; all unless given.
    ridge : float or "reml"
        Ratio of noise variance to variance between trials, for responses of peak 1; 0 gives
        ordinary LSA. "reml": restricted maximum likelihood, by channel.
    autocorrelation : float or "reml"
        AR(1) coefficient of the noise at `step`; "reml": one for all channels, by restricted
        maximum likelihood on a grid.
    hrf : {"spm", "glover"}
        Haemodynamic response of nilearn. HbR's response is negative, and so is its beta.
    step : float or None
        s; faster signals are averaged to about this step. None keeps every sample.

    Returns
    -------
    Betas

    Notes
    -----
    LSA and its ridge: Mumford et al. 2012, NeuroImage 59:2636; GLMsingle, Prince et al. 2022,
    eLife 11:e77599. Predictor and its error: Robinson 1991, Statistical Science 6:15.

    Examples
    --------
    >>> import numpy as np
    >>> times = np.arange(0, 120, 2.0)
    >>> onsets = np.array([10.0, 40.0, 70.0])
    >>> truth = np.array([1.0, 2.0, 3.0])
    >>> signal = responses(times, onsets, np.zeros(3)) @ truth
    >>> betas = single_trial_betas(signal[:, None], times, onsets, np.zeros(3), ridge=0.0)
    >>> betas.beta[:, 0].round(6).tolist()
    [1.0, 2.0, 3.0]
    """
    values = np.asarray(signal, float)
    times = np.asarray(frame_times, float)
    starts = np.asarray(onsets, float)
    lengths = np.nan_to_num(np.asarray(durations, float))
    nuisance = _nuisance(regressors, len(times))
    usable = _usable(valid, values)
    kernels = _kernels(lengths, hrf)

    n_events, n_channels = len(starts), values.shape[1]
    out = Betas(
        beta=np.full((n_events, n_channels), np.nan),
        se=np.full((n_events, n_channels), np.nan),
        flagged=_crowded(starts),
        ridge=np.full(n_channels, np.nan),
        autocorrelation=np.full(n_channels, np.nan),
        method=(
            f"ridge-LSA to the mean response; {hrf}_hrf of nilearn, peak 1; ridge {ridge}; "
            f"AR(1) {autocorrelation}; step {step} s"
        ),
    )
    if n_events == 0 or len(times) < 2:
        return out
    for rows, channels in _groups(usable):
        design = _design(times[rows], starts, kernels)
        covered = _share_seen(design, times, kernels) >= MINIMUM_COVERAGE
        seen = np.abs(design).max(axis=0, initial=0.0) > _TINY
        parts = [values[np.ix_(rows, channels)], design[:, seen], nuisance[rows]]
        frames, (y, x, fixed) = _binned(times, rows, step, parts)
        fit = _fit(y, x, fixed, _gaps(frames), ridge, autocorrelation)
        if fit is None or not covered.any():
            continue
        keep = covered[seen]
        place = np.ix_(np.flatnonzero(seen)[keep], np.flatnonzero(channels))
        out.beta[place], out.se[place] = fit.beta[keep], fit.se[keep]
        out.ridge[channels], out.autocorrelation[channels] = fit.ridge, fit.rho
    out.flagged[:] |= ~np.isfinite(out.beta).any(axis=1)
    return out


def responses(
    frame_times: ArrayLike,
    onsets: ArrayLike,
    durations: ArrayLike,
    hrf: Literal["spm", "glover"] = "spm",
) -> Floats:
    """Give the expected response to every event, each with a peak of 1.

    Returns
    -------
    ndarray, shape (time, event)
    """
    lengths = np.nan_to_num(np.asarray(durations, float))
    times, starts = np.asarray(frame_times, float), np.asarray(onsets, float)
    return _design(times, starts, _kernels(lengths, hrf))


@dataclass(frozen=True)
class _Fit:
    beta: Floats
    se: Floats
    ridge: Floats
    rho: float
    likelihood: float


def _nuisance(regressors: Any, n_times: int) -> Floats:
    constant = np.ones((n_times, 1))
    if regressors is None:
        return constant
    given = np.asarray(regressors, float).reshape(n_times, -1)
    return np.column_stack([constant, given])


def _usable(valid: ArrayLike | None, values: Floats) -> Bools:
    finite = np.isfinite(values)
    if valid is None:
        return finite
    given = np.asarray(valid, bool)
    usable: Bools = finite & (given[:, None] if given.ndim == 1 else given)
    return usable


def _groups(usable: Bools) -> list[tuple[Bools, Bools]]:
    """Rows and channels of every pattern of validity; a model a pattern."""
    patterns, member = np.unique(usable, axis=1, return_inverse=True)
    chosen = [(patterns[:, i], member.reshape(-1) == i) for i in range(patterns.shape[1])]
    return [(rows, channels) for rows, channels in chosen if rows.sum() > 1]


def _kernels(durations: Floats, hrf: str) -> list[Floats]:
    from nilearn.glm.first_level import hemodynamic_models

    impulse = getattr(hemodynamic_models, f"{hrf}_hrf")(1.0, oversampling=round(1 / _RESOLUTION))
    made: dict[int, Floats] = {}
    for n in {max(round(duration / _RESOLUTION), 1) for duration in durations}:
        shape = np.convolve(impulse, np.ones(n))
        made[n] = shape / np.abs(shape).max()
    return [made[max(round(duration / _RESOLUTION), 1)] for duration in durations]


def _design(times: Floats, onsets: Floats, kernels: list[Floats]) -> Floats:
    columns = [
        np.interp(times - onset, np.arange(len(kernel)) * _RESOLUTION, kernel, left=0, right=0)
        for onset, kernel in zip(onsets, kernels, strict=True)
    ]
    return np.column_stack(columns)


def _share_seen(design: Floats, times: Floats, kernels: list[Floats]) -> Floats:
    """Share of each response's energy that lies in the rows of `design`."""
    sample = float(np.median(np.diff(times)))
    whole = np.array([(kernel**2).sum() * _RESOLUTION for kernel in kernels])
    share: Floats = (design**2).sum(axis=0) * sample / whole
    return share


def _crowded(onsets: Floats) -> Bools:
    order = np.argsort(onsets, kind="stable")
    gaps = np.diff(onsets[order], prepend=-np.inf, append=np.inf)
    crowded = np.empty(len(onsets), bool)
    crowded[order] = np.minimum(gaps[:-1], gaps[1:]) < MINIMUM_INTERVAL
    return crowded


def _binned(
    times: Floats, rows: Bools, step: float | None, parts: list[Floats]
) -> tuple[Floats, list[Floats]]:
    """Average signal, design and nuisance alike over bins that are at least half valid."""
    sample = float(np.median(np.diff(times)))
    factor = max(round(step / sample), 1) if step else 1
    if factor == 1:
        return times[rows], parts
    number = (np.arange(len(times)) // factor)[rows]
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    counts = np.diff(starts, append=len(number))
    full = counts * 2 >= factor

    def mean(part: Floats) -> Floats:
        sums = np.add.reduceat(part, starts, axis=0)
        return np.asarray(sums[full] / counts[full, None], float)

    frames = np.asarray(number[starts][full], float) * (factor * sample)
    return frames, [mean(part) for part in parts]


def _gaps(frames: Floats) -> Floats:
    steps = np.diff(frames)
    return np.maximum(np.round(steps / np.median(steps)), 1.0) if len(steps) else steps


def _fit(
    y: Floats,
    design: Floats,
    fixed: Floats,
    gaps: Floats,
    ridge: float | Literal["reml"],
    autocorrelation: float | Literal["reml"],
) -> _Fit | None:
    if design.shape[1] == 0:
        return None
    grid = _RHO if autocorrelation == "reml" else (float(autocorrelation),)
    fits = [_fit_at(rho, y, design, fixed, gaps, ridge) for rho in grid]
    found = [fit for fit in fits if fit is not None]
    return max(found, key=lambda fit: fit.likelihood) if found else None


def _whiten(matrix: Floats, gaps: Floats, rho: float) -> Floats:
    carried = (rho**gaps)[:, None]
    out = np.empty_like(matrix)
    out[0] = matrix[0] * np.sqrt(1 - rho**2)
    scale = np.sqrt((1 - rho**2) / (1 - carried**2))
    out[1:] = (matrix[1:] - carried * matrix[:-1]) * scale
    return out


def _log_jacobian(gaps: Floats, rho: float) -> float:
    ratios = (1 - rho**2) / (1 - rho ** (2 * gaps))
    return float(0.5 * np.log(1 - rho**2) + 0.5 * np.log(ratios).sum())


def _fit_at(
    rho: float,
    y: Floats,
    design: Floats,
    fixed: Floats,
    gaps: Floats,
    ridge: float | Literal["reml"],
) -> _Fit | None:
    """Mixed model of whitened data: fixed = mean response and nuisance, random = deviations."""
    y, design, fixed = (_whiten(part, gaps, rho) for part in (y, design, fixed))
    known = np.column_stack([design.sum(axis=1), fixed])
    # columns of unit length: motion in mm beside confounds in the thousands would lose rank
    lengths = np.linalg.norm(known, axis=0)
    known = known[:, lengths > _TINY] / lengths[lengths > _TINY]
    basis, strength, weights = np.linalg.svd(known, full_matrices=False)
    kept = strength > strength[0] * _TINY
    basis, strength, weights = basis[:, kept], strength[kept], weights[kept]
    free = len(y) - basis.shape[1]
    if free < 2:
        return None

    x_left, y_left = (part - basis @ (basis.T @ part) for part in (design, y))
    u, s, vt = np.linalg.svd(x_left, full_matrices=False)
    kept = s > _TINY * np.linalg.norm(design)
    u, s, vt = u[:, kept], s[kept], vt[kept]
    scores = u.T @ y_left
    energy = (y_left**2).sum(axis=0)
    rest = np.maximum(energy - (scores**2).sum(axis=0), 0.0)
    alive = energy > _TINY**2 * (y**2).sum(axis=0)

    lam, likelihood, variance = _strengths(ridge, s, scores, rest, free)
    deviation = vt.T @ _shrunk(s, lam, scores)
    solve = (weights.T[0] / strength) @ basis.T / lengths[0]
    beta = deviation + solve @ (y - design @ deviation)
    se = np.sqrt(variance * _error(vt, s, lam, solve, design))
    beta[:, ~alive], se[:, ~alive] = np.nan, np.nan
    shared = _log_jacobian(gaps, rho) - float(np.log(strength).sum())
    total = float(likelihood[alive].sum()) + int(alive.sum()) * shared
    return _Fit(beta=beta, se=se, ridge=lam, rho=rho, likelihood=total)


def _shrunk(s: Floats, lam: Floats, scores: Floats) -> Floats:
    power = (s**2)[:, None]
    shrunk: Floats = s[:, None] / (power + lam) * scores
    return shrunk


def _strengths(
    ridge: float | Literal["reml"], s: Floats, scores: Floats, rest: Floats, free: int
) -> tuple[Floats, Floats, Floats]:
    """Ridge, restricted log-likelihood and noise variance of every channel."""
    grid = _RIDGE if ridge == "reml" else (float(ridge),)
    power = s**2
    degrees = free if grid[0] > 0 else max(free - len(s), 1)
    residuals, likelihoods = [], []
    for lam in grid:
        share = lam / (power + lam)
        residual = np.maximum(share @ scores**2 + rest, np.finfo(float).tiny)
        # at ridge 0 the deviations are fixed effects
        spread = -np.log(share).sum() if lam > 0 else np.log(power).sum()
        likelihoods.append(-0.5 * (degrees * np.log(residual / degrees) + spread))
        residuals.append(residual)
    best = np.argmax(likelihoods, axis=0)
    column = np.arange(len(best))
    lam_best = np.asarray(grid)[best]
    variance = np.asarray(residuals)[best, column] / degrees
    return lam_best, np.asarray(likelihoods)[best, column], variance


def _error(vt: Floats, s: Floats, lam: Floats, solve: Floats, design: Floats) -> Floats:
    """Variance of the prediction error of every event and channel, in noise variances.

    The mean's direction cancels: what the deviations lose to the mean, the mean has.
    """
    n_events = design.shape[1]
    centre = np.eye(n_events) - np.outer(np.ones(n_events), solve @ design)
    turned = centre @ vt.T
    within = (turned**2) @ (1 / ((s**2)[:, None] + lam))
    unseen = np.maximum((centre**2).sum(axis=1) - (turned**2).sum(axis=1), 0.0)
    unseen[unseen < _TINY] = 0.0
    beyond = unseen[:, None] / np.where(lam > 0, lam, np.inf)
    total: Floats = within + beyond + float(solve @ solve)
    return total
