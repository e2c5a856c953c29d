"""What a person sees while work goes on: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from neuropair.schemas.errors import NeuropairError


class Progress(Protocol):
    """Counts finished things of one stage."""

    def advance(self, what: str) -> None:
        """Say that `what` is done."""


class _Lines:
    """One line a finished thing, for logs."""

    def __init__(self, stage: str, total: int) -> None:
        self._stage, self._total, self._done = stage, total, 0

    def advance(self, what: str) -> None:
        self._done += 1
        sys.stderr.write(f"{self._stage} {self._done}/{self._total} {what}\n")


@contextmanager
def progress(stage: str, total: int, *, quiet: bool = False) -> Iterator[Progress]:
    """Show the progress of a stage on standard error.

    Parameters
    ----------
    stage : str
        What is being done.
    total : int
        How many things there are.
    quiet : bool
        Show nothing.
    """
    if quiet:
        yield _Quiet()
    elif sys.stderr.isatty():
        with _bar(stage, total) as bar:
            yield bar
    else:
        yield _Lines(stage, total)


class _Quiet:
    def advance(self, what: str) -> None:
        """Say nothing."""


@contextmanager
def _bar(stage: str, total: int) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[what]}"),
    )
    with RichProgress(*columns, console=Console(stderr=True)) as shown:
        task = shown.add_task(stage, total=total, what="")

        class _Bar:
            def advance(self, what: str) -> None:
                shown.update(task, advance=1, what=what)

        yield _Bar()


def say(text: str) -> None:
    """Write one line to standard output."""
    sys.stdout.write(f"{text}\n")


def show(renderable: object) -> None:
    """Write a rich renderable to standard output, as wide as the terminal or 120 columns."""
    from rich.console import Console

    console = Console() if sys.stdout.isatty() else Console(width=120, no_color=True)
    console.print(renderable)


class Answer(Protocol):
    """What a command came to."""

    def to_dict(self) -> Mapping[str, Any]:
        """All of it, as plain values."""


def answer(
    found: Answer, *, as_json: bool, shown: Callable[[], Iterable[object]] | None = None
) -> None:
    """Write what a command came to: as JSON, or for a person.

    Parameters
    ----------
    found : Answer
    as_json : bool
    shown : callable, optional
        Makes the renderables that a person sees; `found` itself is one unless given.
    """
    if as_json:
        show_json(found.to_dict())
        return
    for renderable in [found] if shown is None else shown():
        show(renderable)


def show_json(content: object) -> None:
    """Write plain values to standard output as JSON."""
    json.dump(content, sys.stdout, indent=2, default=str)
    sys.stdout.write("\n")


def complain(error: NeuropairError) -> None:
    """Write an error to standard error: what, where, remedy."""
    sys.stderr.write(f"error: {error.problem}\n  where:  {error.where}\n  remedy: {error.remedy}\n")
