"""How right the alignment of clocks is under known damage: the table of science.md section 3.

Run: ``python tests/benchmarks/clock.py [--seeds 300]``
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np

from neuropair.pipeline.align.clock import Clock, align_clocks
from neuropair.pipeline.align.simulated import Damage, Trains, trains

SCENARIOS: dict[str, Damage] = {
    "no damage": Damage(missing=0, spurious=0, duplicated=0),
    "10/10/10 %, 8 ms, 400 ppm": Damage(),
    "30/30 %": Damage(missing=0.3, spurious=0.3),
    "10/10 %, 128 ms steps": Damage(step=0.128),
    "10/10/10 %, on both sides": Damage(both=True),
    "10/10/10 %, no codes": Damage(n_codes=1),
    "10/10/10 %, 40 events": Damage(n=40),
    "10/10 %, 12 events, 128 ms": Damage(n=12, step=0.128),
    "10/10/10 %, 3,000 events": Damage(n=3000),
    "fixed interval, no codes": Damage(interval="fixed", n_codes=1),
    "fixed, no codes, no damage": Damage(
        interval="fixed", n_codes=1, missing=0, spurious=0, duplicated=0
    ),
    "fixed interval, 4 codes": Damage(interval="fixed"),
    "unrelated": Damage(unrelated=True),
    "unrelated, 1 code, 128 ms": Damage(unrelated=True, n_codes=1, step=0.128),
    "unrelated, 10 events, 128 ms": Damage(unrelated=True, n=10, step=0.128),
    "unrelated, 40 events, 128 ms": Damage(unrelated=True, n=40, step=0.128),
    "unrelated, fixed, 128 ms": Damage(unrelated=True, interval="fixed", step=0.128),
}


@dataclass
class Score:
    accepted: int = 0
    wrong: int = 0
    right_pairs: int = 0
    pairs: int = 0
    true_pairs: int = 0
    inside: int = 0
    intervals: int = 0


def score_one(drawn: Trains, clock: Clock, damage: Damage, score: Score) -> None:
    """Add one accepted alignment. Wrong: the clock is off by more than its tolerance and bias."""
    a, b = drawn.truth_a[clock.matched[:, 0]], drawn.truth_b[clock.matched[:, 1]]
    score.accepted += 1
    score.pairs += len(a)
    score.right_pairs += int(((a == b) & (a >= 0)).sum())
    score.true_pairs += drawn.n_true
    at = np.linspace(drawn.times_a.min(), drawn.times_a.max(), 5)
    # cutting stamps down to steps takes half a step away on average: the bias triggers cannot show
    error = clock.to_b(at) - (drawn.offset + drawn.slope * at - damage.step / 2)
    score.wrong += bool(damage.unrelated or np.abs(error).max() > clock.tolerance + clock.bias)
    score.inside += int((np.abs(error) <= clock.half_width(at)).sum())
    score.intervals += at.size


def run(damage: Damage, seeds: int) -> Score:
    """Align `seeds` drawn pairs of trains."""
    score = Score()
    for seed in range(seeds):
        drawn = trains(np.random.default_rng(seed), damage)
        clock = align_clocks(
            drawn.times_a,
            drawn.codes_a,
            drawn.times_b,
            drawn.codes_b,
            q=damage.step or 0.001,
        )
        if isinstance(clock, Clock):
            score_one(drawn, clock, damage, score)
    return score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=300)
    seeds = parser.parse_args().seeds
    print(f"{'damage':30} accepted wrong precision recall  95 % interval  ms a run")
    for name, damage in SCENARIOS.items():
        began = time.perf_counter()
        s = run(damage, max(20, seeds // 10) if damage.n > 1000 else seeds)
        each = (time.perf_counter() - began) / seeds * 1e3
        if s.accepted:
            figures = (
                f"{s.right_pairs / s.pairs:9.4f} {s.right_pairs / max(s.true_pairs, 1):6.4f} "
                f"{s.inside / s.intervals:14.3f}"
            )
        else:
            figures = f"{'-':>9} {'-':>6} {'-':>14}"
        print(f"{name:30} {s.accepted:8d} {s.wrong:5d} {figures} {each:9.1f}")


if __name__ == "__main__":
    main()
