"""The verdict: what of a release can be trusted, what is flagged, what nobody has shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from neuropair.catalog import evidence as ev
from neuropair.catalog.corpus import Corpus
from neuropair.catalog.report.abstained import candidates
from neuropair.catalog.report.blocks import ABSENT, counted, decimal, span

CALIBRATED = 0.03
"""Largest expected calibration error of a confidence that is taken for a probability."""
_MEANING = {
    "T0": "same clock, one file",
    "T1": "together, two clocks",
    "T2": "same person, same stimulus",
    "T3": "same person, same condition",
    "T4": "other person, same stimulus",
    "T5": "other person, same condition",
}


@dataclass(frozen=True)
class Finding:
    """One sentence of the verdict.

    Parameters
    ----------
    level : str
        ``good``, ``flagged``, or ``open``: not shown either way.
    subject, says : str
    part : str
        Id of the part of the page that shows it.
    """

    level: str
    subject: str
    says: str
    part: str


@dataclass(frozen=True)
class TierVerdict:
    """What a tier of the release holds and has shown."""

    tier: str
    meaning: str
    pairs: int
    confidence: str
    level: str
    claim: str
    says: str


def tiers(tables: Mapping[str, pd.DataFrame]) -> list[TierVerdict]:
    """Judge each tier that has pairs, or was abstained from, by the ledger."""
    pairs, ledger = tables[ev.PAIRS], tables[ev.LEDGER]
    found = sorted({*pairs["tier"], *tables[ev.ABSTENTIONS]["tier"], *ledger["tier"]})
    return [
        _tier(tier, pairs[pairs["tier"] == tier], ledger[ledger["tier"] == tier]) for tier in found
    ]


def _tier(tier: str, pairs: pd.DataFrame, ledger: pd.DataFrame) -> TierVerdict:
    fails, holds = ledger[ledger["judged"] == "fails"], ledger[ledger["judged"] == "holds"]
    level, claim, says = "open", "not tested on signals", ""
    if len(fails):
        level, claim = (
            "flagged",
            f"{counted(len(fails), 'test')} of {len(ledger)} against the claim",
        )
        says = next((str(flag) for flag in fails["flag"].dropna()), "")
    elif len(holds):
        level, claim = "good", f"holds in {len(holds)} of {len(ledger)} tests"
    elif pairs.empty:
        level, claim = "open", "no pairs: abstained from"
    number = int(pairs["pairs"].sum())
    low, high = pairs["confidence_min"].min(), pairs["confidence_max"].max()
    confidence = span(float(low), float(high)) if number else ABSENT
    return TierVerdict(tier, _MEANING.get(tier, ""), number, confidence, level, claim, says)


def findings(corpus: Corpus, tables: Mapping[str, pd.DataFrame]) -> list[Finding]:
    """Say what each kind of evidence shows: flagged first, then what is open, then what is good."""
    every = [
        _ledger(tables[ev.LEDGER]),
        _clocks(tables),
        _balance(tables[ev.BALANCE]),
        _leaks(tables),
        _duplicates(tables[ev.DUPLICATES]),
        _confidence(tables[ev.CALIBRATION]),
        _abstained(tables),
        _failed(corpus),
    ]
    rank = {"flagged": 0, "open": 1, "good": 2}
    return sorted((found for found in every if found), key=lambda found: rank[found.level])


def _ledger(ledger: pd.DataFrame) -> Finding:
    fails = ledger[ledger["judged"] == "fails"]
    if ledger.empty or not (ledger["judged"].isin(["fails", "holds"])).any():
        return Finding("open", "Signals", "no tier's claim has been tested on signals", "ledger")
    if len(fails):
        rules = ", ".join(sorted({f"{t} {r}" for t, r in fails[["tier", "rule"]].to_numpy()}))
        return Finding(
            "flagged",
            "Signals",
            f"{counted(len(fails), 'test')} against the claim: {rules}",
            "ledger",
        )
    cautions = int((ledger["judged"] == "caution").sum())
    says = f"of {counted(len(ledger), 'test')} none is against a tier's claim"
    if cautions:
        says += f"; {counted(cautions, 'caution')}"
    return Finding("open" if cautions else "good", "Signals", says, "ledger")


def _clocks(tables: Mapping[str, pd.DataFrame]) -> Finding | None:
    segments = tables[ev.CLOCK_SEGMENTS]
    if segments.empty:
        n = len(tables[ev.RESIDUALS])
        says = f"{n:,} recording pairs aligned; the release holds no table of clocks"
        return Finding("open", "Clocks", says, "clocks") if n else None
    low, high = ev.RESIDUAL_RATIO
    ratios = segments["residual_ratio"].dropna().astype(float)
    off = int(segments["off_the_limit"].sum())
    warned = int(segments["warning"].notna().sum())
    says = counted(len(segments), "clock segment")
    if len(ratios):
        says += f", residual {span(ratios.min(), ratios.max())} of the quantisation limit"
    if off:
        says += f", {off:,} clearly outside {low} to {high}"
    if warned:
        says += f", {warned:,} with a warning"
    return Finding("flagged" if off or warned else "good", "Clocks", says, "clocks")


def _balance(balance: pd.DataFrame) -> Finding | None:
    measured = balance[balance["smd_after"].notna()]
    if measured.empty:
        return None
    over = int(measured["over_limit"].sum())
    worst = float(measured["smd_after"].max())
    says = (
        f"{over:,} of {len(measured):,} covariates and pools differ by {ev.SMD_LIMIT} pooled SD or "
        f"more after matching, {decimal(worst)} at most"
    )
    return Finding("flagged" if over else "good", "Balance", says, "balance")


def _leaks(tables: Mapping[str, pd.DataFrame]) -> Finding | None:
    leaks, splits = tables[ev.LEAKS], tables[ev.SPLITS]
    if splits.empty:
        return Finding("open", "Splits", "the release holds no splits", "splits")
    if len(leaks):
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in leaks["kind"].value_counts().items())
        says = f"keys that stand in more than one split: {kinds}"
        return Finding("flagged", "Splits", says, "splits")
    policies = ", ".join(sorted(splits["policy"].unique()))
    says = f"no person, recording or stimulus stands in two splits (policy: {policies})"
    return Finding("good", "Splits", says, "splits")


def _duplicates(duplicates: pd.DataFrame) -> Finding | None:
    counts = duplicates["relation"].value_counts().sort_index()
    if counts.empty:
        return None
    odd = {"unconfirmed", "shared-events", "shared-signal"} & set(counts.index)
    listed = ", ".join(f"{n:,} {relation}" for relation, n in counts.items())
    level = "flagged" if odd else "good"
    return Finding(level, "Duplicates", f"recordings reported as alike: {listed}", "who")


def _confidence(errors: pd.DataFrame) -> Finding:
    if errors.empty:
        return Finding("open", "Confidence", "no calibration curve is shipped", "confidence")
    worst = float(errors["expected_calibration_error"].max())
    level = "good" if worst < CALIBRATED else "flagged"
    says = f"expected calibration error at most {decimal(worst)} on unseen simulated corpora"
    return Finding(level, "Confidence", says, "confidence")


def _abstained(tables: Mapping[str, pd.DataFrame]) -> Finding | None:
    counts = candidates(tables)
    paired, abstained = int(counts["paired"].sum()), int(counts["abstained"].sum())
    if not paired + abstained:
        return Finding("open", "Pairs", "the release holds no candidate pair", "abstained")
    unlocks = tables[ev.UNLOCKS]
    # a remedy that begins so says that the pair would be wrong, such as across splits
    refused = unlocks["remedy"].astype(str).str.startswith("none:")
    remedies, never = int((~refused).sum()), int(unlocks.loc[refused, "recording_pairs"].sum())
    says = f"{paired:,} recording pairs paired, {abstained:,} abstained from"
    if never:
        says += f", {never:,} of them for good"
    if remedies:
        says += f"; {counted(remedies, 'remedy')} would unlock {'the rest' if never else 'them'}"
    return Finding("open" if abstained else "good", "Abstained", says, "abstained")


def _failed(corpus: Corpus) -> Finding | None:
    query = "SELECT count(*) AS n, count(*) FILTER (status = 'failed') AS failed FROM recordings"
    (row,) = corpus.sql(query).to_pylist()
    if not row["n"]:
        return None
    says = f"{row['failed']:,} of {row['n']:,} could not be read"
    return Finding("flagged" if row["failed"] else "good", "Recordings", says, "holds")
