"""Match a study: every candidate recording pair is paired or abstained, never neither."""

from __future__ import annotations

from hashlib import blake2b
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.pipeline.align.candidates import candidates, refusals
from neuropair.pipeline.align.clock import Clock
from neuropair.pipeline.align.clock_rows import clock_rows
from neuropair.pipeline.align.concepts import shared
from neuropair.pipeline.align.confidence import confidence
from neuropair.pipeline.align.reasons import Abstention
from neuropair.pipeline.align.sides import (
    side_table,
    sorted_recordings,
    windows_with_events,
    without_window,
)
from neuropair.pipeline.align.types import (
    AlignResult,
    Floats,
    Matched,
    Matcher,
    RecordingPair,
    SideTable,
    Work,
)
from neuropair.schemas.kinds import Tier
from neuropair.schemas.study import Pairing, SameCondition, Study
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
MAX_SMD = 0.1
"""science.md section 8: balance."""


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
    items = windows_with_events(table, events, windows)
    pairs: list[pd.DataFrame] = []
    abstentions: list[dict[str, str]] = []
    losses = without_window(table, events, items)
    balance: list[dict[str, Any]] = []
    clocks: dict[tuple[str, str, str], Clock] = {}
    of_clocks: list[dict[str, Any]] = []
    others: dict[str, list[pd.DataFrame]] = {"alternates": [], "negatives": []}
    for pairing in study.pairings:
        a, b = side_table(pairing.a, table, items), side_table(pairing.b, table, items)
        named = candidates(pairing, a, b)
        if not named:
            losses.append(_nobody(pairing, a, b))
            continue
        refused = refusals(pairing, a, b, named)
        work = Work(pairing, a, b, tuple(pair for pair in named if pair not in refused))
        found = matcher(pairing.tier)(work)
        frame = _pairs(work, found)
        _check(work, found)
        pairs.append(_sorted(frame))
        both = {**refused, **found.abstentions}
        abstentions += [_abstention(work, pair, both[pair]) for pair in named if pair in both]
        losses += found.losses + _unbalanced(pairing, found.balance)
        balance += found.balance
        of_clocks += clock_rows(work, found.clocks)
        others["alternates"].append(_named(found.alternates, frame))
        others["negatives"].append(_named(found.negatives, frame))
        for pair, clock in found.clocks.items():
            clocks[pairing.name, a.name(pair.a), b.name(pair.b)] = clock
    return AlignResult(
        pairs=_joined(pairs, PAIRS.names),
        abstentions=pd.DataFrame(abstentions, columns=_without_study(ABSTENTIONS.names)),
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


def _abstention(work: Work, pair: RecordingPair, why: Abstention) -> dict[str, str]:
    return {
        "recording_a": work.a.name(pair.a),
        "recording_b": work.b.name(pair.b),
        "tier": str(work.pairing.tier),
        "rule": work.pairing.name,
        "reason": why.reason,
        "remedy": why.remedy,
    }


def _nobody(pairing: Pairing, a: SideTable, b: SideTable) -> dict[str, Any]:
    sides = f"{len(a.recordings)} recordings of side a, {len(b.recordings)} of side b"
    return {
        "dataset": (pairing.a.dataset or ["*"])[0],
        "recording": None,
        "stage": "pairing",
        "item": "candidate",
        "action": "flagged",
        "count": 0,
        "reason": f"{pairing.name}: no recording pair fits {pairing.tier}: {sides}",
        "where": None,
    }


def _unbalanced(pairing: Pairing, balance: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Flag covariates that still differ: the caliper bounds each pair, and not their mean."""
    if not isinstance(pairing, SameCondition):
        return []
    return [
        {
            "dataset": (pairing.a.dataset or ["*"])[0],
            "recording": None,
            "stage": "pairing",
            "item": "candidate",
            "action": "flagged",
            "count": row["n_pairs"],
            "reason": f"{pairing.name}: {row['covariate']} differs by {row['smd_after']:.2f} SD "
            f"between the sides of the pairs of {row['pool']}; narrow the caliper",
            "where": None,
        }
        for row in balance
        if row["smd_after"] > MAX_SMD
    ]


def _check(work: Work, found: Matched) -> None:
    """Hold the invariant of the tables: each open recording pair in exactly one of the two."""
    rec_a, rec_b = work.a.items["rec"].to_numpy(), work.b.items["rec"].to_numpy()
    paired = set(zip(rec_a[found.a].tolist(), rec_b[found.b].tolist(), strict=True))
    abstained = {tuple(pair) for pair in found.abstentions}
    if paired & abstained or paired | abstained != {tuple(pair) for pair in work.open}:
        raise RuntimeError(
            f"{MODULES[work.pairing.tier]} left recording pairs of {work.pairing.name} neither "
            "paired nor abstained, or made them both: a bug"
        )


def _pairs(work: Work, found: Matched) -> pd.DataFrame:
    a, b = work.a, work.b
    left = a.items.iloc[found.a].reset_index(drop=True)
    right = b.items.iloc[found.b].reset_index(drop=True)
    frame = pd.DataFrame(
        {
            "tier": str(work.pairing.tier),
            "rule": work.pairing.name,
            "modality_a": str(work.pairing.a.modality),
            "modality_b": str(work.pairing.b.modality),
            "recording_a": _of(a, "recording", left),
            "recording_b": _of(b, "recording", right),
            "window_a": left["window"].astype(np.int32),
            "window_b": right["window"].astype(np.int32),
            "person_a": _of(a, "person", left),
            "person_b": _of(b, "person", right),
            "concept": _concepts(left["concept"], right["concept"]),
            "stimulus": left["stimulus"].where(left["stimulus"] == right["stimulus"], None),
            "split": _of(a, "split", left),
            "soa_ratio": _ratio(a.soa[left["rec"]], b.soa[right["rec"]]),
            "quality": np.minimum(left["quality"], right["quality"]).astype(float),
        }
    )
    for name, values in found.columns.items():
        frame[name] = values
    for name in _without_study(PAIRS.names):
        if name not in frame.columns and name != "pair_id":
            frame[name] = np.nan
    for name in ("n_alternatives", "segment"):
        frame[name] = frame[name].astype("Int32")
    frame["confidence"] = confidence(frame)
    frame["pair_id"] = _ids(frame)
    return frame


def _of(side: SideTable, column: str, items: pd.DataFrame) -> npt.NDArray[Any]:
    values = side.recordings[column].to_numpy(dtype=object)
    return np.asarray(values[items["rec"].to_numpy(dtype=np.int64)], dtype=object)


def _concepts(a: pd.Series, b: pd.Series) -> npt.NDArray[Any]:
    """Take the concept both share; for mapped ones, which share none, that of side a."""
    both = shared(a.to_numpy(), b.to_numpy())
    return np.where(pd.isna(both), a.to_numpy(dtype=object), both)


def _ratio(a: Floats, b: Floats) -> Floats:
    known = (a > 0) & (b > 0)
    ratio = np.full(a.size, np.nan)
    ratio[known] = np.maximum(a[known], b[known]) / np.minimum(a[known], b[known])
    return ratio


def _ids(frame: pd.DataFrame) -> list[str]:
    columns = ["tier", "rule", "recording_a", "window_a", "recording_b", "window_b"]
    rows = zip(*(frame[name].astype(str).tolist() for name in columns), strict=True)
    return [blake2b("\x1f".join(row).encode(), digest_size=10).hexdigest() for row in rows]
