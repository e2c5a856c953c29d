"""What a check of a corpus found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from rich.console import Group

_SHOWN = 50


class Damage(NamedTuple):
    """One thing that is not as it was written.

    Parameters
    ----------
    path : str
        File, group or table, relative to the corpus root.
    what : str
    """

    path: str
    what: str


@dataclass
class Report:
    """Result of `verify`.

    Parameters
    ----------
    url : str
    release : str or None
        Newest release; None where none can be read.
    damages : list of Damage
    notes : list of Damage
        What is no damage and worth knowing: leftovers of killed ingests.
    checked : dict
        How much was checked: releases, files, bytes, groups.
    """

    url: str
    release: str | None = None
    damages: list[Damage] = field(default_factory=list)
    notes: list[Damage] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damages

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as ``--json`` prints it."""
        return {
            "url": self.url,
            "release": self.release,
            "whole": self.is_whole,
            "damages": [damage._asdict() for damage in self.damages],
            "notes": [note._asdict() for note in self.notes],
            "checked": self.checked,
        }

    def __rich__(self) -> Group:
        """Show damages first, then notes."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        verdict = "whole" if self.is_whole else f"DAMAGED ({len(self.damages)})"
        checked = ", ".join(f"{n:,} {what}" for what, n in self.checked.items())
        head = Text(f"{self.url}, release {self.release}: {verdict}\nchecked: {checked}")
        table = Table()
        for name in ("", "path", "what"):
            table.add_column(name, overflow="fold")
        for kind, rows in (("damage", self.damages), ("note", self.notes)):
            for row in rows[:_SHOWN]:
                table.add_row(kind, *row)
            if len(rows) > _SHOWN:
                table.add_row(kind, "...", f"and {len(rows) - _SHOWN} more")
        return Group(head, table) if table.row_count else Group(head)
