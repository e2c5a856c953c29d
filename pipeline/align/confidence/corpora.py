"""Simulated corpora of tables whose right pairs are known, paired by what pairs real ones.

What a calibration means is bounded by `ASSUMPTIONS`: the confidence of T1 rests on trigger damage
as it is drawn here, that of T2 to T5 on the rates of wrong labels assumed here. No public dataset
states such rates; they are round numbers, chosen before anything was counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from neuropair.pipeline.align.common import common_onsets
from neuropair.pipeline.align.run import align_study
from neuropair.pipeline.align.simulated import Damage, Trains, trains
from neuropair.pipeline.align.types import SLIDING, Bools, Floats, Integers
from neuropair.pipeline.simulate.rng import generator
from neuropair.schemas.study import Study

ASSUMPTIONS: dict[str, float] = {
    "wrong_row": 0.01,
    "name_collision": 0.02,
    "wrong_condition": 0.02,
    "triggers_missing": 0.4,
    "triggers_spurious": 0.4,
    "triggers_duplicated": 0.1,
    "triggers_fixed_interval": 0.2,
    "triggers_unrelated": 0.1,
    "triggers_gap": 0.1,
    "triggers_restart": 0.1,
    "jitter_max_s": 0.010,
    "drift_max_ppm": 300.0,
}
"""wrong_row: share of rows that name another stimulus than was shown. name_collision: share of
names that stand for two stimuli where a recipe states that names identify. wrong_condition: share
of rows with another condition than was run. triggers_…: largest shares of triggers (each corpus
draws its own), and the shares of corpora with a fixed interval, with unrelated sequences, with a
stretch that one device lost, and with one in which it restarted."""

SLIDING_RULE = {"length": 2.0, "step": 8.0}
_JITTER = 4 * 0.005
"""s: what `Simultaneous.jitter` allows a trigger, four of its standard deviations."""


@dataclass
class Corpus:
    """Tables of one or more independent corpora of one family, and the truth about them.

    Parameters
    ----------
    recordings, events : list
        Rows of table ``recordings``; frames of table ``events``.
    truth : dict
        Recording -> number of what happened behind each event, -1 for nothing.
    clocks : dict
        Recording of side b -> the trains it comes from.
    """

    recordings: list[dict[str, Any]] = field(default_factory=list)
    events: list[pd.DataFrame] = field(default_factory=list)
    truth: dict[str, Integers] = field(default_factory=dict)
    clocks: dict[str, Trains] = field(default_factory=dict)

    def add(
        self,
        name: str,
        modality: str,
        columns: Mapping[str, Any],
        truth: Integers,
        *,
        person: str,
        file: str | None = None,
        rate: float | None = None,
    ) -> None:
        """Add a recording of the corpus `name`; rows without ``onset`` are 3 s apart."""
        recording = f"ds/sub-{person}/{name}_{modality}"
        events = pd.DataFrame(dict(columns))
        numbers = np.arange(len(events))
        if "onset" not in events.columns:
            events["onset"] = 3.0 * numbers
        self.recordings.append(
            {
                "recording": recording,
                "dataset": "ds",
                "subject": person,
                "modality": modality,
                "person": person,
                # corpora do not mix: persons of another split are nobody's partners
                "split": name,
                "status": "ok",
                "source_file": file or recording,
                "sfreq_source": rate,
                "duration_s": float(events["onset"].max()) + 10.0,
            }
        )
        self.events.append(events.assign(recording=recording, event=numbers))
        self.truth[recording] = truth


Draw = Callable[[np.random.Generator, Corpus, str, str, Mapping[str, float]], None]


@dataclass(frozen=True)
class Source:
    """How corpora of one family of evidence are drawn and paired."""

    draw: Draw
    modalities: tuple[str, str]
    pairing: Mapping[str, Any]
    evidence: str
    share: float = 1.0
    """Of the corpora that a fit is asked for: one that costs much and tells little needs fewer."""


def _one_file(
    rng: np.random.Generator, corpus: Corpus, name: str, _: str, __: Mapping[str, float]
) -> None:
    truth = np.arange(int(rng.integers(20, 200)))
    for modality in ("meg", "eeg"):
        columns = {"concept": ["marker"] * truth.size}
        corpus.add(name, modality, columns, truth, person=name, file=name)


def _triggers(
    rng: np.random.Generator, corpus: Corpus, name: str, _: str, rates: Mapping[str, float]
) -> None:
    damage = _damage(rng, rates)
    drawn = trains(rng, damage)
    sides = (
        ("eeg", drawn.times_a, drawn.codes_a, drawn.truth_a),
        ("fnirs", drawn.times_b, drawn.codes_b, drawn.truth_b),
    )
    for modality, times, codes, truth in sides:
        columns = {"concept": ["marker"] * len(times), "value": codes.astype(str), "onset": times}
        rate = 1 / damage.step if damage.step and modality == "fnirs" else 1000.0
        corpus.add(name, modality, columns, truth, person=name, rate=rate)
    corpus.clocks[corpus.recordings[-1]["recording"]] = drawn


STEPS = (0.0, 0.05, 0.1, 0.128, 0.2)
"""s: stamps as they come, and cut down to samples of 20, 10, 7.8 and 5 Hz."""


def _damage(rng: np.random.Generator, rates: Mapping[str, float]) -> Damage:
    return Damage(
        n=int(rng.integers(12, 300)),
        n_codes=int(rng.integers(1, 9)),
        missing=float(rng.uniform(0, rates["triggers_missing"])),
        spurious=float(rng.uniform(0, rates["triggers_spurious"])),
        duplicated=float(rng.uniform(0, rates["triggers_duplicated"])),
        jitter=float(rng.uniform(0.001, rates["jitter_max_s"])),
        drift_ppm=rates["drift_max_ppm"],
        step=float(rng.choice(STEPS)),
        interval="fixed" if rng.random() < rates["triggers_fixed_interval"] else "drawn",
        unrelated=bool(rng.random() < rates["triggers_unrelated"]),
        both=bool(rng.random() < 0.3),
        **_stretch(rng, rates),
    )


def _stretch(rng: np.random.Generator, rates: Mapping[str, float]) -> dict[str, float]:
    """Draw what the second device loses in one piece: the clock goes on, or starts anew."""
    lost, jump = float(rng.uniform(0.02, 0.3)), float(rng.uniform(-30, 30))
    drawn = float(rng.random())
    if drawn < rates["triggers_gap"]:
        return {"gap": lost}
    if drawn < rates["triggers_gap"] + rates["triggers_restart"]:
        return {"restart": lost, "jump": jump}
    return {}


def _stimuli(
    rng: np.random.Generator, corpus: Corpus, name: str, identity: str, rates: Mapping[str, float]
) -> None:
    n, repeats = int(rng.integers(20, 120)), int(rng.integers(1, 4))
    collides = rng.random(n) < rates["name_collision"]
    for modality in ("meg", "fmri"):
        shown = rng.permutation(np.repeat(np.arange(n), repeats))
        wrong = rng.random(shown.size) < rates["wrong_row"]
        named = np.where(wrong, rng.integers(0, n, shown.size), shown)
        if identity == "name":
            # of a name that stands for two stimuli, each side shows one or the other
            other = collides & (rng.random(n) < 0.5)
            shown = np.where(other[shown], shown + n, shown)
        columns = {
            "concept": ["perception/visual/scene"] * shown.size,
            "stimulus": [f"{identity}:{k}" for k in named],
            "identity": [identity] * shown.size,
            **_covariates(rng, shown.size),
        }
        corpus.add(name, modality, columns, shown, person=_person(name, modality))


def _conditions(
    rng: np.random.Generator, corpus: Corpus, name: str, _: str, rates: Mapping[str, float]
) -> None:
    concepts = np.array(["face", "house", "object", "scene"])[: int(rng.integers(2, 5))]
    # from balanced designs to oddballs
    share = rng.dirichlet(np.full(concepts.size, float(rng.choice([1.0, 5.0, 100.0]))))
    for modality in ("meg", "fmri"):
        n = int(rng.integers(60, 160))
        run = rng.choice(concepts.size, n, p=share)
        wrong = rng.random(n) < rates["wrong_condition"]
        told = np.where(wrong, (run + rng.integers(1, concepts.size, n)) % concepts.size, run)
        columns = {
            "concept": [f"perception/visual/{concept}" for concept in concepts[told]],
            **_covariates(rng, n),
        }
        corpus.add(name, modality, columns, run, person=_person(name, modality))


def _covariates(rng: np.random.Generator, n: int) -> dict[str, Floats]:
    return {"preceding_interval": rng.uniform(2, 4, n), "run_position": np.linspace(0, 1, n)}


def _person(name: str, modality: str) -> str:
    """One person of two sessions, or two where the tier wants another: names tell which."""
    return name if name.startswith("one") else f"{name}{modality}"


_TWO = ("meg", "fmri")
SOURCES: dict[str, Source] = {
    "T0/sample": Source(_one_file, ("meg", "eeg"), {"tier": "T0"}, "sample"),
    "T1/triggers": Source(_triggers, ("eeg", "fnirs"), {"tier": "T1"}, "triggers", 0.5),
    f"T1/triggers/{SLIDING}": Source(_triggers, ("eeg", "fnirs"), {"tier": "T1"}, "triggers", 0.1),
    "T2/content": Source(_stimuli, _TWO, {"tier": "T2"}, "content", 0.5),
    "T2/name": Source(_stimuli, _TWO, {"tier": "T2"}, "name", 0.5),
    "T3/condition": Source(_conditions, _TWO, {"tier": "T3"}, "condition", 0.5),
    "T4/content": Source(_stimuli, _TWO, {"tier": "T4"}, "content", 0.5),
    "T4/name": Source(_stimuli, _TWO, {"tier": "T4"}, "name", 0.5),
    "T5/condition": Source(_conditions, _TWO, {"tier": "T5"}, "condition", 0.5),
}
"""Family of evidence -> how it is simulated."""
BATCH = 20
"""Corpora that are paired by one call: half of a small call is pandas' overhead."""


