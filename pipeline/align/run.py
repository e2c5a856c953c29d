"""Match a study: every candidate recording pair is paired or abstained, never neither."""

from __future__ import annotations

from hashlib import blake2b
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.pipeline.align.balance import POOLED
from neuropair.pipeline.align.candidates import candidates, refusals
from neuropair.pipeline.align.clock import Clock
from neuropair.pipeline.align.clock_rows import clock_rows
from neuropair.pipeline.align.concepts import shared
from neuropair.pipeline.align.confidence import confidence
from neuropair.pipeline.align.covariates import derived_columns
from neuropair.pipeline.align.losses import candidate_loss
from neuropair.pipeline.align.reasons import Abstained
from neuropair.pipeline.align.sides import (
    side_table,
    sorted_recordings,
    windows_with_events,
    without_window,
)
from neuropair.pipeline.align.types import (
    AlignResult,
    Floats,
    Integers,
    Matched,
    Matcher,
    SideTable,
    Work,
)
from neuropair.schemas.kinds import Tier
from neuropair.schemas.study import Pairing, Study
from neuropair.schemas.tables import (
    ABSTENTIONS,
    ALTERNATES,
    BALANCE,
    CLOCKS,
    LOSSES,
    NEGATIVES,
    PAIRS,
)

MODULES = {
    Tier.T0: "same_clock",
    Tier.T1: "triggers",
    Tier.T2: "same_stimulus",
    Tier.T3: "same_condition",
    Tier.T4: "same_stimulus",
    Tier.T5: "same_condition",
}
"""Tier -> module of this package whose function `match` serves it."""
_OF_ITEMS = ("rec", "window", "concept", "stimulus", "quality")


def matcher(tier: Tier) -> Matcher:
    """Find a tier's matcher by its name."""
    found: Matcher = import_module(f"neuropair.pipeline.align.{MODULES[tier]}").match
    return found


def align_study(
    study: Study,
    recordings: pd.DataFrame,
    events: pd.DataFrame,
    windows: pd.DataFrame | None = None,
) -> AlignResult:
    """Pair the windows of a study, tier by tier.

    Parameters
    ----------
    study : Study
    recordings : pandas.DataFrame
        Table ``recordings``: at least ``recording, dataset, subject, modality, person, split,
        status, source_file``; ``session, task, run, reason, sfreq_source`` where known.
    events, windows : pandas.DataFrame
        Tables ``events`` and ``windows`` without ``study``. Without windows, the event's number
        stands for the window's.

    Returns
    -------
    AlignResult
        The same whatever the order of the rows given.

    Raises
    ------
    NeuropairError
        If a table lacks a column, or a recording stands twice.
    """
    table = sorted_recordings(recordings)
    items = windows_with_events(table, events, windows, derived=derived_columns(study))
    pairs: list[pd.DataFrame] = []
    abstentions: list[pd.DataFrame] = []
    losses = without_window(table, events, items)
    balance: list[dict[str, Any]] = []
    clocks: dict[tuple[str, str, str], Clock] = {}
    of_clocks: list[dict[str, Any]] = []
    others: dict[str, list[pd.DataFrame]] = {"alternates": [], "negatives": []}
    for pairing in study.pairings:
        a, b = side_table(pairing.a, table, items), side_table(pairing.b, table, items)
        named = candidates(pairing, a, b)
        if not len(named):
            losses.append(_nobody(pairing, a, b))
            continue
        still_open, refused = refusals(pairing, a, b, named)
        work = Work(pairing, a, b, still_open)
        found = matcher(pairing.tier)(work)
        left = _abstained(found)
        _check(work, found, left)
        frame = _pairs(work, found)
        pairs.append(_sorted(frame))
        abstentions.append(_abstentions(work, Abstained.joined([refused, left])))
        losses += found.losses + _unbalanced(pairing, found.balance)
        balance += found.balance
        of_clocks += clock_rows(work, found.clocks)
        others["alternates"].append(_named(found.alternates, frame))
        others["negatives"].append(_named(found.negatives, frame))
        for pair, clock in found.clocks.items():
            clocks[pairing.name, a.name(pair.a), b.name(pair.b)] = clock
    return AlignResult(
        pairs=_joined(pairs, PAIRS.names),
        abstentions=_joined(abstentions, ABSTENTIONS.names),
        losses=pd.DataFrame(losses, columns=_without_study(LOSSES.names)),
        clocks=clocks,
        clock_rows=pd.DataFrame(of_clocks, columns=_without_study(CLOCKS.names)),
        balance=pd.DataFrame(balance, columns=_without_study(BALANCE.names)),
        alternates=_joined(others["alternates"], ALTERNATES.names),
        negatives=_joined(others["negatives"], NEGATIVES.names),
    )


def _without_study(names: list[str]) -> list[str]:
    return [name for name in names if name != "study"]


def _joined(frames: list[pd.DataFrame], names: list[str]) -> pd.DataFrame:
    columns = _without_study(names)
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        return pd.DataFrame(columns=columns)
    return pd.concat(filled, ignore_index=True)[columns]


