"""How right the alignment of clocks is, on thousands of simulated pairs of trigger trains.

Run: ``python tests/benchmarks/clock.py [--corpora 5000] [--processes 1] [--only NAME]``

Every corpus draws its own damage from its scenario's ranges, by its seed. Recall counts the events
that both devices kept and that end up paired; precision the pairs that are one event. Of duplicated
and bounced triggers the first is the event. The clock's error excludes the constant half step that
stamps lose by being cut down (the documented bias); where intervals are multiples of the step that
loss is not half a step and no trigger tells it, so such corpora are left out of the interval's
figure.
"""

from __future__ import annotations

import argparse
import time
import zlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neuropair.pipeline.align.clock import Clock, align_clocks
from neuropair.pipeline.align.simulated import Damage, Trains, trains

STEPS = (0.0, 0.05, 0.1, 0.128, 0.2)
JITTER = 0.005
"""s, as the pairing states by default; the trains jitter by up to 8 ms on either side."""


def _damage(**fixed: Any) -> Callable[[np.random.Generator], Damage]:
    """Draw 40 to 400 events of 1 to 8 codes; what is given holds, functions of rng are drawn."""

    def draw(rng: np.random.Generator) -> Damage:
        values = {
            "n": int(np.exp(rng.uniform(np.log(40), np.log(400)))),
            "n_codes": int(rng.integers(1, 9)),
            "jitter": float(rng.uniform(0.001, 0.008)),
        }
        given = {k: v(rng) if callable(v) else v for k, v in fixed.items()}
        return Damage(**{**values, **given})

    return draw


def _up_to(high: float, low: float = 0.0) -> Callable[[np.random.Generator], float]:
    return lambda rng: float(rng.uniform(low, high))


def _one_of(*values: Any) -> Callable[[np.random.Generator], Any]:
    return lambda rng: values[int(rng.integers(len(values)))]


def _many(low: int, high: int) -> Callable[[np.random.Generator], int]:
    return lambda rng: int(np.exp(rng.uniform(np.log(low), np.log(high))))


def _restart(rng: np.random.Generator) -> float:
    """Time gained (by a clock set anew) or lost (of samples that were not recorded)."""
    return float(rng.choice([-1, 1]) * np.exp(rng.uniform(np.log(0.3), np.log(300))))


ANY: dict[str, Any] = {
    "missing": _up_to(0.4),
    "spurious": _up_to(0.4),
    "duplicated": _up_to(0.4),
    "bounced": _up_to(0.3),
    "step": _one_of(*STEPS),
    "n_codes": _one_of(1, 2, 3, 4, 8, 16),
}
NONE: dict[str, Any] = {"missing": 0, "spurious": 0, "duplicated": 0}


@dataclass(frozen=True)
class Scenario:
    """What is drawn, how often, and whether triggers can align it."""

    draw: Callable[[np.random.Generator], Damage]
    weight: float = 1.0
    can: bool = True
    factor: float = 1.0
    """Unit of b's times, s."""


