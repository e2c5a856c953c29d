"""What two schedules that fit are: one recording, one sitting, one plan, or not to be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from neuropair.pipeline.duplicates.compare import Comparison
from neuropair.pipeline.duplicates.schedule import Schedule
from neuropair.schemas.graph import components

MAX_OFFSET = 0.01
MAX_DRIFT = 1e-6
MAX_RESIDUAL = 0.5e-3
"""s, 1, s: what a duplicate's clock keeps to (science.md section 1.6)."""
LEAST_BITS = 40.0
"""Chance makes 2**-40 = 1e-12 of unrelated pairs fit; 10,000 recordings make 5e7 pairs."""
LEAST_SHARE = 0.5
COARSE = 1e-3
"""s. Stamps in whole milliseconds may be a plan that two people saw; finer ones, and those on the
grid of a device's samples, are a clock's."""
GRID_MARGIN = 1.2
"""On the error of a rounded stamp, step / sqrt(12): 70 events give its SD to within 2.4 SD of that.
A schedule that is played again, be it to the microsecond, is sampled again: step / sqrt(6)."""
MAX_CHANCE = 0.1
"""Of two recordings of a dataset to begin alike within `MAX_OFFSET`. Recordings that are cut at a
trigger all do; then an equal offset is no sign of one recording."""
SIGMAS = 3.0 / 1.96
"""On a 95 % interval: a clock is another one beyond 3 SD."""
PLAN = 3
"""Recordings of one dataset with equal stamps: a device stamps no two alike, a plan all."""
TOLD_APART = 4.0
"""By how much a known replay of the schedule has to miss it more than the two do."""

Pair = tuple[int, int]


@dataclass(frozen=True)
class Verdict:
    """A relation of table ``duplicates``, and what decided."""

    relation: str
    reason: str


_BY_CLOCK = "by-clock"
"""Not a relation of the table: what is a duplicate unless the schedule is known to be replayed."""


def are_together(a: Schedule, b: Schedule) -> bool:
    """Whether the entities say that other instruments recorded one sitting: no duplicates.

    EEG with fNIRS, or MEG with EEG, of one subject and session of one dataset: each instrument
    records a sitting once. (MEG and EEG of one file are one `Schedule` already.)
    """
    same = (a.dataset, a.subject, a.session) == (b.dataset, b.subject, b.session)
    return same and not set(a.modalities) & set(b.modalities)


def has_fingerprint(one: Schedule) -> bool:
    """Whether its intervals tell enough to recognise it by."""
    return one.information >= LEAST_BITS


def decide(
    units: Sequence[Schedule], compared: Mapping[Pair, Comparison], copies: Mapping[int, int]
) -> dict[Pair, Verdict]:
    """Decide for every pair that was compared; pairs that do not fit are left out.

    Parameters
    ----------
    units : sequence of Schedule
    compared : Mapping
        Pair of numbers of units -> how they fit.
    copies : Mapping
        Number of a unit -> how many sittings of its dataset have its very table, itself included.
    """
    chances = _chances(units)
    first = {
        pair: verdict
        for pair, found in sorted(compared.items())
        if (verdict := _alone(units[pair[0]], units[pair[1]], found, chances)) is not None
    }
    open_ = [pair for pair, v in first.items() if v.relation in (_BY_CLOCK, "unconfirmed")]
    plans = components((f"{a:09d}", f"{b:09d}") for a, b in open_)
    sizes: dict[str, Counter[str]] = {}
    for name, root in plans.items():
        unit = int(name)
        sizes.setdefault(root, Counter())[units[unit].dataset] += copies.get(unit, 1)
    for pair in open_:
        sharing = sizes[plans[f"{pair[0]:09d}"]]
        first[pair] = _among_others(pair, first, compared, units, sharing)
    return first


def _kind(unit: Schedule) -> tuple[str, ...]:
    return unit.dataset, *unit.modalities


def _chances(units: Sequence[Schedule]) -> dict[tuple[str, ...], float]:
    """How often two sittings of a dataset and instrument begin alike; 1 where there is only one."""
    starts: dict[tuple[str, ...], list[float]] = {}
    for unit in units:
        starts.setdefault(_kind(unit), []).append(unit.start)
    chances = {}
    for kind, values in starts.items():
        ordered = np.sort(values)
        after = np.searchsorted(ordered, ordered + MAX_OFFSET, side="left")
        alike = int((after - np.arange(ordered.size) - 1).sum())
        chances[kind] = (alike + 1) / (ordered.size * (ordered.size - 1) / 2 + 1)
    return chances