def _named(rows: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Name the pair of each row by its id, where the matcher gives its position."""
    if not len(rows):
        return rows
    ids = pairs["pair_id"].to_numpy(dtype=object)[rows["pair"].to_numpy(dtype=np.int64)]
    return rows.drop(columns="pair").assign(pair_id=ids)


def _sorted(pairs: pd.DataFrame) -> pd.DataFrame:
    by = ["recording_a", "recording_b", "window_a", "window_b"]
    return pairs.sort_values(by, kind="stable").reset_index(drop=True)


def _abstained(found: Matched) -> Abstained:
    given = found.abstentions
    return given if isinstance(given, Abstained) else Abstained.of(given)


def _abstentions(work: Work, left: Abstained) -> pd.DataFrame:
    """Rows of table ``abstentions``, by recordings; texts that rows share are one object."""
    order = np.lexsort((left.b, left.a))
    reasons = np.array([why.reason for why in left.why], dtype=object)
    remedies = np.array([why.remedy for why in left.why], dtype=object)
    which = left.which[order]
    columns = {
        "recording_a": work.a.recordings["recording"].to_numpy(dtype=object)[left.a[order]],
        "recording_b": work.b.recordings["recording"].to_numpy(dtype=object)[left.b[order]],
        "tier": np.full(len(left), str(work.pairing.tier), dtype=object),
        "rule": np.full(len(left), work.pairing.name, dtype=object),
        "reason": reasons[which],
        "remedy": remedies[which],
    }
    return pd.DataFrame(columns, dtype=object)


def _nobody(pairing: Pairing, a: SideTable, b: SideTable) -> dict[str, Any]:
    sides = f"{len(a.recordings)} recordings of side a, {len(b.recordings)} of side b"
    return candidate_loss(pairing, 0, f"no recording pair fits {pairing.tier}: {sides}")


def _unbalanced(pairing: Pairing, balance: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Flag covariates that still differ where the study bounds the difference."""
    limit = getattr(pairing, "max_smd", None)
    return [
        candidate_loss(
            pairing,
            row["n_pairs"],
            f"{row['covariate']} differs by {row['smd_after']:.2f} SD between the sides of the "
            f"pairs of {row['pool']}; narrow the caliper",
        )
        for row in balance
        if limit is not None and row["smd_after"] >= limit and row["pool"] != POOLED
    ]


def _check(work: Work, found: Matched, left: Abstained) -> None:
    """Hold the invariant of the tables: each open recording pair in exactly one of the two."""
    n = len(work.b.recordings)
    rec_a, rec_b = work.a.items["rec"].to_numpy(), work.b.items["rec"].to_numpy()
    paired = pd.unique(rec_a[found.a] * n + rec_b[found.b])
    answered = np.sort(np.concatenate([paired, left.a * n + left.b]))
    if not np.array_equal(answered, np.sort(work.open.a * n + work.open.b)):
        raise RuntimeError(
            f"{MODULES[work.pairing.tier]} left recording pairs of {work.pairing.name} neither "
            "paired nor abstained, or made them both: a bug"
        )


def _pairs(work: Work, found: Matched) -> pd.DataFrame:
    a, b = work.a, work.b
    left, right = (
        {name: side.items[name].to_numpy()[rows] for name in _OF_ITEMS}
        for side, rows in ((a, found.a), (b, found.b))
    )
    n = found.a.size
    columns: dict[str, npt.NDArray[Any]] = {
        "tier": _same(work.pairing.tier, n),
        "rule": _same(work.pairing.name, n),
        "modality_a": _same(work.pairing.a.modality, n),
        "modality_b": _same(work.pairing.b.modality, n),
        "recording_a": _of(a, "recording", left["rec"]),
        "recording_b": _of(b, "recording", right["rec"]),
        "window_a": left["window"].astype(np.int32),
        "window_b": right["window"].astype(np.int32),
        "person_a": _of(a, "person", left["rec"]),
        "person_b": _of(b, "person", right["rec"]),
        "concept": _concepts(left["concept"], right["concept"]),
        "stimulus": _stimuli(left["stimulus"], right["stimulus"]),
        "split": _of(a, "split", left["rec"]),
        "soa_ratio": _ratio(a.soa[left["rec"]], b.soa[right["rec"]]),
        "quality": np.minimum(left["quality"], right["quality"]).astype(float),
    }
    frame = pd.DataFrame({name: _objects(values) for name, values in columns.items()})
    for name, values in found.columns.items():
        frame[name] = _objects(values)
    for name in _without_study(PAIRS.names):
        if name not in frame.columns and name != "pair_id":
            frame[name] = np.nan
    for name in ("n_alternatives", "segment"):
        frame[name] = frame[name].astype("Int32")
    frame["confidence"] = confidence(frame)
    frame["pair_id"] = _objects(_ids(frame))
    return frame


def _stimuli(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[Any]:
    both = a.copy()
    both[a != b] = None
    return both


def _objects(values: npt.NDArray[Any]) -> npt.NDArray[Any] | pd.Series:
    """Keep texts as they are: a million rows point at a few thousand of them."""
    return pd.Series(values, dtype=object) if values.dtype == object else values


def _same(value: object, n: int) -> npt.NDArray[Any]:
    return np.full(n, str(value), dtype=object)


def _of(side: SideTable, column: str, rec: Integers) -> npt.NDArray[Any]:
    return np.asarray(side.recordings[column].to_numpy(dtype=object)[rec], dtype=object)


def _concepts(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Take the concept both share; for mapped ones, which share none, that of side a."""
    both = shared(a, b)
    return np.where(pd.isna(both), a, both)


def _ratio(a: Floats, b: Floats) -> Floats:
    known = (a > 0) & (b > 0)
    ratio = np.full(a.size, np.nan)
    ratio[known] = np.maximum(a[known], b[known]) / np.minimum(a[known], b[known])
    return ratio


def _ids(frame: pd.DataFrame) -> npt.NDArray[Any]:
    columns = ("recording_a", "window_a", "recording_b", "window_b")
    values = [frame[name].tolist() for name in columns]
    start = "\x1f".join(frame[["tier", "rule"]].iloc[0]) if len(frame) else ""
    return np.array(
        [
            blake2b(f"{start}\x1f{a}\x1f{i}\x1f{b}\x1f{j}".encode(), digest_size=10).hexdigest()
            for a, i, b, j in zip(*values, strict=True)
        ],
        dtype=object,
    )
