"""Simulated corpora with signals, the whole way: are pairs right, betas near, confidences honest?

A corpus is simulated, read, cleaned, cut and paired by the pipeline's plain functions: no Prefect,
no corpus on disk, only the dataset in a folder that is gone afterwards. One line of JSON a seed
goes to ``--results``; seeds that stand there are not run again, so that hundreds can be stopped and
resumed. Damage of triggers is drawn by seed, labels are wrong as often as the calibration assumes,
and every second corpus has a recorder that is restarted.

Run: ``python tests/benchmarks/signals.py [--seeds 8] [--seconds 180] [--results FILE.jsonl]``
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from neuropair.catalog.splits import assign_splits
from neuropair.flows.jobs import Job
from neuropair.flows.loading import load_study
from neuropair.flows.prepare import prepare_dataset, with_common_windows
from neuropair.pipeline.align import align_study
from neuropair.pipeline.align.confidence.corpora import ASSUMPTIONS
from neuropair.pipeline.align.confidence.reliability import expected_calibration_error, reliability
from neuropair.pipeline.corpus import RecordingRows, combine, failed_rows
from neuropair.pipeline.corpus.rows import recording_rows
from neuropair.pipeline.signals import cleaner
from neuropair.pipeline.simulate import (
    SimulationSettings,
    judge_pairs,
    score_pairs,
    simulate,
    true_amplitudes,
)
from neuropair.pipeline.simulate.optodes import probe, sensitivity
from neuropair.pipeline.simulate.regions import REGIONS
from neuropair.pipeline.simulate.score import TOLERANCE
from neuropair.pipeline.types import WindowSet
from neuropair.pipeline.windows import cut
from neuropair.schemas.errors import NeuropairError
from neuropair.schemas.kinds import Modality

FIRST = 5_000
"""First seed: no test and no fit uses these."""
TARGETS = {"fmri": 0.65, "fnirs": 0.8}
LEVEL = 0.05
"""Regions whose mean amplitude is below do not answer to the task, and are not scored."""
WEAK = ("DLPFC",)
"""Areas that answer to pictures with a quarter of what the others do: shown, without a target."""
MIN_TRIALS = 8


def settings_of(seed: int, seconds: float) -> SimulationSettings:
    """Draw the damage of one corpus."""
    rng = np.random.default_rng([17, seed])
    return SimulationSettings(
        subjects=2,
        seconds=seconds,
        seed=seed,
        missing=float(rng.uniform(0, 0.1)),
        spurious=float(rng.uniform(0, 0.1)),
        mislabelled=(ASSUMPTIONS["wrong_row"] + ASSUMPTIONS["wrong_condition"]) / 2,
        restart=bool(seed % 2),
    )


def run(seed: int, seconds: float) -> dict[str, Any]:
    """Take one corpus the whole way, and judge it."""
    started, cpu = time.perf_counter(), time.process_time()
    shared_memory = Path("/dev/shm")
    place = shared_memory if shared_memory.is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as name:
        folder = Path(name)
        settings = settings_of(seed, seconds)
        simulate(folder / "bids", settings=settings)
        simulated = time.perf_counter()
        loaded = load_study("demo", {"simulated": str(folder / "bids")})
        prepared = prepare_dataset(loaded, loaded.study.datasets[0], "unused", folder / "cache")
        jobs = with_common_windows(loaded, list(prepared.jobs))
        truth, parts, betas = folder / "truth", [], []
        for job in jobs:
            windows, rows = _cut(job)
            parts.append(rows)
            if (
                windows is not None
                and job.recording.task == "faces"
                and job.recording.modality.is_haemodynamic
            ):
                betas += _beta_scores(windows, job, truth, seed)
        tables = combine(parts)
        splits = assign_splits(tables["recordings"], tables["windows"], loaded.study.splits)
        split = splits[splits["kind"] == "recording"].set_index("key")["split"]
        recordings = tables["recordings"]
        recordings = recordings.assign(split=recordings["recording"].map(split))
        found = align_study(loaded.study, recordings, tables["events"], tables["windows"])
        judged = judge_pairs(found.pairs, tables["events"], truth, tables["windows"])
        score = score_pairs(found.pairs, tables["events"], truth, tables["windows"])
    return {
        "seed": seed,
        "seconds": seconds,
        "restart": settings.restart,
        "wall": time.perf_counter() - started,
        "simulated": simulated - started,
        "cpu": time.process_time() - cpu,
        "failed": int((recordings["status"] == "failed").sum()),
        "score": json.loads(score.to_json(orient="records")),
        "confidence": [
            [str(tier), float(stated), int(right), int(n)]
            for (tier, stated, right), n in judged.groupby(["tier", "confidence", "right"])
            .size()
            .items()
        ],
        "betas": betas,
    }


def _cut(job: Job) -> tuple[WindowSet | None, RecordingRows]:
    """Clean and cut one recording; one that cannot be read has rows that say so."""
    try:
        if isinstance(job.events, NeuropairError):
            raise job.events
        clean = cleaner(job.recording.modality)
        signal = clean(job.dataset, job.recording, job.signals, job.rename)
    except NeuropairError as error:
        return None, failed_rows(job.recording, error, person=job.person)
    onsets = None if job.sliding is None else np.asarray(job.sliding)
    windows = cut(
        signal, job.events, job.recording, job.windows, job.signals, sliding_onsets=onsets
    )
    rows = recording_rows(
        job.recording,
        "unused",
        windows,
        signal,
        job.events,
        person=job.person,
        source_checksum=None,
        source_bytes=None,
    )
    return windows, rows


def _beta_scores(windows: WindowSet, job: Job, truth: Path, seed: int) -> list[dict[str, Any]]:
    """Correlation of each channel's single-trial betas with what it saw of the truth."""
    recording = job.recording
    amplitudes = true_amplitudes(truth, recording.id)
    data = windows.data
    onsets = data["onset"].to_numpy()
    distance = np.abs(onsets[:, np.newaxis] - amplitudes["onset"].to_numpy())
    nearest = distance.argmin(axis=1)
    real = (distance.min(axis=1) <= TOLERANCE) & (data["event"].to_numpy() >= 0)
    levels = amplitudes[list(REGIONS)].to_numpy()
    found = []
    for seen in _channels(recording.modality, seed, job.recording.subject):
        if seen.channel not in data["channel"].values:
            continue
        expected = seen.sign * levels @ seen.weights
        beta = data["beta"].sel(channel=seen.channel).to_numpy()
        usable = real & np.isfinite(beta)
        good = str(data["channel_status"].sel(channel=seen.channel).values) == "good"
        if good and usable.sum() >= MIN_TRIALS and np.abs(expected).mean() > LEVEL:
            r = float(np.corrcoef(beta[usable], expected[nearest[usable]])[0, 1])
            found.append({"kind": seen.kind, "area": seen.area, "r": r})
    return found


