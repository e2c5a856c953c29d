"""`simulate`: a BIDS dataset with its truth beside it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from neuropair.pipeline.simulate import traps as planted
from neuropair.pipeline.simulate.dataset_files import NAME, write_pictures, write_top_level
from neuropair.pipeline.simulate.events import SimulatedEvents, simulate_events
from neuropair.pipeline.simulate.record import write_recording
from neuropair.pipeline.simulate.settings import SimulationSettings
from neuropair.pipeline.simulate.truth import write_truth
from neuropair.schemas.errors import DatasetError


def simulate(
    folder: Path,
    *,
    subjects: int = 6,
    seconds: float = 180.0,
    seed: int = 0,
    traps: bool = False,
    truth: Path | None = None,
    settings: SimulationSettings | None = None,
    overwrite: bool = False,
    progress: Callable[[str], None] | None = None,
) -> None:
    """Write a simulated BIDS dataset of EEG with fNIRS, MEG and fMRI, and the truth about it.

    The latent causes of each trial drive ten dipoles; EEG (V) and MEG (T) are what a spherical
    forward model makes of them, fNIRS (V) and fMRI what the haemodynamic response does. Equal
    arguments give equal bytes.

    Parameters
    ----------
    folder : Path
        The dataset; absent or empty.
    subjects : int
        Persons.
    seconds : float
        Length of a recording of the long tasks, at least 60 s.
    seed : int
    traps : bool
        Plant faults that make the dataset invalid, too. See `SimulationSettings.traps`.
    truth : Path, optional
        Folder of the truth; ``truth`` beside `folder` unless given.
    settings : SimulationSettings, optional
        All settings, in place of `subjects`, `seconds`, `seed` and `traps`.
    overwrite : bool
        Replace an older simulated dataset. Anything else is never replaced.
    progress : callable, optional
        Called with the id of each recording that was written.

    Raises
    ------
    RecipeError
        If a setting is out of bounds.
    DatasetError
        If a folder holds something already.
    """
    if settings is None:
        given = {"subjects": subjects, "seconds": seconds, "seed": seed, "traps": traps}
        settings = SimulationSettings.parse(given, where="simulate")
    folder = Path(folder)
    truth = Path(truth) if truth is not None else folder.parent / "truth"
    _require_free(folder, "dataset_description.json", overwrite)
    _require_free(truth, "clocks.tsv", overwrite)
    partial, partial_truth = _staging(folder), _staging(truth)
    happened = simulate_events(settings)
    _write_dataset(partial, happened, settings, progress)
    listed = planted.plant(partial, happened, settings)
    write_truth(partial_truth, happened, listed, settings)
    # the truth last: where it is, the dataset is whole
    for done, place in ((partial, folder), (partial_truth, truth)):
        if place.exists():
            shutil.rmtree(place)
        done.rename(place)


def _staging(folder: Path) -> Path:
    staging = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    return staging


def _require_free(folder: Path, token: str, overwrite: bool) -> None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    mark = folder / token
    ours = mark.is_file() and (token == "clocks.tsv" or NAME in mark.read_text(encoding="utf-8"))
    if overwrite and ours:
        return
    raise DatasetError(
        "holds something already" + ("" if ours else ", and no simulated dataset") + ".",
        where=str(folder),
        remedy="give another folder" + (" or allow it to be overwritten" if ours else ""),
    )


def _write_dataset(
    root: Path,
    happened: SimulatedEvents,
    settings: SimulationSettings,
    progress: Callable[[str], None] | None,
) -> None:
    write_top_level(root, happened.runs, settings)
    write_pictures(root, set(happened.trials["stim_file"]) - {""}, settings.seed)
    trials = dict(tuple(happened.trials.groupby("recording", sort=False)))
    for run in happened.runs:
        table = happened.tables[run.recording]
        write_recording(root, run, settings, trials[run.recording], table)
        if progress is not None:
            progress(run.recording)
