"""Clean MEG: tSSS where calibration exists, projectors, bad channels, band-pass, resampling."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from neuropair.pipeline.signals.base import inside, software
from neuropair.pipeline.signals.electrical import (
    Work,
    band_and_grid,
    find_bad,
    finish,
    prepare,
    remove_line,
)
from neuropair.pipeline.types import CleanSignal, Dataset, Recording, Step
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.signals import MEG, Signals

if TYPE_CHECKING:
    from mne_bids import BIDSPath

_ST_DURATION = 10.0
_ST_CORRELATION = 0.98
_ORDERS = (8, 3)


def clean(
    dataset: Dataset, recording: Recording, settings: Signals, rename: Mapping[str, str]
) -> CleanSignal:
    """Read and clean the magnetometers and gradiometers of one MEG recording.

    Bad channels are found by PREP's deviation and noise criteria within a sensor type (correlation
    says nothing of gradiometers); they are kept as they are, marked. Then temporal signal space
    separation where calibration and cross-talk files lie beside the recording, else the file's
    projectors; band-pass and resampling.

    Parameters
    ----------
    dataset : Dataset
    recording : Recording
    settings : Signals
        `settings.meg` is used.
    rename : Mapping
        Channel name in the file -> standard name.

    Returns
    -------
    CleanSignal
        T for magnetometers, T/m for gradiometers.

    Raises
    ------
    DatasetError
        If the recording cannot be read, or tSSS fails.
    """
    meg = settings.meg
    work = prepare(dataset, recording, meg, rename)
    band = remove_line(work, meg)
    find_bad(work, meg, correlation=False, ransac=False)
    if meg.bad_channels == "detect" and meg.maxwell_bad_channels:
        _maxwell_bad(work)
    work.raw.info["bads"] = [c.source for c in work.kept if not c.good]
    if not _separate(work, dataset, recording, meg):
        _project(work, meg)
    data, grid = band_and_grid(work, meg, band)
    return finish(work, data, grid)


def _maxwell_bad(work: Work) -> None:
    from mne.preprocessing import find_bad_channels_maxwell

    raw = work.raw.copy()
    raw.info["bads"] = [c.source for c in work.kept if not c.good]
    frame = "head" if raw.info["dev_head_t"] is not None else "meg"
    parameters = {"limit": 7.0, "duration": 5.0, "min_count": 5, "coord_frame": frame}
    try:
        noisy, flat = find_bad_channels_maxwell(raw, **parameters, verbose="ERROR")
    except (RuntimeError, ValueError) as error:
        # too few sensors, no positions: the other criteria stand
        work.flag(f"find_bad_channels_maxwell was not possible: {error}")
        return
    for channel in work.kept:
        if channel.source in (*noisy, *flat):
            channel.reasons.append("Maxwell filter")
    work.steps.append(Step("bad_channels_maxwell", parameters, software("mne")))


def _separate(work: Work, dataset: Dataset, recording: Recording, settings: MEG) -> bool:
    """Apply tSSS if it is asked for and can be done; record which."""
    from mne_bids import BIDSPath

    folder = BIDSPath(
        subject=recording.subject, session=recording.session, datatype="meg", root=dataset.root
    )
    calibration = folder.meg_calibration_fpath or _unfetched(folder, "calibration", ".dat")
    crosstalk = folder.meg_crosstalk_fpath or _unfetched(folder, "crosstalk", ".fif")
    if not settings.tsss or calibration is None or crosstalk is None:
        reason = "no calibration and cross-talk files" if settings.tsss else "not asked for"
        step = Step("tsss", {"done": False, "reason": reason}, software("mne"))
        work.steps.append(step)
        return False
    for path in (calibration, crosstalk):
        inside(dataset, recording.path.parent / path.name)
    from mne.preprocessing import maxwell_filter

    long_enough = work.raw.n_times / work.sfreq >= _ST_DURATION
    parameters = {
        "st_duration": _ST_DURATION if long_enough else None,
        "st_correlation": _ST_CORRELATION,
        "int_order": _ORDERS[0],
        "ext_order": _ORDERS[1],
        "coord_frame": "head" if work.raw.info["dev_head_t"] is not None else "meg",
    }
    try:
        work.raw = maxwell_filter(
            work.raw, calibration=calibration, cross_talk=crosstalk, **parameters, verbose="ERROR"
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise DatasetError(
            f"cannot be Maxwell-filtered ({error}).",
            where=f"{dataset.root / recording.path} with {calibration} and {crosstalk}",
            remedy="mend the calibration files, or set 'tsss: false' in the study's settings",
        ) from error
    work.steps.append(Step("tsss", {"done": True, **parameters}, software("mne")))
    return True


def _unfetched(folder: BIDSPath, acquisition: str, extension: str) -> Path | None:
    """Find a link to content that is not here, which mne-bids takes for no file."""
    named = folder.copy().update(acquisition=acquisition, suffix="meg", extension=extension)
    path = Path(named.fpath)
    return path if path.is_symlink() else None


def _project(work: Work, settings: MEG) -> None:
    """Apply the projectors that the file carries."""
    projectors = [p["desc"] for p in work.raw.info["projs"]]
    active = [p["desc"] for p in work.raw.info["projs"] if p["active"]]
    if not projectors or not settings.projectors:
        reason = "not asked for" if projectors else "the file carries none"
        parameters = {"done": False, "reason": reason, "applied_before": active}
        work.steps.append(Step("projectors", parameters, software("mne")))
        return
    work.raw.apply_proj(verbose="ERROR")
    parameters = {"done": True, "projectors": projectors, "applied_before": active}
    work.steps.append(Step("projectors", parameters, software("mne")))
