"""Single-trial amplitudes: against the truth, against ordinary least squares, and at the edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropair.pipeline.windows import betas as module
from neuropair.pipeline.windows.betas import responses, single_trial_betas


@dataclass(frozen=True)
class Run:
    times: np.ndarray
    onsets: np.ndarray
    durations: np.ndarray
    truth: np.ndarray
    signal: np.ndarray
    drift: np.ndarray


def simulate(
    seed: int,
    *,
    step: float,
    interval: float,
    noise: float,
    rho: float,
    n_events: int = 60,
    n_channels: int = 30,
) -> Run:
    """Amplitudes of mean 1 and SD 0.5, events jittered by 40 %, AR(1) noise."""
    rng = np.random.default_rng(seed)
    onsets = np.cumsum(interval * (1 + 0.4 * (rng.random(n_events) * 2 - 1)))
    times = np.arange(0, onsets[-1] + 25, step)
    durations = np.full(n_events, 1.0)
    truth = 1 + 0.5 * rng.standard_normal((n_events, n_channels))
    coloured = np.zeros((len(times), n_channels))
    for row, innovation in enumerate(rng.standard_normal(coloured.shape)):
        coloured[row] = (rho * coloured[row - 1] if row else 0) + innovation
    signal = responses(times, onsets, durations) @ truth + noise * coloured / coloured.std()
    cycles = np.arange(1, 1 + int(2 * times[-1] / 128))
    drift = np.cos(np.pi * cycles * (np.arange(len(times))[:, None] + 0.5) / len(times))
    return Run(times, onsets, durations, truth, signal, drift)


def correlation(estimate: np.ndarray, truth: np.ndarray) -> float:
    pairs = zip(estimate.T, truth.T, strict=True)
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs]))


def plain_lsa(run: Run) -> np.ndarray:
    design = responses(run.times, run.onsets, run.durations)
    everything = np.column_stack([design, np.ones(len(run.times)), run.drift])
    solution = np.linalg.lstsq(everything, run.signal, rcond=None)[0]
    return solution[: len(run.onsets)]


@pytest.mark.parametrize(
    ("step", "rho", "noise", "plain", "floor"),
    [(2.0, 0.3, 0.57, 0.57, 0.65), (0.125, 0.8, 0.52, 0.75, 0.80)],
    ids=["fmri", "fnirs"],
)
def test_recovers_amplitudes_better_than_plain_lsa(
    step: float, rho: float, noise: float, plain: float, floor: float
) -> None:
    ours, ordinary = [], []
    for seed in range(3):
        run = simulate(seed, step=step, interval=4.5, noise=noise, rho=rho)
        found = single_trial_betas(
            run.signal, run.times, run.onsets, run.durations, regressors=run.drift
        )
        ours.append(correlation(found.beta, run.truth))
        ordinary.append(correlation(plain_lsa(run), run.truth))
    assert np.mean(ordinary) == pytest.approx(plain, abs=0.03)
    assert np.mean(ours) >= floor


def test_mean_response_and_standard_errors_are_calibrated() -> None:
    scores, means = [], []
    for seed in range(4):
        run = simulate(seed, step=2.0, interval=8.0, noise=0.4, rho=0.3)
        found = single_trial_betas(
            run.signal, run.times, run.onsets, run.durations, regressors=run.drift
        )
        scores.append((found.beta - run.truth) / found.se)
        means.append(found.beta.mean())
    assert np.std(scores) == pytest.approx(1, abs=0.12)
    assert np.mean(means) == pytest.approx(1, abs=0.05)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), interval=st.floats(5, 15), rho=st.sampled_from([0.0, 0.4]))
def test_without_ridge_it_is_generalised_least_squares(
    seed: int, interval: float, rho: float
) -> None:
    run = simulate(seed, step=2.0, interval=interval, noise=0.5, rho=0.3, n_events=12, n_channels=3)
    found = single_trial_betas(
        run.signal,
        run.times,
        run.onsets,
        run.durations,
        regressors=run.drift,
        ridge=0.0,
        autocorrelation=rho,
    )
    whiten = np.eye(len(run.times)) - rho * np.eye(len(run.times), k=-1)
    whiten[0, 0] = np.sqrt(1 - rho**2)
    design = responses(run.times, run.onsets, run.durations)
    full = whiten @ np.column_stack([design, np.ones(len(run.times)), run.drift])
    beta, rss, _, _ = np.linalg.lstsq(full, whiten @ run.signal, rcond=None)
    variance = np.diag(np.linalg.inv(full.T @ full))[:12, None] * rss / np.subtract(*full.shape)
    np.testing.assert_allclose(found.beta, beta[:12], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.se, np.sqrt(variance), rtol=1e-6)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), factor=st.floats(-5, 5), ridge=st.sampled_from([0.1, 1.0, 10.0]))
def test_linear_in_the_signal_and_ridge_vanishes_smoothly(
    seed: int, factor: float, ridge: float
) -> None:
    run = simulate(seed, step=2.0, interval=6, noise=0.5, rho=0.3, n_events=10, n_channels=4)

    def beta(signal: np.ndarray, strength: float = ridge) -> np.ndarray:
        return single_trial_betas(
            signal,
            run.times,
            run.onsets,
            run.durations,
            ridge=strength,
            autocorrelation=0.3,
        ).beta

    a, b = run.signal[:, :2], run.signal[:, 2:]
    np.testing.assert_allclose(beta(a + factor * b), beta(a) + factor * beta(b), atol=1e-9)
    np.testing.assert_allclose(beta(a, 1e-9), beta(a, 0.0), atol=1e-6)


def test_channel_order_does_not_matter() -> None:
    run = simulate(3, step=2.0, interval=6, noise=0.5, rho=0.3, n_events=20, n_channels=7)
    order = np.random.default_rng(0).permutation(7)
    straight = single_trial_betas(run.signal, run.times, run.onsets, run.durations)
    shuffled = single_trial_betas(run.signal[:, order], run.times, run.onsets, run.durations)
    np.testing.assert_allclose(shuffled.beta, straight.beta[:, order], rtol=1e-9)
    np.testing.assert_allclose(shuffled.se, straight.se[:, order], rtol=1e-9)


def test_cleaned_signal_and_raw_signal_give_the_same() -> None:
    """Frisch-Waugh-Lovell, with scrubbed volumes: cleaning first changes nothing."""
    run = simulate(4, step=2.0, interval=8, noise=0.4, rho=0.3, n_events=15, n_channels=5)
    valid = np.ones(len(run.times), bool)
    valid[[7, 8, 30]] = False
    confounds = np.column_stack([np.ones(len(run.times)), run.drift])
    raw = run.signal + confounds @ np.full((confounds.shape[1], 5), 40.0)
    fitted = np.linalg.lstsq(confounds[valid], raw[valid], rcond=None)[0]
    clean = raw - confounds @ fitted
    clean[~valid] = 1e6
    kwargs = {"regressors": pd.DataFrame(run.drift), "valid": valid}
    one = single_trial_betas(clean, run.times, run.onsets, run.durations, **kwargs)
    other = single_trial_betas(raw, run.times, run.onsets, run.durations, **kwargs)
    np.testing.assert_allclose(one.beta, other.beta, atol=1e-8)
    np.testing.assert_allclose(one.se, other.se, atol=1e-8)


def test_fast_signals_are_averaged_without_bias() -> None:
    run = simulate(5, step=0.125, interval=9, noise=0.0, rho=0.0, n_events=10, n_channels=2)
    noise = 1e-6 * np.random.default_rng(0).standard_normal(run.signal.shape)
    for step in (None, 1.0, 2.0):
        found = single_trial_betas(
            run.signal + noise,
            run.times,
            run.onsets,
            run.durations,
            step=step,
            ridge=0.0,
            autocorrelation=0.0,
        )
        np.testing.assert_allclose(found.beta, run.truth, atol=1e-4)


def test_events_outside_the_recording_have_no_estimate() -> None:
    run = simulate(6, step=2.0, interval=10, noise=0.2, rho=0.0, n_events=8, n_channels=2)
    onsets = np.concatenate([[-60.0], run.onsets, [run.times[-1] + 1, run.times[-1] + 500]])
    found = single_trial_betas(run.signal, run.times, onsets, np.full(11, 1.0))
    outside = [0, 9, 10]
    assert np.isnan(found.beta[outside]).all()
    assert np.isnan(found.se[outside]).all()
    assert found.flagged[outside].all()
    assert np.isfinite(found.beta[1:9]).all()
    assert not found.flagged[1:9].any()


def test_scrubbed_responses_have_no_estimate() -> None:
    run = simulate(7, step=2.0, interval=20, noise=0.2, rho=0.0, n_events=6, n_channels=2)
    hidden = (run.times > run.onsets[2]) & (run.times < run.onsets[2] + 15)
    valid = np.tile(~hidden[:, None], (1, 2))
    valid[:, 1] = True
    found = single_trial_betas(run.signal, run.times, run.onsets, run.durations, valid=valid)
    assert np.isnan(found.beta[2, 0])
    assert np.isfinite(found.beta[2, 1])
    assert not found.flagged[2]


def test_neighbours_within_four_seconds_are_flagged() -> None:
    run = simulate(8, step=2.0, interval=10, noise=0.2, rho=0.0, n_events=6, n_channels=1)
    onsets = np.array([10.0, 20, 23.9, 40, 44.0, 60])
    found = single_trial_betas(run.signal, run.times, onsets, np.zeros(6))
    assert found.flagged.tolist() == [False, True, True, False, False, False]
    assert np.isfinite(found.beta).all()


def test_no_event_one_event_and_no_data() -> None:
    times = np.arange(0, 100, 2.0)
    signal = np.random.default_rng(0).standard_normal((50, 3))
    none = single_trial_betas(signal, times, [], [])
    assert none.beta.shape == (0, 3)
    one = single_trial_betas(signal, times, [20.0], [np.nan])
    assert np.isfinite(one.beta).all()
    assert (one.se > 0).all()
    signal[:, 1] = np.nan
    signal[:, 2] = 5.0
    gone = single_trial_betas(signal, times, [20.0, 50.0], [1.0, 1.0])
    assert np.isfinite(gone.beta[:, 0]).all()
    assert np.isnan(gone.beta[:, 1:]).all()
    short = single_trial_betas(signal[:3], times[:3], [0.0], [1.0])
    assert np.isnan(short.beta).all()
    assert short.flagged.all()


def test_negative_responses_come_out_negative() -> None:
    run = simulate(9, step=2.0, interval=10, noise=0.1, rho=0.0, n_events=10, n_channels=1)
    found = single_trial_betas(-0.35 * run.signal, run.times, run.onsets, run.durations)
    assert correlation(found.beta, -run.truth) > 0.95
    assert found.beta.mean() == pytest.approx(-0.35 * run.truth.mean(), abs=0.03)


def test_responses_peak_at_one_whatever_the_duration() -> None:
    times = np.arange(0, 200, 0.05)
    made = responses(times, [10.0, 10.0, 10.0], [0.0, 1.0, 22.5])
    np.testing.assert_allclose(made.max(axis=0), 1, atol=1e-3)
    assert module.MINIMUM_INTERVAL == 4