def judged_pairs(
    family: str, seeds: Sequence[int], rates: Mapping[str, float] = ASSUMPTIONS
) -> pd.DataFrame:
    """Pair simulated corpora of one family, and judge the pairs by the truth.

    Parameters
    ----------
    family : str
        A key of `SOURCES`.
    seeds : sequence of int
        One corpus each. Equal seeds give equal corpora, whatever stands beside them.
    rates : Mapping
        Values for the keys of `ASSUMPTIONS`.

    Returns
    -------
    pandas.DataFrame
        Table ``pairs`` (without ``study``) of the family, with ``corpus`` (seed) and ``right``.
    """
    parts = [
        _judged(family, seeds[first : first + BATCH], rates)
        for first in range(0, len(seeds), BATCH)
    ]
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _judged(family: str, seeds: Sequence[int], rates: Mapping[str, float]) -> pd.DataFrame:
    source = SOURCES[family]
    corpus = Corpus()
    persons = "one" if source.pairing["tier"] in ("T0", "T1", "T2", "T3") else "two"
    for seed in seeds:
        rng = generator(seed, "calibration", family)
        source.draw(rng, corpus, f"{persons}{seed}", source.evidence, rates)
    recordings = pd.DataFrame(corpus.recordings)
    events = pd.concat(corpus.events, ignore_index=True)
    sliding = family.endswith(SLIDING)
    study = _study(source, sliding)
    windows = _windows(study, recordings, events)
    pairs = align_study(study, recordings, events, windows if sliding else None).pairs
    pairs = pairs[(pairs["concept"] == SLIDING) == sliding].reset_index(drop=True)
    right = _same_instant(pairs, corpus, windows) if sliding else _same_event(pairs, corpus)
    return pairs.assign(corpus=pairs["split"].str[len(persons) :].astype(int), right=right)


