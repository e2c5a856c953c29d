"""The ledger of a release: measured, published, shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from neuropair.flows import console


@dataclass(frozen=True)
class MeasuredLedger:
    """What the ledger of a release came to.

    Parameters
    ----------
    corpus : str
    measured : str
        Release that was measured.
    published : str or None
        Release that holds the rows; None for a release that was not the newest.
    rows : pandas.DataFrame
        Rows of table ``ledger``, all studies.
    """

    corpus: str
    measured: str
    published: str | None
    rows: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """Give plain values, for JSON."""
        return {
            "corpus": self.corpus,
            "measured": self.measured,
            "published": self.published,
            "ledger": _plain(self.rows),
        }


def run_ledger(
    corpus: str,
    *,
    release: str | None = None,
    permutations: int = 999,
    seed: int = 0,
    quiet: bool = False,
) -> MeasuredLedger:
    """Measure a release, and publish the figures with the tables it has.

    Parameters
    ----------
    corpus : str
        URL of the corpus.
    release : str, optional
        The newest unless given; an older one is measured and not published.
    permutations, seed : int
        As `neuropair.catalog.ledger.measure`.
    quiet : bool
        Show no progress.

    Raises
    ------
    CorpusError, QueryError, DamagedError, StorageError
        If the corpus cannot be read, holds no pairs, or refuses the rows.
    """
    from neuropair.catalog import Corpus
    from neuropair.catalog.ledger import measure, rules_of
    from neuropair.pipeline.corpus import CorpusStore
    from neuropair.pipeline.corpus.release import publish_measured
    from neuropair.schemas.errors import QueryError

    opened, newest = Corpus.open(corpus, release=release), Corpus.open(corpus)
    studies = opened.sql("SELECT DISTINCT study FROM pairs ORDER BY study")["study"].to_pylist()
    if not studies:
        raise QueryError(
            "the release holds no pairs: there is nothing to measure.",
            where=opened.location.url,
            remedy="see table abstentions for what would unlock some",
        )
    is_newest = opened.release.id == newest.release.id
    published = newest.release.id if is_newest else None
    parts = []
    for study in studies:
        n_rules = len(rules_of(opened, study))
        with console.progress("ledger", n_rules, quiet=quiet) as bar:
            rows = measure(
                opened, study, permutations=permutations, seed=seed, progress=bar.advance
            )
        if is_newest:
            published = publish_measured(CorpusStore(corpus), study, {"ledger": rows})
        parts.append(rows.assign(study=study))
    return MeasuredLedger(corpus, opened.release.id, published, pd.concat(parts))


def ledger_tables(measured: MeasuredLedger) -> Iterator[object]:
    """Show the rows, then what is flagged."""
    from neuropair.flows.render import table_of

    where = measured.published or "none, for a newer release stands"
    yield f"release {measured.measured} measured; published in release {where}"
    for (tier, rule), own in measured.rows.groupby(["tier", "rule"]):
        first = own.iloc[0]
        title = f"\n{tier} {rule}, {first['modality_a']} to {first['modality_b']}"
        figures = [_figures(row) for row in _plain(own[own["n_permutations"] > 0])]
        if figures:
            yield table_of(title, figures)
        # one line a flag, however many rows say it
        said: dict[str, list[str]] = {}
        for row in _plain(own[own["flag"].notna()]):
            said.setdefault(row["flag"], []).append(f"{row['measure']} {row['null']}")
        lines = [{"measures": ", ".join(names), "flag": flag} for flag, names in said.items()]
        if lines:
            yield table_of(f"{title}: flagged, or untested", lines)


def _figures(row: dict[str, Any]) -> dict[str, Any]:
    def shown(name: str) -> str:
        return "" if row[name] is None else f"{row[name]:.3f}"

    return {
        "measure": f"{row['measure']} {row['null']}",
        "effect": shown("effect"),
        "95 %": f"{shown('low')}..{shown('high')}",
        "mean under the null": shown("null_mean"),
        "p": shown("p"),
        "smallest visible excess": shown("detectable"),
        "pairs": row["n_test"],
        "claim": row["claim"],
    }


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]
