"""Time to index a dataset of 14,000 files, against a pybids layout without metadata.

Run: python tests/benchmarks/bids_index.py [--files N] [--repeat N]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from neuropair.pipeline.bids import index_dataset
from neuropair.pipeline.sources.walk import walk
from neuropair.pipeline.types import Dataset

FILES_A_RUN = 4
RUNS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=14_000)
    parser.add_argument("--repeat", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        n_files = write_dataset(root, chosen.files)
        dataset = Dataset("benchmark", root, "", {})
        walked = best(lambda: walk(root), chosen.repeat)
        indexed = best(lambda: index_dataset(dataset), chosen.repeat)
        layout = best(lambda: pybids_layout(root), 1)
        recordings = len(index_dataset(dataset).recordings)
    print(f"{n_files} files, {recordings} recordings; best of {chosen.repeat} (pybids: once), warm")
    print(f"{'':34}{'seconds':>9}{'ratio':>9}")
    for name, seconds in (
        ("walk only", walked),
        ("index_dataset, with sidecars", indexed),
        ("BIDSLayout(index_metadata=False)", layout),
    ):
        print(f"{name:34}{seconds:9.2f}{seconds / indexed:9.2f}")


def write_dataset(root: Path, n_files: int) -> int:
    """Write subjects of ten EEG runs, four files a run, and one scans.tsv a subject."""
    (root / "dataset_description.json").write_text(
        '{"Name": "benchmark", "BIDSVersion": "1.9.0", "DatasetType": "raw"}'
    )
    (root / "task-rest_eeg.json").write_text('{"PowerLineFrequency": 50}')
    written = 2
    subject = 0
    while written < n_files:
        subject += 1
        folder = root / f"sub-{subject:04}" / "eeg"
        folder.mkdir(parents=True)
        (folder.parent / f"sub-{subject:04}_scans.tsv").write_text("filename\tacq_time\n")
        for run in range(1, RUNS + 1):
            stem = folder / f"sub-{subject:04}_task-rest_run-{run:02}"
            Path(f"{stem}_eeg.edf").write_bytes(b"")
            Path(f"{stem}_eeg.json").write_text('{"SamplingFrequency": 250}')
            Path(f"{stem}_events.tsv").write_text("onset\tduration\n1\t0\n")
            Path(f"{stem}_channels.tsv").write_text("name\ttype\tunits\nCz\tEEG\tuV\n")
        written += RUNS * FILES_A_RUN + 1
    return written


def pybids_layout(root: Path) -> object:
    from bids import BIDSLayout, BIDSLayoutIndexer

    indexer = BIDSLayoutIndexer(validate=False, index_metadata=False)
    return BIDSLayout(root, validate=False, indexer=indexer)


def best(work: Callable[[], object], repeat: int) -> float:
    took = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return min(took)


if __name__ == "__main__":
    main()
