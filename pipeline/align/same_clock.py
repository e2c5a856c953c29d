"""T0: both sides come from one file, so the sample index pairs them."""

from __future__ import annotations

import numpy as np

from neuropair.pipeline.align.losses import event_loss
from neuropair.pipeline.align.reasons import Abstention
from neuropair.pipeline.align.types import SLIDING, Integers, Matched, RecordingPair, Work

TOLERANCE = 1e-6
"""s. Onsets of one event on one clock are one number; this is the rounding of tables."""


def match(work: Work) -> Matched:
    """Pair the windows of equal number whose onsets are equal."""
    parts: list[tuple[Integers, Integers]] = []
    abstentions: dict[RecordingPair, Abstention] = {}
    losses = []
    for pair in work.open:
        found = [_equal(work, pair, kind) for kind in ("event", SLIDING)]
        rows = (np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found]))
        if not rows[0].size:
            abstentions[pair] = Abstention(
                f"onsets-differ: {work.a.name(pair.a)} and {work.b.name(pair.b)} come from one "
                "file, and no event of equal number has an equal onset",
                "let one recipe entry read the events of both modalities of the file",
            )
            continue
        parts.append(rows)
        for side, rec, mine, other in (
            (work.a, pair.a, rows[0], work.b.name(pair.b)),
            (work.b, pair.b, rows[1], work.a.name(pair.a)),
        ):
            losses += event_loss(
                work.pairing, side, rec, mine, f"no event of equal onset in {other}"
            )
    a, b = (
        np.concatenate([np.zeros(0, dtype=np.int64), *[part[side] for part in parts]])
        for side in (0, 1)
    )
    n = a.size
    columns = {
        "evidence": np.full(n, "sample", dtype=object),
        "time_difference": np.zeros(n),
    }
    return Matched(a, b, columns, abstentions, losses)


def _equal(work: Work, pair: RecordingPair, kind: str) -> tuple[Integers, Integers]:
    by = "event" if kind == "event" else "window"
    sides = []
    for side, rec in ((work.a, pair.a), (work.b, pair.b)):
        rows = side.rows(rec, kind)
        rows = rows[side.items["chosen"].to_numpy()[rows]]
        numbers = side.items[by].to_numpy()[rows]
        if kind == SLIDING:
            # their windows follow the event windows, whose number both sides may count apart
            numbers = np.arange(rows.size)
        sides.append((rows, numbers, side.items["onset"].to_numpy()[rows]))
    (rows_a, numbers_a, onset_a), (rows_b, numbers_b, onset_b) = sides
    _, at_a, at_b = np.intersect1d(numbers_a, numbers_b, return_indices=True)
    same = np.abs(onset_a[at_a] - onset_b[at_b]) <= TOLERANCE
    return rows_a[at_a[same]], rows_b[at_b[same]]
