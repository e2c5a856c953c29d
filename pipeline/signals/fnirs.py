"""fNIRS: light to haemoglobin.

Optical density, scalp coupling, TDDR, short channels, modified Beer-Lambert law, band-pass, in
the order of Yucel et al. 2021, Neurophotonics 8:012101.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from neuropair.pipeline.signals.drift import drift_regressors, regress_out
from neuropair.pipeline.signals.fnirs_channels import (
    check_geometry,
    match_sidecar,
)
from neuropair.pipeline.signals.fnirs_clock import Clock, settle_clock
from neuropair.pipeline.signals.fnirs_scalp import heart_beat, short_channels
from neuropair.pipeline.signals.fnirs_work import (
    Work,
    light_of,
    light_row,
    row_of,
    run_quality,
)
from neuropair.pipeline.signals.reading import load, read_raw
from neuropair.pipeline.types import CleanSignal, Dataset, Loss, Recording
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.signals import Signals

if TYPE_CHECKING:
    from mne.io import BaseRaw

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_SATURATED = 0.05
"""Share of samples at the channel's maximum above which it is saturated."""
_MINIMUM_SECONDS = 10.0
_TRANSITION = 0.25
"""Share of the cutoff: by 0.25 Hz, where breath begins, the pass band of 0.2 Hz has ended."""


def clean(
    dataset: Dataset, recording: Recording, settings: Signals, rename: Mapping[str, str]
) -> CleanSignal:
    """Read a SNIRF recording and turn it into changes of HbO and HbR.

    Parameters
    ----------
    dataset, recording : Dataset, Recording
        Where the file lies; the file's own channel order is the truth, `channels.tsv` is matched
        to it by source, detector and wavelength.
    settings : Signals
        `settings.fnirs` is used.
    rename : Mapping
        New names of output channels (``S1_D1 hbo``) or of optode pairs (``S1_D1``).

    Returns
    -------
    CleanSignal
        Long channels, HbO and HbR in mol/L (unit ``M``), positions (the middle between the
        optodes) in m. Short channels are rows with status ``excluded``. ``regressors`` are the
        drift terms of the high-pass, for the single-trial model.

    Raises
    ------
    DatasetError
        If the file is missing, truncated or no continuous-wave recording, its sidecar names
        channels that it has not, or its distances cannot be.
    """
    raw, losses = read_raw(dataset, recording)
    _only_light(raw, recording)
    sidecar = match_sidecar(dataset, recording, raw)
    load(raw, str(dataset.root / recording.path))
    clock = settle_clock(dataset, recording, raw)
    raw, sfreq_source = clock.raw, float(clock.raw.info["sfreq"])
    geometry = check_geometry(raw, recording.path)
    work = Work(raw, settings.fnirs, str(recording.path), geometry.distances)
    work.losses += [*losses, *sidecar.losses, *clock.losses, *geometry.losses]
    work.step("read", channels=len(raw.ch_names), sfreq=sfreq_source, start_s=clock.times[0],
              length_factor=geometry.factor)  # fmt: skip
    for channel, reason in sidecar.bad.items():
        work.mark(channel, reason)
    _check_light(work)
    _optical_density(work)
    heart_beat(work)
    _motion(work)
    excluded = short_channels(work)
    left_out = [light_row(work, name, reason) for name, reason in excluded.items()]
    _beer_lambert(work, list(excluded))
    sfreq, times, values, regressors = _band(work, clock)
    rows = [row_of(work, channel, rename) for channel in work.raw.info["chs"]]
    usable = np.array([light_of(work, name) not in work.unusable for name in work.raw.ch_names])
    nearest = np.rint((times - clock.times[0]) * sfreq_source).astype(int)
    recorded = clock.recorded[np.minimum(nearest, len(clock.recorded) - 1)]
    data = xr.Dataset(
        {
            "signal": (("channel", "time"), np.where(usable[:, None], values, 0.0)),
            "valid": (("channel", "time"), usable[:, None] & recorded[None]),
        },
        coords={"channel": [row["channel"] for row in rows], "time": times},
    )
    return CleanSignal(
        data=data,
        channels=pd.DataFrame(rows + left_out),
        sfreq=sfreq,
        sfreq_source=sfreq_source,
        duration=len(clock.times) / sfreq_source,
        steps=tuple(work.steps),
        quality=run_quality(rows),
        losses=tuple(work.losses),
        regressors=regressors,
    )


def _only_light(raw: BaseRaw, recording: Recording) -> None:
    kinds = set(raw.get_channel_types())
    if kinds != {"fnirs_cw_amplitude"} and kinds != {"fnirs_od"}:
        raise DatasetError(
            f"holds {', '.join(sorted(kinds))}, not continuous-wave intensity.",
            where=str(recording.path),
            remedy="give the raw intensities (SNIRF dataType 1), or exclude the recording",
        )
    seconds = raw.n_times / raw.info["sfreq"]
    if seconds < _MINIMUM_SECONDS:
        raise DatasetError(
            f"lasts {seconds:.3g} s, shorter than a haemodynamic response.",
            where=str(recording.path),
            remedy="exclude the recording, or fetch the file again",
        )


