"""Studies of random schedules with planted copies, replays and plans, for tests and benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from neuropair.pipeline.duplicates.schedule import Floats

FRAME = 1 / 60
RATES = (250.0, 500.0, 512.0, 600.0, 1000.0, 1100.0, 2048.0)

EXPECTED = {
    "copy, other labels": ("duplicate",),
    "copy, 34 ms later": ("duplicate",),
    "copy, 20 s later": ("duplicate",),
    "copy, rounded to 10 ms": ("duplicate",),
    "copy, in milliseconds": ("duplicate",),
    "copy, 5 % of events lost, 5 % more": ("duplicate",),
    "copy, one half": ("duplicate",),
    "copy without responses": ("duplicate", "unconfirmed"),
    "another device, 15 ppm": ("simultaneous",),
    "another device, steps of 128 ms": ("simultaneous", "duplicate", "none"),
    "replay": ("same-schedule",),
    "replay by one machine": ("same-schedule",),
    "replay without responses": ("same-schedule", "unconfirmed"),
    "replay by one machine, no responses": ("same-schedule", "unconfirmed"),
    "the same, cut at the first stimulus": ("same-schedule", "unconfirmed", "shared-events"),
    "plan of two": ("unconfirmed", "shared-events"),
    "plan of four": ("same-schedule",),
    "fixed interval": ("none",),
}
"""What is planted -> relations of table ``duplicates`` that are right."""


@dataclass(frozen=True)
class Planted:
    """A study of schedules.

    Parameters
    ----------
    recordings, events, files : pandas.DataFrame
        As `neuropair.pipeline.duplicates.find_duplicates` takes them.
    pairs : dict
        Pair of recordings -> what was planted, a key of `EXPECTED`.
    persons : dict
        Recording -> person who was recorded.
    """

    recordings: pd.DataFrame
    events: pd.DataFrame
    files: pd.DataFrame
    pairs: dict[tuple[str, str], str]
    persons: dict[str, str]


def planted(rng: np.random.Generator, unrelated: int = 10) -> Planted:
    """Draw a study that holds one pair of every kind, and recordings of nobody else."""
    study = _Study(rng)
    for kind in EXPECTED:
        study.plant(kind)
    for _ in range(unrelated):
        study.add("a", study.draw())
    return study.planted()


@dataclass(frozen=True)
class _Made:
    """A recording to be added."""

    onsets: Floats
    latencies: Floats
    rate: float
    person: str | None = None
    dataset: str = "b"
    label: str = "stimulus"
    unit: float = 1.0
    decimals: int = 6
    stamped: bool = False
    modality: str = "eeg"


class _Study:
    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.rows: list[dict[str, Any]] = []
        self.tables: list[pd.DataFrame] = []
        self.pairs: dict[tuple[str, str], str] = {}
        self.persons: dict[str, str] = {}

    def draw(self) -> _Made:
        """Draw a recording: onsets on frames, latencies and a sampling rate."""
        rng = self.rng
        n = int(rng.integers(40, 250))
        mean, spread = rng.uniform(1.0, 4.0), rng.uniform(0.1, 0.4)
        intervals = mean * rng.uniform(1 - spread, 1 + spread, n)
        onsets = rng.uniform(1, 30) + np.cumsum(np.round(intervals / FRAME) * FRAME)
        return _Made(onsets, self.latencies(n), float(rng.choice(RATES)))

    def copied(self) -> tuple[_Made, _Made]:
        """Draw a recording and its copy; another reader may count samples from another zero."""
        made = replace(self.draw(), person=f"person {len(self.rows)}")
        shift = self.rng.choice([0.0, 0.4 / made.rate])
        return made, replace(made, onsets=_stamp(made.onsets, made.rate) + shift, stamped=True)

    def latencies(self, n: int) -> Floats:
        """Draw response latencies, a tenth of them missing."""
        drawn = self.rng.lognormal(np.log(0.5), 0.25, n)
        return np.where(self.rng.uniform(size=n) < 0.1, np.nan, drawn)

    def replay(self, onsets: Floats, ppm: float, jitter: float) -> Floats:
        """Show a schedule again: another start, another clock, frames that drop."""
        start = self.rng.uniform(1, 30)
        dropped = np.cumsum(self.rng.uniform(size=onsets.size) < 0.02) * FRAME
        moved = (onsets - onsets[0]) * (1 + 1e-6 * ppm) + (dropped if jitter > 1e-3 else 0)
        return np.asarray(start + moved + self.rng.normal(0, jitter, onsets.size))

    def plant(self, kind: str) -> None:
        """Add the recordings of one kind, all of one schedule."""
        made = _KINDS[kind](self)
        first, others = made[0], made[1:]
        a = self.add("cut" if first.dataset == "cut" else "a", first)
        names = [self.add(other.dataset, other) for other in others]
        self.pairs[min(a, names[0]), max(a, names[0])] = kind

    def add(self, dataset: str, made: _Made) -> str:
        """Add a recording with its table; stamps are the device's samples unless given."""
        subject = f"{len(self.rows):03d}"
        name = f"{dataset}/sub-{subject}/task-t_{made.modality}"
        self.rows.append(
            {
                "recording": name,
                "dataset": dataset,
                "subject": subject,
                "modality": made.modality,
                "source_file": f"{name}.dat",
                "sfreq_source": None if made.modality == "fmri" else made.rate,
            }
        )
        self.persons[name] = made.person or name
        answered = np.isfinite(made.latencies)
        times = np.concatenate([made.onsets, (made.onsets + made.latencies)[answered]])
        times = times if made.stamped else _stamp(times, made.rate)
        kinds = ["perception/visual"] * made.onsets.size + ["response"] * int(answered.sum())
        onset = np.round(times, made.decimals) * made.unit
        table = pd.DataFrame({"recording": name, "onset": onset, "concept": kinds})
        self.tables.append(table.assign(trial_type=made.label).sort_values("onset", kind="stable"))
        return name

    def planted(self) -> Planted:
        """Put all recordings together."""
        recordings = pd.DataFrame(self.rows)
        files = pd.DataFrame(
            {
                "recording": recordings["recording"],
                "events_file": recordings["recording"].str.split("/", n=1).str[1],
                "signal": None,
            }
        )
        events = pd.concat(self.tables, ignore_index=True)
        return Planted(recordings, events, files, self.pairs, self.persons)


