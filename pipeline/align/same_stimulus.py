"""T2 and T4: equal evidenced stimulus keys, of one person or of two.

A stimulus name is not an identity (science.md section 1): only keys that a recipe evidences are
compared, and where names agree and keys do not, the abstention says so with an example.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.pipeline.align.concepts import shared
from neuropair.pipeline.align.pooled import Keys, match_pooled
from neuropair.pipeline.align.reasons import Abstention
from neuropair.pipeline.align.types import (
    Bools,
    Floats,
    Integers,
    Matched,
    RecordingPair,
    SideTable,
    Work,
)
from neuropair.schemas.kinds import Tier
from neuropair.schemas.study import SameStimulus


def match(work: Work) -> Matched:
    """Pair windows of equal stimulus, repetition class and concept."""
    assert isinstance(work.pairing, SameStimulus)
    refused = _intervals_differ(work) if work.pairing.tier is Tier.T4 else {}
    left = replace(work, open=tuple(pair for pair in work.open if pair not in refused))
    groups_a, groups_b, compatible = _groups(work)
    keys = Keys(
        blocks=(_keys(work.a), _keys(work.b)),
        groups=(groups_a, groups_b),
        compatible=compatible,
        spread_by_block=False,
    )
    found = match_pooled(
        left,
        keys,
        explain=_Explainer(work),
        evidence=lambda rows_a, rows_b: _evidence(work, rows_a, rows_b),
    )
    return replace(found, abstentions={**found.abstentions, **refused})


def _keys(side: SideTable) -> npt.NDArray[Any]:
    return side.items["stimulus"].to_numpy(dtype=object)


def _groups(work: Work) -> tuple[Integers, Integers, Bools]:
    """Concept and repetition class of each item, and which of a goes with which of b.

    A class that one side does not know goes with any. Concepts must agree: to see a tool and to
    imagine it are two events of one stimulus (science.md section 4).
    """
    coded, kinds = [], []
    for side in (work.a, work.b):
        table = side.items[["concept", "repetition_class"]].astype(object)
        table = table.where(table.notna(), "")
        codes, values = pd.factorize(pd.MultiIndex.from_frame(table), sort=True)
        coded.append(np.asarray(codes, dtype=np.int64))
        kinds.append([tuple(value) for value in values])
    first = [kind for kind in kinds[0] for _ in kinds[1]]
    second = [kind for _ in kinds[0] for kind in kinds[1]]
    concepts = shared(
        np.array([kind[0] for kind in first], dtype=object),
        np.array([kind[0] for kind in second], dtype=object),
    )
    classes = [a[1] == b[1] or not a[1] or not b[1] for a, b in zip(first, second, strict=True)]
    agree = np.array([c is not None for c in concepts], dtype=bool) & np.array(classes, dtype=bool)
    return coded[0], coded[1], agree.reshape(len(kinds[0]), len(kinds[1]))


def _intervals_differ(work: Work) -> dict[RecordingPair, Abstention]:
    assert isinstance(work.pairing, SameStimulus)
    refused = {}
    for pair in work.open:
        soa: Floats = np.array([work.a.soa[pair.a], work.b.soa[pair.b]])
        ratio = float(soa.max() / soa.min()) if (soa > 0).all() else float("nan")
        if ratio > work.pairing.max_soa_ratio:
            refused[pair] = Abstention(
                f"soa-ratio: median stimulus intervals of {soa[0]:.2f} s and {soa[1]:.2f} s, ratio "
                f"{ratio:.1f} above {work.pairing.max_soa_ratio:g}",
                f"raise 'max_soa_ratio' of pairing {work.pairing.name} if the responses are "
                "comparable",
            )
    return refused


def _evidence(work: Work, rows_a: Integers, rows_b: Integers) -> npt.NDArray[Any]:
    """Name the weaker identity of both sides."""
    content_a = work.a.items["identity"].to_numpy()[rows_a] == "content"
    content_b = work.b.items["identity"].to_numpy()[rows_b] == "content"
    return np.where(content_a & content_b, "content", "name").astype(object)


class _Explainer:
    """Say why recordings share no stimulus; each recording's names are read once."""

    def __init__(self, work: Work) -> None:
        self._sides = (work.a, work.b)
        self._known: dict[tuple[int, int], dict[str, set[str]]] = {}

    def __call__(self, pair: RecordingPair) -> Abstention:
        a, b = self._names(0, pair.a), self._names(1, pair.b)
        keys_a, keys_b = (set().union(*names.values()) for names in (a, b))
        if both := keys_a & keys_b:
            return Abstention(
                f"no-common-concept: {len(both)} stimuli are common, and their concepts, "
                "repetition classes or exact columns differ",
                "check the concepts and repetition classes of the two recipes",
            )
        names = sorted((set(a) & set(b)) - {""})
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

    def _names(self, side: int, rec: int) -> dict[str, set[str]]:
        """Name (without folders; "" for none) -> evidenced keys, of a recording's events."""
        if (side, rec) not in self._known:
            table = self._sides[side]
            rows = table.rows(rec, "event")
            items = table.items.iloc[rows[table.items["chosen"].to_numpy()[rows]]]
            found: dict[str, set[str]] = {}
            for key, name in zip(items["stimulus"], items["stimulus_name"], strict=True):
                base = name.replace("\\", "/").rsplit("/", 1)[-1] if isinstance(name, str) else ""
                found.setdefault(base, set()).update([key] if isinstance(key, str) else [])
            self._known[side, rec] = found
        return self._known[side, rec]
