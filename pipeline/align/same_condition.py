"""T3 and T5: equal concepts, covariates within the caliper, of one person or of two.

Set-level pairs: any event of the cell would be as right (science.md section 2).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neuropair.pipeline.align.concepts import agree
from neuropair.pipeline.align.pooled import match_pooled
from neuropair.pipeline.align.pools import keys_of
from neuropair.pipeline.align.reasons import Abstained, Abstention
from neuropair.pipeline.align.types import Integers, Matched, RecordingPairs, SideTable, Work
from neuropair.schemas.study import SameCondition


def match(work: Work) -> Matched:
    """Pair windows whose concepts are equal or mapped to each other."""
    pairing = work.pairing
    assert isinstance(pairing, SameCondition)
    keys = keys_of(work, lambda a, b: agree(a, b, pairing.concepts), None)

    def evidence(rows_a: Integers, _: Integers) -> npt.NDArray[Any]:
        return np.full(rows_a.size, "condition", dtype=object)

    return match_pooled(
        work, keys, explain=lambda pairs: _explain(work, pairing, pairs), evidence=evidence
    )


def _explain(work: Work, pairing: SameCondition, pairs: RecordingPairs) -> Abstained:
    """One reason for all recordings of the same concepts."""
    exact = [name.replace("_", " ") for name in pairing.exact]
    known = (side.items["repetition_class"].notna().any() for side in (work.a, work.b))
    if pairing.repetition_class == "exact" and "repetition_class" not in pairing.exact:
        exact += ["repetition class"] if all(known) else []
    names_a, of_a = _concepts(work.a, pairs.a)
    names_b, of_b = _concepts(work.b, pairs.b)
    codes, which = np.unique(of_a * len(names_b) + of_b, return_inverse=True)
    why = []
    for code in codes.tolist():
        one, other = names_a[code // len(names_b)], names_b[code % len(names_b)]
        also = f" and equal {', '.join(exact)}" if exact else ""
        why.append(
            Abstention(
                f"no-common-concept: {one} and {other}: no events of agreeing concept{also}",
                f"map them under 'concepts' of pairing {pairing.name} if they mean the same",
            )
        )
    return Abstained(pairs.a, pairs.b, which.astype(np.int64), tuple(why))


def _concepts(side: SideTable, rec: Integers) -> tuple[list[str], Integers]:
    """Concepts of the recordings in words, and which words are those of each."""
    asked, which = np.unique(rec, return_inverse=True)
    words = [_few(_concepts_of(side, row)) for row in asked.tolist()]
    names = sorted(set(words))
    number = {name: k for k, name in enumerate(names)}
    codes = np.array([number[word] for word in words], dtype=np.int64)
    return names, codes[which] if codes.size else np.zeros(0, dtype=np.int64)


def _concepts_of(side: SideTable, rec: int) -> list[str]:
    rows = side.rows(rec, "event")
    rows = rows[side.items["chosen"].to_numpy()[rows]]
    return sorted(set(side.items["concept"].to_numpy()[rows]))


def _few(concepts: list[str]) -> str:
    more = f" and {len(concepts) - 3} more" if len(concepts) > 3 else ""
    return (", ".join(concepts[:3]) or "no events") + more
