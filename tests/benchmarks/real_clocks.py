"""Clocks of real recordings made together: drift, and residuals against the physical limit.

Run: ``python tests/benchmarks/real_clocks.py [DATA]``

ds004514: EEG with fNIRS of six people. The step of the slower device's stamps comes from the
sidecar's sampling rate and from nothing else; stamps cut to steps of q leave a residual SD of
q / sqrt(12), and no alignment can do better. Recordings of different people are held against each
other, too: they share the task and no clock. ds002336: one table at the top serves EEG and fMRI.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd

from neuropair.pipeline.align.clock import Clock, align_clocks
from neuropair.pipeline.align.reasons import Abstention

FOLDER = Path(os.environ.get("NEUROPAIR_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
SUBJECTS = range(1, 7)
EXPECTED = 2219


def events_table(folder: Path) -> pd.DataFrame:
    """Read the one events table of a folder."""
    (path,) = folder.glob("*_events.tsv")
    return pd.read_csv(path, sep="\t").dropna(how="all")


def sample_period(folder: Path, pattern: str) -> float:
    """Read the step of the device's stamps from its sidecar, s."""
    (path,) = folder.glob(pattern)
    return 1 / float(json.loads(path.read_text())["SamplingFrequency"])


def ds004514(data: Path, a: int, b: int) -> tuple[Clock | Abstention, float, int, int]:
    """Align the EEG of one person with the fNIRS of one; step and numbers of events with it."""
    eeg = data / "events" / "ds004514" / f"sub-{a:02d}" / "eeg"
    nirs = data / "events" / "ds004514" / f"sub-{b:02d}" / "nirs"
    one, two = events_table(eeg), events_table(nirs)
    q = max(sample_period(eeg, "*_eeg.json"), sample_period(nirs, "*_nirs.json"))
    found = align_clocks(one["onset"], list(one["value"]), two["onset"], list(two["value"]), q=q)
    return found, q, len(one), len(two)


def ds002336(data: Path) -> list[str]:
    """Align every task's table with itself, as the EEG's and as the fMRI's."""
    lines = []
    for path in sorted((data / "events" / "ds002336").glob("task-*_events.tsv")):
        table = pd.read_csv(path, sep="\t").dropna(how="all")
        codes = list(table["trial_type"])
        rate = json.loads(path.with_name(path.name.replace("events.tsv", "eeg.json")).read_text())
        q = 1 / float(rate["SamplingFrequency"])
        found = align_clocks(table["onset"], codes, table["onset"], codes, q=q)
        said = found.reason if isinstance(found, Abstention) else f"offset {found.offset:.3f} s"
        lines.append(f"{path.name:36} {len(table):4d} events  {said}")
    return lines


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="?", type=Path, default=FOLDER)
    data = parser.parse_args().data
    print("ds004514  paired of EEG/fNIRS  segments  drift ppm       residual/limit  ambiguity")
    for subject in SUBJECTS:
        found, q, n_a, n_b = ds004514(data, subject, subject)
        if isinstance(found, Abstention):
            print(f"sub-{subject:02d}    FAIL  {found.reason}")
            continue
        ratio = found.residual_sd / (q / np.sqrt(12))
        passed = 0.95 <= ratio <= 1.05 and found.n_matched == n_a == n_b == EXPECTED
        print(
            f"sub-{subject:02d}    {found.n_matched:6d} of {n_a}/{n_b} {len(found.segments):9d}  "
            f"{found.drift_ppm:6.2f} +/- {found.main.drift_interval_ppm:.2f} {ratio:15.4f} "
            f"{found.ambiguity:10.2f}  {'pass' if passed else 'FAIL'}"
        )
    codes: dict[str, int] = {}
    for a in SUBJECTS:
        for b in SUBJECTS:
            if b == a % len(SUBJECTS) + 1:
                found, *_ = ds004514(data, a, b)
                code = "ACCEPTED" if isinstance(found, Clock) else found.code
                codes[code] = codes.get(code, 0) + 1
    print("EEG of one person with fNIRS of another:", codes)
    print("\nds002336, one table for both devices:")
    print("\n".join(ds002336(data)))


if __name__ == "__main__":
    main()
