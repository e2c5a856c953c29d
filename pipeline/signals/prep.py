"""PREP's criteria for bad channels, with PyPREP.

Bigdely-Shamlo et al. (2015), Frontiers in Neuroinformatics 9:16; thresholds as there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuropair.pipeline.signals.filters import Mask, Signal

DEVIATION = 5.0
"""Robust z of a channel's amplitude among channels."""
HF_NOISE = 5.0
"""Robust z of the ratio of amplitude above 50 Hz to that below."""
CORRELATION = 0.4
"""Lowest maximum correlation with another channel in a window of 1 s."""
CORRELATION_FRACTION = 0.01
"""Share of windows in which a channel may fall below it."""
RANSAC_CORRELATION = 0.75
"""Lowest correlation with what other channels predict in a window of 5 s."""
RANSAC_FRACTION = 0.4
"""Share of windows in which a channel may fall below it."""
MIN_SECONDS = 10.0
"""The 1 Hz high-pass of PREP alone is 3.3 s long; a shorter recording decides nothing."""
MIN_CHANNELS = 8
"""With fewer the spread between channels is hardly known: of equal white channels, deviation and
noise together flag 1.9 % at 6 channels, 0.9 % at 8, 0.2 % at 16 (20,000 simulated sets each)."""
MIN_RANSAC_CHANNELS = 16
"""PyPREP predicts from a quarter of the channels: with 16, from 4."""

_DETREND = 1.0
_BLOCK = 5.0
_BLOCKS = 24
_RANSAC_WINDOWS = 12
_RANSAC_SFREQ = 120.0
_SEED = 20150618


@dataclass(frozen=True)
class Verdict:
    """What the criteria say.

    Parameters
    ----------
    reasons : dict
        Channel name -> criteria that it fails.
    quality : dict
        Channel name -> measure -> value.
    """

    reasons: dict[str, list[str]] = field(default_factory=dict)
    quality: dict[str, dict[str, float]] = field(default_factory=dict)


def judge(
    data: Signal,
    sfreq: float,
    names: Sequence[str],
    *,
    correlation: bool = True,
    positions: NDArray[np.float64] | None = None,
) -> Verdict:
    """Apply PREP's criteria to channels of one kind.

    Parameters
    ----------
    data : ndarray (channel, time)
        Without line noise, without gaps; any unit. Not changed. Of more than 120 s, 24 blocks of
        5 s spread over the recording are judged: the criteria are medians, and shares of
        windows. (240 s of 32 channels at 250 Hz: 0.5 s of CPU instead of 0.9 s.)
    sfreq : float
        Hz.
    names : sequence of str
    correlation : bool
        Whether low correlation makes a channel bad. It does not in gradiometers, which see
        what is below them: the criterion fails 147 of the 204 of MNE's sample recording.
    positions : ndarray (channel, 3) or None
        m; with them RANSAC is applied.
    """
    from mne.filter import filter_data
    from mne.utils import use_log_level
    from pyprep import NoisyChannels

    with use_log_level("ERROR"), np.errstate(divide="ignore", invalid="ignore"):
        # the high-pass is PyPREP's own, applied before blocks are cut so that none has an edge
        trendless = _blocks(filter_data(data, sfreq, _DETREND, None), sfreq)
        raw = _as_raw(trendless, sfreq, names)
        noisy: Any = NoisyChannels(raw, do_detrend=False, random_state=_SEED)
        noisy.find_bad_by_deviation(DEVIATION)
        noisy.find_bad_by_hfnoise(HF_NOISE)
        noisy.find_bad_by_correlation(1.0, CORRELATION, CORRELATION_FRACTION)
    # PyPREP gives the measures behind its lists nowhere else
    extra = noisy._extra_info
    measures = {
        "deviation_z": extra["bad_by_deviation"]["robust_channel_deviations"],
        "hf_noise_z": extra["bad_by_hf_noise"]["hf_noise_zscores"],
        "correlation": extra["bad_by_correlation"]["median_max_correlations"],
        "uncorrelated_fraction": extra["bad_by_correlation"]["bad_window_fractions"],
        "dropout_fraction": extra["bad_by_dropout"]["bad_window_fractions"],
    }
    bad = {"deviation": noisy.bad_by_deviation, "high-frequency noise": noisy.bad_by_hf_noise}
    if correlation:
        bad |= {"correlation": noisy.bad_by_correlation, "dropout": noisy.bad_by_dropout}
    if positions is not None:
        exclude = sorted({*noisy.bad_by_correlation, *noisy.bad_by_deviation})
        bad["RANSAC"], measures["ransac_fraction"] = _ransac(
            noisy.EEGFiltered, sfreq, names, positions, exclude
        )
    return _verdict(names, bad, measures)


