"""``dataset_description.json`` of a corpus: what it is, and whose data it holds."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

import neuropair
from neuropair.pipeline.corpus.store import CorpusStore
from neuropair.schemas import layout

_BIDS_VERSION = "1.10.0"


def write_description(store: CorpusStore, datasets: pd.DataFrame) -> None:
    """Write the description of a corpus with all its datasets; unchanged if it says so already.

    The corpus is BIDS-inspired, not BIDS: Zarr and Delta Lake are no BIDS formats.

    Parameters
    ----------
    store : CorpusStore
    datasets : pandas.DataFrame
        Rows of table ``datasets``, of all studies.
    """
    rows = datasets.drop_duplicates("dataset").sort_values("dataset")
    rows = rows.astype(object).where(rows.notna(), None)
    description = {
        "Name": "neuropair corpus (BIDS-inspired: arrays are Zarr, tables are Delta Lake)",
        "BIDSVersion": _BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "neuropair", "Version": neuropair.__version__}],
        "SourceDatasets": [_source(dict(row)) for _, row in rows.iterrows()],
        "DatasetLinks": dict(zip(rows["dataset"], rows["source"], strict=True)),
    }
    content = (json.dumps(description, indent=2, ensure_ascii=False) + "\n").encode()
    path = layout.DESCRIPTION_FILE
    if not store.exists(path) or store.read(path) != content:
        store.write(path, content)


def _source(row: dict[Any, Any]) -> dict[str, str]:
    given = {
        "URL": row["source"],
        "DOI": row["doi"],
        "Name": row["name"] or row["dataset"],
        "License": row["license"],
        "HowToAcknowledge": row["citation"],
    }
    return {key: value for key, value in given.items() if value}
