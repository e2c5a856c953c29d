"""How signals are cleaned: one settings model a modality, on by default, every value recorded."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from neuropair.schemas.base import Strict


class _Electrical(Strict):
    highpass: float | None = Field(default=0.1, gt=0)
    """Hz. 0.1 to 75 Hz at 200 Hz is what LaBraM and most models after it were trained on."""
    lowpass: float | None = Field(default=75.0, gt=0)
    """Hz; lowered to 0.45 of the lower sampling rate where the recording is slower."""
    line_freq: float | Literal["auto"] | None = "auto"
    """Hz; `auto` takes PowerLineFrequency of the sidecar, and records where it is not given."""
    sfreq: float | None = Field(default=200.0, gt=0)
    """Hz after resampling; None keeps the recording's. Never upsampled."""
    bad_channels: Literal["detect", "sidecar", "none"] = "detect"
    """`detect`: the sidecar's and those that PREP's criteria find; `none`: neither. Channels that
    are flat or lack a quarter of their samples are bad in any case: they hold no signal."""
    dtype: Literal["int16", "float32"] = "int16"


class EEG(_Electrical):
    """EEG: bad channels, notch, band-pass, reference, resample."""

    reference: Literal["average", "as-recorded"] | list[str] = "average"
    """Average of the good channels, unless fewer than `average_needs` channels are good."""
    average_needs: int = Field(default=16, ge=2)
    """Below this number an average reference is mostly the signal itself."""
    ransac: bool = True
    """PREP's RANSAC criterion too, where 16 or more channels have positions."""
    artefact_peak_to_peak: float = Field(default=300e-6, gt=0)
    """V; a window above it in more than half the good channels is flagged."""


class MEG(_Electrical):
    """MEG: as EEG without reference; projectors, and tSSS where calibration files exist."""

    projectors: bool = True
    """Apply the projectors that the file carries."""
    tsss: bool = True
    """Temporal signal space separation where calibration and cross-talk files are given."""
    maxwell_bad_channels: bool = False
    """Find bad channels with MNE's find_bad_channels_maxwell too. It takes 3 s of CPU for 24 s of
    306 channels, longer than all else, and finds there what the others do in 0.5 s (MEG 2443)."""
    artefact_peak_to_peak_mag: float = Field(default=6e-12, gt=0)
    """T."""
    artefact_peak_to_peak_grad: float = Field(default=4e-10, gt=0)
    """T/m."""


class FNIRS(Strict):
    """fNIRS: optical density, scalp coupling, TDDR, short channels, Beer-Lambert, band-pass."""

    highpass: float | None = Field(default=0.01, gt=0)
    """Hz."""
    lowpass: float | None = Field(default=0.2, gt=0)
    """Hz."""
    sfreq: float | None = Field(default=8.0, gt=0)
    """Hz; recordings that are slower keep their rate."""
    ppf: float = Field(default=6.0, gt=0)
    """Partial pathlength factor of the modified Beer-Lambert law."""
    sci_threshold: float = Field(default=0.5, ge=-1, le=1)
    """Scalp coupling index below which a channel is bad."""
    short_channels: bool = True
    """Regress out the short-separation channels (under 10 mm) where there are any."""
    artefact_peak_to_peak: float = Field(default=100e-6, gt=0)
    """mol/L."""
    dtype: Literal["int16", "float32"] = "int16"


class Regions(Strict):
    """Which voxels become channels."""

    image: str | None = None
    """NIfTI labels or mask in the image's space; relative to the dataset, `{subject}`, `{session}`
    and so on are filled in. None: the voxels of the brain mask."""
    reduce: Literal["mean", "voxels"] = "mean"
    """`mean`: a channel a label; `voxels`: a channel a voxel of the mask."""
    names: dict[int, str] = {}
    """Label -> region name."""


class FMRI(Strict):
    """fMRI: fMRIPrep derivatives with confounds, else mask, detrend, high-pass; then regions."""

    highpass: float | None = Field(default=1 / 128, gt=0)
    """Hz, as cosine regressors in one model with the confounds."""
    confounds: Literal["none", "simple", "scrubbing", "compcor"] = "simple"
    """nilearn's strategies, used where fMRIPrep derivatives are."""
    derivatives: str | None = "derivatives/fmriprep"
    """Folder of the fMRIPrep derivatives; raw BOLD is used, and marked so, where it is absent."""
    space: str | None = None
    """Space of the derivatives; the first in alphabetical order unless given."""
    motion: str | None = None
    """Motion parameters of raw BOLD: path in the dataset, six columns, entities filled in."""
    motion_order: Literal["rotations", "translations"] = "rotations"
    """Which three columns come first: `rotations` as FSL writes them (radian, then mm), or
    `translations` as SPM does (mm, then radian)."""
    regions: Regions = Regions()
    slice_time_ref: float = Field(default=0.5, ge=0, le=1)
    """Reference of slice timing as a share of TR; for raw BOLD 0.5 is the middle of the volume."""
    percent: bool = True
    """Values as percent of each channel's mean; else the file's own units."""
    artefact_fd: float = Field(default=0.5, gt=0)
    """mm; volumes of greater framewise displacement are masked."""
    dtype: Literal["int16", "float32"] = "int16"


class Signals(Strict):
    """Settings of every modality."""

    eeg: EEG = EEG()
    meg: MEG = MEG()
    fnirs: FNIRS = FNIRS()
    fmri: FMRI = FMRI()

    @model_validator(mode="after")
    def _bands_are_bands(self) -> Signals:
        for name in ("eeg", "meg", "fnirs"):
            band = getattr(self, name)
            if band.highpass and band.lowpass and band.highpass >= band.lowpass:
                raise ValueError(f"{name}: highpass {band.highpass} is not below {band.lowpass} Hz")
        return self
