"""A corpus with two people, every table filled, for tests of what removes something from it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from corpora import (
    Tables,
    make_datasets,
    make_events,
    make_pairs,
    make_recording,
    make_signal,
    make_windows,
)

from neuropair.pipeline.corpus import CorpusStore, combine, input_digest, write_recording
from neuropair.schemas.signals import Signals
from neuropair.schemas.study import Windows

PEOPLE = ("anna", "berta")
"""Labels that no other text of a corpus has in it, so that a search of its bytes is honest."""


def write_people(store: CorpusStore, people: tuple[str, ...] = PEOPLE) -> Tables:
    """Write an EEG and an fNIRS recording of each person; all tables that a study publishes."""
    parts = []
    for label in people:
        for modality in ("eeg", "fnirs"):
            recording, events = make_recording(modality, label), make_events(np.arange(10) * 2.0)
            digest = input_digest(
                recording,
                files={label: "sha256:00"},
                events=events,
                person=f"people/{label}",
                signals=Signals(),
                windows=Windows(),
            )
            parts.append(
                write_recording(
                    store,
                    recording,
                    digest,
                    make_windows(modality),
                    make_signal(modality),
                    events,
                    person=f"people/{label}",
                    settings=Signals(),
                )
            )
    tables = combine(parts)
    tables["recordings"]["split"] = "train"
    tables["datasets"] = make_datasets("ds1").assign(n_recordings=2 * len(people))
    tables["splits"] = _splits(people)
    pairs = [
        make_pairs(
            tables["recordings"][tables["recordings"]["subject"] == label].sort_values("recording"),
            rule=f"rule-{i}",
        )
        for i, label in enumerate(people)
    ]
    tables["pairs"] = pd.concat(pairs, ignore_index=True)
    return tables | _evidence(people)


def _splits(people: tuple[str, ...]) -> pd.DataFrame:
    keys = [("person", f"people/{label}") for label in people]
    keys += [
        ("recording", f"ds1/sub-{label}/task-tap_{modality}")
        for label in people
        for modality in ("eeg", "fnirs")
    ]
    rows = [{"kind": k, "key": name, "component": "c", "split": "train"} for k, name in keys]
    return pd.DataFrame(rows)


def _evidence(people: tuple[str, ...]) -> Tables:
    a, b = (f"ds1/sub-{people[0]}/task-tap_{m}" for m in ("eeg", "fnirs"))
    other = f"ds1/sub-{people[-1]}/task-tap_fnirs"
    clock = dict.fromkeys(
        ("start", "stop", "offset", "drift_ppm", "residual_sd", "tolerance", "bias", "coverage"),
        1.0,
    ) | dict.fromkeys(("n_a", "n_b", "n_matched", "debounced_a", "debounced_b", "segment"), 1)
    return {
        "abstentions": pd.DataFrame(
            [{"recording_a": a, "recording_b": other, "tier": "T4", "rule": "r"}]
        ).assign(reason=f"far: {a}", remedy="none"),
        "persons": pd.DataFrame(
            {
                "dataset": "ds1",
                "subject": people,
                "person": [f"people/{label}" for label in people],
                "basis": "recipe",
                "n_recordings": 2,
                "because": f"not {a}, nor people/{people[0]}; as the recipe says",
            }
        ),
        "clocks": pd.DataFrame([{"rule": "rule-0", "recording_a": a, "recording_b": b}]).assign(
            **clock, ambiguity=0.1
        ),
        "media_clocks": pd.DataFrame(
            [{"recording": r, "stimulus": "s", "status": "unknown"} for r in (a, other)]
        ),
        "balance": pd.DataFrame(
            [{"rule": "rule-0", "pool": "pooled"}, {"rule": "rule-1", "pool": "pooled"}]
        ).assign(covariate="soa", n_a=1, n_b=1, n_pairs=1),
        "alternates": pd.DataFrame(
            [
                {"pair_id": "rule-0-1", "rank": 1, "recording_b": other},
                {"pair_id": "rule-1-1", "rank": 1, "recording_b": b},
                {"pair_id": "rule-1-2", "rank": 1, "recording_b": other},
            ]
        ).assign(window_b=1, weight=0.5),
        "negatives": pd.DataFrame(
            [{"pair_id": f"rule-{i}-3", "kind": "off-by-one", "recording_b": other} for i in (0, 1)]
        ).assign(grade=4, window_b=2),
        "duplicates": pd.DataFrame(
            [{"recording_a": a, "recording_b": other, "relation": "unconfirmed"}]
        ).assign(n_events=3, reason="because"),
        "losses": pd.DataFrame(
            [
                {"dataset": "ds1", "stage": "index", "item": "file", "action": "dropped"}
                | {"count": 2, "reason": "no", "where": f"sub-{people[0]}/eeg/x.eeg and others"},
                {"dataset": "ds1", "recording": other, "stage": "events", "item": "row"}
                | {"action": "dropped", "count": 1, "reason": "a bounce", "where": "line 3"},
            ]
        ),
    }


def names_in(folder: Path, word: str) -> list[str]:
    """Find a word in the paths and bytes below a folder, and in the texts of its Parquet files."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if word in name:
            found.append(f"{name} (its name)")
        if path.is_file() and word in _text(path):
            found.append(name)
    return found


def _text(path: Path) -> str:
    content = path.read_bytes()
    text = content.decode("latin-1")
    if path.suffix == ".parquet":
        text += json.dumps(pq.read_table(io.BytesIO(content)).to_pylist(), default=str)
    return text
