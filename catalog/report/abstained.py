"""Part of the page on what was not paired, and what would unlock it."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from neuropair.catalog import evidence as ev
from neuropair.catalog.report.blocks import Block, Figure, Panel, Part, grid, records
from neuropair.catalog.report.svg import Plot, shortened

ROWS = 30
"""Combinations of tier and rule that are drawn."""
_LABELS = 140
_UNLOCKS = {
    "remedy": "what would unlock them",
    "recording_pairs": "recording pairs",
    "tiers": "tiers",
    "reasons": "reasons",
}
_REASONS = {
    "tier": "tier",
    "rule": "rule",
    "reason": "reason",
    "recording_pairs": "recording pairs",
    "for_example": "for example",
    "remedy": "remedy",
}


def abstained_part(tables: Mapping[str, pd.DataFrame]) -> Part:
    """Draw paired and abstained recording pairs by rule; list remedies and losses."""
    counts = candidates(tables)
    blocks: list[Block] = []
    paired, abstained = int(counts["paired"].sum()), int(counts["abstained"].sum())
    if len(counts):
        blocks.append(_figure(counts))
    if abstained:
        blocks.append(grid("What would unlock them, most first", tables[ev.UNLOCKS], _UNLOCKS))
        blocks.append(grid("Reasons, by rule", tables[ev.ABSTENTIONS], _REASONS, folded=True))
    lead = (
        f"Of {paired + abstained:,} candidate pairs of recordings, {paired:,} are paired and "
        f"{abstained:,} abstained from: where nothing shows that a pair is right, there is none."
    )
    return Part("abstained", "What was abstained from", lead, blocks)


def candidates(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Count recording pairs by tier and rule: ``tier, rule, paired, abstained``.

    A recording pair that a rule pairs in several modalities or kinds of evidence counts for each.
    """
    paired = tables[ev.PAIRS].groupby(["tier", "rule"])["recording_pairs"].sum().rename("paired")
    abstained = (tables[ev.ABSTENTIONS].groupby(["tier", "rule"])["recording_pairs"].sum()).rename(
        "abstained"
    )
    both = pd.concat([paired, abstained], axis=1).fillna(0).astype(int)
    return both.sort_index().reset_index()


def _figure(counts: pd.DataFrame) -> Figure:
    size = counts["paired"] + counts["abstained"]
    kept = counts[size >= size.nlargest(ROWS).min()].head(ROWS).reset_index(drop=True)
    high = 24
    most = float((kept["paired"] + kept["abstained"]).max())
    plot = Plot(
        (0.0, most), (0.0, float(len(kept))), height=high * len(kept) + 46, left=_LABELS, right=14
    )
    for k, row in enumerate(records(kept)):
        y = plot.to_y(len(kept) - k) + 4
        plot.label(0, y + 12, shortened(f"{row['tier']} {row['rule']}", _LABELS - 8))
        plot.across(0, row["paired"], y, high - 8, "bar")
        plot.across(row["paired"], row["paired"] + row["abstained"], y, high - 8, "lacking")
    plot.x_axis("recording pairs")
    note = f"{int(kept['paired'].sum()):,} paired, {int(kept['abstained'].sum()):,} abstained from"
    drawn = plot.drawn("Recording pairs by rule, paired and abstained from")
    which = "" if len(kept) == len(counts) else f" The {ROWS} largest of {len(counts)} rules."
    caption = (
        "A bar a rule: solid, the pairs of recordings that are paired; outlined, those abstained "
        f"from. The table below says what each would need.{which}"
    )
    return Figure((Panel("Paired and abstained from", drawn, note),), caption)
