"""Rows of table ``losses`` for events that find no partner, and for pairings."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuropair.pipeline.align.types import SLIDING, Integers, SideTable
from neuropair.schemas.study import Pairing


def loss(
    side: SideTable, rec: int, count: int, reason: str, *, action: str = "dropped"
) -> dict[str, Any]:
    """One row: `count` events of one recording."""
    return {
        "dataset": str(side.recordings["dataset"].iloc[rec]),
        "recording": side.name(rec),
        "stage": "pairing",
        "item": "event",
        "action": action,
        "count": int(count),
        "reason": reason,
        "where": None,
    }


def event_loss(
    pairing: Pairing, side: SideTable, rec: int, paired: Integers, reason: str
) -> list[dict[str, Any]]:
    """Count the selected events of a recording that are not among the rows `paired`."""
    rows = np.concatenate([side.rows(rec, "event"), side.rows(rec, SLIDING)])
    chosen = rows[side.items["chosen"].to_numpy()[rows]]
    left = int((~np.isin(chosen, paired)).sum())
    return [loss(side, rec, left, f"{pairing.name}: {reason}")] if left else []


def candidate_loss(pairing: Pairing, count: int, reason: str) -> dict[str, Any]:
    """One row that flags something of the pairing as a whole."""
    return {
        "dataset": (pairing.a.dataset or ["*"])[0],
        "recording": None,
        "stage": "pairing",
        "item": "candidate",
        "action": "flagged",
        "count": int(count),
        "reason": f"{pairing.name}: {reason}",
        "where": None,
    }
