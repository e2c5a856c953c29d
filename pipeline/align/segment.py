"""The clock of one device as a function of another's: affine in every stretch between restarts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from neuropair.pipeline.align.vote import Floats, Integers


@dataclass(frozen=True)
class Segment:
    """A stretch of the clock of b as a function of the clock of a, without a restart.

    Parameters
    ----------
    start, stop : float
        First and last instant on a's clock that it holds for, s. Infinite towards an end of the
        recording where nothing speaks against it; else the outermost aligned event.
    centre, centre_b : float
        Mean time of the fitted events on a's and on b's clock, s.
    drift_ppm : float
        How much faster b's clock runs, parts per million.
    n_a, n_b : int
        Triggers within the segment, bounces set aside.
    ambiguity : float
        Aligned events at the second best offset over those at the best; 0 if there is no other.
    chance : float
        Number of alignments as good that unrelated sequences would show.
    n_fitted : int
        Aligned events that the line is fitted to: those without a rival (`alone`).
    residual_sd : float
        Of the fitted events, s.
    error_sd : float
        `residual_sd` with what the tolerance hides: the standard error of the clock rests on it, s.
    tolerance : float
        Largest residual of an aligned event, s.
    matched : ndarray of int, shape (n_matched, 2)
        Positions of the aligned events in the arrays given, by time.
    sum_squares : float
        Sum of squared distances of the fitted events from `centre`, s².
    """

    start: float
    stop: float
    centre: float
    centre_b: float
    drift_ppm: float
    n_a: int
    n_b: int
    ambiguity: float
    chance: float
    n_fitted: int
    residual_sd: float
    error_sd: float
    tolerance: float
    matched: Integers
    sum_squares: float

    @property
    def n_matched(self) -> int:
        """Number of aligned events."""
        return len(self.matched)

    @property
    def coverage(self) -> float:
        """Aligned events as a share of the shorter sequence."""
        return self.n_matched / max(1, min(self.n_a, self.n_b))

    @property
    def slope(self) -> float:
        """Seconds of b in a second of a."""
        return 1 + self.drift_ppm * 1e-6

    @property
    def offset(self) -> float:
        """Time on b's clock at time 0 of a's clock, s."""
        return self.centre_b - self.slope * self.centre

    def to_b(self, t: npt.ArrayLike) -> Floats:
        """Time on b's clock of times `t` on a's clock, s, wherever the segment ends."""
        return np.asarray(
            self.centre_b + self.slope * (np.asarray(t, dtype=float) - self.centre), dtype=float
        )

    def to_a(self, t: npt.ArrayLike) -> Floats:
        """Time on a's clock of times `t` on b's clock, s, wherever the segment ends."""
        return np.asarray(
            self.centre + (np.asarray(t, dtype=float) - self.centre_b) / self.slope, dtype=float
        )

    def half_width(self, t: npt.ArrayLike) -> Floats:
        """Half width of the 95 % interval of `to_b` at times `t` on a's clock, s.

        The interval of a regression line: ``s² (1/n + (t - mean)² / Sxx)``, s being `error_sd`,
        Student's t with n - 2 degrees of freedom. It does not hold the clock's constant bias.
        """
        lever = (np.asarray(t, dtype=float) - self.centre) ** 2 / max(self.sum_squares, 1e-12)
        return np.asarray(self._scale * np.sqrt(1 / self.n_fitted + lever), dtype=float)

    @property
    def drift_interval_ppm(self) -> float:
        """Half width of the 95 % interval of the drift, ppm."""
        return float(self._scale / np.sqrt(max(self.sum_squares, 1e-12)) * 1e6)

    @cached_property
    def _scale(self) -> float:
        from scipy.special import stdtrit

        return float(stdtrit(self.n_fitted - 2, 0.975)) * self.error_sd


@dataclass(frozen=True)
class Clock:
    """The clock of b as a function of the clock of a: piecewise affine, with its uncertainty.

    Where no segment holds (from the last event before a restart to the first one after it) there is
    no mapping: NaN. Properties that describe one line are those of the segment with most events.

    Parameters
    ----------
    segments : tuple of Segment
        By time on either clock.
    coverage : float
        Aligned events of all segments as a share of the shorter sequence.
    bias : float
        Constant offset that no trigger can identify, at most: one sample of the slower device, s.
    debounced : tuple of int
        Bounces that were set aside, on a and on b.
    """

    segments: tuple[Segment, ...]
    coverage: float
    bias: float
    debounced: tuple[int, int]

    @cached_property
    def matched(self) -> Integers:
        """Positions of the aligned events in the arrays given, by time; shape (n_matched, 2)."""
        return np.concatenate([segment.matched for segment in self.segments])

    @cached_property
    def matched_segment(self) -> Integers:
        """Segment of each row of `matched`."""
        sizes = [segment.n_matched for segment in self.segments]
        return np.repeat(np.arange(len(sizes)), sizes).astype(np.int64)

    @property
    def n_matched(self) -> int:
        """Number of aligned events."""
        return len(self.matched)

    @cached_property
    def main(self) -> Segment:
        """The segment with most aligned events."""
        return max(self.segments, key=lambda segment: segment.n_matched)

    @property
    def ambiguity(self) -> float:
        """The worst of the segments'."""
        return max(segment.ambiguity for segment in self.segments)

    @property
    def centre(self) -> float:
        """Mean time of the main segment's events on a's clock, s."""
        return self.main.centre

    @property
    def drift_ppm(self) -> float:
        """How much faster b's clock runs, parts per million."""
        return self.main.drift_ppm

    @property
    def offset(self) -> float:
        """Time on b's clock at time 0 of a's clock, s, by the main segment."""
        return self.main.offset

    @property
    def residual_sd(self) -> float:
        """Of the main segment's events, s."""
        return self.main.residual_sd

    @property
    def tolerance(self) -> float:
        """Largest residual of an aligned event, s."""
        return max(segment.tolerance for segment in self.segments)

    def segment_at(self, t: npt.ArrayLike) -> Integers:
        """Find the number of the segment that holds at times `t` on a's clock; -1 for none."""
        t = np.asarray(t, dtype=float)
        found = np.full(t.shape, -1, dtype=np.int64)
        for number, segment in enumerate(self.segments):
            found[(t >= segment.start) & (t <= segment.stop)] = number
        return found

    def to_b(self, t: npt.ArrayLike) -> Floats:
        """Time on b's clock of times `t` on a's clock, s; NaN where no segment holds."""
        t = np.asarray(t, dtype=float)
        mapped = np.full(t.shape, np.nan)
        for segment, held in self._held(t):
            mapped[held] = segment.to_b(t[held])
        return mapped

    def to_a(self, t: npt.ArrayLike) -> Floats:
        """Time on a's clock of times `t` on b's clock, s; NaN where no segment holds.

        NaN also where two do: b's clock was set back at a restart.
        """
        t = np.asarray(t, dtype=float)
        mapped = np.full(t.shape, np.nan)
        claims = np.zeros(t.shape, dtype=np.int64)
        for segment in self.segments:
            there = segment.to_a(t)
            # a nanosecond: the way there and back may lose a bit at a segment's ends
            held = (there >= segment.start - 1e-9) & (there <= segment.stop + 1e-9)
            mapped[held] = there[held]
            claims += held
        return np.where(claims == 1, mapped, np.nan)

    def half_width(self, t: npt.ArrayLike) -> Floats:
        """Half width of the 95 % interval of `to_b` at times `t` on a's clock, s; NaN as there.

        It does not hold the constant `bias`, and rests on the events of the segment alone.
        """
        t = np.asarray(t, dtype=float)
        widths = np.full(t.shape, np.nan)
        for segment, held in self._held(t):
            widths[held] = segment.half_width(t[held])
        return widths

    def at_segment(self, t: npt.ArrayLike, name: str) -> Floats:
        """Look up a segment's figure, such as ``coverage``, at times `t`; NaN where none holds."""
        t = np.asarray(t, dtype=float)
        values = np.full(t.shape, np.nan)
        for segment, held in self._held(t):
            values[held] = getattr(segment, name)
        return values

    def _held(self, t: Floats) -> list[tuple[Segment, npt.NDArray[np.bool_]]]:
        at = self.segment_at(t)
        return [(segment, at == number) for number, segment in enumerate(self.segments)]
