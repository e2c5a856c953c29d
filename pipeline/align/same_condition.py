"""T3 and T5: equal concepts, covariates within the caliper, of one person or of two.

Set-level pairs: any event of the cell would be as right (science.md section 2).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from neuropair.pipeline.align.concepts import classes
from neuropair.pipeline.align.pooled import Keys, match_pooled
from neuropair.pipeline.align.reasons import Abstention
from neuropair.pipeline.align.types import Integers, Matched, RecordingPair, SideTable, Work
from neuropair.schemas.study import SameCondition


def match(work: Work) -> Matched:
    """Pair windows whose concepts are equal or mapped to each other."""
    assert isinstance(work.pairing, SameCondition)
    keys = _keys(work, work.pairing)

    def evidence(rows_a: Integers, _: Integers) -> npt.NDArray[Any]:
        return np.full(rows_a.size, "condition", dtype=object)

    return match_pooled(work, keys, explain=lambda pair: _explain(work, pair), evidence=evidence)


def _keys(work: Work, pairing: SameCondition) -> Keys:
    """Blocks are the concepts that mappings tie together; within, only agreeing ones partner."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    codes, names = [], []
    for side in (work.a, work.b):
        code, name = pd.factorize(side.items["concept"], sort=True)
        codes.append(np.asarray(code, dtype=np.int64))
        names.append([str(value) for value in name])
    agreeing = set(classes(names[0], names[1], pairing.concepts))
    compatible = np.array(
        [[(a, b) in agreeing for b in names[1]] for a in names[0]], dtype=bool
    ).reshape(len(names[0]), len(names[1]))
    one, other = np.nonzero(compatible)
    n = len(names[0]) + len(names[1])
    tied = coo_array((np.ones(one.size), (one, len(names[0]) + other)), shape=(n, n))
    _, component = connected_components(tied, directed=False)
    blocks = (
        component[: len(names[0])].astype(object)[codes[0]],
        component[len(names[0]) :].astype(object)[codes[1]],
    )
    return Keys(blocks, (codes[0], codes[1]), compatible, spread_by_block=True)


def _explain(work: Work, pair: RecordingPair) -> Abstention:
    concepts = [_few(_concepts(side, rec)) for side, rec in ((work.a, pair.a), (work.b, pair.b))]
    exact = getattr(work.pairing, "exact", [])
    also = f" and equal {', '.join(exact)}" if exact else ""
    return Abstention(
        f"no-common-concept: {concepts[0]} and {concepts[1]}: no events of agreeing concept{also}",
        f"map them under 'concepts' of pairing {work.pairing.name} if they mean the same",
    )


def _concepts(side: SideTable, rec: int) -> list[str]:
    rows = side.rows(rec, "event")
    rows = rows[side.items["chosen"].to_numpy()[rows]]
    return sorted(set(side.items["concept"].to_numpy()[rows]))


def _few(concepts: list[str]) -> str:
    more = f" and {len(concepts) - 3} more" if len(concepts) > 3 else ""
    return (", ".join(concepts[:3]) or "no events") + more
