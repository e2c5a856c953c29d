"""What an ingest came to: what a person reads at its end, and what --json prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from neuropair.flows.jobs import Outcome


@dataclass(frozen=True)
class Summary:
    """Counts of one ingest.

    Parameters
    ----------
    corpus, release : str
    recordings : dict
        Modality -> recordings that stand in the release.
    reused : int
        Recordings that were there already.
    windows, events : int
    rehearsed : bool
        Paired from tables alone, without signals.
    pairs : list of dict
        ``tier, rule, modality_a, modality_b, split, n``.
    abstentions : list of dict
        ``tier, rule, reason, n``; the reason is its short code.
    failures : list of dict
        ``recording, reason, remedy``.
    losses : list of dict
        ``stage, item, action, n``.
    """

    corpus: str
    release: str
    recordings: dict[str, int]
    reused: int
    windows: int
    events: int
    rehearsed: bool
    pairs: list[dict[str, Any]]
    abstentions: list[dict[str, Any]]
    failures: list[dict[str, Any]]
    losses: list[dict[str, Any]]

    @classmethod
    def of(
        cls,
        corpus: str,
        release: str,
        tables: Mapping[str, pd.DataFrame],
        outcomes: Sequence[Outcome],
    ) -> Summary:
        """Count what the tables of a release hold."""
        recordings = tables["recordings"]
        failed = recordings[recordings["status"] == "failed"]
        ok = recordings[recordings["status"] != "failed"]
        reasons = tables["abstentions"].assign(
            reason=tables["abstentions"]["reason"].str.split(":", n=1).str[0]
        )
        return cls(
            corpus=corpus,
            release=release,
            recordings={str(k): int(n) for k, n in ok["modality"].value_counts().items()},
            reused=sum(outcome.reused for outcome in outcomes),
            windows=len(tables["windows"]),
            events=len(tables["events"]),
            rehearsed=bool((recordings["status"] == "rehearsed").any()),
            pairs=_counted(tables["pairs"], ["tier", "rule", "modality_a", "modality_b", "split"]),
            abstentions=_counted(reasons, ["tier", "rule", "reason"]),
            failures=records(failed[["recording", "reason", "remedy"]]),
            losses=_counted(tables["losses"], ["stage", "item", "action"], "count"),
        )

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return asdict(self)

    def pairs_table(self) -> list[dict[str, Any]]:
        """Rows for a table of pairs; one row that says so where there are none."""
        return self.pairs or [{"tier": "none", "n": 0}]

    def abstentions_table(self) -> list[dict[str, Any]]:
        """Rows for a table of abstentions."""
        return self.abstentions or [{"reason": "none", "n": 0}]

    def failures_table(self) -> list[dict[str, Any]]:
        """Rows for a table of recordings that could not be read."""
        return self.failures or [{"recording": "none"}]

    def markdown(self) -> str:
        """One paragraph for a flow's artifact."""
        n_pairs = sum(row["n"] for row in self.pairs)
        n_abstained = sum(row["n"] for row in self.abstentions)
        return (
            f"Release **{self.release}** of `{self.corpus}`: "
            f"{sum(self.recordings.values())} recordings ({self.reused} were there already), "
            f"{self.windows} windows, {n_pairs} pairs, {n_abstained} abstentions, "
            f"{len(self.failures)} recordings failed."
        )


def _counted(rows: pd.DataFrame, by: list[str], weight: str | None = None) -> list[dict[str, Any]]:
    if not len(rows):
        return []
    groups = rows.groupby(by, dropna=False, sort=True)
    counts = groups.size() if weight is None else groups[weight].sum()
    return records(counts.rename("n").reset_index())


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dictionaries by column name."""
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
