"""Triggers that would align if their times were read in another way: said, and never assumed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neuropair.pipeline.align.reasons import Abstention
from neuropair.pipeline.align.segment import Clock
from neuropair.pipeline.align.vote import Train

Align = Callable[[Train, Train], Clock | Abstention]

UNITS = {1e-3: "milliseconds", 1e-6: "microseconds"}
MIN_UNIT_RATIO = 4.0
"""Spans that differ by less are not of two units: the largest sample period here is 0.2 s."""
MAX_SPAN_RATIO = 3.0
"""Two devices of one sitting: neither records three times as long as the other."""


def other_unit(a: Train, b: Train, q: float, align: Align) -> Abstention | None:
    """Try other units on triggers whose spans are not those of one sitting.

    Parameters
    ----------
    a, b : Train
        At least one event each.
    q : float
        Sample period of the slower device, s: times may be counts of samples.
    align : callable
        Aligns two trains.

    Returns
    -------
    Abstention or None
        What the times look like, with the remedy; None if nothing speaks for another unit.
    """
    ratio = _ratio(a, b)
    if 1 / MIN_UNIT_RATIO < ratio < MIN_UNIT_RATIO:
        return None
    name, factor_of = ("a", (1.0, 0.0)) if ratio > 1 else ("b", (0.0, 1.0))
    for factor, unit in {q: "samples", **UNITS}.items():
        x = _scaled(a, factor if factor_of[0] else 1.0)
        y = _scaled(b, factor if factor_of[1] else 1.0)
        if not 1 / MAX_SPAN_RATIO <= _ratio(x, y) <= MAX_SPAN_RATIO:
            continue
        found = align(x, y)
        if isinstance(found, Clock):
            return Abstention(
                f"other-unit: {found.n_matched} of {a.times.size} and {b.times.size} triggers "
                f"align if the times of side {name} are read as {unit}; as seconds their spans "
                f"differ by a factor of {max(ratio, 1 / ratio):.4g}",
                f"state in the recipe of side {name} that its onsets are in {unit}, or mend them: "
                "BIDS onsets are in seconds",
            )
    return None


def reversed_time(a: Train, b: Train, align: Align) -> Abstention | None:
    """Try reversed time on triggers that do not align; None if nothing speaks for it."""
    if not 1 / MAX_SPAN_RATIO <= _ratio(a, b) <= MAX_SPAN_RATIO:
        return None
    found = align(a, _scaled(b, -1.0))
    if isinstance(found, Clock):
        return Abstention(
            f"reversed-time: {found.n_matched} of {a.times.size} and {b.times.size} triggers align "
            "if the times of one side run backwards",
            "mend the onsets: one side's are negated or counted from the recording's end",
        )
    return None


def _ratio(a: Train, b: Train) -> float:
    return max(float(np.ptp(a.times)), 1e-9) / max(float(np.ptp(b.times)), 1e-9)


def _scaled(train: Train, factor: float) -> Train:
    times = train.times * factor
    order = np.lexsort((train.rows, times, train.codes))
    return Train(times[order], train.codes[order], train.rows[order])