SCENARIOS: dict[str, Scenario] = {
    "no damage": Scenario(_damage(**NONE)),
    "10/10 %": Scenario(_damage(jitter=0.008), 2),
    "10/10 %, both sides": Scenario(_damage(jitter=0.008, both=True), 2),
    "10/10 %, quantised": Scenario(_damage(jitter=0.008, step=_one_of(*STEPS[1:])), 2),
    "30/30 %": Scenario(_damage(missing=0.3, spurious=0.3, jitter=0.008), 2),
    "30/30 %, quantised": Scenario(
        _damage(missing=0.3, spurious=0.3, jitter=0.008, step=_one_of(*STEPS[1:])), 2
    ),
    "0..40 %": Scenario(_damage(**ANY), 3),
    "0..40 %, both sides": Scenario(_damage(**ANY, both=True), 2),
    "no codes": Scenario(_damage(**{**ANY, "n_codes": 1})),
    "8..20 events": Scenario(_damage(n=_many(8, 20), **ANY), 2),
    "500..3,000 events": Scenario(_damage(n=_many(500, 3000), **ANY), 0.25),
    "fixed interval, codes": Scenario(
        _damage(**{**ANY, "n_codes": _one_of(2, 4, 8)}, interval="fixed")
    ),
    "2, 4 or 6 s": Scenario(_damage(**ANY, interval="grid")),
    "gap": Scenario(_damage(gap=_up_to(0.4, 0.1), step=_one_of(*STEPS), n=_many(60, 400))),
    "restart, 10/10 %": Scenario(
        _damage(restart=_up_to(0.2), jump=_restart, step=_one_of(*STEPS), n=_many(60, 400)), 2
    ),
    "restart, 30/30 %, both": Scenario(
        _damage(
            missing=0.3,
            spurious=0.3,
            restart=_up_to(0.2),
            jump=_restart,
            n=_many(100, 400),
            both=True,
        )
    ),
    "restart, small step": Scenario(
        _damage(
            restart=0.01,
            jump=_one_of(-0.2, -0.1, -0.05, 0.05, 0.1, 0.2),
            n=_many(60, 400),
            jitter=0.004,
        )
    ),
    "fixed interval, no codes": Scenario(
        _damage(**{**ANY, "n_codes": 1}, interval="fixed", both=_one_of(True, False)), can=False
    ),
    "the same, no damage": Scenario(_damage(**NONE, n_codes=1, interval="fixed"), 0.3, can=False),
    "unrelated": Scenario(_damage(**ANY, unrelated=True, n=_many(8, 400)), 2, can=False),
    "unrelated, fixed": Scenario(
        _damage(**ANY, unrelated=True, interval="fixed", n=_many(8, 400)), 2, can=False
    ),
    "unrelated, 2, 4 or 6 s": Scenario(
        _damage(**ANY, unrelated=True, interval="grid", n=_many(8, 400)), 2, can=False
    ),
    "unrelated, no damage": Scenario(
        _damage(
            **NONE,
            unrelated=True,
            interval=_one_of("fixed", "grid", "drawn"),
            n=_many(8, 60),
            step=_one_of(*STEPS),
        ),
        2,
        can=False,
    ),
    "b in milliseconds": Scenario(_damage(), 0.5, can=False, factor=1e-3),
}


@dataclass
class Score:
    """Sums over the corpora of one scenario."""

    corpora: int = 0
    accepted: int = 0
    wrong: int = 0
    right_pairs: int = 0
    pairs: int = 0
    true_pairs: int = 0
    true_pairs_all: int = 0
    inside: int = 0
    intervals: int = 0
    split: int = 0
    unmapped: int = 0
    seconds: float = 0.0
    codes: Counter[str] = field(default_factory=Counter)

    def add(self, other: Score) -> None:
        """Add another's sums."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    @property
    def precision(self) -> float:
        return self.right_pairs / max(1, self.pairs)

    @property
    def recall(self) -> float:
        return self.right_pairs / max(1, self.true_pairs)

    @property
    def covered(self) -> float:
        return self.inside / self.intervals if self.intervals else float("nan")


def score_one(drawn: Trains, clock: Clock, damage: Damage, score: Score) -> None:
    """Add one accepted alignment. Wrong: the clock is off by more than its tolerance and bias."""
    a, b = drawn.truth_a[clock.matched[:, 0]], drawn.truth_b[clock.matched[:, 1]]
    score.accepted += 1
    score.pairs += len(a)
    score.right_pairs += int(((a == b) & (a >= 0)).sum())
    score.true_pairs += drawn.n_true
    kept = drawn.times_a[np.isin(drawn.truth_a, drawn.truth_b) & (drawn.truth_a >= 0)]
    at = np.concatenate([np.linspace(kept.min(), kept.max(), 5), kept]) if kept.size else kept
    # cutting stamps down to steps takes half a step away on average: the bias triggers cannot show
    error = clock.to_b(at) - (drawn.true_b(at) - damage.step / 2)
    held = np.isfinite(error)
    # nothing is true between a restart's last event before and first one after
    near = np.abs(at - drawn.restarted) > damage.restart * damage.n * 6 + 10
    limit = 0.6 * (damage.step or 0.001) + 4 * JITTER + clock.bias
    score.wrong += bool(damage.unrelated or (np.abs(error[held & near]) > limit).any())
    score.split += len(clock.segments) > 1
    score.unmapped += bool((~held[5:]).any())
    resonant = damage.interval != "drawn" and damage.step in (0.05, 0.1, 0.2)
    if not resonant and not damage.unrelated:
        five = slice(0, 5)
        held = held[five] & near[five]
        score.inside += int((np.abs(error[five]) <= clock.half_width(at[five]))[held].sum())
        score.intervals += int(held.sum())


def run(name: str, seeds: range) -> Score:
    """Align one scenario's pairs of trains, drawn by the seeds."""
    scenario = SCENARIOS[name]
    score = Score()
    for seed in seeds:
        # crc32 and not hash(), which differs from process to process
        rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
        damage = scenario.draw(rng)
        drawn = trains(rng, damage)
        began = time.process_time()
        found = align_clocks(
            drawn.times_a,
            drawn.codes_a,
            drawn.times_b / scenario.factor,
            drawn.codes_b,
            q=damage.step or 0.001,
            jitter=JITTER,
        )
        score.seconds += time.process_time() - began
        score.corpora += 1
        score.true_pairs_all += drawn.n_true
        if isinstance(found, Clock):
            score_one(drawn, found, damage, score)
        else:
            score.codes[found.code] += 1
    return score


