"""Whether an alignment is evidence: coverage, ambiguity, and what chance would show.

Its thresholds come from science.md section 3 and from simulation (`tests/benchmarks/clock.py`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from neuropair.pipeline.align.reasons import Abstention
from neuropair.pipeline.align.refine import Fit, refine
from neuropair.pipeline.align.vote import Train, guesses

MAX_SLOPE = 1500e-6
MIN_COVERAGE = 0.4
MAX_AMBIGUITY = 0.8
AMBIGUITY_DISTANCE = 0.25
"""s. Offsets closer than this are one offset."""
MIN_MATCHED = 5
"""With fewer, a fixed interval shifted by one event would pass: 3 of 4 is below 0.8."""
LATTICE_DOUBT = 0.05
"""One-sided confidence of 95 % that wrong offsets agree no more often than taken."""
MAX_CHANCE = 1e-3
"""Largest number of alignments as good that unrelated sequences would show."""


class Verdict(NamedTuple):
    """What speaks for an alignment; `refused` says what it lacks, None if nothing."""

    ambiguity: float
    chance: float
    refused: Abstention | None


def candidates(a: Train, b: Train, q: float, tolerance: float) -> list[Fit]:
    """Refined alignments of plausible drift, the one with most events first."""
    found = [
        fit
        for guess in guesses(a, b, q)
        if (fit := refine(a, b, guess, tolerance)) is not None
        and len(fit.pairs)
        and abs(fit.slope - 1) <= MAX_SLOPE
    ]
    return sorted(found, key=lambda fit: (-len(fit.pairs), fit.offset))


def implausible(sizes: str) -> Abstention:
    """Abstain where no offset gives a plausible drift."""
    return Abstention(
        f"implausible-drift: {sizes}, every offset needs a drift above {MAX_SLOPE * 1e6:.0f} ppm",
        "check the sampling rates in the sidecars, and that the recordings are of one sitting",
    )


def judge(fits: list[Fit], a: Train, b: Train, tolerance: float, tries: float = 1.0) -> Verdict:
    """Judge the best of `fits`, by all events of `a` and `b`.

    Parameters
    ----------
    fits : list of Fit
        From `candidates`, at least one.
    a, b : Train
        The events that should align.
    tolerance : float
        s.
    tries : float
        Stretches among which this one was chosen for its events.
    """
    best, sizes = fits[0], f"{a.times.size} and {b.times.size} triggers"
    n = len(best.pairs)
    coverage = n / max(1, min(a.times.size, b.times.size))
    at = _shift(best, a)
    rivals = [len(f.pairs) for f in fits if abs(_shift(f, a) - at) > AMBIGUITY_DISTANCE]
    second = max(rivals, default=0)
    ambiguity = second / n
    chance = max(_unrelated(n, a, b, tolerance), _lattice(n, second, a, b)) * tries
    refused = None
    if n < MIN_MATCHED or coverage <= MIN_COVERAGE:
        refused = low_coverage(n, sizes, coverage, tolerance)
    elif ambiguity >= MAX_AMBIGUITY:
        refused = Abstention(
            f"ambiguous: {n} of {sizes} align at the best offset and {second} at another, "
            f"ratio {ambiguity:.2f} (below {MAX_AMBIGUITY} is needed)",
            "give triggers codes that differ, vary the intervals, record a photodiode, or add an "
            "annotation of one common instant to both recordings",
        )
    elif chance > MAX_CHANCE:
        refused = Abstention(
            f"chance: {n} of {sizes} align, and unrelated sequences show {chance:.2g} such "
            f"alignments (at most {MAX_CHANCE:g} is allowed)",
            "record more shared triggers, or triggers of more codes",
        )
    return Verdict(ambiguity, chance, refused)


def low_coverage(n: int, sizes: str, coverage: float, tolerance: float) -> Abstention:
    """Abstain where too few events align."""
    return Abstention(
        f"low-coverage: {n} of {sizes} align within {tolerance * 1e3:.0f} ms, "
        f"coverage {coverage:.2f} (more than {MIN_COVERAGE} and {MIN_MATCHED} are needed)",
        "check that the recordings are of one sitting and that 'code' names the triggers",
    )


def _shift(fit: Fit, a: Train) -> float:
    middle = float((a.times.min() + a.times.max()) / 2)
    return fit.offset + (fit.slope - 1) * middle


def _unrelated(n: int, a: Train, b: Train, tolerance: float) -> float:
    """Count the alignments as good to expect between unrelated Poisson sequences."""
    from scipy.special import pdtrc

    n_codes = int(max(a.codes.max(), b.codes.max())) + 1
    equal = np.bincount(a.codes, minlength=n_codes) @ np.bincount(b.codes, minlength=n_codes)
    span_a, span_b = float(np.ptp(a.times)), float(np.ptp(b.times))
    expected = equal * 2 * tolerance / max(span_a, span_b, tolerance)
    offsets = (span_a + span_b) / tolerance + 1
    slopes = max(1.0, 2 * MAX_SLOPE * min(span_a, span_b) / tolerance)
    return float(pdtrc(n - 1, expected) * offsets * slopes)


def _lattice(n: int, second: int, a: Train, b: Train) -> float:
    """Count the alignments as good to expect between unrelated sequences of one schedule.

    Where intervals are multiples of one step, every offset by a step lets as many events fall
    together as codes agree by chance: far more than between Poisson sequences. How many that is,
    the second best offset tells. It is the best of about ``n_a + n_b`` that are wrong; taken is the
    largest probability p, of an event to agree at a wrong offset, at which in `LATTICE_DOUBT` of
    all cases no offset would show more. (With the p that makes the second best the expected one, 9
    events of 6 codes at a fixed interval were aligned wrongly in one of 278 simulated pairs: few
    events show few rivals by chance, too.) The best offset is then held against that p.
    """
    from scipy.special import betainc, betaincinv

    size = min(a.times.size, b.times.size)
    if second >= n:
        return 1.0
    offsets = float(a.times.size + b.times.size)
    more = 1 - LATTICE_DOUBT ** (1 / offsets)
    share = float(betaincinv(second + 1, size - second, more))
    return float(betainc(n, size - n + 1, share) * offsets)