def _alone(
    a: Schedule, b: Schedule, found: Comparison, chances: Mapping[tuple[str, ...], float]
) -> Verdict | None:
    bits = max(
        min(a.bits, b.bits) * (found.n_events - 1),
        min(a.tight_bits, b.tight_bits) * (found.n_tight - 1),
    )
    if found.share < LEAST_SHARE or bits < LEAST_BITS or are_together(a, b):
        return None
    clock = _clock(a, b, found)
    said = f"{found.n_equal} of {found.n_responses} responses"
    if found.responses == "differ":
        return Verdict("same-schedule", f"responses-differ: {said} are equal; {_numbers(found)}")
    if found.responses == "equal":
        if clock is None:
            return Verdict("duplicate", f"responses-equal: {said}; {_numbers(found)}")
        return Verdict("simultaneous", f"responses-equal: {said}, on another clock ({clock})")
    if clock is not None:
        return Verdict("same-schedule", f"other-clock: {clock}")
    if problem := _unproven(a, b, found, min(chances[_kind(a)], chances[_kind(b)])):
        return Verdict("unconfirmed", f"{problem}; no responses to compare; {_numbers(found)}")
    return Verdict(_BY_CLOCK, f"clock-equal: {_numbers(found)}")


def _clock(a: Schedule, b: Schedule, found: Comparison) -> str | None:
    """Say in what the clocks differ; None if they may be one."""
    grid = float(np.sqrt((a.step**2 + b.step**2) / 12))
    most = max(MAX_RESIDUAL, GRID_MARGIN * grid)
    if found.residual_sd > most:
        return f"residual {_ms(found.residual_sd)} is over {_ms(most)}"
    if abs(found.drift) > MAX_DRIFT + SIGMAS * found.drift_interval:
        return (
            f"drift {1e6 * found.drift:.2f} +/- {1e6 * found.drift_interval:.2f} ppm is over "
            f"{1e6 * MAX_DRIFT:.0f} ppm"
        )
    return None


def _unproven(a: Schedule, b: Schedule, found: Comparison, chance: float) -> str | None:
    """Say why an equal clock is no proof; None if it is."""
    if not (a.is_device and b.is_device):
        return "planned-stamps: the computer that shows the stimuli stamps fMRI's tables"
    decimals = max(a.decimals, b.decimals)
    if decimals >= COARSE:
        return f"coarse-stamps: a grid of {_ms(decimals)} may be that of a plan"
    sampled = GRID_MARGIN * max(a.period, b.period) / np.sqrt(12)
    if found.residual_sd > sampled > 0:
        return (
            f"sampled-anew: one sampling leaves a residual under {_ms(sampled)}, two leave "
            "1.41 times as much"
        )
    if found.residual_sd > MAX_RESIDUAL or abs(found.drift) > MAX_DRIFT:
        return "short: the drift cannot be told"
    if abs(found.offset) >= MAX_OFFSET:
        return f"shifted: the offset {_ms(found.offset)} is unexplained"
    if chance > MAX_CHANCE:
        return f"cut-alike: {chance:.0%} of the recordings beside it begin alike, or none is there"
    return None


def _among_others(
    pair: Pair,
    verdicts: Mapping[Pair, Verdict],
    compared: Mapping[Pair, Comparison],
    units: Sequence[Schedule],
    sharing: Counter[str],
) -> Verdict:
    verdict = verdicts[pair]
    dataset, most = max(sharing.items(), key=lambda item: (item[1], item[0]))
    if most >= PLAN:
        reason = f"plan: {most} sittings of {dataset} have equal stamps, as no device gives twice"
        return Verdict("same-schedule", reason)
    if verdict.relation == "unconfirmed":
        return verdict
    if most > 1 and len(sharing) > 1:
        reason = f"ambiguous: {most} sittings of {dataset} fit as well; {verdict.reason}"
        return Verdict("unconfirmed", reason)
    replay = _nearest_replay(pair, verdicts, compared)
    a, b = units[pair[0]], units[pair[1]]
    own = max(compared[pair].residual_sd, float(np.sqrt((a.step**2 + b.step**2) / 12)))
    if replay is not None and replay < TOLD_APART * own:
        reason = f"replayed: another sitting misses the schedule by {_ms(replay)} only"
        return Verdict("unconfirmed", f"{reason}; {verdict.reason}")
    return Verdict("duplicate", verdict.reason)


def _nearest_replay(
    pair: Pair, verdicts: Mapping[Pair, Verdict], compared: Mapping[Pair, Comparison]
) -> float | None:
    """Smallest residual of a sitting that is known to have replayed the schedule of either."""
    misses = [
        compared[other].residual_sd
        for other, verdict in verdicts.items()
        if verdict.relation == "same-schedule" and other != pair and set(other) & set(pair)
    ]
    return min(misses, default=None)


def _numbers(found: Comparison) -> str:
    return (
        f"{found.n_events} stimuli, offset {_ms(found.offset)}, drift {1e6 * found.drift:.2f} ppm, "
        f"residual {_ms(found.residual_sd)}"
    )


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.2f} ms"
