"""Parsers of the commands in `neuropair.flows.upkeep`; nothing heavy is imported here."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeAlias

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


def _add_tables(command: argparse.ArgumentParser) -> None:
    command.add_argument("table", nargs="?", metavar="TABLE", help="one table; all unless given")
    _add_json(command)


def _add_corpus(command: argparse.ArgumentParser) -> None:
    command.add_argument("--corpus", required=True, metavar="URL", help="the corpus: folder or URL")


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print the result as JSON")
