"""Which recording pairs a pairing names: its sides, and what the tier asks of the recordings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.pipeline.align.reasons import Abstention
from neuropair.pipeline.align.types import Bools, RecordingPair, SideTable
from neuropair.schemas.kinds import Tier
from neuropair.schemas.study import Pairing, Simultaneous


def candidates(pairing: Pairing, a: SideTable, b: SideTable) -> list[RecordingPair]:
    """Every recording pair that must end up paired or abstained, by the ids of its sides.

    Notes
    -----
    T0: same dataset and source file. T1: same person and equal entities of ``together``, not the
    same file. T2, T3: same person, not the same file (T0 has those). T4, T5: other person.
    Where both sides select one recording (both of one modality), each pair stands once.
    """
    left, right = a.recordings, b.recordings
    same_file = _equal(left, right, ["dataset", "source_file"])
    if pairing.tier is Tier.T0:
        keep = same_file
    else:
        same_person = _equal(left, right, ["person"])
        keep = same_person & ~same_file if pairing.tier.same_person else ~same_person
        if isinstance(pairing, Simultaneous):
            entities = [name for name in pairing.together if name != "subject"]
            if entities:
                keep &= _equal(left, right, list(entities))
    keep &= ~_equal(left, right, ["recording"])
    keep &= _once(left["recording"], right["recording"])
    return [RecordingPair(int(i), int(j)) for i, j in np.argwhere(keep)]


def _equal(left: pd.DataFrame, right: pd.DataFrame, columns: list[str]) -> Bools:
    """Whether all `columns` are equal, absent ones being equal to absent ones."""
    both = pd.concat([left[columns], right[columns]], ignore_index=True).astype(object)
    codes = both.groupby(columns, dropna=False, sort=False).ngroup().to_numpy()
    return np.asarray(codes[: len(left), None] == codes[None, len(left) :], dtype=bool)


def _once(left: pd.Series, right: pd.Series) -> Bools:
    in_both = np.isin(left, right)[:, None] & np.isin(right, left)[None, :]
    ordered = left.to_numpy(dtype=object)[:, None] < right.to_numpy(dtype=object)[None, :]
    return np.asarray(~in_both | ordered, dtype=bool)


def refusals(
    pairing: Pairing, a: SideTable, b: SideTable, pairs: list[RecordingPair]
) -> dict[RecordingPair, Abstention]:
    """Abstain where recordings alone tell: failed, other split, no events, one sitting."""
    reasons_a, reasons_b = _unusable(pairing, a), _unusable(pairing, b)
    splits_a = a.recordings["split"].to_numpy(dtype=object)
    splits_b = b.recordings["split"].to_numpy(dtype=object)
    sittings_a, sittings_b = _sittings(a), _sittings(b)
    across_time = pairing.tier not in (Tier.T0, Tier.T1)
    refused: dict[RecordingPair, Abstention] = {}
    for pair in pairs:
        unusable = reasons_a[pair.a] or reasons_b[pair.b]
        sitting = sittings_a[pair.a]
        if unusable is not None:
            refused[pair] = unusable
        elif across_time and sitting is not None and sitting == sittings_b[pair.b]:
            refused[pair] = Abstention(
                f"one-sitting: both are, or may be, {sitting}; see table duplicates",
                "none: a recording is no other sitting, and no other person, than itself",
            )
        elif splits_a[pair.a] is None or splits_a[pair.a] != splits_b[pair.b]:
            refused[pair] = Abstention(
                f"other-split: {splits_a[pair.a]!s} and {splits_b[pair.b]!s}",
                "none: what is paired across splits leaks from training into the test",
            )
    return refused


def _sittings(side: SideTable) -> list[str | None]:
    """Name of the recording that each is, or may be, a duplicate of; None where it has none."""
    if "sitting" not in side.recordings.columns:
        return [None] * len(side.recordings)
    return [name if isinstance(name, str) else None for name in side.recordings["sitting"]]


def _unusable(pairing: Pairing, side: SideTable) -> list[Abstention | None]:
    chosen: npt.NDArray[np.bool_] = side.items["chosen"].to_numpy(dtype=bool)
    if pairing.tier not in (Tier.T0, Tier.T1):
        chosen = chosen & (side.items["kind"] == "event").to_numpy()
    counts = np.bincount(side.items["rec"].to_numpy()[chosen], minlength=len(side.recordings))
    found: list[Abstention | None] = []
    names = side.recordings["recording"].tolist()
    statuses, reasons = side.recordings["status"].tolist(), side.recordings["reason"].tolist()
    for name, status, reason, n in zip(names, statuses, reasons, counts, strict=True):
        if status != "ok":
            found.append(
                Abstention(
                    f"recording failed: {name}: {reason or 'no reason recorded'}",
                    "mend the recording (its row in table recordings says how) and ingest again",
                )
            )
        elif n == 0:
            found.append(
                Abstention(
                    f"no-events: {name} has none that pairing {pairing.name} selects",
                    "give the recording events in its recipe, or select other concepts",
                )
            )
        else:
            found.append(None)
    return found
