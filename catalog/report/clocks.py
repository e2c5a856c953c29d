"""Part of the page on clocks: what is left between two devices' triggers once they are aligned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from neuropair.catalog import evidence as ev
from neuropair.catalog.corpus import Corpus
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
    span,
)
from neuropair.catalog.report.svg import Plot

PANELS = 12
"""Recording pairs that are drawn."""
POINTS = 400
"""Triggers that are drawn of a recording pair."""
_BINS = 24
_KEY = ["rule", "recording_a", "recording_b"]
_COLUMNS = {
    "rule": "rule",
    "recording_a": "recording a",
    "recording_b": "recording b",
    "segment": "segment",
    "n_matched": "aligned triggers",
    "drift_ppm": "drift (ppm)",
    "drift_interval_ppm": "± 95 % (ppm)",
    "residual_ms": "residual SD (ms)",
    "limit_ms": "quantisation limit (ms)",
    "residual_ratio": "residual / limit",
    "off_the_limit": "off the limit",
    "interval_ms": "clock ± 95 %, at most (ms)",
    "bias_ms": "unidentifiable bias, at most (ms)",
    "coverage": "coverage",
    "ambiguity": "ambiguity",
    "warning": "warning",
}


def clocks_part(corpus: Corpus, tables: Mapping[str, pd.DataFrame]) -> Part:
    """Draw residuals over time, their size over all recordings, and media clocks."""
    segments, residuals = tables[ev.CLOCK_SEGMENTS], tables[ev.RESIDUALS]
    blocks: list[Block] = []
    if len(residuals):
        keys = _drawn(segments, residuals)
        points = _points(corpus, keys)
        panels = [_panel(key, points, segments) for key in keys]
        blocks.append(Figure(tuple(panels), _caption(len(keys), len(residuals))))
    if len(segments):
        blocks.append(_all_clocks(segments))
        blocks.append(grid("Clocks, one row a segment", segments, _COLUMNS, folded=True))
    elif len(residuals):
        blocks.append(grid("Residuals, one row a recording pair", residuals, folded=True))
    if len(tables[ev.MEDIA_CLOCKS]):
        blocks.append(grid("Media clocks of stories and films", tables[ev.MEDIA_CLOCKS]))
    lead = "This release pairs nothing that was recorded together on two clocks (T1)."
    if len(residuals):
        lead = (
            f"{counted(len(residuals), 'pair')} of recordings made together, on two clocks. "
            "Aligned, their triggers differ by what the slower device's time stamps cannot "
            "resolve, or something is wrong."
        )
    return Part("clocks", "Clocks", lead, blocks)


def _drawn(segments: pd.DataFrame, residuals: pd.DataFrame) -> list[tuple[str, ...]]:
    """Choose what is drawn: warned of and restarted ones first, then far from the limit."""
    pairs = residuals[_KEY].drop_duplicates()
    odd = segments.assign(
        odd=segments["warning"].notna().astype(int) + (segments["segment"] > 0).astype(int),
        off=(segments["residual_ratio"].astype(float) - 1).abs(),
    )
    worst = odd.groupby(_KEY, as_index=False)[["odd", "off"]].max()
    ranked = pairs.merge(worst, on=_KEY, how="left").fillna({"odd": 0, "off": 0.0})
    ranked = ranked.sort_values(["odd", "off", *_KEY], ascending=[False, False, True, True, True])
    kept = ranked.head(PANELS).sort_values(_KEY)
    return [tuple(row) for row in kept[_KEY].itertuples(index=False, name=None)]


def _points(corpus: Corpus, keys: list[tuple[str, ...]]) -> pd.DataFrame:
    listed = ", ".join("(" + ", ".join(_quoted(text) for text in key) + ")" for key in keys)
    frame: pd.DataFrame = corpus.sql(f"""
        SELECT rule, recording_a, recording_b, onset, time_difference, clock_interval,
            coalesce(segment, 0) AS segment
        FROM pairs JOIN windows ON recording = recording_a AND "window" = window_a
        WHERE tier = 'T1' AND pairs.concept <> 'sliding' AND time_difference IS NOT NULL
            AND (rule, recording_a, recording_b) IN ({listed})
        ORDER BY ALL""").to_pandas()
    return frame


def _panel(key: tuple[str, ...], points: pd.DataFrame, segments: pd.DataFrame) -> Panel:
    own = points[(points[_KEY] == list(key)).all(axis=1)]
    clocks = segments[(segments[_KEY] == list(key)).all(axis=1)].sort_values("segment")
    name = ev.together(key[1], key[2])
    return Panel(name, _drawing(own, clocks, name), _note(len(own), clocks))


def _drawing(own: pd.DataFrame, clocks: pd.DataFrame, name: str) -> Markup:
    minutes = own["onset"].to_numpy(dtype=float) / 60
    residual = own["time_difference"].to_numpy(dtype=float) * 1e3
    interval = own["clock_interval"].to_numpy(dtype=float) * 1e3
    half_step = float(clocks["limit_ms"].max()) * np.sqrt(12) / 2 if len(clocks) else np.nan
    sizes = [*np.abs(residual), half_step, np.nanmax([*interval, 0.0]), 0.01]
    top = 1.1 * float(np.nanmax(sizes))
    ends = (float(minutes.min()), float(minutes.max()) + 1e-6)
    plot = Plot(ends, (-top, top), height=190)
    if np.isfinite(half_step):
        plot.band(-half_step, half_step, "quantum")
    plot.y_axis()
    restarts = [float(s) / 60 for s in clocks["start"].iloc[1:]]
    for at in restarts:
        if ends[0] <= at <= ends[1]:
            plot.rule(at, "restart", vertical=True)
    some = chosen(range(len(own)), POINTS)
    segment = own["segment"].to_numpy()
    for k in np.unique(segment):
        part = [i for i in some if segment[i] == k]
        plot.dots([(minutes[i], residual[i]) for i in part], f"series-{int(k) % 3}")
        for sign in (-1, 1):
            plot.line([(minutes[i], sign * interval[i]) for i in chosen(part, 60)], "interval")
    plot.x_axis("time on a's clock (min)")
    plot.label(2, 14, "ms", class_="tick")
    return plot.drawn(f"Residuals over time of {name}")


def _note(n: int, clocks: pd.DataFrame) -> str:
    parts = [f"{n:,} pairs"]
    for row in records(clocks):
        text = f"drift {decimal(row['drift_ppm'])}"
        if pd.notna(row["drift_interval_ppm"]):
            text += f" ± {decimal(row['drift_interval_ppm'])}"
        text += f" ppm, residual {decimal(row['residual_ms'])} ms"
        if pd.notna(row["residual_ratio"]):
            text += f" = {row['residual_ratio']:.2f} of the limit"
        parts.append(f"segment {row['segment']}: {text}" if len(clocks) > 1 else text)
        if pd.notna(row["warning"]):
            parts.append(f"warning: {row['warning']}")
    return "; ".join(parts)


def _all_clocks(segments: pd.DataFrame) -> Figure:
    low, high = ev.RESIDUAL_RATIO
    ratios = segments["residual_ratio"].dropna().astype(float).to_numpy()
    drifts = segments["drift_ppm"].astype(float).to_numpy()
    panels = [_histogram("Drift", drifts, "drift (ppm)", None)]
    if len(ratios):
        title = "Residual against the quantisation limit"
        panels.insert(0, _histogram(title, ratios, "residual SD / (step / √12)", (low, high)))
    caption = (
        f"Every clock of the release, {len(segments):,} segments. A residual "
        "that is all quantisation has ratio 1; the shaded range, "
        f"{low} to {high}, is as good as the device allows. Above it, triggers jitter or the "
        "alignment is doubtful; below it, the assumed time step is too long. A clock is flagged "
        "beyond three standard errors of that range, where the step is coarse. Drifts of one pair "
        "of devices should agree; beyond ±200 ppm a clock is warned of."
    )
    return Figure(tuple(panels), caption)


def _histogram(
    title: str, values: np.ndarray[Any, Any], x_title: str, good: tuple[float, float] | None
) -> Panel:
    reach = [*values, *(good or ())]
    low, high = float(min(reach)), float(max(reach))
    pad = 0.08 * (high - low) or abs(low) * 0.05 or 1.0
    ends = (low - pad, high + pad)
    counts, edges = np.histogram(values, bins=_BINS, range=ends)
    plot = Plot(ends, (0.0, float(max(counts.max(), 5))), height=170)
    if good:
        plot.band(*good, "quantum", vertical=True)
        plot.rule(1.0, "limit", vertical=True)
    plot.y_axis()
    for count, left, right in zip(counts, edges[:-1], edges[1:], strict=True):
        if count:
            plot.bar(left, right, float(count))
    plot.x_axis(x_title)
    drawn = plot.drawn(f"Histogram of {x_title} over {len(values)} clock segments")
    return Panel(title, drawn, span(float(values.min()), float(values.max())))


def _caption(n: int, every: int) -> str:
    drawn = f"All {n} recording pairs" if n == every else f"{n} of {every:,} recording pairs"
    rest = (
        ""
        if n == every
        else " (those warned of or restarted first, then those farthest from the limit)"
    )
    return (
        f"{drawn}{rest}, at most {POINTS} triggers of each, evenly spread. A point is the onset "
        "of b, carried to a's clock, less the onset of a. Shaded: half a time step of the slower "
        "device to either side, which holds every point of a right alignment but for jitter. "
        "Lines: 95 % interval of the clock itself, narrowest in the middle of the triggers. A "
        "dashed upright line is where a device restarted; colours change with the segment. A "
        "slope or a step in the points means that the alignment is wrong."
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
