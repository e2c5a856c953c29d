"""How far confidence is from truth, on corpora that its fit never saw: through `align_study`.

Also under rates of damage that the fit did not assume: a confidence is as good as its assumptions.

Run: ``python tests/benchmarks/calibration.py [--runs 100] [--first 1000000]``
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd

from neuropair.pipeline.align.confidence import confidence
from neuropair.pipeline.align.confidence.corpora import ASSUMPTIONS, SOURCES, judged_pairs
from neuropair.pipeline.align.confidence.reliability import expected_calibration_error, reliability
from neuropair.schemas.calibration import calibration

LABELS = ("wrong_row", "name_collision", "wrong_condition")
RATES = {
    "as assumed": ASSUMPTIONS,
    "no label wrong": ASSUMPTIONS | dict.fromkeys(LABELS, 0.0),
    "labels wrong twice as often": ASSUMPTIONS | {name: 2 * ASSUMPTIONS[name] for name in LABELS},
    "triggers damaged half as much": ASSUMPTIONS
    | {"triggers_missing": 0.2, "triggers_spurious": 0.2},
}


def judged(seeds: range, rates: dict[str, float]) -> pd.DataFrame:
    """Reliability of the shipped calibration on these corpora."""
    pairs = pd.concat(
        [
            judged_pairs(name, seeds[: max(1, round(len(seeds) * source.share))], rates)
            for name, source in SOURCES.items()
        ],
        ignore_index=True,
    )
    stated = confidence(pairs)
    return reliability(pairs["tier"].to_numpy(str), stated, pairs["right"].to_numpy(bool))


def speed(n: int) -> float:
    """Seconds of CPU to state the confidence of `n` pairs of all families, mixed."""
    few = pd.concat([judged_pairs(name, range(3)) for name in SOURCES], ignore_index=True)
    columns = [c for c in few.columns if few[c].notna().any() and c not in ("corpus", "right")]
    rows = np.random.default_rng(0).integers(0, len(few), n)
    pairs = few[columns].iloc[rows].reset_index(drop=True)
    started = time.process_time()
    stated = confidence(pairs)
    assert stated.shape == (n,)
    return time.process_time() - started


def main() -> None:
    """Print the errors by tier, and the curve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="corpora of each family")
    parser.add_argument("--first", type=int, default=1_000_000, help="first seed")
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.runs)
    used = calibration().seeds.values()
    if any(first < seeds.stop and seeds.start < stop for first, stop in used):
        parser.error("the fit has seen these seeds; give another --first")
    seconds = time.process_time()
    curves = {name: judged(seeds, rates) for name, rates in RATES.items()}
    errors = pd.DataFrame({name: expected_calibration_error(c) for name, c in curves.items()})
    print("expected calibration error, by tier\n")
    print(errors.round(4).to_string())
    print("\ncurve, as assumed\n")
    print(curves["as assumed"].round(4).to_string(index=False))
    print(f"\n{given.runs} corpora a family at most, {time.process_time() - seconds:.0f} s of CPU")
    print(f"confidence of 10^7 pairs of all families, mixed: {speed(10**7):.1f} s of CPU")


if __name__ == "__main__":
    main()
