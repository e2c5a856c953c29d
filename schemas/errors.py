"""One error type for everything a user can get wrong, and the exit codes that go with it."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the command line. They are stable: scripts may rely on them."""

    OK = 0
    FAILED = 1
    """Something broke that is nobody's input: a bug, a lost worker."""
    USAGE = 2
    """The command line itself is wrong."""
    INPUT = 3
    """A study, recipe, dataset, table or query is wrong; the message says where."""
    INCOMPLETE = 4
    """The work ended and was published, and some recordings could not be read; they are listed."""
    DAMAGED = 5
    """``verify`` found damage."""
    STORAGE = 6
    """A store could not be read or written: no space, no permission, no network."""


class NeuropairError(Exception):
    """An error with a place and a remedy.

    Parameters
    ----------
    problem : str
        What is wrong, in one sentence.
    where : str
        The file, and the line, key, column or object in it.
    remedy : str
        What the user can do.
    """

    exit_code: ExitCode = ExitCode.INPUT

    def __init__(self, problem: str, *, where: str, remedy: str) -> None:
        super().__init__(problem, where, remedy)
        self.problem = problem
        self.where = where
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the keyword arguments when the error crosses a process (Dask, Prefect)."""
        return _rebuild, (type(self), self.problem, self.where, self.remedy)

    def __str__(self) -> str:
        return f"{self.where}: {self.problem} Remedy: {self.remedy}"


def _rebuild(kind: type[NeuropairError], problem: str, where: str, remedy: str) -> NeuropairError:
    return kind(problem, where=where, remedy=remedy)


class RecipeError(NeuropairError):
    """A recipe or a study says something that cannot be."""


class AssertionFailedError(RecipeError):
    """What a recipe asserts about its data does not hold."""


class IdentityError(AssertionFailedError):
    """Two stimuli of different content are taken for one."""


class SourceError(NeuropairError):
    """A source cannot be listed or read."""

    exit_code = ExitCode.STORAGE


class ClusterError(NeuropairError):
    """No cluster answers at the address that was given."""


class DatasetError(NeuropairError):
    """A file of a dataset cannot be read or contradicts another."""


class CorpusError(NeuropairError):
    """A corpus is absent, of another format, half written or damaged."""


class DamagedError(CorpusError):
    """Bytes of a corpus are not the bytes that were written."""

    exit_code = ExitCode.DAMAGED


class StorageError(NeuropairError):
    """A store refuses to be written: full, read-only, unreachable."""

    exit_code = ExitCode.STORAGE


class QueryError(NeuropairError):
    """A query is no SELECT, or names something that does not exist."""
