"""Relations of table ``duplicates``, and what they mean for persons and splits."""

from __future__ import annotations

ONE_SITTING = ("duplicate", "shared-signal", "simultaneous")
"""Show two recordings to be of one person at one time."""
LINKED = (*ONE_SITTING, "unconfirmed", "shared-events")
"""Keep two recordings in one split: what may be one recording counts as one."""
