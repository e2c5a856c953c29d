"""``dataset_description.json`` of a corpus: what it is, and whose data it holds."""

from __future__ import annotations

import pandas as pd

import neuropair
from neuropair.pipeline.corpus.store import CorpusStore
from neuropair.schemas import layout
from neuropair.schemas.description import corpus_description


def write_description(store: CorpusStore, datasets: pd.DataFrame) -> None:
    """Write the description of a corpus with all its datasets; unchanged if it says so already.

    Parameters
    ----------
    store : CorpusStore
    datasets : pandas.DataFrame
        Rows of table ``datasets``, of all studies.
    """
    content = corpus_description(datasets, neuropair.__version__)
    path = layout.DESCRIPTION_FILE
    if not store.exists(path) or store.read(path) != content:
        store.write(path, content)
