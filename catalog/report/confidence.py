"""Part of the page on confidence: what it says, and whether it may be believed."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from neuropair.catalog import evidence as ev
from neuropair.catalog.corpus import Corpus
from neuropair.catalog.report.blocks import Block, Figure, Panel, Part, decimal, grid, records
from neuropair.catalog.report.svg import Plot

_BINS = 25
_HISTOGRAM = f"""
    SELECT tier, least((floor(confidence * {_BINS}))::INTEGER, {_BINS - 1}) AS bin, count(*) AS n
    FROM pairs GROUP BY ALL ORDER BY ALL"""


def confidence_part(corpus: Corpus, tables: Mapping[str, pd.DataFrame]) -> Part:
    """Draw the shipped reliability curve and the release's own confidences."""
    curve, errors = ev.calibration_curve(), tables[ev.CALIBRATION]
    blocks: list[Block] = []
    lead = (
        "This version ships no calibration curve, so how far a confidence may be believed is not "
        "shown here."
    )
    if len(curve):
        panels = [_reliability(str(tier), own) for tier, own in curve.groupby("tier", sort=True)]
        blocks.append(Figure(tuple(panels), _CURVE))
        blocks.append(grid("Expected calibration error", errors))
        lead = (
            "A confidence of 0.9 should be right in 9 of 10 pairs. On simulated corpora that the "
            f"fit never saw, it is off by {_worst(errors)} on average in the worst tier."
        )
    own = corpus.sql(_HISTOGRAM).to_pandas()
    if len(own):
        panels = [_spread(str(tier), rows) for tier, rows in own.groupby("tier", sort=True)]
        blocks.append(Figure(tuple(panels), _SPREAD))
    return Part("confidence", "Confidence and its calibration", lead, blocks)


_CURVE = (
    "Reliability on simulated corpora that the fit never saw, by tier: across, the mean confidence "
    "of a bin of pairs; up, the share of them that is right. On the diagonal, confidence is a "
    "probability; below it, it promises too much. Axes begin where the bins do."
)
_SPREAD = (
    "Confidence of this release's pairs, by tier. A single bar means that the tier's evidence does "
    "not tell its pairs apart."
)


def _worst(errors: pd.DataFrame) -> str:
    return decimal(float(errors["expected_calibration_error"].max()))


def _reliability(tier: str, rows: pd.DataFrame) -> Panel:
    rows = rows.sort_values("predicted")
    points = list(zip(rows["predicted"].astype(float), rows["observed"].astype(float), strict=True))
    lowest = min(min(point) for point in points)
    low = max(0.0, lowest - 0.1 * (1 - lowest) - 0.005)
    plot = Plot((low, 1.0), (low, 1.0), height=240)
    plot.y_axis()
    plot.line([(low, low), (1.0, 1.0)], "limit")
    plot.line(points, "whisker holds")
    for x, y in points:
        plot.circle(x, y, "holds")
    plot.x_axis("confidence")
    plot.label(50, 18, "share that is right", class_="tick")
    total = int(rows["n"].sum())
    error = float(((rows["predicted"] - rows["observed"]).abs() * rows["n"]).sum() / max(total, 1))
    name = "All tiers" if tier == "all" else tier
    note = f"{total:,} simulated pairs, expected calibration error {decimal(error)}"
    return Panel(name, plot.drawn(f"Reliability of the confidence, {name}"), note)


def _spread(tier: str, rows: pd.DataFrame) -> Panel:
    plot = Plot((0.0, 1.0), (0.0, float(max(rows["n"].max(), 4))), height=150)
    plot.y_axis()
    for row in records(rows):
        plot.bar(row["bin"] / _BINS, (row["bin"] + 1) / _BINS, float(row["n"]))
    plot.x_axis("confidence")
    drawn = plot.drawn(f"Histogram of the confidence of {tier}")
    return Panel(tier, drawn, f"{int(rows['n'].sum()):,} pairs")
