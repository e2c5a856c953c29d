"""An abstention: a short stable code with the numbers, and what would unlock the pair."""

from __future__ import annotations

from typing import NamedTuple


class Abstention(NamedTuple):
    """Why something is not paired.

    Parameters
    ----------
    reason : str
        ``<code>: <what failed, with the numbers>``; the codes are stable.
    remedy : str
        What would unlock it.
    """

    reason: str
    remedy: str

    @property
    def code(self) -> str:
        """The part of the reason that programs may rely on."""
        return self.reason.split(":", 1)[0]
