"""The truth beside a simulated dataset: what happened, which pairs are right, what is wrong."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from neuropair.pipeline.simulate.events import SimulatedEvents
from neuropair.pipeline.simulate.files import write_json, write_table
from neuropair.pipeline.simulate.plan import DUPLICATE_SUBJECT, SFREQ
from neuropair.pipeline.simulate.settings import SimulationSettings
from neuropair.pipeline.simulate.traps import Trap
from neuropair.schemas.kinds import Modality

EVENTS_FILE = "events.parquet"
SPURIOUS_FILE = "spurious.tsv"
CLOCKS_FILE = "clocks.tsv"
PAIRS_FILE = "pairs.tsv"
DUPLICATES_FILE = "duplicates.tsv"
TRAPS_FILE = "traps.json"
SETTINGS_FILE = "settings.json"


def write_truth(
    folder: Path, happened: SimulatedEvents, traps: list[Trap], settings: SimulationSettings
) -> None:
    """Write the truth of a simulated dataset.

    ``events.parquet`` (`SimulatedEvents.trials`), ``spurious.tsv``, ``clocks.tsv``, ``pairs.tsv``
    (right pairs of the event-level tiers among events that are in tables; in T3 and T5 equal
    conditions are right), ``duplicates.tsv``, ``traps.json``, ``settings.json``. Recording ids
    lack the dataset.
    """
    folder.mkdir(parents=True, exist_ok=True)
    happened.trials.to_parquet(folder / EVENTS_FILE, index=False)
    write_table(folder / SPURIOUS_FILE, happened.spurious)
    write_table(folder / CLOCKS_FILE, clocks(happened))
    write_table(folder / PAIRS_FILE, right_pairs(happened))
    write_table(folder / DUPLICATES_FILE, duplicates(happened))
    write_json(folder / TRAPS_FILE, traps)
    write_json(folder / SETTINGS_FILE, settings.model_dump(mode="json"))


def clocks(happened: SimulatedEvents) -> pd.DataFrame:
    """Give the clock of each fNIRS recording against its EEG's, one row a segment.

    ``t_b = offset + (1 + drift_ppm * 1e-6) * t_a``, both in s from the file's first sample, for
    ``t_a`` from ``start`` to ``stop``; there are two segments where the recorder was restarted.
    """
    seconds = {run.recording: run.seconds for run in happened.runs}
    rows = []
    for run in happened.runs:
        if run.modality is Modality.FNIRS:
            partner = run._replace(modality=Modality.EEG).recording
            for number, (start, stop, offset) in enumerate(run.clock.segments(seconds[partner])):
                rows.append(
                    {
                        "recording_a": partner,
                        "recording_b": run.recording,
                        "segment": number,
                        "start": start,
                        "stop": stop,
                        "offset": offset,
                        "drift_ppm": run.clock.drift * 1e6,
                        "sample_period_b": 1 / SFREQ[Modality.FNIRS],
                    }
                )
    return pd.DataFrame(rows)


def right_pairs(happened: SimulatedEvents) -> pd.DataFrame:
    """Give the right pairs of T1, T2 and T4, one row a pair of events; side a is written first.

    The duplicate takes no part: it is no other person.
    """
    order = {run.recording: number for number, run in enumerate(happened.runs)}
    trials = happened.trials
    trials = trials[trials["in_table"] & ~trials["recording"].str.startswith(_DUPLICATE)]
    trials = trials[[*_SHARED, "recording", "person", "session", "onset", "repetition"]]
    trials = trials.assign(order=trials["recording"].map(order))
    together = _joined(trials, "trial").assign(tier="T1")
    same = _joined(trials[trials["stimulus"] != ""], "stimulus")
    same_person = same["person_a"] == same["person_b"]
    same["tier"] = same_person.map({True: "T2", False: "T4"})
    same = same[~(same_person & (same["session_a"] == same["session_b"]))]
    pairs = pd.concat([together, same], ignore_index=True)
    pairs["same_repetition"] = pairs["repetition_a"] == pairs["repetition_b"]
    pairs = pairs.sort_values(["tier", "order_a", "order_b", "onset_a", "onset_b"])
    return pairs[_PAIR_COLUMNS].round({"onset_a": 6, "onset_b": 6})


_DUPLICATE = f"sub-{DUPLICATE_SUBJECT}/"
_SHARED = ["trial", "stimulus"]
_PAIR_COLUMNS = [
    "tier",
    "recording_a",
    "onset_a",
    "recording_b",
    "onset_b",
    "stimulus",
    "same_repetition",
]


def _joined(trials: pd.DataFrame, on: str) -> pd.DataFrame:
    other = trials.drop(columns=[name for name in _SHARED if name != on])
    pairs = trials.merge(other, on=on, suffixes=("_a", "_b"))
    return pairs[pairs["order_a"] < pairs["order_b"]]


def duplicates(happened: SimulatedEvents) -> pd.DataFrame:
    """Give recordings that stand in the dataset twice."""
    rows = [
        {"recording": run.recording, "duplicate_of": run._replace(subject=run.person).recording}
        for run in happened.runs
        if run.subject != run.person
    ]
    return pd.DataFrame(rows)
