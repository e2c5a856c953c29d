"""T1: recorded together on two clocks, aligned by the triggers that both devices recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuropair.pipeline.align.clock import Clock, align_clocks
from neuropair.pipeline.align.concepts import shared
from neuropair.pipeline.align.hints import hint, likelier, with_hint
from neuropair.pipeline.align.losses import event_loss, loss
from neuropair.pipeline.align.reasons import Abstention
from neuropair.pipeline.align.types import (
    SLIDING,
    Floats,
    Integers,
    Matched,
    RecordingPair,
    SideTable,
    Work,
)
from neuropair.schemas.kinds import Modality
from neuropair.schemas.study import Simultaneous


@dataclass(frozen=True)
class Aligned:
    """One recording pair on a common clock: the item rows of its pairs, and each one's kind."""

    clock: Clock
    a: Integers
    b: Integers
    kind: str

    def difference(self, onset_a: Floats, onset_b: Floats) -> Floats:
        """Onset of b minus that of a on a's clock, s."""
        found = np.full(onset_a.shape, np.nan)
        at = self.clock.segment_at(onset_a)
        # by the segment of a: a clock that was set back shows one time on b twice
        for number, segment in enumerate(self.clock.segments):
            mine = at == number
            found[mine] = segment.to_a(onset_b[mine]) - onset_a[mine]
        return found


def match(work: Work) -> Matched:
    """Align every open recording pair and pair the windows that fall together."""
    assert isinstance(work.pairing, Simultaneous)
    answers = {pair: align_pair(work.pairing, work.a, work.b, pair) for pair in work.open}
    abstentions = {
        pair: with_hint(found, hint(work, pair))
        for pair, found in answers.items()
        if isinstance(found, Abstention)
    }
    clocks = {p: found for p, found in answers.items() if isinstance(found, Clock)}
    for pair, rival in _rivals(clocks, work).items():
        abstentions[pair] = rival
        del clocks[pair]
    parts: list[Aligned] = []
    losses: list[dict[str, Any]] = []
    for pair, clock in list(clocks.items()):
        found = [_events(work, pair, clock), _sliding(work, pair, clock)]
        if not any(part.a.size for part in found):
            abstentions[pair] = Abstention(
                f"no-common-concept: {clock.n_matched} events align, and of none do both sides' "
                "concepts agree and take part",
                "check the concepts that the two recipes give to the same trigger",
            )
            del clocks[pair]
            continue
        parts += found
        losses += _losses(work, pair, clock, found)
    return _collect(work, parts, abstentions, losses, clocks)


def align_pair(
    pairing: Simultaneous, a: SideTable, b: SideTable, pair: RecordingPair
) -> Clock | Abstention:
    """Align one recording pair by all its events, whatever concepts the sides select."""
    q = sample_period(pairing, a, b, pair)
    if isinstance(q, Abstention):
        return q
    rows_a, rows_b = a.rows(pair.a, "event"), b.rows(pair.b, "event")
    codes = [
        np.zeros(rows.size)
        if pairing.code == "none"
        else side.items[pairing.code].to_numpy(dtype=object)[rows]
        for side, rows in ((a, rows_a), (b, rows_b))
    ]
    onsets = [side.items["onset"].to_numpy()[rows] for side, rows in ((a, rows_a), (b, rows_b))]
    return align_clocks(onsets[0], codes[0], onsets[1], codes[1], q=q, jitter=pairing.jitter)


def sample_period(
    pairing: Simultaneous, a: SideTable, b: SideTable, pair: RecordingPair
) -> float | Abstention:
    """Step of the slower device's trigger stamps, s.

    fMRI tables are stamped by the computer of the stimuli and not by volumes, so the other device
    decides; where that is not so, too few events align and the pair abstains.
    """
    if pairing.quantum is not None:
        return pairing.quantum
    rates = {
        side.name(rec): float(side.recordings["sfreq_source"].iloc[rec])
        for side, rec, modality in (
            (a, pair.a, pairing.a.modality),
            (b, pair.b, pairing.b.modality),
        )
        if modality is not Modality.FMRI
    }
    unknown = [name for name, rate in rates.items() if not rate > 0]
    if unknown or not rates:
        return Abstention(
            f"no-sampling-rate: {', '.join(unknown) or 'both sides are fMRI'}",
            f"set 'quantum' in pairing {pairing.name}: the step of the trigger stamps",
        )
    return 1 / min(rates.values())


def _rivals(clocks: dict[RecordingPair, Clock], work: Work) -> dict[RecordingPair, Abstention]:
    """Two recordings of one device cannot both have been made together with the same minutes."""
    rivals: dict[RecordingPair, Abstention] = {}
    for side in (0, 1):
        groups: dict[int, list[RecordingPair]] = defaultdict(list)
        for pair in clocks:
            groups[pair[side]].append(pair)
        for pairs in groups.values():
            for pair in pairs:
                mine = set(clocks[pair].matched[:, side].tolist())
                claims = [
                    other
                    for other in pairs
                    if other != pair and mine & set(clocks[other].matched[:, side].tolist())
                ]
                if claims:
                    rivals[pair] = _rival(work, pair, claims, side)
    return rivals


