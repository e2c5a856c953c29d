"""How long pairing takes, and how alike the two sides of the pairs are.

Run: ``python tests/benchmarks/matching.py [--events 100000]``
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import pandas as pd

from neuropair.pipeline.align import AlignResult, align_study
from neuropair.schemas.study import Study

PER_RECORDING = 500


def tables(n: int, n_concepts: int, n_stimuli: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw `n` events, half of them MEG and half fMRI, 500 a recording."""
    rng = np.random.default_rng(0)
    rows, parts = [], []
    for k in range(max(1, n // PER_RECORDING // 2)):
        for modality, pace in (("meg", 3.0), ("fmri", 3.4)):
            name = f"ds/sub-{k // 2:04d}/run-{k % 2}_{modality}"
            rows.append(
                {
                    "recording": name,
                    "dataset": "ds",
                    "subject": f"{k // 2:04d}",
                    "modality": modality,
                    "person": f"{k // 2:04d}" if k % 4 else f"{modality}-{k // 2:04d}",
                    "split": "train",
                    "status": "ok",
                    "source_file": name,
                }
            )
            interval = rng.normal(pace, 0.8, PER_RECORDING).clip(0.5)
            parts.append(
                pd.DataFrame(
                    {
                        "recording": name,
                        "event": np.arange(PER_RECORDING),
                        "onset": np.cumsum(interval),
                        "concept": [f"c/{c}" for c in rng.integers(0, n_concepts, PER_RECORDING)],
                        "stimulus": [f"k{s}" for s in rng.integers(0, n_stimuli, PER_RECORDING)],
                        "identity": "content",
                        "preceding_interval": interval,
                        "run_position": np.linspace(0, 1, PER_RECORDING),
                    }
                )
            )
    events = pd.concat(parts, ignore_index=True)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    n = parser.parse_args().events
    print(f"{n} events\n{'tier':4} {'concepts':>8} {'pairs':>8} {'abstained':>9} {'s':>6} SMD")
    for tier, n_concepts in (("T2", 1), ("T4", 1), ("T3", 4), ("T5", 40), ("T5", 4)):
        recordings, events = tables(n, n_concepts, n_stimuli=n // 10)
        if tier in ("T2", "T4"):
            events["concept"] = "c"
        began = time.perf_counter()
        found = match(tier, recordings, events)
        took = time.perf_counter() - began
        smd = found.balance[["smd_before", "smd_after"]].max().round(3).tolist()
        print(
            f"{tier:4} {n_concepts:8d} {len(found.pairs):8d} {len(found.abstentions):9d} "
            f"{took:6.1f} {smd[0]} -> {smd[1]}"
        )


if __name__ == "__main__":
    main()
