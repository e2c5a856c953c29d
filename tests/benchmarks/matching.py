"""How long pairing takes, how much memory, and how good the pairs are against a reference.

Run: ``python tests/benchmarks/matching.py [--events 1000000] [--per-recording 500] [--cases T2 …]``

Each case runs in a process of its own, so that its peak memory is its own; the tables it is given
are in that figure. T4 and T5 name every two recordings of different people, so that their
abstentions grow with the square of the recordings: at 10^7 events give ``--per-recording 5000``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from neuropair.pipeline.align import AlignResult, align_study
from neuropair.pipeline.align.assignment import assign
from neuropair.pipeline.align.points import Points, Rules
from neuropair.schemas.study import Study


class Case(NamedTuple):
    """A tier, and what it is given."""

    tier: str
    n_concepts: int
    shown: int
    """How often a stimulus is shown to a person."""


CASES = {
    "T2": Case("T2", 1, 1),
    "T2-repeated": Case("T2", 1, 4),
    "T4": Case("T4", 1, 1),
    "T3": Case("T3", 4, 1),
    "T5": Case("T5", 40, 1),
    "T5-few": Case("T5", 4, 1),
}


def tables(n: int, case: Case, per_recording: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw `n` events, half of them MEG and half fMRI; a person has one recording of either."""
    rng = np.random.default_rng(0)
    n_people = max(2, n // per_recording // 2)
    rows, parts = [], []
    concepts = np.array([f"c/{k}" for k in range(case.n_concepts)], dtype=object)
    stimuli = np.array([f"k{k}" for k in range(per_recording)], dtype=object)
    for k in range(n_people):
        for modality, pace in (("meg", 3.0), ("fmri", 3.2)):
            name = f"ds/sub-{k:05d}/{modality}"
            rows.append(
                {
                    "recording": name,
                    "dataset": "ds",
                    "subject": f"{k:05d}",
                    "modality": modality,
                    "person": f"{k:05d}",
                    "split": "train",
                    "status": "ok",
                    "source_file": name,
                }
            )
            parts.append(rng.normal(pace, 0.8, per_recording).clip(0.5))
    interval = np.concatenate(parts)
    size = len(rows) * per_recording
    names = np.array([row["recording"] for row in rows], dtype=object)
    order = np.concatenate([rng.permutation(per_recording) for _ in rows])
    events = pd.DataFrame(
        {
            "recording": pd.Series(np.repeat(names, per_recording), dtype=object),
            "event": np.tile(np.arange(per_recording, dtype=np.int32), len(rows)),
            "onset": np.concatenate([np.cumsum(part) for part in parts]),
            "concept": pd.Series(concepts[rng.integers(0, case.n_concepts, size)], dtype=object),
            "stimulus": pd.Series(stimuli[order // case.shown], dtype=object),
            "identity": pd.Series(np.full(size, "content", dtype=object), dtype=object),
            "preceding_interval": interval,
            "run_position": np.tile(np.linspace(0, 1, per_recording), len(rows)),
        }
    )
    return pd.DataFrame(rows), events


def match(tier: str, recordings: pd.DataFrame, events: pd.DataFrame, **more: Any) -> AlignResult:
    """Pair MEG with fMRI by one tier."""
    pairing = {"name": tier, "tier": tier, "a": {"modality": "meg"}, "b": {"modality": "fmri"}}
    study = Study.model_validate(
        {
            "study": "benchmark",
            "title": "benchmark",
            "datasets": [{"dataset": "ds"}],
            "pairings": [pairing | more],
        }
    )
    return align_study(study, recordings, events)


def measure(job: tuple[str, int, int]) -> str:
    """Run one case: a line of the table."""
    name, n, per_recording = job
    case = CASES[name]
    recordings, events = tables(n, case, per_recording)
    given = _peak()
    wall, cpu = time.perf_counter(), time.process_time()
    found = match(case.tier, recordings, events)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    smd = found.balance[["smd_before", "smd_after"]].max().round(3).tolist()
    return (
        f"{name:12} {len(recordings):8d} {len(found.pairs):9d} {len(found.abstentions):10d} "
        f"{len(found.alternates):10d} {len(found.negatives):10d} {cpu:7.1f} {wall:7.1f} "
        f"{given:6.2f} {_peak():6.2f}  {smd[0]} -> {smd[1]}"
    )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def quality(n: int) -> str:
    """One block of `n` events a side against `scipy.optimize.linear_sum_assignment`: a line."""
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(n, 2)), rng.normal(size=(n, 2)) + 0.25
    zero = np.zeros(n, dtype=np.int64)
    every = np.ones((1, 1), dtype=bool)
    began = time.process_time()
    found = assign(
        Points(zero, zero, zero, x), Points(zero, zero, zero, y), Rules(every, every, 0.5)
    )
    ours = time.process_time() - began
    began = time.process_time()
    difference = np.abs(x[:, None] - y[None])
    can = (difference <= 0.5).all(axis=-1)
    distance = np.sqrt((difference**2).mean(axis=-1))
    # one more pair is worth more than any gain in distance, as it is to `assign`
    alone = float(n)
    left, right = linear_sum_assignment(np.where(can, distance, alone))
    reference = time.process_time() - began
    kept = np.asarray(can)[left, right]
    nearness = found.distance.mean() / distance[left, right][kept].mean()
    return f"{n:8d} {found.a.size / kept.sum():8.3f} {nearness:10.3f} {ours:9.2f} {reference:9.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--per-recording", type=int, default=500)
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--blocks", nargs="*", type=int, default=[1000, 3000, 6000])
    args = parser.parse_args()
    print(f"{args.events} events, {args.per_recording} a recording")
    print(
        f"{'case':12} {'record.':>8} {'pairs':>9} {'abstained':>10} {'alternates':>10} "
        f"{'negatives':>10} {'cpu s':>7} {'wall s':>7} {'GB in':>6} {'GB':>6}  SMD (largest)"
    )
    context = multiprocessing.get_context("spawn")
    for name in args.cases:
        with context.Pool(1) as process:
            print(process.apply(measure, ((name, args.events, args.per_recording),)), flush=True)
    if args.blocks:
        print(
            "\none block, caliper 0.5, over scipy's linear_sum_assignment\n"
            f"{'events':>8} {'pairs':>8} {'distance':>10} {'cpu s':>9} {'scipy s':>9}"
        )
    for n in args.blocks:
        print(quality(n), flush=True)


if __name__ == "__main__":
    main()
