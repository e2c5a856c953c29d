"""Shipped studies on the real recordings, each ingested once a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from ingests import real_sources

from neuropair.catalog import Corpus
from neuropair.flows.summary import Summary


class Ingested(NamedTuple):
    """What came out of a study."""

    corpus: Corpus
    summary: Summary
    path: Path


@pytest.fixture(scope="session")
def ingested(
    real_data: Path, tmp_path_factory: pytest.TempPathFactory, prefect_server: None
) -> Callable[[str], Ingested]:
    """Ingest a shipped study, once."""
    from neuropair.flows.ingest import ingest

    done: dict[str, Ingested] = {}

    def one(study: str) -> Ingested:
        if study not in done:
            path = tmp_path_factory.mktemp(study)
            sources = real_sources(study, real_data)
            summary = ingest(study, str(path), sources, workers=2, quiet=True)
            done[study] = Ingested(Corpus.open(str(path)), summary, path)
        return done[study]

    return one
