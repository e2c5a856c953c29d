"""One recording: simulate its signal, write it with everything that goes beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from neuropair.pipeline.simulate import bold, electric, optodes, sidecars
from neuropair.pipeline.simulate.brainvision import write_brainvision
from neuropair.pipeline.simulate.dataset_files import signal_name, started
from neuropair.pipeline.simulate.fif import write_fif
from neuropair.pipeline.simulate.files import write_nifti, write_table
from neuropair.pipeline.simulate.heads import eeg_info, lead_field
from neuropair.pipeline.simulate.plan import Run
from neuropair.pipeline.simulate.settings import SimulationSettings
from neuropair.pipeline.simulate.snirf import write_snirf
from neuropair.schemas.kinds import Modality

# a person's runs come one after another
_field = lru_cache(maxsize=4)(lead_field)


def write_recording(
    root: Path,
    run: Run,
    settings: SimulationSettings,
    trials: pd.DataFrame,
    table: pd.DataFrame,
) -> None:
    """Write one recording below `root`.

    Parameters
    ----------
    root : Path
        The dataset.
    run : Run
    settings : SimulationSettings
    trials : pandas.DataFrame
        Its rows of `SimulatedEvents.trials`.
    table : pandas.DataFrame
        Its events table.
    """
    _WRITERS[run.modality](root, run, settings, trials, table)
    write_table(root / run.folder / f"{run.stem}_events.tsv", table)


def _write_eeg(
    root: Path, run: Run, settings: SimulationSettings, trials: pd.DataFrame, table: pd.DataFrame
) -> None:
    field = _field(settings.seed, run.person, "eeg")
    brain, veog = electric.eeg(run, settings.seed, trials, field)
    write_brainvision(
        root / run.folder / signal_name(run),
        np.concatenate([brain, veog[np.newaxis]]),
        [*eeg_info().ch_names, "VEOG"],
        run.sfreq,
        table,
        started(run).strftime("%Y%m%d%H%M%S%f"),
    )
    sidecars.write_eeg(root / run.folder, run, settings)


def _write_meg(
    root: Path, run: Run, settings: SimulationSettings, trials: pd.DataFrame, table: pd.DataFrame
) -> None:
    field = _field(settings.seed, run.person, "meg")
    data = electric.meg(run, settings.seed, trials, field)
    write_fif(root / run.folder / signal_name(run), data, run.sfreq, table, started(run))
    sidecars.write_meg(root / run.folder, run)


def _write_fnirs(
    root: Path, run: Run, settings: SimulationSettings, trials: pd.DataFrame, table: pd.DataFrame
) -> None:
    probe = optodes.probe()
    write_snirf(
        root / run.folder / signal_name(run),
        optodes.fnirs(run, settings, trials),
        run.sfreq,
        probe,
        table,
        run.subject,
        started(run),
    )
    sidecars.write_nirs(root / run.folder, run, probe)


def _write_fmri(
    root: Path,
    run: Run,
    settings: SimulationSettings,
    trials: pd.DataFrame,
    table: pd.DataFrame,  # noqa: ARG001 - the scanner records no triggers; writers share a signature
) -> None:
    result = bold.fmri(run, settings, trials)
    write_nifti(root / run.folder / signal_name(run), result.raw, bold.affine(), bold.TR)
    sidecars.write_func(root / run.folder, run)
    sidecars.write_derivative(root, run, result)


_Writer = Callable[[Path, Run, SimulationSettings, pd.DataFrame, pd.DataFrame], None]
_WRITERS: Mapping[Modality, _Writer] = {
    Modality.EEG: _write_eeg,
    Modality.MEG: _write_meg,
    Modality.FNIRS: _write_fnirs,
    Modality.FMRI: _write_fmri,
}
