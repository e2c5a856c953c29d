"""T2 and T4: equal evidenced stimulus keys, of one person or of two.

A stimulus name is not an identity (science.md section 1): only keys that a recipe evidences are
compared, and where names agree and keys do not, the abstention says so with an example.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neuropair.pipeline.align.pooled import match_pooled
from neuropair.pipeline.align.pools import keys_of, text_codes
from neuropair.pipeline.align.reasons import Abstained, Abstention
from neuropair.pipeline.align.types import (
    Integers,
    Matched,
    RecordingPair,
    RecordingPairs,
    Work,
)
from neuropair.schemas.kinds import Tier
from neuropair.schemas.study import SameStimulus
from neuropair.schemas.vocabulary import is_within


def match(work: Work) -> Matched:
    """Pair windows of equal stimulus, repetition class and concept."""
    assert isinstance(work.pairing, SameStimulus)
    still_open, refused = work.open, Abstained.of({})
    if work.pairing.tier is Tier.T4:
        still_open, refused = _intervals_differ(work, work.pairing)
    stimuli = text_codes(work.a.items["stimulus"], work.b.items["stimulus"])
    found = match_pooled(
        replace(work, open=still_open),
        keys_of(work, _seen_alike, stimuli),
        explain=_Explainer(work).all,
        evidence=lambda rows_a, rows_b: _evidence(work, rows_a, rows_b),
    )
    assert isinstance(found.abstentions, Abstained)
    return replace(found, abstentions=Abstained.joined([found.abstentions, refused]))


def _seen_alike(a: str, b: str) -> bool:
    """To see a tool and to imagine it are two events of one stimulus (science.md section 4)."""
    return is_within(a, b) or is_within(b, a)


def _intervals_differ(work: Work, pairing: SameStimulus) -> tuple[RecordingPairs, Abstained]:
    one, other = work.a.soa[work.open.a], work.b.soa[work.open.b]
    known = (one > 0) & (other > 0)
    ratio = np.full(one.size, np.nan)
    ratio[known] = np.maximum(one, other)[known] / np.minimum(one, other)[known]
    refused = ratio > pairing.max_soa_ratio
    out = work.open.at(refused)
    rounded = np.column_stack([one[refused], other[refused]]).round(2)
    values, which = np.unique(rounded, axis=0, return_inverse=True)
    why = tuple(
        Abstention(
            f"soa-ratio: median stimulus intervals of {a:.2f} s and {b:.2f} s, ratio "
            f"{max(a, b) / max(min(a, b), 1e-9):.1f} above {pairing.max_soa_ratio:g}",
            f"raise 'max_soa_ratio' of pairing {pairing.name} if the responses are comparable",
        )
        for a, b in values.tolist()
    )
    return work.open.at(~refused), Abstained(out.a, out.b, which.ravel().astype(np.int64), why)


def _evidence(work: Work, rows_a: Integers, rows_b: Integers) -> npt.NDArray[Any]:
    """Name the weaker identity of both sides."""
    content_a = work.a.items["identity"].to_numpy()[rows_a] == "content"
    content_b = work.b.items["identity"].to_numpy()[rows_b] == "content"
    return np.where(content_a & content_b, "content", "name").astype(object)


class _Explainer:
    """Say why recordings share no stimulus; each recording's names are read once."""

    def __init__(self, work: Work) -> None:
        self._sides = (work.a, work.b)
        self._known: dict[tuple[int, int], tuple[dict[str, set[str]], set[str]]] = {}

    def all(self, pairs: RecordingPairs) -> Abstained:
        """Say it of many pairs; equal answers are one."""
        number: dict[Abstention, int] = {}
        which = [number.setdefault(self._why(pair), len(number)) for pair in pairs]
        return Abstained(pairs.a, pairs.b, np.array(which, dtype=np.int64), tuple(number))

    def _why(self, pair: RecordingPair) -> Abstention:
        (a, keys_a), (b, keys_b) = self._names(0, pair.a), self._names(1, pair.b)
        if both := keys_a & keys_b:
            return Abstention(
                f"no-common-concept: {len(both)} stimuli are common, and their concepts, "
                "repetition classes or exact columns differ",
                "check the concepts and repetition classes of the two recipes",
            )
        names = sorted((a.keys() & b.keys()) - {""})
        counts = f"{len(keys_a)} and {len(keys_b)} evidenced stimuli, none in common"
        if not names:
            code = "no-common-stimulus" if keys_a and keys_b else "no-evidenced-stimulus"
            return Abstention(
                f"{code}: {counts}, and no name in common either",
                "none if the stimuli differ; else let the recipes name the column of the stimulus",
            )
        example = names[0]
        known = [min(side[example], default="unknown") for side in (a, b)]
        return Abstention(
            f"no-evidenced-stimulus: {len(names)} names are common, 0 have equal content: "
            f"{example} is {known[0]} and {known[1]} ({counts})",
            "pair by condition (T3, T5) if the contents differ; else give the stimulus files, or "
            "'identity: name' with 'because' in both recipes",
        )

    def _names(self, side: int, rec: int) -> tuple[dict[str, set[str]], set[str]]:
        """Name (without folders; "" for none) -> evidenced keys, of a recording; and all keys."""
        if (side, rec) not in self._known:
            table = self._sides[side]
            rows = table.rows(rec, "event")
            rows = rows[table.items["chosen"].to_numpy()[rows]]
            keys, names = (
                table.items[column].to_numpy(dtype=object)[rows].tolist()
                for column in ("stimulus", "stimulus_name")
            )
            found: dict[str, set[str]] = {}
            for key, name in zip(keys, names, strict=True):
                base = name.replace("\\", "/").rsplit("/", 1)[-1] if isinstance(name, str) else ""
                found.setdefault(base, set()).update([key] if isinstance(key, str) else [])
            self._known[side, rec] = found, {key for key in keys if isinstance(key, str)}
        return self._known[side, rec]
