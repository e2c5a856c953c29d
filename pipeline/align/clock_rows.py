"""Rows of table ``clocks``: what is known of every clock between two recordings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neuropair.pipeline.align.clock import Clock
from neuropair.pipeline.align.types import RecordingPair, Work

MAX_DRIFT_PPM = 200.0
"""science.md section 8: a drift above this is possible and odd."""


def clock_rows(work: Work, clocks: Mapping[RecordingPair, Clock]) -> list[dict[str, Any]]:
    """Describe the clock of every aligned recording pair."""
    return [_row(work, pair, clock) for pair, clock in clocks.items()]


def _row(work: Work, pair: RecordingPair, clock: Clock) -> dict[str, Any]:
    rows_a, rows_b = work.a.rows(pair.a, "event"), work.b.rows(pair.b, "event")
    onsets = work.a.items["onset"].to_numpy()[rows_a]
    start, stop = float(onsets.min()), float(onsets.max())
    return {
        "rule": work.pairing.name,
        "recording_a": work.a.name(pair.a),
        "recording_b": work.b.name(pair.b),
        "segment": 0,
        "start": start,
        "stop": stop,
        "n_a": rows_a.size - clock.debounced[0],
        "n_b": rows_b.size - clock.debounced[1],
        "n_matched": clock.n_matched,
        "debounced_a": clock.debounced[0],
        "debounced_b": clock.debounced[1],
        "offset": clock.offset,
        "drift_ppm": clock.drift_ppm,
        "drift_interval_ppm": None,
        "residual_sd": clock.residual_sd,
        "quantum": clock.bias,
        "residual_ratio": clock.residual_sd / (clock.bias / np.sqrt(12)),
        "tolerance": clock.tolerance,
        "bias": clock.bias,
        "interval_max": float(clock.half_width(np.array([start, stop])).max()),
        "coverage": clock.coverage,
        "ambiguity": clock.ambiguity,
        "warning": _warning(clock),
    }


def _warning(clock: Clock) -> str | None:
    if abs(clock.drift_ppm) > MAX_DRIFT_PPM:
        return f"drift of {clock.drift_ppm:.0f} ppm, above {MAX_DRIFT_PPM:.0f}"
    return None
