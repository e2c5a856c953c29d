"""Part of the page on the ledger: what the signals themselves say about each tier's claim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from neuropair.catalog import evidence as ev
from neuropair.catalog.report.blocks import (
    Block,
    Figure,
    Panel,
    Part,
    chosen,
    counted,
    decimal,
    grid,
    records,
)
from neuropair.catalog.report.svg import WIDTH, Plot, shortened

PANELS = 24
"""Rules that are drawn."""
_ROW = 26
_LABELS, _CLAIMS = 96, 88
_KEY = ["tier", "rule", "modalities"]


def ledger_part(tables: Mapping[str, pd.DataFrame]) -> Part:
    """Draw every effect against its null."""
    ledger = tables[ev.LEDGER]
    if ledger.empty:
        lead = (
            "The ledger is empty: no tier's claim has been tested on signals, so the pairs rest on "
            "their tables alone."
        )
        return Part("ledger", "The ledger", lead)
    flagged = ledger[ledger["judged"] == "fails"]
    lead = (
        f"{len(flagged):,} of {counted(len(ledger), 'test')} against what the tier claims. "
        "An event-level tier (T0, T1, T2, T4) claims to beat pairs shuffled within a condition "
        "(L2); a set-level tier (T3, T5) claims to beat L1 and not L2."
    )
    keys = list(ledger[_KEY].drop_duplicates().itertuples(index=False, name=None))
    panels = [
        _panel(key, ledger[(ledger[_KEY] == list(key)).all(axis=1)]) for key in chosen(keys, PANELS)
    ]
    which = "" if len(keys) <= PANELS else f" {PANELS} of {len(keys)} rules, evenly spread."
    caption = (
        "One picture a rule, one row a test. Mark and line: effect on held-out persons and its "
        "95 % interval. Upright tick: mean under the null; the pale bar reaches from it to the "
        "smallest effect that would have been seen with 80 % power. A filled circle holds, a "
        "square is against the claim, a hollow square a caution, a hollow circle untested. L1 "
        "shuffles pairs across conditions, L2 within, L3 within condition and position, "
        "L4 shifts within a run."
        f"{which}"
    )
    blocks: list[Block] = [Figure(tuple(panels), caption)]
    names = {"tier": "tier", "rule": "rule", "measure": "measure", "null": "null"}
    said = {**names, "judged": "judged", "flag": "what is said"}
    flags = ledger[ledger["flag"].notna()]
    untested = flags["judged"] == "untested"
    worst_first = flags[~untested].sort_values("judged", key=lambda j: j != "fails", kind="stable")
    if len(worst_first):
        blocks.insert(0, grid("Flags", worst_first, said))
    if untested.any():
        blocks.append(grid("Not tested, and what was lacking", flags[untested], said, folded=True))
    blocks.append(grid("The ledger, one row a test", ledger, folded=True))
    return Part("ledger", "The ledger", lead, blocks)


def _panel(key: tuple[str, ...], rows: pd.DataFrame) -> Panel:
    values = [
        float(value)
        for name in ("effect", "low", "high", "null_mean")
        for value in rows[name].dropna()
    ]
    seen = (rows["null_mean"].astype(float) + rows["detectable"].astype(float)).dropna()
    low, high = min([0.0, *values]), max([0.05, *values, *seen])
    pad = 0.05 * (high - low)
    plot = Plot(
        (low - pad, high + pad),
        (0.0, float(len(rows))),
        height=_ROW * len(rows) + 46,
        left=_LABELS,
        right=_CLAIMS,
    )
    plot.rule(0.0, "limit", vertical=True)
    for k, row in enumerate(records(rows)):
        _test(plot, row, len(rows) - k - 0.5)
    plot.x_axis("effect")
    name = f"{key[0]} {key[1]} ({key[2]})"
    fails = int((rows["judged"] == "fails").sum())
    note = f"{fails} of {len(rows)} tests fail" if fails else f"{len(rows)} tests, none fails"
    return Panel(name, plot.drawn(f"Effects against their nulls of {name}"), note)


def _test(plot: Plot, test: dict[str, Any], at: float) -> None:
    y = plot.to_y(at)
    known = {name for name, value in test.items() if not pd.isna(value)}
    null = "" if test["null"] == "none" else f" {test['null']}"
    plot.label(0, y + 4, shortened(f"{test['measure']}{null}", _LABELS - 6))
    if {"null_mean", "detectable"} <= known:
        plot.across(test["null_mean"], test["null_mean"] + test["detectable"], y - 6, 12, "quantum")
    if "null_mean" in known:
        plot.upright(test["null_mean"], y, 7, "null")
    if {"low", "high"} <= known:
        plot.line([(test["low"], at), (test["high"], at)], f"whisker {test['judged']}")
    if "effect" in known:
        if test["judged"] in ("fails", "caution"):
            plot.square(plot.to_x(test["effect"]), y, test["judged"])
        else:
            plot.circle(test["effect"], at, test["judged"])
    says = test["judged"] + (f" {_p(test['p'])}" if "p" in known else "")
    plot.label(WIDTH, y + 4, says, "end", f"tick {test['judged']}")


def _p(value: float) -> str:
    return f"{decimal(value)}".removeprefix("0")