def _verdict(
    names: Sequence[str], bad: Mapping[str, Sequence[str]], measures: Mapping[str, Signal]
) -> Verdict:
    reasons = {n: [why for why, found in bad.items() if n in found] for n in names}
    quality = {
        name: {key: float(v[i]) for key, v in measures.items() if np.isfinite(v[i])}
        for i, name in enumerate(names)
    }
    return Verdict(reasons, quality)


def _as_raw(data: Signal, sfreq: float, names: Sequence[str]) -> Any:
    """Wrap in a Raw of EEG type, scaled to 10 uV: PyPREP knows no other type."""
    import mne

    amplitude = float(np.median(np.std(data, axis=1))) or 1.0
    info = mne.create_info(list(names), sfreq, "eeg", verbose="ERROR")
    return mne.io.RawArray(data * (1e-5 / amplitude), info, verbose="ERROR")


def _blocks(data: Signal, sfreq: float) -> Signal:
    """Cut at most 24 blocks of 5 s, spread over the recording, and join them."""
    size = int(_BLOCK * sfreq)
    count = data.shape[1] // size
    return data if count <= _BLOCKS else _chosen(data, size, count, _BLOCKS)


def _chosen(data: Signal, size: int, count: int, wanted: int, step: int = 1) -> Signal:
    """Join `wanted` of `count` blocks, evenly spread; every `step`-th sample of each."""
    blocks = np.unique(np.linspace(0, count - 1, min(count, wanted)).round().astype(int))
    length = size // step * step
    return np.concatenate([data[:, i * size : i * size + length : step] for i in blocks], axis=1)


def _ransac(
    filtered: Signal,
    sfreq: float,
    names: Sequence[str],
    positions: NDArray[np.float64],
    exclude: Sequence[str],
) -> tuple[list[str], Signal]:
    """RANSAC on at most 12 windows of 5 s, at 120 Hz or a little more.

    `filtered` holds 1 to 50 Hz, so that 120 Hz loses nothing; and the criterion is a share of
    windows. Of 240 s of 32 channels at 250 Hz this takes 0.35 s of CPU, all of it 1.9 s.
    """
    from mne.utils import use_log_level
    from pyprep.ransac import find_bad_by_ransac

    size = int(_BLOCK * sfreq)
    count = filtered.shape[1] // size
    if count == 0 or len(names) - len(exclude) < MIN_RANSAC_CHANNELS:
        return [], np.full(len(names), np.nan)
    step = max(1, int(sfreq // _RANSAC_SFREQ))
    with use_log_level("ERROR"):
        bad, correlations = find_bad_by_ransac(
            _chosen(filtered, size, count, _RANSAC_WINDOWS, step),
            size // step / _BLOCK,
            np.asarray(names),
            positions,
            list(exclude),
            corr_thresh=RANSAC_CORRELATION,
            frac_bad=RANSAC_FRACTION,
            corr_window_secs=_BLOCK,
            random_state=np.random.RandomState(_SEED),
        )
    return [str(name) for name in bad], np.mean(correlations < RANSAC_CORRELATION, axis=0)


def usable(data: Signal, missing: Mask, sfreq: float) -> Signal:
    """Leave out samples that a channel lacks: interpolated, they would count against it.

    Where that leaves less than half of the recording, or less than PREP needs, only samples that
    most channels lack are left out.
    """
    keep = ~missing.any(axis=0)
    if keep.mean() < 0.5 or keep.sum() < MIN_SECONDS * sfreq:
        keep = missing.mean(axis=0) <= 0.5
    return data if keep.all() else data[:, keep]