class Seen(NamedTuple):
    """What one channel sees of the truth: its regions' amplitudes, weighted."""

    channel: str
    kind: str
    area: str
    weights: np.ndarray
    sign: int


def _channels(modality: Modality, seed: int, person: str) -> list[Seen]:
    """Regions of fMRI, and of fNIRS the channel right above each area (the first of a source)."""
    if modality is Modality.FMRI:
        own = np.eye(len(REGIONS))
        return [Seen(name, "fmri", name[:-2], own[i], 1) for i, name in enumerate(REGIONS)]
    weights, layout = sensitivity(seed, person), probe()
    found = []
    for i, (source, detector) in enumerate(layout.channels):
        if i % 4 == 0:
            name, area = f"S{source + 1}_D{detector + 1}", REGIONS[weights[i].argmax()][:-2]
            found.append(Seen(f"{name} hbo", "fnirs hbo", area, weights[i], 1))
            found.append(Seen(f"{name} hbr", "fnirs hbr", area, weights[i], -1))
    return found


def report(results: list[dict[str, Any]]) -> None:
    """Print the figures over all corpora."""
    scores = pd.concat([pd.DataFrame(one["score"]) for one in results])
    sums = scores.groupby(["tier", "kind"])[["n", "n_right", "possible"]].sum()
    found = scores.assign(matched=scores["recall"] * scores["possible"])
    matched = found.groupby(["tier", "kind"])["matched"].sum()
    sums["precision"] = sums["n_right"] / sums["n"]
    sums["recall"] = (matched / sums["possible"]).where(sums["possible"] > 0)
    print("pairs by the truth\n")
    print(sums.round(4).to_string())
    rows = [row for one in results for row in one["confidence"]]
    pairs = pd.DataFrame(rows, columns=["tier", "stated", "right", "n"])
    pairs = pairs.loc[pairs.index.repeat(pairs["n"])]
    curve = reliability(
        pairs["tier"].to_numpy(str), pairs["stated"].to_numpy(float), pairs["right"].to_numpy(bool)
    )
    errors = expected_calibration_error(curve)
    print("\nexpected calibration error (target < 0.03)\n")
    print(" ".join(f"{tier} {error:.4f}" for tier, error in errors.items()))
    print("\nsingle-trial betas: correlation with the true amplitude, 4.5 s between trials\n")
    betas = pd.DataFrame([row for one in results for row in one["betas"]])
    weak = betas["area"].isin(WEAK)
    betas["answer"] = np.where(weak, "weak: " + betas["area"], "strong")
    found = betas.groupby(["kind", "answer"])["r"].agg(["mean", "median", "size"])
    found["target"] = [
        TARGETS[kind.split()[0]] if answer == "strong" else np.nan for kind, answer in found.index
    ]
    print(found.round(3).to_string(na_rep=""))
    cost = pd.DataFrame(results)[["wall", "simulated", "cpu", "failed"]].mean()
    print(
        f"\n{len(results)} corpora; {cost['failed']:.1f} recordings of each could not be read "
        f"(fMRI of hardly more volumes than confounds)\none takes {cost['wall']:.1f} s "
        f"({cost['cpu']:.1f} s of CPU), {cost['simulated']:.1f} s of it to simulate"
    )


def main() -> None:
    """Run what has not run yet, and print the figures of all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=180.0, help="of the longest recordings")
    parser.add_argument("--results", type=Path, help="file of results: read, and added to")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    results: list[dict[str, Any]] = []
    if given.results is not None and given.results.exists():
        lines = given.results.read_text(encoding="utf-8").splitlines()
        results = [one for one in map(json.loads, lines) if one["seconds"] == given.seconds]
    done = {one["seed"] for one in results}
    for seed in range(FIRST, FIRST + given.seeds):
        if seed in done:
            continue
        results.append(run(seed, given.seconds))
        if given.results is not None:
            with given.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(results[-1]) + "\n")
    report(results)


if __name__ == "__main__":
    main()
