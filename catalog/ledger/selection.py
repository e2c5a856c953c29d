"""The pairs of one rule of a release, with the features of both sides."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from neuropair.catalog.corpus import Corpus
from neuropair.catalog.ledger.folds import FEWEST_GROUPS
from neuropair.catalog.ledger.measure import Rule
from neuropair.catalog.ledger.paired import Floats, Ints, Paired
from neuropair.catalog.ledger.reading import common_channels, features
from neuropair.catalog.stream.recording import RecordingReader
from neuropair.schemas.errors import QueryError
from neuropair.schemas.kinds import Modality, Tier

MOST_PAIRS = 10_000
"""Pairs of a rule that are measured; of more, those whose ids come first, which are digests."""

_PAIRS = """
SELECT p.*, a.kind, a.onset AS onset_a, b.onset AS onset_b, a.tmin AS tmin_a, a.tmax AS tmax_a,
  b.tmin AS tmin_b, b.tmax AS tmax_b, e.repetition_class, e.run_position
FROM pairs p
JOIN windows a ON a.recording = p.recording_a AND a."window" = p.window_a
JOIN windows b ON b.recording = p.recording_b AND b."window" = p.window_b
LEFT JOIN events e ON e.recording = p.recording_a AND e.event = a.event
WHERE p.study = {study} AND p.tier = {tier} AND p.rule = {rule}
ORDER BY p.pair_id
"""


def rules_of(corpus: Corpus, study: str, wanted: list[str] | None = None) -> list[Rule]:
    """Rules of a study that pairs of the release go by, sorted by tier and name.

    Raises
    ------
    QueryError
        If the study has no pairs, or a rule that is wanted has none.
    """
    rows = corpus.sql(
        "SELECT DISTINCT tier, rule, modality_a, modality_b FROM pairs "
        f"WHERE study = {_quoted(study)} ORDER BY ALL"
    ).to_pylist()
    if not rows:
        raise QueryError(
            "there are no pairs to measure.",
            where=f"study {study!r} of {corpus.location.url}",
            remedy="see table abstentions for what would unlock some",
        )
    known = sorted({row["rule"] for row in rows})
    strangers = sorted(set(wanted or []) - set(known))
    if strangers:
        raise QueryError(
            f"no pairs go by {', '.join(strangers)}.",
            where=f"rules of study {study!r}",
            remedy=f"the rules are {', '.join(known)}",
        )
    return [
        Rule(Tier(row["tier"]), row["rule"], row["modality_a"], row["modality_b"])
        for row in rows
        if wanted is None or row["rule"] in wanted
    ]


def read_paired(corpus: Corpus, study: str, rule: Rule) -> Paired | str:
    """Read the pairs of a rule.

    Pairs of sliding windows are left out where the rule has pairs by event, and pairs that lack
    the features of a side.

    Returns
    -------
    Paired or str
        Why there is nothing to measure.

    Raises
    ------
    DamagedError
        If a recording cannot be read.
    """
    query = _PAIRS.format(
        study=_quoted(study), tier=_quoted(rule.tier.value), rule=_quoted(rule.name)
    )
    pairs: pd.DataFrame = corpus.sql(query).to_pandas()
    left_out: list[str] = []
    by_event = pairs["kind"] == "event"
    if by_event.any() and not by_event.all():
        left_out.append(f"{int((~by_event).sum())} pairs of sliding windows")
        pairs = pairs[by_event]
    if len(pairs) > MOST_PAIRS:
        left_out.append(f"{len(pairs) - MOST_PAIRS} pairs beyond the first {MOST_PAIRS}")
        pairs = pairs[:MOST_PAIRS]
    pairs = pairs.reset_index(drop=True)
    sides = {side: _side(corpus, pairs, side, getattr(rule, f"modality_{side}")) for side in "ab"}
    for side in sides.values():
        if isinstance(side, str):
            return side
    a, b = (side for side in sides.values() if isinstance(side, _Side))
    has_both = np.isfinite(a.values).any(1) & np.isfinite(b.values).any(1)
    left_out += [*a.left_out, *b.left_out]
    if not has_both.all():
        left_out.append(f"{int((~has_both).sum())} pairs without features of one side")
    if not has_both.any():
        return "no pair has features of both sides"
    paired = _paired(corpus, study, pairs, a.values, b.values).take(np.flatnonzero(has_both))
    return replace(paired, left_out=tuple(left_out))


@dataclass(frozen=True)
class _Side:
    values: Floats
    left_out: tuple[str, ...]


def _side(corpus: Corpus, pairs: pd.DataFrame, side: str, modality: str) -> _Side | str:
    recordings = sorted(pairs[f"recording_{side}"].unique())
    listed = ", ".join(_quoted(name) for name in recordings)
    stored = corpus.sql(
        'SELECT recording, channel, status FROM channels WHERE "row" >= 0 AND recording IN '
        f'({listed}) ORDER BY recording, "row"'
    ).to_pylist()
    channels: dict[str, list[tuple[str, str]]] = {name: [] for name in recordings}
    for row in stored:
        channels[row["recording"]].append((row["channel"], row["status"]))
    wanted = common_channels(channels)
    if not wanted:
        return f"the {len(recordings)} recordings of side {side} ({modality}) share no good channel"
    paths = {
        row["recording"]: row["path"]
        for row in corpus.sql(
            f"SELECT recording, path FROM recordings WHERE recording IN ({listed})"
        ).to_pylist()
    }
    span = (float(pairs[f"tmin_{side}"].max()), float(pairs[f"tmax_{side}"].min()))
    parts: dict[str, Floats] = {}
    for name in recordings:
        own = pairs.loc[pairs[f"recording_{side}"] == name, f"window_{side}"]
        parts[name] = features(
            RecordingReader(corpus.location, paths[name]),
            Modality(modality),
            channels[name],
            wanted,
            own.to_numpy(np.int64),
            span,
        )
    values = np.empty((len(pairs), next(iter(parts.values())).shape[1]))
    for name, part in parts.items():
        values[(pairs[f"recording_{side}"] == name).to_numpy()] = part
    if not np.isfinite(values).any():
        what = "single-trial estimate" if Modality(modality).is_haemodynamic else "valid sample"
        return f"no window of side {side} ({modality}) has a {what}"
    every = {name for own in channels.values() for name, _ in own}
    missing = len(every) - len(wanted)
    remark = f"{missing} of {len(every)} channels of side {side}, not common or seldom good"
    return _Side(values, (remark,) if missing else ())


def _paired(corpus: Corpus, study: str, pairs: pd.DataFrame, a: Floats, b: Floats) -> Paired:
    persons = sorted({*pairs["person_a"], *pairs["person_b"]})
    cell = pairs["concept"] + "\n" + pairs["repetition_class"].fillna("")
    recordings = sorted({*pairs["recording_a"], *pairs["recording_b"]})
    stimulus = pd.factorize(pairs["stimulus"], sort=True)[0]
    return Paired(
        a=a,
        b=b,
        recording_a=_index(pairs["recording_a"], recordings),
        recording_b=_index(pairs["recording_b"], recordings),
        onset_a=pairs["onset_a"].to_numpy(float),
        onset_b=pairs["onset_b"].to_numpy(float),
        person_a=_index(pairs["person_a"], persons),
        person_b=_index(pairs["person_b"], persons),
        group=_groups(corpus, study, persons),
        cell=pd.factorize(cell, sort=True)[0].astype(np.int64),
        position=_positions(pairs),
        stimulus=stimulus.astype(np.int64),
    )


def _index(column: pd.Series, names: list[str]) -> Ints:
    place = {name: number for number, name in enumerate(names)}
    return np.array([place[name] for name in column], np.int64)


def _groups(corpus: Corpus, study: str, persons: list[str]) -> Ints:
    """Components of the release's splits, where there are enough of them; else persons."""
    rows = corpus.sql(
        f"SELECT key, component FROM splits WHERE study = {_quoted(study)} AND kind = 'person'"
    ).to_pylist()
    component = {row["key"]: row["component"] for row in rows}
    of_person = [component.get(person, person) for person in persons]
    if len(set(of_person)) < FEWEST_GROUPS:
        of_person = persons
    return _index(pd.Series(of_person), sorted(set(of_person)))


def _positions(pairs: pd.DataFrame) -> Floats:
    """Position in the run: the event's, or that of the window among the run's pairs."""
    onset = pairs.groupby("recording_a")["onset_a"]
    first, last = onset.transform("min"), onset.transform("max")
    by_onset = (pairs["onset_a"] - first) / (last - first).where(last > first, 1.0)
    known = pairs["run_position"].astype(float).fillna(by_onset).clip(0, 1)
    return np.asarray(known, np.float64)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
