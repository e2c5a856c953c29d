"""Quality of channels and of the run, as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from neuropair.pipeline.signals.channels import Channel
from neuropair.pipeline.signals.filters import Mask, Signal

FLAT = {"eeg": 1e-15, "mag": 1e-17, "grad": 1e-15}
"""Spread (V, T, T/m) below which a channel is flat: PREP for EEG; 0.01 fT and 0.01 fT/cm for MEG,
as mne.preprocessing.find_bad_channels_maxwell."""
MISSING = 0.25
"""A channel that lacks more than this share of its samples is bad; less is masked."""

_LINE_HALF_WIDTH = 1.0
_LINE_NEIGHBOURS = (2.0, 5.0)
_WELCH_SECONDS = 4.0


def absolute(channels: Sequence[Channel], data: Signal, missing: Mask) -> None:
    """Find missing and flat channels; adds to `reasons` and `quality` in place.

    Parameters
    ----------
    channels : sequence of Channel
        Rows of `data`.
    data : ndarray (channel, time)
        SI units; gaps filled.
    missing : ndarray (channel, time)
    """
    for channel, values, gaps in zip(channels, data, missing, strict=True):
        known = values[~gaps] if gaps.any() else values
        share = float(gaps.mean())
        channel.quality["missing_fraction"] = share
        if share > MISSING:
            channel.reasons.append(f"NaN in {share:.0%} of samples")
        if not len(known):
            continue
        spread = float(np.std(known))
        channel.quality["std"] = spread
        channel.quality["flat_fraction"] = float(np.mean(np.diff(known) == 0)) if share < 1 else 1.0
        deviation = float(np.median(np.abs(known - np.median(known))))
        if min(spread, deviation) < FLAT[channel.type]:
            channel.reasons.append("flat")


def line_ratio(data: Signal, sfreq: float, line: float | None) -> Signal | None:
    """Power density at the line frequency over that 2 to 5 Hz beside it.

    Parameters
    ----------
    data : ndarray (channel, time)
    sfreq, line : float
        Hz.

    Returns
    -------
    ndarray (channel,) or None
        Near 1 without line noise; None where the line is not known or not in the signal.
    """
    from scipy.signal import welch

    if line is None or line + _LINE_NEIGHBOURS[1] > sfreq / 2 or data.shape[1] < 2 * sfreq:
        return None
    size = min(data.shape[1], int(_WELCH_SECONDS * sfreq))
    freqs, power = welch(data, sfreq, nperseg=size, axis=-1)
    distance = np.abs(freqs - line)
    near, far = _LINE_NEIGHBOURS
    at_line = power[:, distance <= _LINE_HALF_WIDTH].max(axis=1)
    beside = np.median(power[:, (distance >= near) & (distance <= far)], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Signal = at_line / beside
    return ratio


def of_run(channels: Sequence[Channel], valid: Mask, line: float | None) -> Mapping[str, float]:
    """Return the quality of the run from that of its channels.

    Parameters
    ----------
    channels : sequence of Channel
        Rows of `valid`.
    valid : ndarray (channel, time)
    line : float or None
        Hz.
    """
    bad = sum(not c.good for c in channels)
    quality = {
        "n_channels": float(len(channels)),
        "n_bad": float(bad),
        "bad_fraction": bad / len(channels),
        "n_interpolated": 0.0,
        "masked_fraction": float(1 - valid.mean()),
    }
    if line is not None:
        quality["line_freq"] = line
    ratios = [c.quality["line_ratio"] for c in channels if c.good and "line_ratio" in c.quality]
    if ratios:
        quality["line_ratio"] = float(np.median(ratios))
    return quality
