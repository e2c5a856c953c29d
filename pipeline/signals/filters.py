"""Filters of electrical recordings: missing samples, line noise, band, sampling rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuropair.pipeline.signals.base import software
from neuropair.pipeline.types import Step

Signal = NDArray[np.float64]
Mask = NDArray[np.bool_]

# length of a Hamming-windowed FIR filter is 3.3 / transition band: mne.filter.create_filter
_HAMMING = 3.3
_NOTCH_TRANSITION = 1.0
# scipy.signal.resample_poly's Kaiser window with more than its beta of 5: the ripple of the pass
# band falls from 0.2 % to 0.01 %; the signal has no power where the transition widens
_KAISER = ("kaiser", 8.0)
_CLOCK_ERROR = 1e-5


def fill(data: Signal, missing: Mask) -> None:
    """Interpolate missing samples linearly in place, so that filters have something to run on.

    Parameters
    ----------
    data : ndarray (channel, time)
    missing : ndarray (channel, time)
        What to replace; the caller keeps it as the mask. A channel with no sample becomes 0.
    """
    for row, gaps in zip(data, missing, strict=True):
        if not gaps.any():
            continue
        if gaps.all():
            row[:] = 0.0
            continue
        known = np.flatnonzero(~gaps)
        row[gaps] = np.interp(np.flatnonzero(gaps), known, row[known])


@dataclass(frozen=True)
class Band:
    """Pass band of a recording, and how its edges fall.

    Parameters
    ----------
    highpass, lowpass : float or None
        Hz.
    high_transition, low_transition : float
        Hz; MNE's automatic widths, with the low-pass ending below the Nyquist frequency of the
        slower of the two rates.
    """

    highpass: float | None
    lowpass: float | None
    high_transition: float
    low_transition: float

    @classmethod
    def of(cls, highpass: float | None, lowpass: float | None, sfreq: float) -> Band:
        """Return the band that a signal of rate `sfreq` (Hz) can have; low-pass <= 0.45 rate."""
        if lowpass is not None:
            lowpass = min(lowpass, 0.45 * sfreq)
        high_transition = min(max(0.25 * highpass, 2.0), highpass) if highpass else 0.0
        low_transition = min(max(0.25 * lowpass, 2.0), sfreq / 2 - lowpass) if lowpass else 0.0
        return cls(highpass, lowpass, high_transition, low_transition)

    @property
    def stop(self) -> float:
        """Hz, above which nothing is left; infinite without a low-pass."""
        return math.inf if self.lowpass is None else self.lowpass + self.low_transition


def notch(
    data: Signal, sfreq: float, line: float | None, band: Band, *, asked: bool = True
) -> tuple[Step, str | None]:
    """Remove line noise and its harmonics within the band, in place.

    Parameters
    ----------
    data : ndarray (channel, time)
    sfreq : float
        Hz.
    line : float or None
        Hz; None if it is not known or not to be removed.
    band : Band
        Harmonics above it are left to the low-pass.
    asked : bool
        Whether line noise is to be removed: what the record says where `line` is None.

    Returns
    -------
    step : Step
    flag : str or None
        What departs from the usual filter.
    """
    from mne.filter import notch_filter

    used = software("mne")
    if line is None:
        why = "line frequency not given" if asked else "not asked for"
        return Step("notch", {"done": False, "reason": why}, used), None
    # the filter needs half a notch (freq / 400) and half a transition band below Nyquist
    limit = min(band.stop, sfreq / 2 - _NOTCH_TRANSITION)
    freqs = [float(f) for f in np.arange(line, limit, line) if f * (1 + 1 / 400) < limit]
    if not freqs:
        why = f"{line:g} Hz is above the band"
        return Step("notch", {"done": False, "reason": why, "line_freq": line}, used), None
    length = math.ceil(_HAMMING / (_NOTCH_TRANSITION / 2) * sfreq) | 1
    method = "fir" if length <= data.shape[1] else "iir"
    data[:] = notch_filter(
        data,
        sfreq,
        freqs,
        method=method,
        trans_bandwidth=_NOTCH_TRANSITION,
        phase="zero",
        copy=False,
        verbose="ERROR",
    )
    parameters = {"done": True, "line_freq": line, "freqs": freqs, "method": method}
    flag = None if method == "fir" else _short("notch", data, sfreq, length)
    return Step("notch", parameters | {"phase": "zero"}, used), flag


def band_pass(data: Signal, sfreq: float, band: Band) -> tuple[Step, str | None]:
    """Band-pass with a zero-phase FIR filter (MNE's default design), in place.

    Where the recording is shorter than the high-pass filter (33 s at 0.1 Hz), that edge is
    MNE's default IIR filter (Butterworth of order 4, forward and backward), and flagged.

    Returns
    -------
    step : Step
    flag : str or None
        What departs from the usual filter.
    """
    n_times = data.shape[1]
    high = {"l_freq": band.highpass, "l_trans_bandwidth": band.high_transition}
    low = {"h_freq": band.lowpass, "h_trans_bandwidth": band.low_transition}
    widths = [w for w in (band.high_transition, band.low_transition) if w]
    if not widths:
        return Step("band_pass", {"done": False, "reason": "not asked for"}, software("mne")), None
    parameters: dict[str, Any] = {"done": True, **high, **low, "phase": "zero"}
    longest = _fir_length(min(widths), sfreq)
    if longest <= n_times:
        _fir(data, sfreq, high | low)
        return Step("band_pass", parameters | {"method": "fir"}, software("mne")), None
    methods = {}
    for edge, width in ((high, band.high_transition), (low, band.low_transition)):
        if not width:
            continue
        name = "highpass" if edge is high else "lowpass"
        methods[name] = "fir" if _fir_length(width, sfreq) <= n_times else "iir"
        (_fir if methods[name] == "fir" else _iir)(data, sfreq, edge)
    step = Step("band_pass", parameters | {"method": methods}, software("mne"))
    return step, _short("band-pass", data, sfreq, longest)


def _fir_length(transition: float, sfreq: float) -> int:
    return math.ceil(_HAMMING / transition * sfreq) | 1


def _fir(data: Signal, sfreq: float, edges: Mapping[str, Any]) -> None:
    from mne.filter import filter_data

    arguments = {"l_freq": None, "h_freq": None} | dict(edges)
    data[:] = filter_data(data, sfreq, **arguments, copy=False, verbose="ERROR")


def _iir(data: Signal, sfreq: float, edges: Mapping[str, Any]) -> None:
    from mne.filter import filter_data

    arguments = {"l_freq": edges.get("l_freq"), "h_freq": edges.get("h_freq")}
    data[:] = filter_data(
        data,
        sfreq,
        **arguments,
        method="iir",
        iir_params={"order": 4, "ftype": "butter", "output": "sos"},
        copy=False,
        verbose="ERROR",
    )


def _short(name: str, data: Signal, sfreq: float, length: int) -> str:
    return (
        f"{name}: the recording ({data.shape[1] / sfreq:.1f} s) is shorter than the FIR filter "
        f"({length / sfreq:.1f} s); Butterworth of order 4, forward and backward, instead"
    )


@dataclass(frozen=True)
class Grid:
    """Sampling grid of a cleaned recording: sample k is at exactly ``k / sfreq`` s.

    Two recordings of one file get one grid, as it depends on rate and length alone.
    """

    source: float
    sfreq: float
    n_source: int
    ratio: Fraction

    @classmethod
    def of(cls, source: float, target: float | None, n_source: int) -> Grid:
        """Return the grid for a rate of at most `target` Hz; a slower recording keeps its own."""
        if target is None or target >= source * (1 - 1e-9):
            return cls(source, source, n_source, Fraction(1))
        exact = Fraction(target) / Fraction(source)
        duration = n_source / source
        # the smallest ratio whose clock is right to 10 us at the end of the recording
        for size in (10, 100, 1_000, 10_000, 100_000):
            ratio = exact.limit_denominator(size)
            if abs(float(ratio / exact) - 1) * duration < _CLOCK_ERROR:
                break
        return cls(source, float(target), n_source, ratio)

    @property
    def n_times(self) -> int:
        """Samples that lie between the first and the last source sample."""
        return (self.n_source - 1) * self.ratio.numerator // self.ratio.denominator + 1

    @property
    def time(self) -> NDArray[np.float64]:
        """(time,) s from the first source sample."""
        return np.arange(self.n_times) / self.sfreq

    def resample(self, data: Signal) -> Signal:
        """Resample (channel, time) data by polyphase filtering; the same array if nothing to do."""
        from scipy.signal import firwin, resample_poly

        if self.ratio == 1:
            return data
        up, down = self.ratio.numerator, self.ratio.denominator
        # resample_poly's own filter, designed once and not for every channel
        taps = firwin(20 * max(up, down) + 1, 1 / max(up, down), window=_KAISER)
        out = np.empty((len(data), self.n_times))
        for row, values in zip(out, data, strict=True):
            # scipy-stubs does not know the coefficients that scipy documents for `window`
            full = resample_poly(values, up, down, window=taps, padtype="line")  # type: ignore[call-overload]
            row[:] = full[: len(row)]
        return out

    def valid(self, missing: Mask) -> Mask:
        """Carry a mask of missing source samples (channel, time) over; return True = valid.

        A sample is valid if no source sample within one output interval around it is missing.
        """
        if not missing.any():
            return np.ones((len(missing), self.n_times), dtype=bool)
        if self.ratio == 1:
            return ~missing
        step = self.source / self.sfreq
        at = np.arange(self.n_times) * step
        first = np.clip(np.floor(at - step / 2), 0, None).astype(int)
        last = np.clip(np.ceil(at + step / 2), None, self.n_source - 1).astype(int)
        valid = np.empty((len(missing), self.n_times), dtype=bool)
        for row, gaps in zip(valid, missing, strict=True):
            count = np.concatenate([[0], np.cumsum(gaps)])
            row[:] = count[last + 1] == count[first]
        return valid

    def step(self) -> Step:
        """Return the record of the resampling."""
        if self.ratio == 1:
            parameters: dict[str, Any] = {"done": False, "sfreq": self.sfreq}
            return Step("resample", parameters, software("scipy"))
        parameters = {
            "done": True,
            "sfreq": self.sfreq,
            "sfreq_source": self.source,
            "method": "polyphase",
            "up": self.ratio.numerator,
            "down": self.ratio.denominator,
            "window": list(_KAISER),
        }
        return Step("resample", parameters, software("scipy"))