def _one(task: tuple[str, int, int]) -> tuple[str, Score]:
    return task[0], run(task[0], range(task[1], task[2]))


def figures(scores: dict[str, Score]) -> list[tuple[str, str, bool]]:
    """Put together the figures that the alignment must reach: name, value, reached."""
    able = {name: s for name, s in scores.items() if SCENARIOS[name].can}
    unable = {name: s for name, s in scores.items() if not SCENARIOS[name].can}
    rows: list[tuple[str, str, bool]] = []
    wrong = sum(s.wrong for s in scores.values()) + sum(s.accepted for s in unable.values())
    rows.append(("accepted-wrong = 0", str(wrong), wrong == 0))
    for level, precision, recall in (("10/10 %", 0.995, 0.985), ("30/30 %", 0.98, 0.93)):
        total = Score()
        for name, s in able.items():
            if level in name:
                total.add(s)
        if total.accepted:
            p, r = total.precision, total.recall
            every = total.right_pairs / max(1, total.true_pairs_all)
            rows.append((f"{level} precision >= {precision}", f"{p:.4f}", p >= precision))
            rows.append((f"{level} recall >= {recall}", f"{r:.4f}", r >= recall))
            rows.append((f"{level} recall, abstentions as 0", f"{every:.4f}", every >= recall))
    total = Score()
    for s in able.values():
        total.add(s)
    covered = total.covered
    rows.append(("95 % interval covers .93..97", f"{covered:.4f}", 0.93 <= covered <= 0.97))
    n, abstained = (
        sum(s.corpora for s in unable.values()),
        sum(s.corpora - s.accepted for s in unable.values()),
    )
    rows.append(("abstains where none can align", f"{abstained} of {n}", abstained == n))
    whole = [s for name, s in able.items() if "restart" not in name]
    split, intact = sum(s.split for s in whole), sum(s.accepted for s in whole)
    rows.append(("undisturbed recordings split = 0", f"{split} of {intact}", split == 0))
    return rows


def main() -> None:
    """Print the table and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=int, default=5000)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--only", default="", help="scenarios whose name holds this")
    given = parser.parse_args()
    names = [name for name in SCENARIOS if given.only in name]
    weights = sum(SCENARIOS[name].weight for name in names)
    tasks = []
    for name in names:
        n = int(np.ceil(given.corpora * SCENARIOS[name].weight / weights))
        tasks += [(name, first, min(n, first + 25)) for first in range(0, n, 25)]
    scores = {name: Score() for name in names}
    with ProcessPoolExecutor(given.processes) as pool:
        for name, score in pool.map(_one, tasks):
            scores[name].add(score)
    print(
        f"{'scenario':26} corpora accepted wrong precision recall interval split unmapped CPU ms"
        "  abstentions"
    )
    for name, s in scores.items():
        why = ", ".join(f"{code} {n}" for code, n in s.codes.most_common())
        print(
            f"{name:26} {s.corpora:7d} {s.accepted:8d} {s.wrong:5d} {s.precision:9.4f} "
            f"{s.recall:6.4f} {s.covered:8.3f} {s.split:5d} {s.unmapped:8d} "
            f"{s.seconds / s.corpora * 1e3:6.1f}  {why}"
        )
    print(f"\n{sum(s.corpora for s in scores.values())} corpora")
    for name, value, reached in figures(scores):
        print(f"{'pass' if reached else 'FAIL'}  {name:36} {value}")


if __name__ == "__main__":
    main()
