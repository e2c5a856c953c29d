"""What the scalp does to fNIRS: how well the optodes sit on it, and its blood's part of the signal.

`import mne_nirs` takes 1.7 s of CPU beside MNE and nilearn, once a process (13 s on a busy machine
from a cold disk), for the plotting packages it imports. No submodule comes without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuropair.pipeline.signals.fnirs_channels import PLAUSIBLE, SHORT, implausible, lights
from neuropair.pipeline.signals.fnirs_work import Work
from neuropair.pipeline.types import Loss
from neuropair.schemas.errors import DatasetError

if TYPE_CHECKING:
    from mne.io import BaseRaw

HEART_BAND = (0.7, 1.5)
"""Hz; the heart beats there (Pollonini et al. 2014, Hearing Research 309:84)."""
PEAK_POWER_SECONDS = 10.0
"""s; window of the peak power (Pollonini et al. 2016, Biomed. Opt. Express 7:5104)."""

_HEART_SECONDS = 12.0
"""s; the filter of the heart's band is 11 s long."""
_SHORTS_KEPT = "short channel, used as a regressor"
_SHORTS_LEFT = "short channel, sees no cortex"


def heart_beat(work: Work) -> None:
    """Measure by channel how well light shows the heart beat; mark those that do not.

    The scalp coupling index decides; peak power, the median over windows, is a quality only.
    """
    sfreq, seconds = work.raw.info["sfreq"], work.raw.times[-1]
    if sfreq <= 2 * HEART_BAND[1] or seconds < _HEART_SECONDS:
        why = f"{seconds:.3g} s at {sfreq:.3g} Hz do not show the heart beat"
        work.step("scalp coupling index", computed=False, reason=why)
        work.losses.append(
            Loss("signal", "file", "flagged", 1, f"no scalp coupling index: {why}", work.path)
        )
        return
    width = min(0.3, sfreq / 2 - HEART_BAND[1])
    _scalp_coupling(work, width)
    _peak_power(work, width)


def _scalp_coupling(work: Work, width: float) -> None:
    from mne.preprocessing.nirs import scalp_coupling_index

    low, high = HEART_BAND
    index = scalp_coupling_index(
        work.raw, l_freq=low, h_freq=high, h_trans_bandwidth=width, verbose="ERROR"
    )
    threshold = work.settings.sci_threshold
    for name, value in zip(work.raw.ch_names, index, strict=True):
        if name in work.unusable:
            continue
        work.quality[name]["sci"] = float(value)
        if value < threshold:
            work.mark(name, f"scalp coupling index {value:.2f} below {threshold:g}")
    work.step("scalp coupling index", band_hz=list(HEART_BAND), threshold=threshold)


def _peak_power(work: Work, width: float) -> None:
    """Measure it: 0.3 ms for a pair of channels and a window, 0.6 s for 51 pairs in 391 s."""
    from mne_nirs.preprocessing import peak_power

    wavelengths = {light.wavelength for light in lights(work.raw)}
    if len(wavelengths) != 2:
        # mne-nirs 0.7.3 takes channels two by two, whatever they are
        reason = f"{len(wavelengths)} wavelengths, it compares two"
        work.step("peak power", computed=False, reason=reason)
        return
    _, scores, _ = peak_power(
        work.raw,
        time_window=PEAK_POWER_SECONDS,
        # nothing is below 0: bad windows are not annotated (None, mne-nirs 0.7.3 cannot compare)
        threshold=0.0,
        l_freq=HEART_BAND[0],
        h_freq=HEART_BAND[1],
        h_trans_bandwidth=width,
        verbose="ERROR",
    )
    for name, value in zip(work.raw.ch_names, np.median(scores, axis=1), strict=True):
        if name not in work.unusable:
            work.quality[name]["peak_power"] = float(value)
    work.step(
        "peak power",
        "mne-nirs",
        band_hz=list(HEART_BAND),
        window_s=PEAK_POWER_SECONDS,
        windows=scores.shape[1],
    )


def short_channels(work: Work) -> dict[str, str]:
    """Regress the nearest good short channel of the same wavelength out of every long one.

    Scholkmann et al. 2014, NeuroImage 85:6, equations 26 and 27.

    Returns
    -------
    dict
        Channels that are not stored, and why.

    Raises
    ------
    DatasetError
        If no channel is long.
    """
    names = work.raw.ch_names
    excluded = {
        name: f"source-detector distance {1e3 * distance:.3g} mm is not within "
        f"{1e3 * PLAUSIBLE[0]:g} to {1e3 * PLAUSIBLE[1]:g} mm"
        for name, distance in zip(names, work.distances, strict=True)
        if implausible(np.array([distance]))[0]
    }
    # not mne_nirs.channels: its get_short_channels fails on a probe that has none (0.7.3)
    is_short = dict(zip(names, work.distances < SHORT, strict=True))
    shorts = [name for name in names if is_short[name] and name not in excluded]
    longs = [name for name in names if not is_short[name] and name not in excluded]
    if not longs:
        raise DatasetError(
            "has no channel of 10 to 60 mm: none sees the cortex.",
            where=work.path,
            remedy="check the positions of the optodes, or exclude the recording",
        )
    usable = [name for name in shorts if name not in work.bad]
    used = work.settings.short_channels and bool(usable)
    if used:
        regress_nearest(work.raw, longs, usable)
    elif work.settings.short_channels and shorts:
        lost = Loss("signal", "channel", "flagged", len(shorts), "all short channels are bad")
        work.losses.append(lost)
    work.step(
        "short-channel regression",
        "mne-nirs",
        applied=used,
        short_channels=len(usable) if used else 0,
        below_m=SHORT,
    )
    kept = usable if used else []
    return excluded | {name: _SHORTS_KEPT if name in kept else _SHORTS_LEFT for name in shorts}


def regress_nearest(raw: BaseRaw, longs: list[str], shorts: list[str]) -> None:
    """Correct long channels of optical density in place, one wavelength at a time.

    Given both wavelengths, mne-nirs 0.7.3 corrects both by the nearest short channel's first one:
    of two channels at one place it takes the one that comes first.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        Optical density; where its zero lies says nothing.
    longs, shorts : list of str
        Names of channels. Wavelengths without a short channel stay as they are.
    """
    from mne_nirs.signal_enhancement import short_channel_regression

    wavelength = {n: light.wavelength for n, light in zip(raw.ch_names, lights(raw), strict=True)}
    for one in sorted({wavelength[name] for name in shorts}):
        corrected = [name for name in longs if wavelength[name] == one]
        if not corrected:
            continue
        same = [name for name in raw.ch_names if name in (*longs, *shorts)]
        density = raw.copy().pick([name for name in same if wavelength[name] == one])
        density.apply_function(lambda samples: samples - samples.mean())
        # 10 mm exactly is long; mne-nirs leaves out both limits
        density = short_channel_regression(density, max_dist=np.nextafter(SHORT, 0.0))
        raw[corrected] = density.get_data(picks=corrected)
