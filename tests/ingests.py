"""Ingest shipped studies in tests, and compare the corpora that come out."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from neuropair.schemas.tables import TABLES


def real_sources(study: str, real_data: Path) -> dict[str, str]:
    """Folder of every dataset of a shipped study in the test data."""
    from neuropair.schemas.library import find_study

    return {
        entry.dataset: str(real_data / entry.dataset) for entry in find_study(study)[0].datasets
    }


def ingest_command(study: str, corpus: Path, sources: dict[str, str], *more: str) -> list[str]:
    """Command that ingests; what it has done stands in lines on its standard error."""
    given = [part for name, url in sources.items() for part in ("--source", f"{name}={url}")]
    program = [sys.executable, "-m", "neuropair.flows.cli", "ingest", study]
    return [*program, "--corpus", str(corpus), *given, *more]


def table_rows(corpus: Path) -> dict[str, pd.DataFrame]:
    """Every table of the newest release, row for row."""
    from neuropair.catalog import Corpus

    opened = Corpus.open(str(corpus))
    return {name: opened.sql(f"SELECT * FROM {name}").to_pandas() for name in TABLES}


def group_manifests(corpus: Path) -> dict[str, bytes]:
    """Manifest (a digest of every file) of every recording's group, by its place."""
    return {
        path.relative_to(corpus).as_posix(): path.read_bytes()
        for path in sorted(corpus.glob("signals/**/manifest.json"))
    }
