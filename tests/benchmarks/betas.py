"""How near single-trial estimates come to the truth: the table of science.md section 6.

Run: ``python tests/benchmarks/betas.py [--seeds 5]``
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neuropair.pipeline.windows.betas import responses, single_trial_betas

N_EVENTS, N_CHANNELS = 60, 30
HIGHPASS = 1 / 128


@dataclass(frozen=True)
class Case:
    """A recording: samples every `step` s, AR(1) noise of this SD over a response's peak."""

    name: str
    step: float
    interval: float
    rho: float
    noise: float


CASES = (
    Case("fMRI, TR 2 s", 2.0, 4.5, 0.3, 0.57),
    Case("fMRI, TR 2 s", 2.0, 8.0, 0.3, 0.40),
    Case("fMRI, TR 2 s", 2.0, 15.0, 0.3, 0.40),
    Case("fNIRS, 8 Hz", 0.125, 4.5, 0.8, 0.52),
    Case("fNIRS, 8 Hz, slow noise", 0.125, 4.5, 0.95, 0.40),
)


@dataclass(frozen=True)
class Run:
    """One simulated run: amplitudes of mean 1 and SD 0.5, intervals jittered by 40 %."""

    times: np.ndarray
    onsets: np.ndarray
    design: np.ndarray
    truth: np.ndarray
    signal: np.ndarray
    drift: np.ndarray


def simulate(case: Case, seed: int) -> Run:
    """Simulate one run."""
    rng = np.random.default_rng(seed)
    onsets = np.cumsum(case.interval * (1 + 0.4 * (rng.random(N_EVENTS) * 2 - 1)))
    times = np.arange(0, onsets[-1] + 25, case.step)
    design = responses(times, onsets, np.ones(N_EVENTS))
    truth = 1 + 0.5 * rng.standard_normal((N_EVENTS, N_CHANNELS))
    coloured = np.zeros((len(times), N_CHANNELS))
    for row, innovation in enumerate(rng.standard_normal(coloured.shape)):
        coloured[row] = (case.rho * coloured[row - 1] if row else 0) + innovation
    signal = design @ truth + case.noise * coloured / coloured.std()
    cycles = np.arange(1, 1 + int(2 * times[-1] * HIGHPASS))
    phase = (np.arange(len(times))[:, np.newaxis] + 0.5) / len(times)
    drift = np.column_stack([np.ones(len(times)), np.cos(np.pi * cycles * phase)])
    return Run(times, onsets, design, truth, signal, drift)


def window(run: Run) -> np.ndarray:
    """Mean from 4 to 8 s, minus the mean of the 2 s before."""

    def mean(tmin: float, tmax: float) -> np.ndarray:
        rows = [(run.times >= t + tmin) & (run.times <= t + tmax) for t in run.onsets]
        return np.array([run.signal[row].mean(axis=0) for row in rows])

    return mean(4, 8) - mean(-2, 0)


def lsa(run: Run) -> np.ndarray:
    """Ordinary least squares, all events at once."""
    full = np.column_stack([run.design, run.drift])
    return np.linalg.lstsq(full, run.signal, rcond=None)[0][:N_EVENTS]


def lss(run: Run) -> np.ndarray:
    """Ordinary least squares, an event against all others, one by one."""
    everything = run.design.sum(axis=1)
    found = []
    for one in run.design.T:
        full = np.column_stack([one, everything - one, run.drift])
        found.append(np.linalg.lstsq(full, run.signal, rcond=None)[0][0])
    return np.array(found)


def ours(run: Run) -> np.ndarray:
    """Ridge-LSA to the mean response."""
    durations = np.ones(N_EVENTS)
    found = single_trial_betas(
        run.signal, run.times, run.onsets, durations, regressors=run.drift[:, 1:]
    )
    return found.beta


def bound(run: Run) -> np.ndarray:
    """Ridge-LSA with the ridge and autocorrelation that the truth likes best: nobody has these."""
    durations = np.ones(N_EVENTS)
    tried = [
        single_trial_betas(
            run.signal,
            run.times,
            run.onsets,
            durations,
            regressors=run.drift[:, 1:],
            ridge=ridge,
            autocorrelation=rho,
        ).beta
        for ridge in (0.15, 0.3, 0.6, 1.0, 2.0, 4.0)
        for rho in (0.0, 0.15, 0.3, 0.6)
    ]
    return max(tried, key=lambda beta: correlation(beta, run.truth))


METHODS: dict[str, Callable[[Run], np.ndarray]] = {
    "window": window,
    "LSA": lsa,
    "LSS": lss,
    "ridge-LSA": ours,
    "its bound": bound,
}


def correlation(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Mean over channels of the correlation over events."""
    pairs = zip(estimate.T, truth.T, strict=True)
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs]))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    header = " | ".join(METHODS)
    print(f"| | interval | {header} | over LSA | over window | ms a run |")
    print("|---" * (len(METHODS) + 5) + "|")
    for case in CASES:
        runs = [simulate(case, seed) for seed in range(seeds)]
        ours(runs[0])
        seconds = time.perf_counter()
        for run in runs:
            ours(run)
        seconds = (time.perf_counter() - seconds) / seeds
        scores = {
            name: np.mean([correlation(method(run), run.truth) for run in runs])
            for name, method in METHODS.items()
        }
        cells = " | ".join(f"{score:.2f}" for score in scores.values())
        best = scores["ridge-LSA"]
        print(
            f"| {case.name} | {case.interval:g} s | {cells} | {best / scores['LSA']:.2f} "
            f"| {best / scores['window']:.2f} | {1e3 * seconds:.0f} |"
        )


if __name__ == "__main__":
    main()