def _check_light(work: Work) -> None:
    """Mark channels whose light cannot be right, and neutralise those that cannot be used."""
    light = work.raw.get_data()
    is_intensity = "fnirs_cw_amplitude" in work.raw
    for name, samples, distance in zip(work.raw.ch_names, light, work.distances, strict=True):
        work.quality[name] = {"distance_m": float(distance)}
        reason = _fault(samples, is_intensity)
        if reason:
            work.mark(name, reason, unusable=True)
        elif is_intensity:
            work.quality[name]["intensity_cv"] = float(samples.std() / samples.mean())
            if (samples == samples.max()).mean() > _SATURATED:
                work.mark(name, "saturated: over 5 percent of the samples at the maximum")
    for row, name in enumerate(work.raw.ch_names):
        if name in work.unusable:
            work.raw._data[row] = 1.0


def _fault(samples: Floats, is_intensity: bool) -> str | None:
    missing = int((~np.isfinite(samples)).sum())
    if missing:
        return f"{missing} samples are NaN or infinite"
    if np.ptp(samples) == 0:
        return "flat"
    if is_intensity and (samples <= 0).any():
        return f"{int((samples <= 0).sum())} samples have no light (intensity of 0 or less)"
    return None


def _optical_density(work: Work) -> None:
    from mne.preprocessing.nirs import optical_density

    if "fnirs_od" in work.raw:
        work.step("optical density", found="in the file")
        return
    work.raw = optical_density(work.raw, verbose="ERROR")
    work.step("optical density")


def _motion(work: Work) -> None:
    from mne.preprocessing.nirs import temporal_derivative_distribution_repair

    work.raw = temporal_derivative_distribution_repair(work.raw, verbose="ERROR")
    work.step("temporal derivative distribution repair (TDDR)")


def _beer_lambert(work: Work, excluded: list[str]) -> None:
    from mne.preprocessing.nirs import beer_lambert_law

    work.light_names = [name for name in work.raw.ch_names if name not in excluded]
    work.raw = beer_lambert_law(work.raw.pick(work.light_names), ppf=work.settings.ppf)
    work.step("modified Beer-Lambert law", ppf=work.settings.ppf)


def _band(work: Work, clock: Clock) -> tuple[float, Floats, Floats, pd.DataFrame]:
    """High-pass by regression, low-pass, and samples at the rate asked for.

    The drift terms are regressors, as in the general linear model, and not a filter of 0.01 Hz,
    whose impulse response is longer (330 s) than many recordings.
    """
    from scipy.interpolate import make_interp_spline

    settings, raw = work.settings, work.raw
    rate, start = float(raw.info["sfreq"]), clock.times[0]
    drift = drift_regressors(clock.times, settings.highpass)
    raw._data[:] = regress_out(raw._data.T, drift, clock.recorded).T
    work.step("high-pass as regressors", "nilearn", cutoff_hz=settings.highpass,
              regressors=drift.shape[1] + 1)  # fmt: skip

    resampled = settings.sfreq is not None and settings.sfreq < rate * 0.99
    sfreq = settings.sfreq if resampled and settings.sfreq else rate
    lowpass = _lowpass(work, sfreq, resampled)
    if lowpass is not None:
        # mne's default transition of 2 Hz hardly filters: on the tapping set up to 40 % of the
        # energy stayed above 0.5 Hz. Its default padding keeps the first sample as it is, and
        # first samples are often off: `symmetric` does not hang the padding on them
        width = min(_TRANSITION * lowpass, rate / 2 - lowpass)
        raw.filter(None, lowpass, h_trans_bandwidth=width, pad="symmetric", verbose="ERROR")
        work.step("low-pass", cutoff_hz=lowpass, transition_hz=width, design="FIR, zero phase",
                  pad="symmetric")  # fmt: skip
    if not resampled:
        return rate, clock.times, raw.get_data(), drift
    # exact sample times; mne's resampling stretches the recording by up to half a sample
    times = start + np.arange(int((clock.times[-1] - start) * sfreq + 1e-6) + 1) / sfreq
    values = make_interp_spline(clock.times, raw.get_data().T, k=3)(times).T
    work.step("resample", "scipy", sfreq=sfreq, method="cubic spline at the exact times")
    return sfreq, times, values, drift_regressors(times, settings.highpass)


def _lowpass(work: Work, sfreq: float, resampled: bool) -> float | None:
    limit = 0.45 * sfreq
    wanted = work.settings.lowpass
    if wanted is not None and wanted <= limit:
        return wanted
    if wanted is None and not resampled:
        return None
    if wanted is not None:
        reason = f"lowpass {wanted:g} Hz lowered to {limit:.3g} Hz: the rate is {sfreq:g} Hz"
        work.losses.append(Loss("signal", "file", "flagged", 1, reason, work.path))
    return limit
