"""The information ledger: what pairs hold, measured on signals against what each null allows."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from neuropair.catalog.corpus import Corpus
from neuropair.catalog.ledger.measure import Rule, measure_rule
from neuropair.catalog.ledger.selection import read_paired, rules_of

__all__ = ["Rule", "measure", "measure_rule", "read_paired", "rules_of"]


def measure(
    corpus: Corpus,
    study: str,
    *,
    rules: list[str] | None = None,
    permutations: int = 999,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Measure what the pairs of a study hold.

    Linear maps from side a to side b are fitted on some persons and scored on others, by
    cross-validation over groups of persons (the release's split components where there are three
    or more, else persons): nobody is scored by a model that was fitted on him, nor a stimulus by
    one that was fitted on it. All splits take part, for nothing is chosen by the result.

    Parameters
    ----------
    corpus : Corpus
    study : str
    rules : list of str, optional
        Only these.
    permutations : int
        Refits a null.
    seed : int
    progress : callable, optional
        Called with the name of each rule that is done.

    Returns
    -------
    pandas.DataFrame
        Rows of table ``ledger`` less ``study``.

    Raises
    ------
    QueryError
        If there are no pairs, a rule is unknown, or permutations are too few.
    DamagedError
        If a recording cannot be read.
    """
    rows = []
    for rule in rules_of(corpus, study, rules):
        paired = read_paired(corpus, study, rule)
        rows += measure_rule(rule, paired, permutations=permutations, seed=seed)
        if progress is not None:
            progress(f"{rule.tier} {rule.name}")
    return pd.DataFrame(rows)
