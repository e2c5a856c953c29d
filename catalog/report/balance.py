"""Part of the page on balance: how alike the two sides of matched pairs are, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuropair.catalog import evidence as ev
from neuropair.catalog.report.blocks import Block, Figure, Panel, Part, chosen, grid
from neuropair.catalog.report.svg import WIDTH, Plot, shortened

RULES = 12
"""Rules that are drawn."""
POOLS = 120
"""Pools, such as persons, that are drawn of a covariate."""
_LANE = 46
_LABELS = 116


@dataclass(frozen=True)
class _Measure:
    name: str
    title: str
    x_title: str
    good: tuple[float, float]
    ends: tuple[float, float] | None
    is_ratio: bool = False


_MEASURES = (
    _Measure("smd", "Standardised mean difference", "|SMD| (pooled SD)", (0, ev.SMD_LIMIT), None),
    _Measure("variance_ratio", "Variance ratio", "variance a / variance b", (0.5, 2.0), None, True),
    _Measure("ks", "Kolmogorov-Smirnov distance", "KS distance", (0, 0), (0.0, 1.0)),
)
_COLUMNS = {
    "rule": "rule",
    "pool": "pool",
    "covariate": "covariate",
    "n_a": "events a",
    "n_b": "events b",
    "n_pairs": "pairs",
    "dropped_fraction": "dropped fraction",
    "smd_before": "SMD before",
    "smd_after": "SMD after",
    "over_limit": "over 0.1",
    "variance_ratio_before": "variance ratio before",
    "variance_ratio_after": "variance ratio after",
    "ks_before": "KS before",
    "ks_after": "KS after",
}


def balance_part(tables: Mapping[str, pd.DataFrame]) -> Part:
    """Draw one love plot a rule and measure."""
    frame = tables[ev.BALANCE]
    if frame.empty:
        lead = "The release holds no balance table: no rule matches on covariates, or it is older."
        return Part("balance", "Balance", lead)
    over, measured = int(frame["over_limit"].sum()), int(frame["smd_after"].notna().sum())
    lead = (
        f"{over:,} of {measured:,} covariates and pools have an absolute standardised mean "
        f"difference of {ev.SMD_LIMIT} or more after matching; they are marked in the table."
    )
    rules = sorted(frame["rule"].unique())
    # the rules with most covariates out of balance come first where not all can be drawn
    worst = frame.groupby("rule")["over_limit"].sum().to_dict()
    drawn = sorted(sorted(rules, key=lambda rule: (-worst[rule], rule))[:RULES])
    panels = [
        panel
        for rule in drawn
        for measure in _MEASURES
        if (panel := _panel(rule, measure, frame[frame["rule"] == rule])) is not None
    ]
    which = "Every rule" if len(drawn) == len(rules) else f"{len(drawn)} of {len(rules)} rules"
    caption = (
        f"{which}. Each covariate has an upper lane, before matching (hollow), and a lower lane, "
        "after it (filled); a dot is a person or split, a square the pool of all. Shaded is what "
        f"counts as balanced: SMD below {ev.SMD_LIMIT}, variance ratio between 0.5 and 2 (its "
        "axis is logarithmic). Good matching moves dots from the upper lane into the shade. "
        f"At most {POOLS} pools of a covariate are drawn, evenly spread over their order."
    )
    blocks: list[Block] = [Figure(tuple(panels), caption)]
    blocks.append(grid("Balance, one row a rule, pool and covariate", frame, _COLUMNS, folded=True))
    return Part("balance", "Balance", lead, blocks)


def _panel(rule: str, measure: _Measure, rows: pd.DataFrame) -> Panel | None:
    columns = [f"{measure.name}_before", f"{measure.name}_after"]
    values = rows[columns].to_numpy(dtype=float)
    finite = values[np.isfinite(values) & ((values > 0) | (not measure.is_ratio))]
    if not finite.size:
        return None
    covariates = sorted(rows["covariate"].unique())
    plot = Plot(
        _ends(measure, finite),
        (0.0, float(len(covariates))),
        height=_LANE * len(covariates) + 46,
        left=_LABELS,
        right=14,
    )
    low_edge, high_edge = (_place(measure, edge) for edge in measure.good)
    plot.band(low_edge, high_edge, "quantum", vertical=True)
    for edge in measure.good:
        if edge:
            plot.rule(_place(measure, edge), "limit", vertical=True)
    for row, covariate in enumerate(covariates):
        low = len(covariates) - row - 1
        plot.rule(low, "grid")
        plot.label(0, plot.to_y(low + 0.5) + 4, shortened(covariate, _LABELS - 8))
        own = rows[rows["covariate"] == covariate]
        for column, lane, style in ((columns[0], 0.72, "before"), (columns[1], 0.28, "after")):
            _lane(plot, measure, own, column, low + lane, style)
    marks = [(_place(measure, v), f"{v:g}") for v in _ratios(finite)] if measure.is_ratio else None
    plot.x_axis(measure.x_title, marks)
    title = f"{measure.title} of {rule} before and after matching"
    return Panel(f"{rule}: {measure.title.lower()}", plot.drawn(title))


def _lane(
    plot: Plot, measure: _Measure, own: pd.DataFrame, column: str, y: float, style: str
) -> None:
    usable = own[own[column].notna() & ((own[column] > 0) | (not measure.is_ratio))]
    pools = usable[usable["pool"] != "pooled"]
    places = [_place(measure, float(v)) for v in chosen(pools[column].tolist(), POOLS)]
    # spread over the lane in a fixed order, so that equal values do not hide each other
    spread = [y + 0.14 * ((k * 0.618) % 1 - 0.5) for k in range(len(places))]
    plot.dots(zip(places, spread, strict=True), style)
    for value in usable.loc[usable["pool"] == "pooled", column]:
        x, at = plot.to_x(_place(measure, float(value))), plot.to_y(y)
        plot.square(min(x, WIDTH - 6.0), at, style)


def _ends(
    measure: _Measure, finite: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> tuple[float, float]:
    if measure.is_ratio:
        ratios = _ratios(finite)
        return _place(measure, ratios[0]), _place(measure, ratios[-1])
    return measure.ends or (0.0, max(0.2, 1.05 * float(finite.max())))


def _ratios(finite: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[float]:
    """Powers of two, the least and most beyond every value, 1/4 to 4 at least; at most nine."""
    reach = max(2, int(np.ceil(np.abs(np.log2(finite)).max() - 1e-9)))
    step = 1 if reach <= 4 else int(np.ceil(reach / 4))
    return [2.0**k for k in range(-step * (-(-reach // step)), reach + step, step)]


def _place(measure: _Measure, value: float) -> float:
    return float(np.log2(value)) if measure.is_ratio and value > 0 else value
