"""The command line: parsing only. Commands import their work when they run: --help is quick."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from neuropair import __version__
from neuropair.flows.options import add_cache, add_corpus, add_json, add_release
from neuropair.flows.upkeep_parsers import add_upkeep
from neuropair.schemas.errors import NeuropairError

_EXIT_CODES = """\
exit codes:
  0  done
  1  something broke that is nobody's input
  2  the command line is wrong
  3  a study, recipe, dataset, table or query is wrong
  4  done and published, but some recordings could not be read; they are listed
  5  verify found damage
  6  a store could not be read or written
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Arguments without the program's name; those of the process unless given.
    """
    options = _parser().parse_args(arguments)
    from neuropair.flows import commands, console

    command = getattr(commands, options.command)
    try:
        return int(command(options))
    except NeuropairError as error:
        console.complain(error)
        return int(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; run the same command again to go on\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neuropair",
        description="Paired windows of EEG, MEG, fNIRS and fMRI: from BIDS datasets to a stream.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"neuropair {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_plan(commands)
    _add_rehearse(commands)
    _add_ingest(commands)
    _add_query(commands)
    _add_show(commands)
    _add_ledger(commands)
    _add_evidence(commands)
    _add_report(commands)
    _add_verify(commands)
    add_upkeep(commands, _add)
    _add_recipes(commands)
    _add_simulate(commands)
    _add_demo(commands)
    _add_calibrate(commands)
    return parser


_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add(commands: _Commands, name: str, help_text: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=help_text,
        description=help_text[0].upper() + help_text[1:] + ".",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_study(command: argparse.ArgumentParser) -> None:
    command.add_argument("study", metavar="STUDY", help="a shipped study or recipe, or a file")
    command.add_argument(
        "--source",
        action="append",
        default=[],
        metavar="ID=URL",
        help="where a dataset lies: a folder, a URL, or openneuro:ACCESSION (repeatable)",
    )


def _add_plan(commands: _Commands) -> None:
    command = _add(
        commands,
        "plan",
        "say what an ingest would read or pull and what is missing, touching nothing",
    )
    _add_study(command)
    add_json(command)


def _add_rehearse(commands: _Commands) -> None:
    command = _add(
        commands, "rehearse", "pair a study from tables and sidecars alone, without any signal"
    )
    _add_study(command)
    command.add_argument(
        "--out", required=True, metavar="DIR", help="where the tables go: a folder or URL"
    )
    add_cache(command)
    add_json(command)


def _add_ingest(commands: _Commands) -> None:
    command = _add(commands, "ingest", "take a study's datasets through every stage to a release")
    _add_study(command)
    add_corpus(command)
    where = command.add_mutually_exclusive_group()
    where.add_argument("--workers", type=_positive, metavar="N", help="recordings at a time, here")
    where.add_argument("--cluster", metavar="tcp://…", help="address of a Dask scheduler")
    add_cache(command)
    command.add_argument("--dry-run", action="store_true", help="the same as plan")
    add_json(command)


def _add_query(commands: _Commands) -> None:
    command = _add(commands, "query", "ask the catalog in SQL (one SELECT over its tables)")
    add_corpus(command)
    command.add_argument("select", metavar="SELECT", help="SQL, one statement")
    command.add_argument(
        "--format", choices=("table", "csv", "json", "parquet"), default="table", dest="style"
    )
    command.add_argument("--output", type=Path, metavar="FILE", help="write to a file")
    add_release(command)


def _add_show(commands: _Commands) -> None:
    command = _add(commands, "show", "show what a corpus holds, or one pair with a picture of it")
    add_corpus(command)
    command.add_argument("pair", nargs="?", metavar="PAIR_ID")
    command.add_argument("--output", type=Path, metavar="FILE.png", help="where the picture goes")
    add_release(command)
    add_json(command)


def _add_ledger(commands: _Commands) -> None:
    command = _add(
        commands, "ledger", "measure what the pairs hold against nulls, and publish the figures"
    )
    add_corpus(command)
    command.add_argument(
        "--release", metavar="ID", help="an older release: measured, but not published"
    )
    command.add_argument(
        "--permutations", type=_positive, default=999, metavar="N", help="refits a null"
    )
    command.add_argument("--seed", type=int, default=0, metavar="K")
    add_json(command)


def _add_evidence(commands: _Commands) -> None:
    command = _add(commands, "evidence", "print what the pairs of a release rest on, as tables")
    add_corpus(command)
    add_release(command)
    add_json(command)


def _add_report(commands: _Commands) -> None:
    command = _add(commands, "report", "draw a release's evidence as one self-contained HTML file")
    add_corpus(command)
    add_release(command)
    command.add_argument(
        "--output", type=Path, required=True, metavar="FILE.html", help="where the report goes"
    )


def _add_verify(commands: _Commands) -> None:
    command = _add(commands, "verify", "check every byte and every table of a corpus")
    add_corpus(command)
    add_json(command)


def _add_recipes(commands: _Commands) -> None:
    command = _add(commands, "recipes", "list the recipes and studies that come with neuropair")
    add_json(command)


def _add_simulate(commands: _Commands) -> None:
    command = _add(commands, "simulate", "write a simulated BIDS dataset, with the truth beside it")
    command.add_argument("folder", type=Path, metavar="DIR")
    command.add_argument("--subjects", type=_positive, default=6, metavar="N")
    command.add_argument("--seconds", type=float, default=180.0, metavar="S", help="a run")
    command.add_argument("--seed", type=int, default=0, metavar="K")


def _add_demo(commands: _Commands) -> None:
    command = _add(commands, "demo", "simulate, ingest, judge pairs by the truth, stream a batch")
    command.add_argument("folder", type=Path, nargs="?", default=Path("demo"), metavar="DIR")
    command.add_argument("--workers", type=_positive, metavar="N", help="recordings at a time")


def _add_calibrate(commands: _Commands) -> None:
    command = _add(commands, "calibrate", "fit the confidence of pairs anew, on simulated corpora")
    command.add_argument(
        "--runs", type=_positive, metavar="N", help="corpora of a part (default: 600)"
    )
    command.add_argument(
        "--out", type=Path, metavar="FILE", help="default: the file that neuropair reads"
    )
    add_json(command)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


if __name__ == "__main__":
    sys.exit(main())
