"""The content of a corpus's ``dataset_description.json``."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

_BIDS_VERSION = "1.10.0"


def corpus_description(datasets: pd.DataFrame, version: str) -> bytes:
    """Describe a corpus and its sources; equal for equal rows.

    The corpus is BIDS-inspired, not BIDS: Zarr and Delta Lake are no BIDS formats.

    Parameters
    ----------
    datasets : pandas.DataFrame
        Rows of table ``datasets``, of all studies.
    version : str
        Of the neuropair that writes it.
    """
    rows = datasets.sort_values(["dataset", "study"]).drop_duplicates("dataset")
    rows = rows.astype(object).where(rows.notna(), None)
    description = {
        "Name": "neuropair corpus (BIDS-inspired: arrays are Zarr, tables are Delta Lake)",
        "BIDSVersion": _BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "neuropair", "Version": version}],
        "SourceDatasets": [_source(dict(row)) for _, row in rows.iterrows()],
        "DatasetLinks": dict(zip(rows["dataset"], rows["source"], strict=True)),
    }
    return (json.dumps(description, indent=2, ensure_ascii=False) + "\n").encode()


def _source(row: dict[Any, Any]) -> dict[str, str]:
    given = {
        "URL": row["source"],
        "DOI": row["doi"],
        "Name": row["name"] or row["dataset"],
        "License": row["license"],
        "HowToAcknowledge": row["citation"],
    }
    return {key: value for key, value in given.items() if value}
