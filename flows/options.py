"""Options that several commands take; nothing heavy is imported here."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_corpus(command: argparse.ArgumentParser) -> None:
    """Add ``--corpus``."""
    command.add_argument("--corpus", required=True, metavar="URL", help="the corpus: folder or URL")


def add_release(command: argparse.ArgumentParser) -> None:
    """Add ``--release``."""
    command.add_argument("--release", metavar="ID", help="a release other than the newest")


def add_cache(command: argparse.ArgumentParser) -> None:
    """Add ``--cache``."""
    command.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="where downloads go (default: $NEUROPAIR_CACHE or ~/.cache/neuropair)",
    )


def add_json(command: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    command.add_argument("--json", action="store_true", help="print the result as JSON")
