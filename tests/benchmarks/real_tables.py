"""What the real event tables show about stimulus identity, joins by order and media clocks.

Run: ``python tests/benchmarks/real_tables.py [--data ../shared/data]``
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from stimulus_lists import copy_with_lists, drop_line, joining, read_joined

from neuropair.flows.loading import load_study
from neuropair.flows.prepare import events_frame, recordings_frame
from neuropair.pipeline.align import align_study
from neuropair.pipeline.align.types import AlignResult
from neuropair.pipeline.bids import index_dataset
from neuropair.pipeline.events import person_id, read_dataset_events
from neuropair.pipeline.events.nominal import LATENCY, MAX_PPM
from neuropair.pipeline.events.playback import Span, expected_span
from neuropair.pipeline.types import Dataset, Events, Index
from neuropair.schemas.errors import NeuropairError
from neuropair.schemas.library import find_recipe
from neuropair.schemas.recipe import Selection

Results = dict[str, Events | NeuropairError]


def read(tables: Path, name: str, include: Selection | None = None) -> tuple[Index, Results]:
    """Events of a dataset by its shipped recipe."""
    dataset = Dataset(name, tables / name, "tables", {})
    index = index_dataset(dataset, include or Selection(), signals_needed=False)
    return index, read_dataset_events(index, find_recipe(name))


def pair(study: str, name: str, index: Index, events: Results) -> AlignResult:
    """Pair a dataset from its tables alone."""
    loaded = load_study(study)
    people = [(one, person_id(loaded.recipes[name], name, one.subject)) for one in index.recordings]
    recordings = recordings_frame(people).assign(split="train")
    return align_study(loaded.study, recordings, events_frame(events), pd.DataFrame())


def tables_of(events: Results, modality: str) -> pd.DataFrame:
    """Events of a modality, with their subject."""
    frame = events_frame({k: v for k, v in events.items() if k.endswith(f"_{modality}")})
    return frame.assign(subject=frame["recording"].str.extract(r"/(sub-[^/]+)/", expand=False))


def faces(tables: Path) -> None:
    """Print ds000117: names in common, contents in common, pairs, abstentions."""
    index, events = read(tables, "ds000117")
    meg, fmri = tables_of(events, "meg"), tables_of(events, "fmri")
    result = pair("faces", "ds000117", index, events)
    print("ds000117: one name, two pictures")
    print("  subject  names in common  contents in common")
    for subject in sorted(meg["subject"].unique()):
        sides = [side[side["subject"] == subject] for side in (meg, fmri)]
        names = [set(side["stimulus_name"].str.rsplit("/", n=1).str[-1]) for side in sides]
        keys = [set(side["stimulus"].dropna()) for side in sides]
        print(f"  {subject:8} {len(names[0] & names[1]):15d} {len(keys[0] & keys[1]):19d}")
    between = result.pairs[(result.pairs["tier"] == "T2")]
    refused = result.abstentions[result.abstentions["tier"] == "T2"]
    print(f"  stimulus-level pairs MEG-fMRI: {len(between)}; abstentions: {len(refused)}")
    print(f"  reason, e.g.: {refused['reason'].iloc[0]}")
    print(f"  remedy: {refused['remedy'].iloc[0]}")


def nod(tables: Path) -> None:
    """Print NOD: counts a run, bounces, joins by order."""
    print("\nNOD: triggers in the tables, images elsewhere")
    for name, images in (("ds005810", 200), ("ds005811", 125)):
        _, events = read(tables, name)
        held = [one for one in events.values() if isinstance(one, Events)]
        shown = Counter(
            int((one.table["concept"] == "perception/visual/scene").sum()) for one in held
        )
        responses = sum(int((one.table["concept"] == "response").sum()) for one in held)
        bounces = sum(x.count for one in held for x in one.losses if x.reason.startswith("bounce"))
        print(f"  {name}: {len(held)} of {len(events)} runs hold their assertions")
        print(f"    stim_on a run (count: runs): {dict(shown)}")
        print(
            f"    response rows {responses + bounces:,}: {bounces:,} bounces set aside, "
            f"{responses:,} kept"
        )
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / name
            runs = copy_with_lists(tables / name, target, images)
            whole = read_joined(target, joining(name))
            drop_line(target, next(iter(runs.values())) + 17)
            short = read_joined(target, joining(name))
        joined = sum(isinstance(one, Events) for one in whole.values())
        wrong = [one for one in short.values() if not isinstance(one, Events)]
        print(f"    joined by order: {joined} of {len(whole)} runs of sub-01")
        print(f"    one line less: {len(wrong)} refused, {len(short) - len(wrong)} joined")
        print(f"    {wrong[0]}")


def stories(tables: Path) -> None:
    """Print ds004078: runs joined by story, lost starts, media clocks."""
    index, events = read(tables, "ds004078", Selection(task=["RDR"]))
    result = pair("stories", "ds004078", index, events)
    clocks = pd.concat(
        [
            one.media.assign(recording=name)
            for name, one in events.items()
            if isinstance(one, Events) and one.media is not None
        ],
        ignore_index=True,
    )
    meg = clocks[clocks["recording"].str.endswith("_meg")]
    both = meg[meg["status"] == "measured"]
    runs = [result.pairs[f"recording_{side}"].str.extract(r"run-(\d+)")[0] for side in "ab"]
    print("\nds004078: stories")
    for rule, pairs in result.pairs.groupby("rule"):
        print(f"  {rule}: {len(pairs)} pairs in {pairs['recording_a'].nunique()} MEG runs")
    print(f"  pairs of equal run number (the story): {(runs[0] == runs[1]).mean():.1%}")
    print(f"  MEG media clocks: {meg['status'].value_counts().to_dict()}")
    rate = both["rate_ppm"]
    print(
        f"  rate with both marks: mean {rate.mean():+.1f} ppm, SD {rate.std():.1f} "
        f"({rate.min():+.1f} to {rate.max():+.1f}); "
        f"span - nominal {1e3 * (both['span'] - both['nominal']).mean():+.1f} ms, "
        f"SD {1e3 * (both['span'] - both['nominal']).std():.1f}"
    )
    within = rate - rate.groupby(both["stimulus"]).transform("mean")
    freedom = len(both) - both["stimulus"].nunique()
    print(
        f"  SD within a story, over persons: {np.sqrt((within**2).sum() / freedom):.1f} ppm: the "
        "rest is the stories' own (stated length, place of the end mark), and no clock's"
    )
    for row in meg[meg["status"] != "measured"].itertuples():
        print(f"  {row.recording}: {row.status}, media time 0 at {row.onset:.3f} s")
        usual = 1e3 * both["uncertainty"].max()
        print(f"    +/- {1e3 * row.uncertainty:.1f} ms (with both marks {usual:.1f} ms)")
        print(f"    {row.reason}")
    left_out(both)
    print("  media clock per run: recording, status, onset (s), rate (ppm), +/- (ms)")
    for row in meg.sort_values("recording").itertuples():
        print(
            f"    {row.recording:38} {row.status:9} {row.onset:8.3f} {row.rate_ppm:+8.1f} "
            f"{1e3 * row.uncertainty:6.1f}"
        )


def left_out(both: pd.DataFrame) -> None:
    """Print how right a recovered start is, on runs whose start is known."""
    errors, inside = [], 0
    ratios = (both["span"] / both["nominal"]).tolist()
    spans = [Span(key, ratio) for key, ratio in zip(both["stimulus"], ratios, strict=True)]
    for number, row in enumerate(both.itertuples()):
        others = spans[:number] + spans[number + 1 :]
        limit = LATENCY + MAX_PPM * 1e-6 * row.nominal
        span, half, _ = expected_span(row.stimulus, row.nominal, others, limit)
        errors.append(row.span - span)
        inside += abs(row.span - span) <= np.hypot(half, row.uncertainty)
    print(
        f"  starts recovered on the {len(errors)} runs that have them: error SD "
        f"{1e3 * np.std(errors):.1f} ms, largest {1e3 * np.max(np.abs(errors)):.1f} ms; "
        f"{inside} of {len(errors)} inside their interval"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).resolve().parents[3] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default)
    tables = parser.parse_args().data / "events"
    faces(tables)
    nod(tables)
    stories(tables)


if __name__ == "__main__":
    main()