def _rival(work: Work, pair: RecordingPair, others: list[RecordingPair], side: int) -> Abstention:
    sides = (work.a, work.b)
    mine, theirs = sides[side], sides[1 - side]
    return Abstention(
        f"ambiguous: {mine.name(pair[side])} aligns with {theirs.name(pair[1 - side])} and with "
        f"{theirs.name(others[0][1 - side])} by the same events{likelier(work, [pair, *others])}",
        "name the entity that tells the sittings apart in 'together', or exclude the copy",
    )


def _events(work: Work, pair: RecordingPair, clock: Clock) -> Aligned:
    a = work.a.rows(pair.a, "event")[clock.matched[:, 0]]
    b = work.b.rows(pair.b, "event")[clock.matched[:, 1]]
    keep = work.a.items["chosen"].to_numpy()[a] & work.b.items["chosen"].to_numpy()[b]
    agree = shared(work.a.items["concept"].to_numpy()[a], work.b.items["concept"].to_numpy()[b])
    keep = keep & np.array([concept is not None for concept in agree], dtype=bool)
    return Aligned(clock, a[keep], b[keep], "event")


def _sliding(work: Work, pair: RecordingPair, clock: Clock) -> Aligned:
    """Sliding windows whose onsets are one instant, within the step of the slower device."""
    a, b = work.a.rows(pair.a, SLIDING), work.b.rows(pair.b, SLIDING)
    a = a[work.a.items["chosen"].to_numpy()[a]]
    b = b[work.b.items["chosen"].to_numpy()[b]]
    if not a.size or not b.size:
        return Aligned(clock, a[:0], b[:0], SLIDING)
    onset_a, onset_b = work.a.items["onset"].to_numpy()[a], work.b.items["onset"].to_numpy()[b]
    expected = clock.to_b(onset_a)
    order = np.argsort(onset_b, kind="stable")
    right = np.clip(np.searchsorted(onset_b[order], expected), 1, max(1, b.size - 1))
    right = np.minimum(right, b.size - 1)
    left = np.maximum(right - 1, 0)
    gap_left = np.abs(onset_b[order][left] - expected)
    nearest = np.where(gap_left <= np.abs(onset_b[order][right] - expected), left, right)
    # comparing with NaN is False: no window pairs where no segment of the clock holds
    close = np.abs(onset_b[order][nearest] - expected) <= max(clock.bias / 2, 1e-3)
    _, first = np.unique(nearest[close], return_index=True)
    rows = np.flatnonzero(close)[first]
    return Aligned(clock, a[rows], b[order][nearest[rows]], SLIDING)


def _losses(
    work: Work, pair: RecordingPair, clock: Clock, found: list[Aligned]
) -> list[dict[str, Any]]:
    rule = work.pairing.name
    name_a, name_b = work.a.name(pair.a), work.b.name(pair.b)
    paired_a = np.concatenate([part.a for part in found])
    paired_b = np.concatenate([part.b for part in found])
    rows = event_loss(
        work.pairing, work.a, pair.a, paired_a, f"no trigger of {name_b} at that time"
    )
    rows += event_loss(
        work.pairing, work.b, pair.b, paired_b, f"no trigger of {name_a} at that time"
    )
    for side, rec, bounced in (
        (work.a, pair.a, clock.debounced[0]),
        (work.b, pair.b, clock.debounced[1]),
    ):
        if bounced:
            reason = f"{rule}: bounce, an equal code less than 50 ms before"
            rows.append(loss(side, rec, bounced, reason, action="flagged"))
    return rows


def _collect(
    work: Work,
    parts: list[Aligned],
    abstentions: dict[RecordingPair, Abstention],
    losses: list[dict[str, Any]],
    clocks: dict[RecordingPair, Clock],
) -> Matched:
    onset_a, onset_b = work.a.items["onset"].to_numpy(), work.b.items["onset"].to_numpy()

    def joined(values: Sequence[Floats | Integers]) -> Floats:
        return np.concatenate([np.zeros(0), *values])

    a = np.concatenate([np.zeros(0, dtype=np.int64), *[part.a for part in parts]])
    b = np.concatenate([np.zeros(0, dtype=np.int64), *[part.b for part in parts]])
    columns = {
        "evidence": np.full(a.size, "triggers", dtype=object),
        "time_difference": joined([p.difference(onset_a[p.a], onset_b[p.b]) for p in parts]),
        "clock_interval": joined([p.clock.half_width(onset_a[p.a]) for p in parts]),
        "clock_bias": joined([np.full(p.a.size, p.clock.bias) for p in parts]),
        "coverage": joined([p.clock.at_segment(onset_a[p.a], "coverage") for p in parts]),
        "segment": joined([p.clock.segment_at(onset_a[p.a]) for p in parts]).astype(np.int32),
        "ambiguity": joined([p.clock.at_segment(onset_a[p.a], "ambiguity") for p in parts]),
    }
    return Matched(a, b, columns, abstentions, losses, clocks)