def _stamp(times: Floats, rate: float) -> Floats:
    return np.asarray(np.round(times * rate) / rate, dtype=np.float64)


def _silent(made: _Made) -> _Made:
    return replace(made, latencies=np.full(made.onsets.size, np.nan))


def _labels(study: _Study) -> list[_Made]:
    a, b = study.copied()
    return [a, replace(b, label="other")]


def _shifted(seconds: float) -> Callable[[_Study], list[_Made]]:
    def make(study: _Study) -> list[_Made]:
        a, b = study.copied()
        return [a, replace(b, onsets=b.onsets + seconds)]

    return make


def _rounded(study: _Study) -> list[_Made]:
    a, b = study.copied()
    return [a, replace(b, decimals=2)]


def _milliseconds(study: _Study) -> list[_Made]:
    a, b = study.copied()
    return [a, replace(b, unit=1000.0)]


def _damaged(study: _Study) -> list[_Made]:
    a, b = study.copied()
    keep = study.rng.uniform(size=b.onsets.size) > 0.05
    more = study.rng.uniform(b.onsets[0], b.onsets[-1], b.onsets.size // 20)
    onsets = np.concatenate([b.onsets[keep], more])
    latencies = np.concatenate([b.latencies[keep], np.full(more.size, np.nan)])
    return [a, replace(b, onsets=onsets, latencies=latencies)]


def _half(study: _Study) -> list[_Made]:
    a, b = study.copied()
    half = b.onsets.size // 2
    onsets = b.onsets[half:] - b.onsets[half] + 2.0
    return [a, replace(b, onsets=onsets, latencies=b.latencies[half:])]


def _without_responses(study: _Study) -> list[_Made]:
    a, b = study.copied()
    return [a, _silent(b)]


def _other_device(study: _Study) -> list[_Made]:
    a, b = study.copied()
    return [a, replace(b, onsets=40.0 + b.onsets * (1 + 15e-6))]


def _coarse_device(study: _Study) -> list[_Made]:
    a, b = study.copied()
    onsets = 40.0 + b.onsets * (1 + 15e-6)
    return [a, replace(b, onsets=onsets, stamped=False, rate=7.8125)]


def _replayed(study: _Study) -> list[_Made]:
    a = study.draw()
    onsets = study.replay(a.onsets, study.rng.uniform(-300, 300), 4e-3)
    return [a, replace(a, onsets=onsets, latencies=study.latencies(onsets.size), dataset="b")]


def _replayed_exactly(study: _Study) -> list[_Made]:
    a = study.draw()
    onsets = study.replay(a.onsets, study.rng.uniform(-0.5, 0.5), 1e-4)
    return [a, replace(a, onsets=onsets, latencies=study.latencies(onsets.size), dataset="b")]


def _replayed_silently(study: _Study) -> list[_Made]:
    return [_silent(one) for one in _replayed(study)]


def _replayed_exactly_silently(study: _Study) -> list[_Made]:
    return [_silent(one) for one in _replayed_exactly(study)]


def _cut(study: _Study) -> list[_Made]:
    both = _replayed_exactly_silently(study)
    first = [_stamp(one.onsets[:1], one.rate)[0] for one in both]
    return [
        replace(one, onsets=one.onsets - start + 0.5, dataset="cut")
        for one, start in zip(both, first, strict=True)
    ]


def _plan(n: int) -> Callable[[_Study], list[_Made]]:
    def make(study: _Study) -> list[_Made]:
        one = _silent(study.draw())
        return [replace(one, stamped=True, decimals=3, modality="fmri", dataset="a")] * n

    return make


def _fixed(study: _Study) -> list[_Made]:
    a = _silent(study.draw())
    a = replace(a, onsets=np.arange(2.0, 2.0 * a.onsets.size + 1, 2.0))
    return [a, a]


_KINDS: dict[str, Callable[[_Study], list[_Made]]] = {
    "copy, other labels": _labels,
    "copy, 34 ms later": _shifted(0.034),
    "copy, 20 s later": _shifted(20.0),
    "copy, rounded to 10 ms": _rounded,
    "copy, in milliseconds": _milliseconds,
    "copy, 5 % of events lost, 5 % more": _damaged,
    "copy, one half": _half,
    "copy without responses": _without_responses,
    "another device, 15 ppm": _other_device,
    "another device, steps of 128 ms": _coarse_device,
    "replay": _replayed,
    "replay by one machine": _replayed_exactly,
    "replay without responses": _replayed_silently,
    "replay by one machine, no responses": _replayed_exactly_silently,
    "the same, cut at the first stimulus": _cut,
    "plan of two": _plan(2),
    "plan of four": _plan(4),
    "fixed interval": _fixed,
}
