"""Which real recordings stand under two names, and how right the same is on simulated schedules.

Run: ``python tests/benchmarks/real_duplicates.py DATA [--seeds 300] [--many 10000]``, DATA being
the folder of test data (``events`` in it). Recipes are asked for events only: what they say of
persons is hidden.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from neuropair.pipeline.bids import index_dataset
from neuropair.pipeline.duplicates import Found, SignalKeys, find_duplicates, same_recording
from neuropair.pipeline.duplicates.simulated import Planted, planted
from neuropair.pipeline.events import join_persons, person_id, read_dataset_events
from neuropair.pipeline.types import Dataset, Events, Recording
from neuropair.schemas.library import find_recipe, list_recipes
from neuropair.schemas.recipe import Selection

FACES = ("ds000117", "ds003645")


class Read:
    """Tables of all datasets of a folder, each subject a person of its own."""

    def __init__(self, data: Path) -> None:
        recordings: list[Recording] = []
        events: list[pd.DataFrame] = []
        files: list[tuple[str, str | None, str | None]] = []
        self.persons: dict[str, str] = {}
        """Recording -> person by the recipe: the truth, where recipes map subjects."""
        for folder in _folders(data):
            text = (folder / "dataset_description.json").read_text(encoding="utf-8-sig")
            dataset = Dataset(folder.name, folder, str(folder), json.loads(text))
            here = folder.parent.name != "events"
            index = index_dataset(dataset, Selection(), [], signals_needed=here)
            recipe = find_recipe(folder.name)
            found = read_dataset_events(index, recipe)
            keys = SignalKeys(dataset)
            for one in index.recordings:
                own = found[one.id]
                if isinstance(own, Events):
                    events.append(own.table.assign(recording=one.id))
                table = one.events_path
                named = None if table is None else table.as_posix()
                files.append((one.id, named, keys.published(one)))
                self.persons[one.id] = person_id(recipe, dataset.id, one.subject)
            recordings += index.recordings
        self.recordings = pd.DataFrame([_row(one) for one in recordings])
        self.events = pd.concat(events, ignore_index=True)
        self.files = pd.DataFrame(files, columns=["recording", "events_file", "signal"])


def _folders(data: Path) -> list[Path]:
    both = [*data.iterdir(), *(data / "events").iterdir()]
    return sorted(
        one
        for one in both
        if one.name in list_recipes() and (one / "dataset_description.json").is_file()
    )


def _row(one: Recording) -> dict[str, object]:
    names = ("dataset", "subject", "session", "task", "acquisition", "run")
    return {name: getattr(one, name) for name in names} | {
        "recording": one.id,
        "modality": one.modality.value,
        "person": f"{one.dataset}/{one.subject}",
        "source_file": one.path.as_posix(),
        "sfreq_source": one.sidecar.get("SamplingFrequency"),
    }


def show_real(read: Read) -> None:
    """Print what stands under two names in the real tables."""
    started = time.process_time()
    found = find_duplicates(read.recordings, read.events, read.files.assign(signal=None))
    seconds = time.process_time() - started
    rows = found.rows
    n = len(read.recordings)
    print("By events alone: ", end="")
    print(f"{n} recordings of {read.recordings['dataset'].nunique()} datasets, {seconds:.1f} CPU s")
    dataset = read.recordings.set_index("recording")["dataset"]
    names = rows.assign(a=rows["recording_a"].map(dataset), b=rows["recording_b"].map(dataset))
    counts = names.groupby(["a", "b", "relation", "responses"]).size()
    print(counts.rename("pairs").reset_index().to_string(index=False), "\n")
    same = same_recording(rows)
    _show_faces(read, rows)
    false = [(a, b) for a, b in same if read.persons[a] != read.persons[b]]
    print(
        f"pairs joined, over all datasets: {len(same)}; of two persons by the recipes: {len(false)}"
    )
    _show_keys(read, set(same))
    joined = join_persons(read.recordings, same)
    wrong = [
        (a, b)
        for a, b in combinations(sorted(read.recordings["person"].unique()), 2)
        if joined.of[a] == joined.of[b] and _recipe_person(read, a) != _recipe_person(read, b)
    ]
    print(f"persons joined that the recipes keep apart: {len(wrong)}")
    print(
        joined.table[joined.table["basis"] == "duplicate"].to_string(index=False, max_colwidth=90)
    )
    nod = names[names["a"].isin(["ds004496", "ds005810", "ds005811"])]
    print(
        f"\nNOD: {len(nod)} pairs of equal schedules, of which duplicates: "
        f"{int(nod['relation'].isin(['duplicate', 'shared-signal', 'simultaneous']).sum())}"
    )
    print(found.losses[["dataset", "count", "reason"]].to_string(index=False), "\n")


def _show_keys(read: Read, same: set[tuple[str, str]]) -> None:
    """Confirm by what the releases publish of their signal files, which the search did not see."""
    keys = read.files.dropna(subset=["signal"]).merge(read.recordings, on="recording")
    modality = read.recordings.set_index("recording")["modality"]
    equal = {
        (min(a, b), max(a, b))
        for _, group in keys.groupby("signal")
        for a, b in combinations(sorted(group["recording"]), 2)
        if modality[a] == modality[b]
    }
    print(
        f"signal files of equal content keys in two datasets: {len(equal)}, of which found by "
        f"events: {len(equal & same)}"
    )


def _recipe_person(read: Read, person: str) -> str:
    rows = read.recordings
    return read.persons[rows.loc[rows["person"] == person, "recording"].iloc[0]]


def _show_faces(read: Read, rows: pd.DataFrame) -> None:
    """Compare with the map of subjects that the recipes give and the search did not see."""
    known = read.recordings[read.recordings["dataset"].isin(FACES)]
    known = known[known["modality"] != "fmri"]
    truth = known.assign(
        who=known["recording"].map(read.persons), number=known["run"].astype(float)
    )
    a, b = (truth[truth["dataset"] == name] for name in FACES)
    shared = a.merge(b, on=["who", "number", "modality"], suffixes=("_a", "_b"))
    expected = set(zip(shared["recording_a"], shared["recording_b"], strict=True))
    joined = rows[rows["relation"] == "duplicate"]
    of_faces = joined[
        joined["recording_a"].isin(known["recording"])
        & joined["recording_b"].isin(known["recording"])
    ]
    got = set(zip(of_faces["recording_a"], of_faces["recording_b"], strict=True))
    print(
        f"ds000117 = ds003645: {len(expected & got)} of {len(expected)} shared recordings "
        f"({shared[['who', 'number']].drop_duplicates().shape[0]} runs of "
        f"{shared['who'].nunique()} subjects) recognised, {len(got - expected)} others joined"
    )
    subject = read.recordings.set_index("recording")["subject"]
    pairs = Counter(
        (subject[one.recording_a], subject[one.recording_b]) for one in of_faces.itertuples()
    )
    for (one, other), n in sorted(pairs.items()):
        print(f"  ds000117 sub-{one} = ds003645 sub-{other}: {n} recordings")
    numbers = of_faces[["offset", "drift_ppm", "residual_sd"]].abs().agg(["min", "max"])
    print(numbers.to_string(), "\n")


def show_simulated(seeds: int) -> None:
    """Print what was found of planted pairs, by how they were made."""
    counts: dict[str, Counter[str]] = {}
    false = 0
    started = time.process_time()
    for seed in range(seeds):
        drawn = planted(np.random.default_rng(seed))
        found = find_duplicates(drawn.recordings, drawn.events, drawn.files)
        false += _count(drawn, found, counts)
    spent = time.process_time() - started
    print(
        f"{seeds} simulated studies, {spent:.0f} CPU s; pairs of unrelated or other recordings "
        f"called one: {false}"
    )
    relations = sorted({name for one in counts.values() for name in one})
    table = pd.DataFrame(
        [
            {"planted": kind} | {name: one[name] for name in relations}
            for kind, one in counts.items()
        ]
    )
    print(table.to_string(index=False), "\n")


def _count(drawn: Planted, found: Found, counts: dict[str, Counter[str]]) -> int:
    said = {
        (one.recording_a, one.recording_b): str(one.relation) for one in found.rows.itertuples()
    }
    for pair, kind in drawn.pairs.items():
        counts.setdefault(kind, Counter())[said.get(pair, "none")] += 1
    return sum(drawn.persons[a] != drawn.persons[b] for a, b in same_recording(found.rows))


def show_many(n: int) -> None:
    """Print how long `n` recordings of 200 events take."""
    rng = np.random.default_rng(0)
    names = np.array([f"d/sub-{k}/task-t_eeg" for k in range(n)])
    onsets = np.cumsum(rng.uniform(1.3, 1.7, (n, 200)), axis=1)
    onsets[n // 2 : n // 2 + 50] = onsets[:50]
    recordings = pd.DataFrame(
        {
            "recording": names,
            "dataset": np.where(np.arange(n) < n // 2, "d", "e"),
            "subject": np.arange(n).astype(str),
            "modality": "eeg",
            "source_file": names,
        }
    )
    events = pd.DataFrame(
        {
            "recording": np.repeat(names, 200),
            "onset": onsets.ravel(),
            "concept": "perception/visual",
        }
    )
    cpu, wall = time.process_time(), time.perf_counter()
    found = find_duplicates(recordings, events)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(
        f"{n} recordings of 200 events, 50 of them twice: {len(found.rows)} pairs found, "
        f"{cpu:.1f} CPU s, {wall:.1f} s"
    )


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--many", type=int, default=10_000)
    given = parser.parse_args()
    show_real(Read(given.data))
    show_simulated(given.seeds)
    show_many(given.many)


if __name__ == "__main__":
    main()