def _study(source: Source, sliding: bool) -> Study:
    a, b = source.modalities
    pairing = {"name": "rule", "a": {"modality": a}, "b": {"modality": b}, **source.pairing}
    content: dict[str, Any] = {
        "study": "calibration",
        "title": "simulated tables",
        "datasets": [{"dataset": "ds"}],
        "pairings": [pairing],
    }
    if sliding:
        content["windows"] = {"sliding": SLIDING_RULE}
    return Study.model_validate(content)


def _windows(study: Study, recordings: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Event windows, then the sliding windows that an ingest would cut (none without a rule)."""
    by_event = events[["recording", "event", "onset"]].assign(kind="event", window=events["event"])
    first = events.groupby("recording").size()
    sliding = [
        pd.DataFrame(
            {
                "recording": recording,
                "event": pd.NA,
                "onset": onsets,
                "kind": SLIDING,
                "window": first[recording] + np.arange(onsets.size),
            }
        )
        for recording, onsets in sorted(common_onsets(study, recordings, events).items())
    ]
    return pd.concat([by_event.astype({"event": "Int64"}), *sliding], ignore_index=True)


def _same_event(pairs: pd.DataFrame, corpus: Corpus) -> Bools:
    happened = []
    for side in ("a", "b"):
        numbers = np.full(len(pairs), -1)
        windows = pairs[f"window_{side}"].to_numpy(dtype=np.int64)
        for recording, rows in pairs.groupby(f"recording_{side}").indices.items():
            numbers[rows] = corpus.truth[str(recording)][windows[rows]]
        happened.append(numbers)
    return np.asarray((happened[0] == happened[1]) & (happened[0] >= 0), dtype=bool)


def _same_instant(pairs: pd.DataFrame, corpus: Corpus, windows: pd.DataFrame) -> Bools:
    """Whether both windows are one instant on the true clocks.

    To within what no trigger can tell: the stated bias, and the jitter of a trigger.
    """
    onsets = windows.set_index(["recording", "window"])["onset"]
    both = [
        onsets.loc[list(zip(pairs[f"recording_{s}"], pairs[f"window_{s}"], strict=True))].to_numpy()
        for s in ("a", "b")
    ]
    error = np.full(len(pairs), np.inf)
    for name, rows in pairs.groupby("recording_b").indices.items():
        drawn = corpus.clocks[str(name)]
        if (drawn.truth_b >= 0).any():
            error[rows] = np.abs(both[1][rows] - drawn.true_b(both[0][rows]))
    return np.asarray(error <= pairs["clock_bias"].to_numpy(float) + _JITTER, dtype=bool)
