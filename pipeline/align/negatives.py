"""Hard wrong partners for a pair's side a: what contrastive training needs besides the positives.

A window that the tier admits as a partner is never a negative: in T3 and T5 none of an agreeing
concept (any member of the cell is right), in T2 and T4 none of the same stimulus, with an exception
that its kind names: in T2 the same stimulus shown to another person, for the person is part of what
T2 claims. An unknown stimulus may be the same one, and is no negative where stimuli decide.
All lie in the pair's split, and but for ``same-stimulus`` in the recording of its partner.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from neuropair.pipeline.align.alternates import recording_of
from neuropair.pipeline.align.pools import Keys, text_codes
from neuropair.pipeline.align.types import Bools, Integers, Work
from neuropair.schemas.study import SameCondition, SameStimulus

GRADES = {"same-position": 1, "off-by-one": 2, "same-stimulus": 3, "same-condition": 4}
"""Kind -> grade, 1 easy to 4 hard. ``same-position``: as far into the run, and another condition,
so that only drift and fatigue agree. ``off-by-one``: the event after or before the partner, whose
window overlaps the partner's. ``same-stimulus``: another person's response to it.
``same-condition``: all agrees but the stimulus."""
_LOOKED_AT = 8
"""Events on either side, in order, among which a negative is sought."""

_Found = tuple[Integers, Integers]
"""Positions of pairs, and the row of ``b.items`` of a negative for each."""


def negatives(work: Work, keys: Keys, rows_a: Integers, rows_b: Integers) -> pd.DataFrame:
    """Rows of table ``negatives``, with ``pair`` (position in `rows_a`) for ``pair_id``.

    Parameters
    ----------
    work : Work
    keys : Keys
    rows_a, rows_b : ndarray of int
        Rows of the items of each pair.
    """
    pairing = work.pairing
    assert isinstance(pairing, SameStimulus | SameCondition)
    if not pairing.negatives or not rows_a.size:
        return pd.DataFrame()
    search = _Search(work, keys, rows_a, rows_b)
    found: dict[str, _Found] = {
        "same-position": search.same_position(),
        "off-by-one": search.off_by_one(),
    }
    if pairing.tier.same_person:
        found["same-stimulus"] = search.same_stimulus()
    if isinstance(pairing, SameStimulus):
        found["same-condition"] = search.same_condition()
    pair = np.concatenate([rows for rows, _ in found.values()])
    rows = np.concatenate([items for _, items in found.values()])
    counts = [len(rows) for rows, _ in found.values()]
    order = np.argsort(pair, kind="stable")
    return pd.DataFrame(
        {
            "pair": pair[order],
            "kind": pd.Series(np.repeat(np.array(list(found), dtype=object), counts)[order]),
            "grade": np.repeat([GRADES[kind] for kind in found], counts)[order].astype(np.int32),
            "recording_b": recording_of(work.b, rows[order]),
            "window_b": work.b.items["window"].to_numpy()[rows[order]].astype(np.int32),
        }
    )


class _Search:
    """The events of side b in the orders in which negatives are looked for."""

    def __init__(self, work: Work, keys: Keys, rows_a: Integers, rows_b: Integers) -> None:
        assert isinstance(work.pairing, SameStimulus | SameCondition)
        self._a, self._b = work.a, work.b
        self._rows_a, self._rows_b = rows_a, rows_b
        self._n = work.pairing.negatives
        self._by_stimulus = isinstance(work.pairing, SameStimulus)
        items = work.b.items
        self._events = np.flatnonzero((items["kind"] == "event").to_numpy())
        self._rec = items["rec"].to_numpy()
        self._stimulus = text_codes(work.a.items["stimulus"], work.b.items["stimulus"])
        self._concept = keys.concepts
        self._agree = keys.agree

    def off_by_one(self) -> _Found:
        """Neighbours of the partner in time, the later first."""
        order = self._ordered("onset")
        return self._beside(order, self._is_wrong, reach=self._n)

    def same_position(self) -> _Found:
        """Events of another condition, as near as possible in the run."""
        order = self._ordered("run_position")
        return self._beside(order, self._is_other_condition)

    def same_condition(self) -> _Found:
        """Events of the partner's concept and another stimulus, nearest in the interval before."""
        concept = self._concept[1]
        order = self._ordered("preceding_interval", concept)

        def same(pair: Integers, row: Integers) -> Bools:
            equal = concept[row] == concept[self._rows_b[pair]]
            return np.asarray(equal & self._is_wrong(pair, row), dtype=bool)

        return self._beside(order, same)

    def same_stimulus(self) -> _Found:
        """Find the stimulus of a, as another person of the split saw it."""
        recordings = self._b.recordings
        split = text_codes(self._a.recordings["split"], recordings["split"])
        person = text_codes(self._a.recordings["person"], recordings["person"])
        shown = self._events[self._stimulus[1][self._events] >= 0]
        chosen = self._b.items["chosen"].to_numpy()[shown]
        shown = shown[chosen & (split[1][self._rec[shown]] >= 0)]
        n = int(max(part.max(initial=0) for part in self._stimulus)) + 1
        key = split[1][self._rec[shown]] * n + self._stimulus[1][shown]
        who = person[1][self._rec[shown]]
        order = np.lexsort((shown, who, key))
        shown, key, who = shown[order], key[order], who[order]
        rec_a = self._a.items["rec"].to_numpy()[self._rows_a]
        mine = self._stimulus[0][self._rows_a]
        wanted = np.where(mine >= 0, split[0][rec_a] * n + mine, -1)
        first, last = (np.searchsorted(key, wanted, side=side) for side in ("left", "right"))
        # after the person's own events, and round to the first: not everyone gets the same one
        people = int(max(who.max(initial=0), person[0].max(initial=0))) + 1
        own = np.searchsorted(key * people + who, wanted * people + person[0][rec_a], side="right")
        pairs, rows = [], []
        for step in range(self._n):
            size = last - first
            has = np.flatnonzero(size > step)
            at = first[has] + (own[has] - first[has] + step) % size[has]
            other = who[at] != person[0][rec_a[has]]
            pairs.append(has[other])
            rows.append(shown[at[other]])
        return np.concatenate(pairs), np.concatenate(rows)

    def _ordered(self, column: str, within: Integers | None = None) -> Integers:
        """Events by recording, number in `within` and value of the column."""
        events = self._events
        values = np.nan_to_num(self._b.items[column].to_numpy(dtype=float)[events])
        number = np.zeros(events.size) if within is None else within[events]
        return events[np.lexsort((events, values, number, self._rec[events]))]

    def _is_wrong(self, pair: Integers, row: Integers) -> Bools:
        """Whether items of b are certainly no partners of the pairs' side a."""
        if not self._by_stimulus:
            return self._is_other_condition(pair, row)
        mine, other = self._stimulus[0][self._rows_a[pair]], self._stimulus[1][row]
        return np.asarray((other >= 0) & (mine != other), dtype=bool)

    def _is_other_condition(self, pair: Integers, row: Integers) -> Bools:
        wrong = ~self._agree[self._concept[0][self._rows_a[pair]], self._concept[1][row]]
        mine, other = self._stimulus[0][self._rows_a[pair]], self._stimulus[1][row]
        if self._by_stimulus:
            wrong &= mine != other
        return np.asarray(wrong, dtype=bool)

    def _beside(
        self,
        order: Integers,
        fits: Callable[[Integers, Integers], Bools],
        reach: int = _LOOKED_AT,
    ) -> _Found:
        """Find the first that fit, going outwards from the partner in `order`, in its recording."""
        of = self._rows_b
        place = np.empty(len(self._b.items), dtype=np.int64)
        place[order] = np.arange(order.size)
        at, rec = place[of], self._rec[of]
        wanted = np.full(of.size, self._n)
        pairs, rows = [], []
        steps = [sign * k for k in range(1, reach + 1) for sign in (1, -1)]
        for step in steps:
            open_pairs = np.flatnonzero(wanted > 0)
            there = at[open_pairs] + step
            inside = (there >= 0) & (there < order.size)
            open_pairs, there = open_pairs[inside], order[there[inside]]
            same = self._rec[there] == rec[open_pairs]
            open_pairs, there = open_pairs[same], there[same]
            good = fits(open_pairs, there)
            open_pairs, there = open_pairs[good], there[good]
            pairs.append(open_pairs)
            rows.append(there)
            wanted[open_pairs] -= 1
        return np.concatenate(pairs), np.concatenate(rows)
