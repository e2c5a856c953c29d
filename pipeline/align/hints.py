"""What names and scans.tsv say about two recordings: never a reason to pair them.

Start times in scans.tsv are rounded, shifted to hide dates, and of the computer that wrote it;
names are chosen by people. They rank rivals in a message, and where they contradict, that is said.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np

from neuropair.pipeline.align.reasons import Abstention
from neuropair.pipeline.align.segment import Clock
from neuropair.pipeline.align.types import RecordingPair, Work

MAX_CONTRADICTION = 3600.0
"""s. Clocks of two computers differ by minutes, time zones and summer time by hours: from an hour
on it is worth a look."""
MAX_TOGETHER = 12 * 3600.0
"""s. No sitting lasts longer."""
_ENTITIES = ("session", "task", "run")


def apart(work: Work, pair: RecordingPair) -> float | None:
    """How much later b started than a by scans.tsv, s; None where either time is unknown."""
    times = []
    for side, rec in ((work.a, pair.a), (work.b, pair.b)):
        given = side.recordings["acq_time"].iloc[rec]
        try:
            times.append(datetime.fromisoformat(str(given)))
        except ValueError:
            return None
    if (times[0].tzinfo is None) != (times[1].tzinfo is None):
        return None
    return (times[1] - times[0]).total_seconds()


def contradiction(work: Work, pair: RecordingPair, clock: Clock) -> str | None:
    """Say that scans.tsv contradicts the triggers by an hour or more."""
    known = apart(work, pair)
    if known is None:
        return None
    # where b's clock shows 0, b started
    started = -clock.segments[0].offset / clock.segments[0].slope
    if abs(known - started) < MAX_CONTRADICTION:
        return None
    return f"scans.tsv has b start {_hours(known)} after a, the triggers {_hours(started)}"


def hint(work: Work, pair: RecordingPair) -> str | None:
    """Say that by scans.tsv two recordings are not of one sitting."""
    known = apart(work, pair)
    if known is None or abs(known) <= MAX_TOGETHER:
        return None
    return f"scans.tsv has them start {_hours(abs(known))} apart"


def with_hint(found: Abstention, text: str | None) -> Abstention:
    """Add a hint to the reason of an abstention."""
    return found if text is None else found._replace(reason=f"{found.reason}; {text}")


def likelier(work: Work, pairs: list[RecordingPair]) -> str:
    """Say which of rival pairs names and start times favour; empty where they favour none."""
    scores = [_agreement(work, pair) for pair in pairs]
    best = int(np.argmax(scores))
    if sum(score == scores[best] for score in scores) > 1:
        return ""
    a, b = pairs[best]
    return f"; names and start times favour {work.a.name(a)} with {work.b.name(b)}"


def _agreement(work: Work, pair: RecordingPair) -> float:
    a, b = work.a.recordings.iloc[pair.a], work.b.recordings.iloc[pair.b]
    equal: int = sum(bool(a[name] is not None and a[name] == b[name]) for name in _ENTITIES)
    known = apart(work, pair)
    return equal + (0.5 if known is not None and abs(known) < MAX_CONTRADICTION else 0.0)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if abs(seconds) >= 3600 else f"{seconds:.0f} s"
