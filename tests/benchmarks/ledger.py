"""What the ledger finds, misses and takes: the figures of the issue.

Run: ``python tests/benchmarks/ledger.py [--corpora 1000] [--only empty,dose,tasks,time,power]``
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np

from neuropair.catalog.ledger import Rule, measure_rule
from neuropair.catalog.ledger.folds import make_folds
from neuropair.catalog.ledger.maps import Maps, principal_axes
from neuropair.catalog.ledger.nulls import as_paired, moved, replaced
from neuropair.catalog.ledger.paired import Paired, comparable
from neuropair.catalog.ledger.rows import Measured
from neuropair.catalog.ledger.simulated import World, draw
from neuropair.schemas.kinds import Tier

SMALL = World(persons=5, trials=16, features_a=8, features_b=6)
CONDITIONS = replace(SMALL, condition=1.0)
EMPTY: dict[str, tuple[str, World]] = {
    "L1: offsets, autocorrelation .3": ("L1", SMALL),
    "L2: conditions": ("L2", CONDITIONS),
    "L2: conditions, other order": ("L2", replace(CONDITIONS, jumbled=True)),
    "L3: conditions, drift": ("L3", replace(CONDITIONS, drift=1.0, trials=32)),
    "L4: autocorrelation .5": ("L4", replace(SMALL, autocorrelation=0.5)),
    "L2: autocorrelation .5": ("L2", replace(CONDITIONS, autocorrelation=0.5)),
    "L2: wrong stimulus, alike in all": ("L2", replace(CONDITIONS, stimuli=16, stimulus=0.7)),
}
FULL = World(persons=6, trials=30, condition=1.0, instance=0.5)


def measured(paired: Paired, null: str, n: int, rng: np.random.Generator) -> Measured:
    """Test one null, without the interval of the effect."""
    maps = Maps(paired, make_folds(paired))
    effect = float(maps.scores(as_paired(len(paired)))[0])
    return Measured(effect, maps.scores(moved(paired, null, n, rng)), np.nan, np.nan)


def empty(corpora: int, permutations: int) -> None:
    """Count false positives at 5 %."""
    print(f"\nfalse positives at 5 %, {permutations} permutations (5 +/- 1.5 wanted)")
    print(f"{'empty of all but':34} corpora  passed   raw   CPU s")
    for name, (null, world) in EMPTY.items():
        began = time.process_time()
        passed, raw = 0, 0
        for seed in range(corpora):
            rng = np.random.default_rng([seed, 1])
            drawn = draw(world, rng)
            passed += measured(comparable(drawn), null, permutations, rng).is_beaten
            if seed < corpora // 5:
                raw += measured(_centred(drawn), null, permutations, rng).is_beaten
        share, plain = passed / corpora, raw / max(corpora // 5, 1)
        took = time.process_time() - began
        print(f"{name:34} {corpora:7d} {share:7.1%} {plain:5.1%} {took:7.0f}", flush=True)
    print("raw: features centred by recording only, a fifth of the corpora")


def _centred(paired: Paired) -> Paired:
    def less(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
        means = {code: values[codes == code].mean(0) for code in np.unique(codes)}
        return values - np.array([means[code] for code in codes])

    return replace(
        paired, a=less(paired.a, paired.recording_a), b=less(paired.b, paired.recording_b)
    )


def dose(corpora: int) -> None:
    """Replace more and more pairs by wrong ones."""
    shares = (0.0, 0.1, 0.25, 0.5, 1.0)
    scores = np.zeros((corpora, len(shares)))
    for seed in range(corpora):
        rng = np.random.default_rng([seed, 2])
        paired = comparable(draw(FULL, rng))
        maps = Maps(paired, make_folds(paired))
        for place, share in enumerate(shares):
            n = 1 if share == 0 else 49
            scores[seed, place] = maps.scores(replaced(paired, share, n, rng)).mean()
            if share == 0:
                scores[seed, 0] = maps.scores(as_paired(len(paired)))[0]
    falls = (np.diff(scores, axis=1) < 0).all(1).mean()
    print(f"\ndose response, {corpora} corpora: monotone in {falls:.0%}")
    for share, score in zip(shares, scores.mean(0), strict=True):
        print(f"  {share:4.0%} wrong: mean score {score:.3f}")


def tasks(corpora: int, permutations: int) -> None:
    """Judge tiers whose truth is known."""
    collision = replace(FULL, instance=0.0, condition=2.0, jumbled=True)
    same_name = replace(collision, stimuli=16, stimulus=0.7)
    cases = {
        "T2 right pairs": (Tier.T2, replace(FULL, jumbled=True), "holds"),
        "T2 name collision": (Tier.T2, collision, "fails"),
        "T2 name collision, alike in all": (Tier.T2, same_name, "fails"),
        "T3 right condition": (Tier.T3, collision, "holds"),
        "T3 with a planted leak": (Tier.T3, replace(collision, instance=0.8), "fails"),
    }
    print(f"\nclaims, {corpora} corpora, {permutations} permutations")
    print(f"{'task':34} L1 holds  L2 {'as it should':14}")
    for name, (tier, world, wanted) in cases.items():
        claims = []
        for seed in range(corpora):
            paired = draw(world, np.random.default_rng([seed, 3]))
            rows = measure_rule(
                Rule(tier, "task", "meg", "fmri"), paired, permutations=permutations, seed=seed
            )
            claims.append([row["claim"] for row in rows[:2]])
        first = np.mean([claim[0] == "holds" for claim in claims])
        second = np.mean([claim[1] == wanted for claim in claims])
        print(f"{name:34} {first:8.0%}  {second:6.0%} {wanted}", flush=True)


def refits(permutations: int) -> None:
    """Time refits of 10,000 pairs against fits from scratch."""
    from sklearn.linear_model import Ridge

    world = World(
        persons=20, runs=5, trials=97, features_a=320, features_b=200, conditions=8, condition=0.5
    )
    drawn = draw(world, np.random.default_rng(0))
    wall, cpu = time.perf_counter(), time.process_time()
    paired = comparable(drawn)
    folds = make_folds(paired)
    maps = Maps(paired, folds)
    ready = time.process_time() - cpu
    partners = moved(paired, "L2", permutations, np.random.default_rng(1))
    maps.scores(partners)
    took, busy = time.perf_counter() - wall, time.process_time() - cpu
    print(
        f"\n{permutations} refits x {len(folds)} folds of {len(paired)} pairs "
        f"(320 to 200 features, 64 components): {busy:.1f} s CPU, {took:.1f} s wall, "
        f"{ready:.1f} s CPU of it once"
    )
    cpu, n = time.process_time(), 3
    for row in partners[:n]:
        for fold in folds:
            x = paired.a @ principal_axes(paired.a[fold.basis], 64)
            y = paired.b @ principal_axes(paired.b[fold.basis], 64, whiten=True)
            model = Ridge(fit_intercept=False).fit(x[fold.train], y[row][fold.train])
            np.corrcoef(model.predict(x[fold.test]).ravel(), y[row][fold.test].ravel())
    scratch = (time.process_time() - cpu) / n * permutations
    print(
        f"from scratch (components and sklearn's Ridge, one penalty): {scratch:.0f} s CPU, from "
        f"{n} of them: {scratch / busy:.0f} times as long"
    )


def power(corpora: int, permutations: int) -> None:
    """Compare how often an effect is found with what 'detectable' said."""
    print(f"\npower against L2, {corpora} corpora a row, {permutations} permutations")
    print("instance  excess  detectable  found")
    for strength in (0.0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4):
        found, excess, seen = 0, 0.0, 0.0
        for seed in range(corpora):
            rng = np.random.default_rng([seed, 4])
            paired = comparable(draw(replace(FULL, instance=strength), rng))
            one = measured(paired, "L2", permutations, rng)
            found += one.is_beaten
            excess += (one.effect - one.null.mean()) / corpora
            seen += one.detectable / corpora
        print(f"{strength:8.2f} {excess:7.4f} {seen:11.4f} {found / corpora:6.0%}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=int, default=1000)
    parser.add_argument("--permutations", type=int, default=199)
    parser.add_argument("--only", default="time,dose,tasks,power,empty")
    options = parser.parse_args()
    few = max(10, options.corpora // 25)
    parts = {
        "time": lambda: refits(999),
        "dose": lambda: dose(few),
        "tasks": lambda: tasks(few, options.permutations),
        "power": lambda: power(2 * few, options.permutations),
        "empty": lambda: empty(options.corpora, options.permutations),
    }
    for name in options.only.split(","):
        parts[name]()


if __name__ == "__main__":
    main()
