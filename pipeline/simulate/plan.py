"""Who sits where for what: sessions, tasks, recordings and their clocks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuropair.pipeline.simulate.rng import generator
from neuropair.pipeline.simulate.settings import SimulationSettings
from neuropair.schemas.kinds import Modality

Array = NDArray[np.float64]

LEAD_IN = 8.0
"""s before the first trial."""
LEAD_OUT = 20.0
"""s after the last trial: the haemodynamic response is over."""

SFREQ = {Modality.EEG: 250.0, Modality.MEG: 200.0, Modality.FNIRS: 10.0, Modality.FMRI: 0.5}
"""Hz; of fMRI one over the repetition time of 2 s."""


class Task(NamedTuple):
    """One paradigm: bounds of its trial interval and duration in s, and its conditions."""

    interval: tuple[float, float]
    duration: float
    conditions: tuple[str, ...]
    share: float
    """Of `SimulationSettings.seconds`, but never below 60 s."""
    shows_pictures: bool

    def seconds(self, settings: SimulationSettings) -> float:
        """Give the length of its recordings, s."""
        return max(60.0, settings.seconds * self.share)

    def n_trials(self, settings: SimulationSettings) -> int:
        """Give the number of trials: each condition as often, each picture twice."""
        unit = len(self.conditions) * (2 if self.shows_pictures else 1)
        room = self.seconds(settings) - LEAD_IN - LEAD_OUT
        return max(1, int(room / (sum(self.interval) / 2)) // unit) * unit


TASKS = {
    "faces": Task((3.0, 6.0), 0.5, ("face", "house"), 1.0, True),
    "tapping": Task((7.0, 12.0), 2.0, ("tap_left", "tap_right"), 1.0, False),
    "fixed": Task((3.0, 3.0), 0.2, ("flash",), 0.4, False),
    "collision": Task((3.0, 6.0), 0.5, ("object",), 0.5, True),
}

_SESSIONS: dict[str, tuple[tuple[Modality, ...], tuple[str, ...]]] = {
    "eegnirs": ((Modality.EEG, Modality.FNIRS), ("faces", "tapping", "fixed")),
    "meg": ((Modality.MEG,), ("faces", "tapping", "collision")),
    "fmri": ((Modality.FMRI,), ("faces", "tapping", "collision")),
}

DUPLICATE_SUBJECT = "dup"
"""Label under which one recording of the first person stands again."""


class Clock(NamedTuple):
    """A recording's clock: it reads ``(1 + drift) * (t - start)`` at ``t`` of the sitting.

    A recorder that is restarted stands still for `pause` s from `stop` of the sitting on.
    """

    start: float
    drift: float
    stop: float = math.inf
    pause: float = 0.0

    def reading(self, sitting_time: ArrayLike) -> Array:
        """Give the clock's reading, s from the recording's first sample."""
        times = np.asarray(sitting_time, dtype=np.float64)
        lost = np.clip(times - self.stop, 0.0, self.pause)
        return np.asarray((1 + self.drift) * (times - self.start - lost))

    def sitting_time(self, reading: ArrayLike) -> Array:
        """Give the time of the sitting at which the clock has a reading, s."""
        times = self.start + np.asarray(reading, dtype=np.float64) / (1 + self.drift)
        return np.asarray(np.where(times < self.stop, times, times + self.pause))

    def runs_at(self, sitting_time: ArrayLike) -> NDArray[np.bool_]:
        """Whether the recorder records at these times of the sitting."""
        times = np.asarray(sitting_time, dtype=np.float64)
        return np.asarray((times < self.stop) | (times >= self.stop + self.pause))

    def segments(self, seconds: float) -> list[tuple[float, float, float]]:
        """Give first and last time of the sitting, and reading at its zero, of each segment."""
        zero = -(1 + self.drift) * self.start
        if not self.pause:
            return [(0.0, seconds, zero)]
        again = self.stop + self.pause
        return [(0.0, self.stop, zero), (again, seconds, zero - (1 + self.drift) * self.pause)]


class Run(NamedTuple):
    """One recording to simulate."""

    subject: str
    person: str
    session: str
    task: str
    modality: Modality
    clock: Clock
    seconds: float
    """Length on its own clock."""

    @property
    def sitting(self) -> str:
        """Key of what several recorders saw together."""
        return f"sub-{self.person}/ses-{self.session}/task-{self.task}"

    @property
    def recording(self) -> str:
        """Recording id as `neuropair.pipeline.types.Recording.id` has it, without the dataset."""
        return f"sub-{self.subject}/ses-{self.session}/task-{self.task}_{self.modality}"

    @property
    def sfreq(self) -> float:
        """Sampling rate, Hz."""
        return SFREQ[self.modality]

    @property
    def n_samples(self) -> int:
        """Samples, or volumes."""
        return int(self.seconds * self.sfreq)

    @property
    def folder(self) -> str:
        """BIDS folder of its files."""
        return f"sub-{self.subject}/ses-{self.session}/{self.modality.datatype}"

    @property
    def stem(self) -> str:
        """BIDS file name up to the suffix."""
        return f"sub-{self.subject}_ses-{self.session}_task-{self.task}"


def pool_of(person: str, settings: SimulationSettings) -> int:
    """Give the number, from 1, of the picture pool that a person sees."""
    return (int(person) - 1) // settings.subjects_per_pool + 1


def runs(settings: SimulationSettings) -> Iterator[Run]:
    """Give every recording, by person, session, task and modality; the duplicate last."""
    for number in range(1, settings.subjects + 1):
        yield from _runs_of(f"{number:02d}", settings)
    original = next(
        run
        for run in _runs_of("01", settings)
        if run.task == "tapping" and run.modality is Modality.EEG
    )
    yield original._replace(subject=DUPLICATE_SUBJECT)


def _runs_of(person: str, settings: SimulationSettings) -> Iterator[Run]:
    for session, (modalities, tasks) in _SESSIONS.items():
        for task in tasks:
            seconds = TASKS[task].seconds(settings)
            for modality in modalities:
                clock = _clock(settings, person, task, modality)
                fnirs = modality is Modality.FNIRS
                length = float(clock.reading(seconds)) if fnirs else seconds
                yield Run(person, person, session, task, modality, clock, length)


def _clock(settings: SimulationSettings, person: str, task: str, modality: Modality) -> Clock:
    if modality is not Modality.FNIRS:
        return Clock(0.0, 0.0)
    # one oscillator a person's sitting, switched on anew for each task
    drift = generator(settings.seed, "drift", person).uniform(-1, 1) * settings.drift_ppm * 1e-6
    start = generator(settings.seed, "start", person, task).uniform(-20.0, 4.0)
    if not (settings.restart and task == "faces"):
        return Clock(float(start), float(drift))
    rng, seconds = generator(settings.seed, "restart", person), TASKS[task].seconds(settings)
    stop, pause = rng.uniform(0.4, 0.6) * seconds, rng.uniform(3.0, 8.0)
    return Clock(float(start), float(drift), float(stop), float(pause))
