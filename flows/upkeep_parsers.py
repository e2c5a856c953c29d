"""Parsers of the commands in `neuropair.flows.upkeep`; nothing heavy is imported here."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from neuropair.flows.options import add_cache, add_corpus, add_json, add_release

_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Add = Callable[[_Commands, str, str], argparse.ArgumentParser]


def add_upkeep(commands: _Commands, add: Add) -> None:
    """Add the commands that keep a corpus.

    Parameters
    ----------
    commands : subparsers
    add : callable
        Adds a command by name and help text.
    """
    _add_tables(add(commands, "tables", "say what every column of the tables means, with units"))
    _add_diff(add(commands, "diff", "say what changed between two releases of a corpus"))
    _add_card(add(commands, "card", "describe a release: data, licences, citations, flags"))
    _add_export(add(commands, "export", "write a selection of pairs as Parquet and Zarr"))
    _add_forget(add(commands, "forget", "remove a person from a corpus for good, with a receipt"))
    _add_gc(add(commands, "gc", "remove what no release of a corpus needs"))


def _add_tables(command: argparse.ArgumentParser) -> None:
    command.add_argument("table", nargs="?", metavar="TABLE", help="one table; all unless given")
    add_json(command)


def _add_diff(command: argparse.ArgumentParser) -> None:
    command.add_argument("a", metavar="A", help="a release, or the beginning of its id")
    command.add_argument("b", metavar="B", help="the release to compare it with")
    add_corpus(command)
    add_json(command)


def _add_card(command: argparse.ArgumentParser) -> None:
    add_corpus(command)
    add_release(command)
    command.add_argument("--output", type=Path, metavar="FILE.md", help="write to a file")
    command.add_argument("--bib", type=Path, metavar="FILE.bib", help="write the citations alone")


def _add_export(command: argparse.ArgumentParser) -> None:
    add_corpus(command)
    add_release(command)
    command.add_argument(
        "condition", nargs="?", metavar="CONDITION", help="SQL on table pairs; all unless given"
    )
    command.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="a folder, absent or empty"
    )
    add_json(command)


def _add_forget(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "subject", metavar="SUBJECT", help="a person id, or dataset/subject; the person goes whole"
    )
    add_corpus(command)
    add_cache(command)
    add_json(command)


def _add_gc(command: argparse.ArgumentParser) -> None:
    add_corpus(command)
    command.add_argument("--dry-run", action="store_true", help="only say what would go")
    command.add_argument(
        "--keep", type=int, metavar="N", help="withdraw all but the newest N releases"
    )
    add_json(command)
