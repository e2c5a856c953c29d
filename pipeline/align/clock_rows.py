"""Rows of table ``clocks``: what is known of every clock between two recordings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neuropair.pipeline.align.hints import contradiction
from neuropair.pipeline.align.segment import Clock, Segment
from neuropair.pipeline.align.types import RecordingPair, Work
from neuropair.pipeline.align.vote import Floats

MAX_DRIFT_PPM = 200.0
"""science.md section 8: a drift above this is possible and odd."""
RESIDUAL_RATIO = (0.9, 1.15)
"""science.md section 8: residual SD over q / sqrt(12) where quantisation dominates."""
DOMINATES = 2.0
"""Quantisation dominates where q / sqrt(12) is this many times the jitter stated: jitter then adds
at most an eighth to the residual SD, less than the ratio's bounds allow."""
MIN_FOR_RATIO = 100
"""Aligned triggers below which the ratio is not judged: the SD of n uniform residuals has an
error of 0.45 / sqrt(n), so that 0.9 is two of them away at 100."""


def clock_rows(work: Work, clocks: Mapping[RecordingPair, Clock]) -> list[dict[str, Any]]:
    """Describe every segment of the clock of every aligned recording pair."""
    return [
        _row(work, pair, clock, number)
        for pair, clock in clocks.items()
        for number in range(len(clock.segments))
    ]


def _row(work: Work, pair: RecordingPair, clock: Clock, number: int) -> dict[str, Any]:
    segment = clock.segments[number]
    start, stop = _extent(work, pair, segment)
    ratio = segment.residual_sd / (clock.bias / np.sqrt(12))
    return {
        "rule": work.pairing.name,
        "recording_a": work.a.name(pair.a),
        "recording_b": work.b.name(pair.b),
        "segment": number,
        "start": start,
        "stop": stop,
        "n_a": segment.n_a,
        "n_b": segment.n_b,
        "n_matched": segment.n_matched,
        "debounced_a": clock.debounced[0] if number == 0 else 0,
        "debounced_b": clock.debounced[1] if number == 0 else 0,
        "offset": segment.offset,
        "drift_ppm": segment.drift_ppm,
        "drift_interval_ppm": segment.drift_interval_ppm,
        "residual_sd": segment.residual_sd,
        "quantum": clock.bias,
        "residual_ratio": ratio,
        "tolerance": segment.tolerance,
        "bias": clock.bias,
        "interval_max": float(segment.half_width(np.array([start, stop])).max()),
        "coverage": segment.coverage,
        "ambiguity": segment.ambiguity,
        "warning": _warning(work, pair, clock, segment, ratio),
    }


def _extent(work: Work, pair: RecordingPair, segment: Segment) -> tuple[float, float]:
    """First and last event of a, where nothing ends the segment before."""
    onsets: Floats = work.a.items["onset"].to_numpy()[work.a.rows(pair.a, "event")]
    return max(segment.start, float(onsets.min())), min(segment.stop, float(onsets.max()))


def _warning(
    work: Work, pair: RecordingPair, clock: Clock, segment: Segment, ratio: float
) -> str | None:
    found = []
    # a short recording's drift may be any: only one that is surely above is odd
    if abs(segment.drift_ppm) - segment.drift_interval_ppm > MAX_DRIFT_PPM:
        found.append(f"drift of {segment.drift_ppm:.0f} ppm, above {MAX_DRIFT_PPM:.0f}")
    jitter = getattr(work.pairing, "jitter", 0.0)
    low, high = RESIDUAL_RATIO
    dominates = clock.bias / np.sqrt(12) >= DOMINATES * jitter
    if dominates and segment.n_matched >= MIN_FOR_RATIO and not low <= ratio <= high:
        found.append(
            f"residuals are {ratio:.2f} of what a step of {clock.bias * 1e3:.4g} ms leaves "
            f"({low} to {high} is expected): check the step"
        )
    if len(clock.segments) > 1:
        found.append(
            f"one of {len(clock.segments)} segments: a device restarted or lost samples, or these "
            "are two sittings of one schedule with another pause"
        )
    odd = contradiction(work, pair, clock)
    return "; ".join([*found, *([odd] if odd else [])]) or None
