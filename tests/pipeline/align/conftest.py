"""Small tables to pair, and the real tables of two datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from neuropair.schemas.study import Study


def recording(name: str, **fields: Any) -> dict[str, Any]:
    """A row of table recordings; `name` is <subject>_<modality>."""
    subject, modality = name.split("_")[0], name.split("_")[-1]
    return {
        "recording": f"ds/sub-{subject}/{name}",
        "dataset": "ds",
        "subject": subject,
        "session": None,
        "task": "t",
        "run": None,
        "modality": modality,
        "person": subject,
        "split": "train",
        "status": "ok",
        "reason": None,
        "source_file": name,
        "sfreq_source": 1000.0,
    } | fields


def events(name: str, onsets: Any, concept: Any = "marker", **columns: Any) -> pd.DataFrame:
    """Rows of table events."""
    onsets = np.asarray(onsets, dtype=float)
    span = max(float(np.ptp(onsets)), 1.0) if onsets.size else 1.0
    table = pd.DataFrame({"onset": onsets, "concept": concept, **columns})
    defaults = {
        "recording": f"ds/sub-{name.split('_')[0]}/{name}",
        "event": np.arange(len(table)),
        "identity": "none",
        "preceding_interval": np.r_[np.nan, np.diff(onsets)] if onsets.size else [],
        "run_position": (onsets - onsets.min()) / span if onsets.size else [],
    }
    return table.assign(**{k: v for k, v in defaults.items() if k not in table.columns})


def study(*pairings: dict[str, Any], **fields: Any) -> Study:
    """A study of one dataset."""
    given = [
        {"name": f"rule-{k}", "a": {"modality": "meg"}, "b": {"modality": "eeg"}} | pairing
        for k, pairing in enumerate(pairings)
    ]
    datasets = [{"dataset": "ds"}]
    return Study.model_validate(
        {"study": "s", "title": "t", "datasets": datasets, "pairings": given} | fields
    )


class Make:
    recording = staticmethod(recording)
    events = staticmethod(events)
    study = staticmethod(study)


@pytest.fixture(scope="session")
def make() -> type[Make]:
    return Make


@pytest.fixture(scope="session")
def faces(real_data: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Recordings and events of ds000117, MEG and fMRI, six persons; keys as published."""
    folder = real_data / "events"
    keys = pd.read_csv(folder / "ds000117_annexed.tsv", sep="\t").set_index("path")["checksum"]
    rows, tables = [], []
    for path in sorted((folder / "ds000117").glob("sub-0*/ses-*/*/*_run-*_events.tsv")):
        subject, modality = path.name[4:6], "meg" if path.parent.name == "meg" else "fmri"
        name = f"{subject}_{path.name.split('run-')[1][:2]}_{modality}"
        table = pd.read_csv(path, sep="\t", na_values="n/a")
        table = table[table["trigger"].isin([5, 6, 7, 13, 14, 15, 17, 18, 19])]
        table = table.sort_values("onset")
        rows.append(recording(name))
        tables.append(
            events(
                name,
                table["onset"],
                "perception/visual/face",
                value=table["trigger"].astype(int).astype(str).to_numpy(),
                stimulus=("stimuli/" + table["stim_file"]).map(keys).to_numpy(),
                stimulus_name=table["stim_file"].to_numpy(),
                identity="content",
            )
        )
    return pd.DataFrame(rows), pd.concat(tables, ignore_index=True)
