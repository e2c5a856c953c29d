"""Which recording pairs a pairing names: its sides, and what the tier asks of the recordings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.pipeline.align.reasons import Abstained, Abstention
from neuropair.pipeline.align.types import Integers, RecordingPairs, SideTable
from neuropair.schemas.kinds import Tier
from neuropair.schemas.study import Pairing, Simultaneous


def candidates(pairing: Pairing, a: SideTable, b: SideTable) -> RecordingPairs:
    """Every recording pair that must end up paired or abstained, by the ids of its sides.

    Notes
    -----
    T0: same dataset and source file. T1: same person and equal entities of ``together``, not the
    same file. T2, T3: same person, not the same file (T0 has those). T4, T5: other person.
    Where both sides select one recording (both of one modality), each pair stands once.
    """
    left, right = a.recordings, b.recordings
    if pairing.tier is Tier.T0:
        pairs = _joined(*_codes(left, right, ["dataset", "source_file"]))
    elif pairing.tier.same_person:
        together = list(pairing.together) if isinstance(pairing, Simultaneous) else []
        equal = ["person", *(name for name in together if name != "subject")]
        pairs = _joined(*_codes(left, right, equal))
        file_a, file_b = _codes(left, right, ["dataset", "source_file"])
        pairs = pairs.at(file_a[pairs.a] != file_b[pairs.b])
    else:
        pairs = _apart(*_codes(left, right, ["person"]))
    name_a, name_b = _codes(left, right, ["recording"])
    if not np.isin(name_a, name_b).any():
        return pairs
    in_both = np.isin(name_a, name_b)[pairs.a] & np.isin(name_b, name_a)[pairs.b]
    one, other = name_a[pairs.a], name_b[pairs.b]
    return pairs.at((one != other) & (~in_both | (one < other)))


def _codes(
    left: pd.DataFrame, right: pd.DataFrame, columns: list[str]
) -> tuple[Integers, Integers]:
    """Give numbers to the values of `columns`, in order, absent ones being equal to absent ones."""
    both = pd.concat([left[columns], right[columns]], ignore_index=True).astype(object)
    codes: Integers = np.asarray(
        both.groupby(columns, dropna=False, sort=True).ngroup(), dtype=np.int64
    )
    return codes[: len(left)], codes[len(left) :]


def _joined(a: Integers, b: Integers) -> RecordingPairs:
    """All pairs of equal code, without a table of all pairs."""
    order = np.argsort(b, kind="stable")
    first, last = (np.searchsorted(b[order], a, side=side) for side in ("left", "right"))
    counts = last - first
    rows = np.repeat(np.arange(a.size), counts)
    step = np.arange(rows.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return RecordingPairs(rows, order[np.repeat(first, counts) + step])


def _apart(a: Integers, b: Integers) -> RecordingPairs:
    """All pairs of unequal code."""
    one, other = np.nonzero(a[:, None] != b[None, :])
    return RecordingPairs(one, other)


def refusals(
    pairing: Pairing, a: SideTable, b: SideTable, pairs: RecordingPairs
) -> tuple[RecordingPairs, Abstained]:
    """Abstain where recordings alone tell: failed, other split, no events, one sitting.

    Returns
    -------
    RecordingPairs
        Those that are open.
    Abstained
        The others.
    """
    why_a, why_b = _unusable(pairing, a), _unusable(pairing, b)
    splits = sorted({str(s) for side in (a, b) for s in side.recordings["split"]})
    code = {name: k for k, name in enumerate(splits)}
    split_a, split_b = (
        np.array([code[str(s)] for s in side.recordings["split"]], dtype=np.int64)
        for side in (a, b)
    )
    none_a = np.array([s is None for s in a.recordings["split"]], dtype=bool)
    why: list[Abstention] = []
    of_a, of_b = (_numbered(reasons, why) for reasons in (why_a, why_b))
    first = len(why)
    why += [
        Abstention(
            f"other-split: {one} and {other}",
            "none: what is paired across splits leaks from training into the test",
        )
        for one in splits
        for other in splits
    ]
    which = np.where(of_a[pairs.a] >= 0, of_a[pairs.a], of_b[pairs.b])
    if pairing.tier not in (Tier.T0, Tier.T1):
        sitting_a, sitting_b = _sittings(a, b, why)
        one = (which < 0) & (sitting_a[pairs.a] >= 0) & (sitting_a[pairs.a] == sitting_b[pairs.b])
        which[one] = sitting_a[pairs.a][one]
    crossing = none_a[pairs.a] | (split_a[pairs.a] != split_b[pairs.b])
    crossing &= which < 0
    which[crossing] = (first + split_a[pairs.a] * len(splits) + split_b[pairs.b])[crossing]
    refused = which >= 0
    out = pairs.at(refused)
    return pairs.at(~refused), Abstained(out.a, out.b, which[refused], tuple(why))


def _numbered(reasons: list[Abstention | None], why: list[Abstention]) -> Integers:
    """Append the reasons to `why`; the number of each, -1 for none."""
    numbers = np.full(len(reasons), -1, dtype=np.int64)
    for row, reason in enumerate(reasons):
        if reason is not None:
            numbers[row] = len(why)
            why.append(reason)
    return numbers


def _sittings(a: SideTable, b: SideTable, why: list[Abstention]) -> tuple[Integers, Integers]:
    """Append a reason a sitting to `why`: each recording's number, -1 where it is no duplicate."""
    names = [
        side.recordings["sitting"].tolist()
        if "sitting" in side.recordings.columns
        else [None] * len(side.recordings)
        for side in (a, b)
    ]
    known = sorted({name for side in names for name in side if isinstance(name, str)})
    number = {name: len(why) + k for k, name in enumerate(known)}
    why += [
        Abstention(
            f"one-sitting: both are, or may be, {name}; see table duplicates",
            "none: a recording is no other sitting, and no other person, than itself",
        )
        for name in known
    ]
    first, second = (
        np.array([number.get(str(name), -1) for name in side], dtype=np.int64) for side in names
    )
    return first, second


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
