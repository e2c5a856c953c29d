"""What a measured effect says about the claim of a tier, and the row that says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from neuropair.catalog.ledger.paired import Floats
from neuropair.schemas.kinds import Tier

ALPHA = 0.05
POWER = 0.8
UNSEEN = 0.1
"""A test that could not have seen a correlation of .1 has not tested: Cohen's small effect (1988,
Statistical power analysis for the behavioral sciences). A map is scored over all components of
side b, of which few are shared: right pairs seldom reach a medium one."""
_REACH = float(norm.ppf(1 - ALPHA / 2) + norm.ppf(POWER))


@dataclass(frozen=True)
class Measured:
    """An effect against its null.

    Parameters
    ----------
    effect : float
    null : array, shape (permutation,)
        Effects of refitted permutations.
    low, high : float
        95 % interval of the effect.
    """

    effect: float
    null: Floats
    low: float
    high: float

    @property
    def p(self) -> float:
        """Share of permutations that score as high, the pairs themselves counted."""
        # rounding: an arrangement equal to the pairs may differ in the last digits
        as_high = int((self.null >= self.effect - 1e-12).sum())
        return (1 + as_high) / (1 + len(self.null))

    @property
    def detectable(self) -> float:
        """Smallest excess over the null's mean that would have been found with 80 % power."""
        return _REACH * float(np.std(self.null))

    @property
    def is_beaten(self) -> bool:
        """Whether the null is beaten at `ALPHA`."""
        return self.p <= ALPHA

    def columns(self) -> dict[str, Any]:
        """Give the columns of table ``ledger`` that hold it."""
        return {
            "effect": self.effect,
            "low": self.low,
            "high": self.high,
            "null_mean": float(self.null.mean()),
            "p": self.p,
            "detectable": self.detectable,
            "n_permutations": len(self.null),
        }


def untested(reason: str) -> dict[str, Any]:
    """Columns of a row that nothing was measured for."""
    return {"n_permutations": 0, "claim": "untested", "flag": f"not tested: {reason}"}


def claim_of_map(tier: Tier, null: str, measured: Measured) -> dict[str, Any]:
    """Compare a null with what the tier claims.

    An event-level tier (T0, T1, T2, T4) claims to beat every null; it is flagged for L1 and L2,
    and cautioned about L3 and L4. A set-level tier (T3, T5) claims to beat L1 and not L2 nor L3:
    any member of its cell is as right, and a pair that tells more has a leak. What fails is
    called so only where a correlation of `UNSEEN` would have been seen.

    Returns
    -------
    dict
        ``claim`` (holds, fails or untested) and ``flag``.
    """
    must_beat = tier.is_event_level or null in ("L1", "L4")
    blind = measured.detectable > UNSEEN
    numbers = f"p {measured.p:.3g}, smallest visible excess {measured.detectable:.2g}"
    if measured.is_beaten == must_beat and (must_beat or not blind):
        return {"claim": "holds", "flag": None}
    if blind and not measured.is_beaten:
        return untested(f"too few pairs to see an excess of {UNSEEN} over {null} ({numbers})") | {
            "n_permutations": len(measured.null)
        }
    return {"claim": "fails", "flag": f"{_shortfall(tier, null)} ({numbers})"}


def _shortfall(tier: Tier, null: str) -> str:
    if not tier.is_event_level and null in ("L2", "L3"):
        return (
            f"{tier} claims the condition and no more, but beats {null}: a leak, or a covariate "
            "that was matched and drives both sides"
        )
    return {
        "L1": f"{tier} claims pairs, but no more is found in them than in random ones",
        "L2": f"{tier} claims right partners, but others of the same condition score as well",
        "L3": f"caution: condition and position in the run score as well ({tier})",
        "L4": f"caution: partners shifted along the run score as well ({tier})",
    }[null]
