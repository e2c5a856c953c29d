"""What a simulated dataset is made with."""

from __future__ import annotations

from pydantic import Field

from neuropair.schemas.base import Strict
from neuropair.schemas.kinds import Modality


class SimulationSettings(Strict):
    """Settings of `simulate` and `simulate_events`. Equal settings give equal bytes."""

    subjects: int = Field(default=6, ge=1, le=99)
    """Persons; each sits for EEG with fNIRS, for MEG, and for fMRI."""
    seconds: float = Field(default=180.0, ge=60, le=3600)
    """Length of a recording of the tasks `faces` and `tapping`; the others are shorter."""
    seed: int = Field(default=0, ge=0)
    subjects_per_pool: int = Field(default=2, ge=1)
    """Persons who see the same pictures. No picture is in two pools, so that persons and
    pictures fall into as many connected components as there are pools."""
    missing: float = Field(default=0.05, ge=0, lt=0.9)
    """Share of the triggers that do not reach the damaged recorders."""
    spurious: float = Field(default=0.05, ge=0, lt=0.9)
    """Triggers that no trial made, as a share of those that trials made."""
    damaged: tuple[Modality, ...] = (Modality.FNIRS,)
    """Whose triggers are missing and spurious."""
    drift_ppm: float = Field(default=60.0, ge=0, le=1000)
    """The fNIRS clock runs faster or slower than the EEG's by up to this."""
    trigger_jitter: float = Field(default=0.002, ge=0, le=0.05)
    """SD of the trigger's delay into each recorder, s."""
    projector_delay: float = Field(default=0.034, ge=0, le=0.5)
    """MEG: the picture reaches the eye this long after its trigger, s (ds000117: 34.5 ms)."""
    stimulus_effect: float = Field(default=1.0, ge=0)
    """Scale of what is particular to a picture in the responses. 0: nothing but the condition is
    in them, for the calibration of tests."""
    restart: bool = False
    """The fNIRS recorder stops in the middle of `faces` and starts again, into the same file."""
    mislabelled: float = Field(default=0.0, ge=0, lt=0.9)
    """Share of the rows of a table that name another condition and picture than was run."""
    traps: bool = False
    """Also plant faults that make the dataset invalid: milliseconds, ragged rows, a truncated
    file, a channel order that disagrees."""
