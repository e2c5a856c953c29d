"""How fast pairs stream, against copying memory and against what a user would pick instead.

Run: ``python tests/benchmarks/stream.py [--folder DIR] [--recordings 400] [--seconds 3]``

Everything holds the same windows and is read in the same shuffled order, warm, in one run; a row is
the median of three passes. The ratio is to ``memcpy``: copying as many bytes of float32 from random
places of a large array into one buffer. Memory beyond the page cache is not counted for any.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from stream_corpora import Size, make_corpus

from neuropair.catalog import Corpus

BATCH = 64
Batches = Iterator[int]
"""Each item is the number of pairs of a batch that has just been read."""


class Row(NamedTuple):
    """What one reader does: pairs a second of wall time, and of CPU time."""

    name: str
    pairs: float
    pairs_cpu: float
    first: float
    disk: int


def measure(name: str, start: Callable[[], Batches], seconds: float, disk: int) -> Row:
    """Read for a while, three times, after one pass that warms up."""
    began = time.perf_counter()
    batches = start()
    next(batches)
    first = time.perf_counter() - began
    warm_until = time.perf_counter() + max(seconds, 2.0)
    while time.perf_counter() < warm_until:
        next(batches)
    wall, cpu = [], []
    for _ in range(3):
        n, clock, busy = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - clock < seconds:
            n += next(batches)
        wall.append(n / (time.perf_counter() - clock))
        cpu.append(n / (time.process_time() - busy))
    return Row(name, statistics.median(wall), statistics.median(cpu), first, disk)


def neuropair(folder: Path, threads: int) -> Callable[[], Batches]:
    """Stream as a training would."""

    def start() -> Batches:
        stream = Corpus.open(folder).pairs().stream(BATCH, seed=0, epochs=None, threads=threads)
        for batch in stream:
            yield len(batch["pair_id"])

    return start


def memcpy(size: Size) -> Callable[[], Batches]:
    """Copy the bytes of a batch from random places of a large array into one buffer."""

    def start() -> Batches:
        rng = np.random.default_rng(0)
        n_bytes = BATCH * size.pair_bytes
        source = np.ones(max(2**30, 4 * n_bytes), np.uint8)
        target = np.empty(n_bytes, np.uint8)
        while True:
            at = int(rng.integers(0, len(source) - n_bytes))
            np.copyto(target, source[at : at + n_bytes])
            yield BATCH

    return start


def windows_of(folder: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Both sides' windows as two large arrays, in the order of the pairs."""
    corpus = Corpus.open(folder)
    names = corpus.sql("SELECT recording FROM recordings ORDER BY recording").to_pydict()
    sides: dict[str, list[Any]] = {"eeg": [], "fmri": []}
    for name in names["recording"]:
        sides[name.rsplit("_", 1)[1]].append(corpus.recording(name)["signal"].to_numpy())
    return np.concatenate(sides["eeg"]), np.concatenate(sides["fmri"])


def peers(
    eeg: np.ndarray[Any, Any], fmri: np.ndarray[Any, Any], folder: Path
) -> Iterator[tuple[str, Callable[[], Batches], int]]:
    """Write the same windows in other formats, one after the other, and read them shuffled."""
    import h5py
    import zarr

    def gather(read: Callable[[int, int], Any], windows: tuple[Any, Any]) -> Callable[[], Batches]:
        def start() -> Batches:
            rng = np.random.default_rng(0)
            out = [np.empty((BATCH, *side.shape[1:]), np.float32) for side in windows]
            while True:
                order = rng.permutation(len(windows[0]))
                for at in range(0, len(order) - BATCH + 1, BATCH):
                    for row, window in enumerate(order[at : at + BATCH].tolist()):
                        for side, target in enumerate(out):
                            target[row] = read(side, window)
                    yield BATCH

        return start

    both = (eeg, fmri)
    for side, values in enumerate(both):
        np.save(folder / f"{side}.npy", values)
    maps = [np.load(folder / f"{side}.npy", mmap_mode="r") for side in (0, 1)]
    yield "np.memmap", gather(lambda s, w: maps[s][w], both), _disk(folder, "*.npy")
    with h5py.File(folder / "all.h5", "w") as file:
        for side, values in enumerate(both):
            file.create_dataset(str(side), data=values, chunks=(1, *values.shape[1:]))
    file = h5py.File(folder / "all.h5", "r")
    sets = [file[str(side)] for side in (0, 1)]
    yield "h5py", gather(lambda s, w: sets[s][w], both), _disk(folder, "all.h5")
    arrays: list[Any] = []
    for side, values in enumerate(both):
        array = zarr.create_array(
            str(folder / f"{side}.zarr"),
            shape=values.shape,
            dtype="float32",
            chunks=(64, *values.shape[1:]),
            compressors=None,
        )
        array[:] = values
        arrays.append(array)
    yield "zarr-python", gather(lambda s, w: arrays[s][w], both), _disk(folder, "*.zarr/**/*")


def _disk(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="keeps the corpora for the next run")
    parser.add_argument("--recordings", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=3.0)
    given = parser.parse_args()
    size = Size(recordings=given.recordings)
    with tempfile.TemporaryDirectory(prefix="neuropair-benchmark-") as made:
        folder = given.folder or Path(made)
        rows = list(_rows(size, folder, Path(made), given.seconds))
    _show(rows, size)


def _rows(size: Size, folder: Path, scratch: Path, seconds: float) -> Iterator[Row]:
    yield measure("memcpy", memcpy(size), seconds, 0)
    for dtype in ("float32", "int16"):
        corpus = make_corpus(folder / f"bench_{dtype}", size, dtype)
        disk = _disk(corpus, "signals/**/*")
        for threads in (2, 0):
            name = f"neuropair {dtype}, {threads} threads"
            yield measure(name, neuropair(corpus, threads), seconds, disk)
    eeg, fmri = windows_of(folder / "bench_float32")
    for name, start, disk in peers(eeg, fmri, scratch):
        yield measure(name, start, seconds, disk)
    yield measure("memcpy again", memcpy(size), seconds, 0)


def _show(rows: list[Row], size: Size) -> None:
    reference = statistics.mean(row.pairs for row in rows if row.name.startswith("memcpy"))
    print(f"{size.pairs} pairs of {size.pair_bytes / 1e3:.1f} kB float32 in batches of {BATCH}")
    heads = ("pairs/s", "MB/s", "to memcpy", "CPU-us/pair", "first s", "MB on disk")
    print(f"{'reader':28}" + "".join(f"{head:>13}" for head in heads))
    for row in rows:
        print(
            f"{row.name:28}{row.pairs:13,.0f}{row.pairs * size.pair_bytes / 1e6:13,.0f}"
            f"{row.pairs / reference:13.3f}{1e6 / row.pairs_cpu:13.1f}{row.first:13.2f}"
            f"{row.disk / 1e6:13,.0f}"
        )


if __name__ == "__main__":
    main()
