"""Measure how often pairs are right on simulated tables, and write ``calibration.json``.

Run: ``python -m neuropair.pipeline.align.calibrate [--runs 3000] [--out FILE]``

Tables alone are simulated, with the true event behind every row, and matched by the code that
matches real ones. What the counts mean is bounded by `ASSUMPTIONS`: the confidence of T1 rests on
trigger damage as it is drawn here, that of T2 to T5 on the rates of wrong labels assumed here. No
public data set states such rates; they are round numbers, chosen before any count was made.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neuropair.pipeline.align.clock import Clock, align_clocks
from neuropair.pipeline.align.confidence import bin_name, clock_bin
from neuropair.pipeline.align.run import align_study
from neuropair.pipeline.align.simulated import Damage, trains
from neuropair.schemas.study import Study

ASSUMPTIONS = {
    "wrong_row": 0.01,
    "name_collision": 0.02,
    "wrong_condition": 0.02,
    "triggers_missing": 0.4,
    "triggers_spurious": 0.4,
    "triggers_duplicated": 0.1,
    "jitter_max_s": 0.010,
    "drift_max_ppm": 300.0,
}
"""wrong_row: share of rows that name another stimulus than was shown. name_collision: share of
names that stand for two stimuli where a recipe states that names identify. wrong_condition: share
of rows with another condition than was run. triggers_…: largest shares; each run draws its own."""

Counts = dict[str, dict[str, int]]


def calibrate(runs: int) -> dict[str, Any]:
    """Count pairs and right pairs by bin.

    Parameters
    ----------
    runs : int
        Simulated trigger trains; a tenth as many corpora are drawn for each other tier.

    Returns
    -------
    dict
        ``assumptions``, ``runs`` and ``bins`` (name -> n, right), as the JSON file holds them.
    """
    counts: Counts = defaultdict(lambda: {"n": 0, "right": 0})
    for seed in range(runs):
        _triggers(np.random.default_rng([1, seed]), counts)
    for seed in range(max(1, runs // 10)):
        _one_file(np.random.default_rng([0, seed]), counts)
        for tier in ("T2", "T4"):
            for identity in ("content", "name"):
                _stimuli(np.random.default_rng([2, seed]), tier, identity, counts)
        for tier in ("T3", "T5"):
            _conditions(np.random.default_rng([3, seed]), tier, counts)
    bins = {name: counts[name] for name in sorted(counts)}
    return {"assumptions": ASSUMPTIONS, "runs": runs, "bins": bins}


def _add(counts: Counts, name: str, n: int, right: int) -> None:
    counts[name]["n"] += n
    counts[name]["right"] += right


def _triggers(rng: np.random.Generator, counts: Counts) -> None:
    damage = Damage(
        n=int(rng.integers(12, 300)),
        n_codes=int(rng.integers(1, 9)),
        missing=float(rng.uniform(0, ASSUMPTIONS["triggers_missing"])),
        spurious=float(rng.uniform(0, ASSUMPTIONS["triggers_spurious"])),
        duplicated=float(rng.uniform(0, ASSUMPTIONS["triggers_duplicated"])),
        jitter=float(rng.uniform(0.001, ASSUMPTIONS["jitter_max_s"])),
        drift_ppm=ASSUMPTIONS["drift_max_ppm"],
        step=float(rng.choice([0.0, 0.05, 0.1, 0.128, 0.2])),
        interval="fixed" if rng.random() < 0.2 else "drawn",
        unrelated=bool(rng.random() < 0.1),
        both=bool(rng.random() < 0.3),
    )
    drawn = trains(rng, damage)
    q = damage.step or 0.001
    clock = align_clocks(drawn.times_a, drawn.codes_a, drawn.times_b, drawn.codes_b, q=q)
    if not isinstance(clock, Clock):
        return
    a, b = drawn.truth_a[clock.matched[:, 0]], drawn.truth_b[clock.matched[:, 1]]
    right = int(((a == b) & (a >= 0)).sum())
    _add(counts, clock_bin("event", clock.coverage, clock.ambiguity), len(a), right)
    at = np.linspace(drawn.times_a.min(), drawn.times_a.max(), 9)
    error = np.abs(clock.to_b(at) - drawn.offset - drawn.slope * at)
    # one count a run: the windows of one recording are right or wrong together
    near = not damage.unrelated and bool((error <= clock.bias + clock.tolerance).all())
    _add(counts, clock_bin("sliding", clock.coverage, clock.ambiguity), 1, int(near))


def _one_file(rng: np.random.Generator, counts: Counts) -> None:
    truth = np.arange(int(rng.integers(20, 200)))
    sides = [_side(m, "p", "file", {"concept": ["marker"] * truth.size}) for m in ("meg", "eeg")]
    _score(sides, [truth, truth], {"tier": "T0"}, bin_name("T0", "sample"), counts)


def _stimuli(rng: np.random.Generator, tier: str, identity: str, counts: Counts) -> None:
    n = 120
    sides, truths = [], []
    for modality in ("meg", "fmri"):
        shown = rng.permutation(n)
        named = np.where(rng.random(n) < ASSUMPTIONS["wrong_row"], rng.integers(0, n, n), shown)
        if identity == "name":
            # of a name that stands for two stimuli, each side shows one or the other
            collides = np.random.default_rng([4, n]).random(n) < ASSUMPTIONS["name_collision"]
            shown = np.where(collides[shown] & (rng.random(n) < 0.5), shown + n, shown)
        person = "p" if tier == "T2" else modality
        columns = {
            "concept": ["perception/visual/scene"] * n,
            "stimulus": [f"{identity}:{k}" for k in named],
            "identity": [identity] * n,
        }
        sides.append(_side(modality, person, modality, columns))
        truths.append(shown)
    _score(sides, truths, {"tier": tier}, bin_name(tier, identity), counts)


def _conditions(rng: np.random.Generator, tier: str, counts: Counts) -> None:
    n, concepts = 120, np.array(["face", "house", "object", "scene"])
    sides, truths = [], []
    for modality in ("meg", "fmri"):
        run = rng.integers(0, concepts.size, n)
        wrong = rng.random(n) < ASSUMPTIONS["wrong_condition"]
        told = np.where(wrong, (run + rng.integers(1, concepts.size, n)) % concepts.size, run)
        columns: dict[str, Any] = {
            "concept": [f"perception/visual/{name}" for name in concepts[told]],
            "preceding_interval": rng.uniform(2, 4, n),
            "run_position": np.linspace(0, 1, n),
        }
        person = "p" if tier == "T3" else modality
        sides.append(_side(modality, person, modality, columns))
        truths.append(run)
    _score(sides, truths, {"tier": tier}, bin_name(tier, "condition"), counts)


def _side(
    modality: str, person: str, file: str, columns: dict[str, Any]
) -> tuple[dict[str, Any], pd.DataFrame]:
    recording = f"ds/sub-{person}/{modality}"
    row = {
        "recording": recording,
        "dataset": "ds",
        "subject": person,
        "modality": modality,
        "person": person,
        "split": "train",
        "status": "ok",
        "source_file": file,
    }
    events = pd.DataFrame(columns)
    numbers = np.arange(len(events))
    return row, events.assign(recording=recording, event=numbers, onset=3.0 * numbers)


def _score(
    sides: list[tuple[dict[str, Any], pd.DataFrame]],
    truths: list[Any],
    pairing: dict[str, Any],
    name: str,
    counts: Counts,
) -> None:
    study = Study.model_validate(
        {
            "study": "calibration",
            "title": "simulated tables",
            "datasets": [{"dataset": "ds"}],
            "pairings": [
                {
                    "name": "rule",
                    "a": {"modality": sides[0][0]["modality"]},
                    "b": {"modality": sides[1][0]["modality"]},
                    **pairing,
                }
            ],
        }
    )
    recordings = pd.DataFrame([row for row, _ in sides])
    found = align_study(study, recordings, pd.concat([events for _, events in sides])).pairs
    one = truths[0][found["window_a"].to_numpy(dtype=int)]
    other = truths[1][found["window_b"].to_numpy(dtype=int)]
    _add(counts, name, len(found), int((one == other).sum()))


def main() -> None:
    """Write the calibration that the package ships."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3000)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("calibration.json"))
    given = parser.parse_args()
    text = json.dumps(calibrate(given.runs), indent=1, sort_keys=True)
    given.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
