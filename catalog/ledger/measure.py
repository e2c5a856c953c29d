"""Every measure of one rule: rows of table ``ledger``."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuropair.catalog.ledger.folds import FEWEST_GROUPS, Fold, make_folds
from neuropair.catalog.ledger.identity import identity
from neuropair.catalog.ledger.intervals import quantiles, score_interval
from neuropair.catalog.ledger.maps import Maps
from neuropair.catalog.ledger.nulls import NULLS, as_paired, moved, replaced, room
from neuropair.catalog.ledger.paired import Paired, checked, comparable, joined
from neuropair.catalog.ledger.rows import ALPHA, Measured, claim_of_map, untested
from neuropair.catalog.ledger.similarity import similarity
from neuropair.schemas.errors import QueryError
from neuropair.schemas.kinds import Tier

FEWEST_PAIRS = 30
"""Held-out pairs below which nothing is measured."""
FEWEST_ARRANGEMENTS = 1000
"""Arrangements below which a null is not drawn from: p has no steps to fall on."""
DOSES = (0.1, 0.5)
_DOSE_DRAWS = 99
"""Replacements drawn a dose: their mean is compared, not their tail."""
_ROWS = [
    *(("map", null) for null in NULLS),
    *((f"dose-{round(dose * 100)}", "none") for dose in DOSES),
    ("rsa", "L1"),
    ("rsa", "L2"),
    ("subject-id-a", "labels"),
    ("subject-id-b", "labels"),
]


@dataclass(frozen=True)
class Rule:
    """What a row of the ledger is about.

    Parameters
    ----------
    tier : Tier
    name : str
    modality_a, modality_b : str
    """

    tier: Tier
    name: str
    modality_a: str
    modality_b: str

    def row(self, measure: str, null: str, seed: int, columns: dict[str, Any]) -> dict[str, Any]:
        """Make a row of table ``ledger``."""
        about = {
            "tier": self.tier.value,
            "rule": self.name,
            "modality_a": self.modality_a,
            "modality_b": self.modality_b,
            "measure": measure,
            "null": null,
        }
        nothing = {"n_train": 0, "n_test": 0, "n_moved": 0, "n_persons": 0}
        return {**about, **nothing, "seed": seed, **columns}


def measure_rule(
    rule: Rule, paired: Paired | str, permutations: int = 999, seed: int = 0
) -> list[dict[str, Any]]:
    """Measure the pairs of one rule.

    Parameters
    ----------
    rule : Rule
    paired : Paired or str
        The pairs, or why there is nothing to measure.
    permutations : int
        Refits a null.
    seed : int
        What is drawn depends on it, the rule and the null, and on nothing else.

    Returns
    -------
    list of dict
        Rows of table ``ledger`` less ``study``; what cannot be measured has a row that says why.

    Raises
    ------
    QueryError
        If features are infinite, or there are fewer permutations than p = .05 needs.
    """
    if permutations < round(1 / ALPHA) - 1:
        raise QueryError(
            f"{permutations} permutations cannot reach p = {ALPHA}.",
            where="--permutations",
            remedy="give 19 at least; 999 is the default",
        )
    if isinstance(paired, str):
        return [rule.row(name, null, seed, untested(paired)) for name, null in _ROWS]
    ledger = _Ledger(rule, checked(paired), permutations, seed)
    return [*ledger.maps(), *ledger.similarities(), *ledger.identities()]


class _Ledger:
    def __init__(self, rule: Rule, paired: Paired, permutations: int, seed: int) -> None:
        self._rule, self._raw, self._n, self._seed = rule, paired, permutations, seed
        self._paired = comparable(paired)

    def maps(self) -> Iterator[dict[str, Any]]:
        """Give the rows of the map against its nulls, and of the doses."""
        folds = make_folds(self._paired)
        lacking = _lacking(self._paired, folds)
        if lacking:
            for name, null in _ROWS[: len(NULLS) + len(DOSES)]:
                yield self._row(name, null, untested(lacking))
            return
        maps = Maps(self._paired, folds)
        effect = float(maps.scores(as_paired(len(self._paired)))[0])
        group = self._paired.group[self._paired.person_a]
        interval = score_interval(maps.observed(), group, self._rng("interval"))
        shared = _counts(self._paired, folds)
        beats_any = False
        for null in NULLS:
            columns, beaten = self._against(maps, null, effect, interval)
            beats_any = beats_any or beaten
            yield self._row("map", null, {**shared, **columns})
        yield from self._doses(maps, effect, beats_any, shared)

    def _against(
        self, maps: Maps, null: str, effect: float, interval: tuple[float, float]
    ) -> tuple[dict[str, Any], bool]:
        can = room(self._paired, null)
        if can.rows < FEWEST_PAIRS or can.arrangements < np.log(FEWEST_ARRANGEMENTS):
            reason = (
                f"{null} can move {can.rows} of {len(self._paired)} pairs, in "
                f"{np.exp(min(can.arrangements, 20)):.3g} ways or so; {FEWEST_PAIRS} and "
                f"{FEWEST_ARRANGEMENTS} are needed"
            )
            shown = {"effect": effect, "low": interval[0], "high": interval[1]}
            return {**untested(reason), **shown, "n_moved": can.rows}, False
        scores = maps.scores(moved(self._paired, null, self._n, self._rng(null)))
        measured = Measured(effect, scores, *interval)
        claim = claim_of_map(self._rule.tier, null, measured)
        return {**measured.columns(), "n_moved": can.rows, **claim}, measured.is_beaten

    def _doses(
        self, maps: Maps, effect: float, beats_any: bool, shared: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        before = effect
        for dose in DOSES:
            name = f"dose-{round(dose * 100)}"
            if not beats_any:
                reason = "no null is beaten: wrong pairs have nothing to take away"
                yield self._row(name, "none", {**shared, **untested(reason)})
                continue
            wrong = replaced(self._paired, dose, _DOSE_DRAWS, self._rng(name))
            scores = maps.scores(wrong)
            mean = float(scores.mean())
            falls = mean < before
            low, high = quantiles(scores)
            yield self._row(
                name,
                "none",
                {
                    **shared,
                    "effect": mean,
                    "low": low,
                    "high": high,
                    "p": (1 + int((scores >= effect).sum())) / (1 + len(scores)),
                    "n_permutations": len(scores),
                    "claim": "holds" if falls else "fails",
                    "flag": None if falls else f"with {dose:.0%} wrong pairs the score is no lower",
                },
            )
            before = mean

    def similarities(self) -> Iterator[dict[str, Any]]:
        """Give the rows of representational similarity."""
        for null in ("L1", "L2"):
            found = similarity(self._paired, null, self._n, self._rng(f"rsa {null}"))
            if isinstance(found, str):
                yield self._row("rsa", null, untested(found))
                continue
            low, high = found.ceiling or (None, None)
            yield self._row(
                "rsa",
                null,
                {
                    **found.measured.columns(),
                    "ceiling_low": low,
                    "ceiling": high,
                    "n_test": len(self._paired),
                    "n_moved": found.n_labels,
                    "n_persons": found.n_persons,
                    **claim_of_map(self._rule.tier, null, found.measured),
                },
            )

    def identities(self) -> Iterator[dict[str, Any]]:
        """Give the rows of subject-id decodability, a caution and no claim of the tier."""
        raw = self._raw
        sides = {
            "a": (raw.a, raw.recording_a, raw.onset_a, raw.person_a),
            "b": (raw.b, raw.recording_b, raw.onset_b, raw.person_b),
        }
        for side, (values, recording, onset, person) in sides.items():
            where = np.stack([recording.astype(float), onset], axis=1)
            _, first = np.unique(where, axis=0, return_index=True)
            name = f"subject-id-{side}"
            found = identity(
                values[first], recording[first], person[first], self._n, self._rng(name)
            )
            if isinstance(found, str):
                yield self._row(name, "labels", untested(found))
                continue
            told = found.is_beaten
            caution = (
                f"caution: persons are told apart in {found.effect:.0%} of the windows of side "
                f"{side}, by chance in {found.null.mean():.0%}: never split by window"
            )
            yield self._row(
                name,
                "labels",
                {
                    **found.columns(),
                    "n_test": len(first),
                    "n_persons": len(np.unique(person)),
                    "claim": "fails" if told else "holds",
                    "flag": caution if told else None,
                },
            )

    def _row(self, name: str, null: str, columns: dict[str, Any]) -> dict[str, Any]:
        columns = {"left_out": joined(self._raw.left_out), **columns}
        return self._rule.row(name, null, self._seed, columns)

    def _rng(self, what: str) -> np.random.Generator:
        name = f"{self._rule.tier} {self._rule.name} {what}"
        return np.random.default_rng([self._seed, zlib.crc32(name.encode())])


def _lacking(paired: Paired, folds: Sequence[Fold]) -> str | None:
    groups = len(np.unique(paired.group[paired.person_a]))
    scored = sum(len(fold.test) for fold in folds)
    if not folds:
        return (
            f"{groups} groups of persons, where {FEWEST_GROUPS} are needed to fit on some and "
            "score on others (twice as many where pairs join persons)"
        )
    if scored < FEWEST_PAIRS:
        return f"{scored} held-out pairs, where {FEWEST_PAIRS} are needed"
    if not (paired.a**2).sum() or not (paired.b**2).sum():
        return "the features of one side do not vary"
    return None


def _counts(paired: Paired, folds: Sequence[Fold]) -> dict[str, int]:
    test = np.concatenate([fold.test for fold in folds])
    persons = np.union1d(paired.person_a[test], paired.person_b[test])
    return {
        "n_train": round(float(np.mean([len(fold.train) for fold in folds]))),
        "n_test": len(np.unique(test)),
        "n_persons": len(persons),
    }
