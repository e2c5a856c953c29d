"""The demonstration: a simulated dataset whose right pairs are known, taken the whole way."""

from __future__ import annotations

import time
from pathlib import Path

from neuropair.flows import console
from neuropair.flows.commands import run_ingest
from neuropair.flows.render import summary_tables, table_of
from neuropair.flows.summary import records
from neuropair.schemas.errors import ExitCode

BATCH = 32


def run(folder: Path, workers: int | None) -> ExitCode:
    """Simulate into ``folder/bids`` and ``folder/truth``, ingest into ``folder/corpus``, report.

    Parameters
    ----------
    folder : Path
        Made if it does not exist. What it holds of an earlier run is used again.
    workers : int or None
        Recordings at a time.
    """
    from neuropair.pipeline.simulate import simulate

    started = time.monotonic()
    bids, corpus = folder / "bids", folder / "corpus"
    if not (folder / "truth").is_dir():
        console.say(f"simulating six people, four instruments, into {bids}")
        simulate(bids, overwrite=True)
    simulated = time.monotonic()
    summary = run_ingest(
        "demo", str(corpus), sources={"simulated": str(bids.resolve())}, workers=workers
    )
    ingested = time.monotonic()
    for table in summary_tables(summary):
        console.show(table)
    _judge(corpus, folder / "truth")
    _stream(corpus)
    n_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    console.say(
        f"\nsimulated in {simulated - started:.0f} s, ingested in {ingested - simulated:.0f} s; "
        f"{folder} holds {n_bytes / 1e6:.0f} MB"
    )
    return ExitCode.INCOMPLETE if summary.failures else ExitCode.OK


def _judge(corpus: Path, truth: Path) -> None:
    from neuropair.catalog import Corpus
    from neuropair.pipeline.simulate.score import score_pairs

    opened = Corpus.open(str(corpus))
    pairs = opened.sql("SELECT * FROM pairs").to_pandas()
    events = opened.sql("SELECT * FROM events").to_pandas()
    windows = opened.sql("SELECT * FROM windows").to_pandas()
    scored = score_pairs(pairs, events, truth, windows)
    console.show(table_of("\nPairs against the simulator's truth", records(scored)))
    examples = opened.sql(
        "SELECT tier, split_part(reason, ':', 1) AS reason, count(*) AS n, min(remedy) AS remedy "
        "FROM abstentions GROUP BY ALL ORDER BY ALL"
    )
    console.show(table_of("\nAbstained from, and what would unlock it", examples.to_pylist()))


def _stream(corpus: Path) -> None:
    from neuropair.catalog import Corpus

    pairs = Corpus.open(str(corpus)).pairs("modality_a = 'eeg' AND modality_b = 'fnirs'")
    batch = next(iter(pairs.split("train").stream(batch_size=BATCH, seed=0)))
    rows = [{"array": name, "shape": shape} for name, shape in _shapes(batch)]
    console.show(table_of("\nA streamed batch of EEG with fNIRS", rows))


def _shapes(batch: dict[str, object], prefix: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in batch.items():
        if isinstance(value, dict):
            found += _shapes(value, f"{prefix}{name}.")
        else:
            shape = getattr(value, "shape", None)
            text = f"{len(value)} strings" if isinstance(value, list) else str(shape)
            found.append((f"{prefix}{name}", text))
    return found
