"""One playback of a story or film, and what playbacks with both marks say about the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neuropair.pipeline.events.run import Run

MEASURED, ONE_MARK, START_ONLY, UNKNOWN = "measured", "one-mark", "start-only", "unknown"


@dataclass
class Playback:
    """A playback in a recording.

    Parameters
    ----------
    run : Run
    position : int
        Index of its row in the run's table.
    number : int
        Its rule.
    key : str
        Stimulus key.
    status : str
        ``measured`` (both marks), ``one-mark`` (the start recovered from the end),
        ``start-only`` (no end mark), ``unknown``.
    reason : str
        Why it is not measured.
    start, end : float
        Marks on the recording's clock, s; NaN where there is none.
    nominal : float
        Length of the media, s.
    nominal_source : str or None
        Where the length comes from.
    onset : float
        Media time 0 on the recording's clock, s.
    rate : float
        Media time ``t`` is at ``onset + t * (1 + rate)``.
    uncertainty, uncertainty_end : float
        Half widths of the 95 % intervals of media time 0 and of the media's end, s.
    """

    run: Run
    position: int
    number: int
    key: str
    status: str
    reason: str = ""
    start: float = np.nan
    end: float = np.nan
    nominal: float = np.nan
    nominal_source: str | None = None
    onset: float = np.nan
    rate: float = 0.0
    uncertainty: float = np.nan
    uncertainty_end: float = np.nan

    def uncertainty_at(self, times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Half width of the 95 % interval of media times (s), between those of both ends."""
        return np.interp(times, [0.0, self.nominal], [self.uncertainty, self.uncertainty_end])

    def row(self) -> dict[str, Any]:
        """Row of table ``media_clocks`` without study and recording."""
        return {
            "stimulus": self.key,
            "status": self.status,
            "reason": self.reason or None,
            "onset": self.onset,
            "span": self.end - self.start,
            "nominal": self.nominal,
            "nominal_source": self.nominal_source,
            "rate_ppm": self.rate * 1e6 if self.status in (MEASURED, ONE_MARK) else np.nan,
            "uncertainty": self.uncertainty,
            "uncertainty_end": self.uncertainty_end,
        }


class Span(NamedTuple):
    """What a playback with both marks showed."""

    key: str
    ratio: float
    """Distance of the marks over the nominal length."""


def expected_span(
    key: str, nominal: float, spans: Sequence[Span], limit: float
) -> tuple[float, float, str]:
    """Distance of the marks that a playback would have shown, from those that have both.

    Playbacks of the same media on the same set-up come first: their spread is that of the marks
    alone, where that over all media also holds the errors of the nominal lengths. The interval
    is the 95 % prediction interval of a normal sample (Student's t), and never wider than what
    a player can differ at all.

    Parameters
    ----------
    key : str
        Stimulus key.
    nominal : float
        Length of the media, s.
    spans : sequence of Span
    limit : float
        Largest difference that a player can make, s.

    Returns
    -------
    span : float
        s.
    half_width : float
        Of its 95 % interval, s.
    basis : str
        What it rests on.

    Examples
    --------
    >>> expected_span("a", 100.0, [], 0.65)
    (100.0, 0.65, 'no run has both marks: the nominal length, and what a player can differ')
    """
    ratios: dict[str, list[float]] = {}
    for span in spans:
        ratios.setdefault(span.key, []).append(span.ratio)
    own = ratios.get(key, [])
    repeated = [values for values in ratios.values() if len(values) > 1]
    freedom = sum(len(values) - 1 for values in repeated)
    if len(own) > 1:
        squares = sum(float(np.sum((np.array(v) - np.mean(v)) ** 2)) for v in repeated)
        centre, spread, count = float(np.mean(own)), np.sqrt(squares / freedom), len(own)
        basis = f"as in {count} runs of the same media with both marks"
    elif len(spans) > 1:
        everything = np.array([span.ratio for span in spans])
        centre, spread, count = float(everything.mean()), everything.std(ddof=1), len(spans)
        freedom, basis = count - 1, f"at the mean rate of {count} runs with both marks"
    else:
        basis = "no run has both marks: the nominal length, and what a player can differ"
        return nominal, limit, basis
    from scipy.stats import t as student

    half = float(student.ppf(0.975, freedom) * spread * np.sqrt(1 + 1 / count) * nominal)
    return centre * nominal, min(half, limit), basis
