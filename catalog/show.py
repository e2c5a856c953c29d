"""What a corpus holds, and one pair in full: as data, as text and as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from neuropair.catalog.corpus import Corpus
from neuropair.schemas.errors import QueryError
from neuropair.schemas.tables import PAIRS

if TYPE_CHECKING:
    from rich.console import Group

_LIMIT = 30
"""Rows of a section that are printed; `Shown.to_dict` has all."""

_SECTIONS = {
    "Recordings": """
        SELECT dataset, modality, count(*) AS recordings,
            count(*) FILTER (status = 'failed') AS failed, count(DISTINCT person) AS persons,
            round(sum(duration_s) / 3600, 2) AS hours, sum(n_windows)::BIGINT AS windows,
            string_agg(DISTINCT round(sfreq, 3)::VARCHAR, ', ' ORDER BY round(sfreq, 3)::VARCHAR)
                AS sfreq_hz
        FROM recordings GROUP BY ALL ORDER BY ALL""",
    "Failed recordings": """
        SELECT recording, reason, remedy FROM recordings WHERE status = 'failed'
        ORDER BY recording""",
    "Pairs": """
        SELECT tier, rule, modality_a || '-' || modality_b AS modalities, evidence,
            count(*) AS pairs, count(*) FILTER (split = 'train') AS train,
            count(*) FILTER (split = 'validation') AS validation,
            count(*) FILTER (split = 'test') AS test,
            round(avg(confidence), 3) AS mean_confidence
        FROM pairs GROUP BY ALL ORDER BY ALL""",
    "Abstentions": """
        SELECT tier, rule, split_part(reason, ':', 1) AS reason, count(*) AS recording_pairs,
            min(remedy) AS remedy
        FROM abstentions GROUP BY ALL ORDER BY ALL""",
    "Splits": """
        SELECT split, count(*) FILTER (kind = 'person') AS persons,
            count(*) FILTER (kind = 'recording') AS recordings,
            count(*) FILTER (kind = 'stimulus') AS stimuli,
            count(DISTINCT component) AS components
        FROM splits GROUP BY split ORDER BY split""",
    "Losses and repairs": """
        SELECT stage, item, action, sum("count")::BIGINT AS number, count(*) AS reasons,
            min(reason) AS for_example
        FROM losses GROUP BY ALL ORDER BY ALL""",
    "Datasets": """
        SELECT dataset, name, license, doi, citation, source FROM datasets
        ORDER BY dataset, study""",
}


@dataclass(frozen=True)
class Section:
    """A titled table."""

    title: str
    rows: pd.DataFrame


@dataclass(frozen=True)
class Shown:
    """Something to show: plain data by `to_dict`, text by ``rich``.

    Parameters
    ----------
    title : str
    sections : tuple of Section
    picture : Path or None
        Where a picture of it was written.
    """

    title: str
    sections: tuple[Section, ...]
    picture: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """Rows of each section by its title, and the picture's path."""
        found: dict[str, Any] = {"title": self.title}
        for section in self.sections:
            rows = section.rows.astype(object).where(section.rows.notna(), None)
            found[section.title] = rows.to_dict("records")
        if self.picture is not None:
            found["picture"] = str(self.picture)
        return found

    def __rich__(self) -> Group:
        """Show a table a section; empty sections are left out."""
        from rich.console import Group
        from rich.text import Text

        parts: list[Any] = [Text(self.title, style="bold")]
        parts += [_rich_table(section) for section in self.sections if len(section.rows)]
        if self.picture is not None:
            parts.append(Text(f"picture: {self.picture}"))
        return Group(*parts)


def describe(corpus: Corpus) -> Shown:
    """Tell what a release holds.

    Parameters
    ----------
    corpus : Corpus

    Returns
    -------
    Shown
        Recordings by modality with hours, failures, pairs by tier and split, abstentions by
        reason, splits, losses, and datasets with their licences.
    """
    sections = tuple(
        Section(title, corpus.sql(query).to_pandas()) for title, query in _SECTIONS.items()
    )
    return Shown(repr(corpus).strip("<>"), sections)


def show_pair(corpus: Corpus, pair_id: str, path: Path | None = None) -> Shown:
    """Show one pair: its evidence, both sides, and a picture.

    Parameters
    ----------
    corpus : Corpus
    pair_id : str
        Or the beginning of one.
    path : Path, optional
        Of the picture, a PNG; ``pair-<id>.png`` in the current folder unless given.

    Raises
    ------
    QueryError
        If there is no such pair, or more than one.
    """
    from neuropair.catalog.draw import draw_pair

    pair = _find(corpus, pair_id)
    path = path or Path(f"pair-{pair['pair_id']}.png")
    sides = pd.concat([_side(corpus, pair, side) for side in "ab"], axis=1)
    sides.insert(0, "", sides.index)
    draw_pair(corpus, pair, path)
    described = [
        (field.name, pair[field.name], field.metadata[b"description"].decode())
        for field in PAIRS
        if pair[field.name] is not None and not field.name.endswith(("_a", "_b"))
    ]
    evidence = pd.DataFrame(described, columns=["", "value", "meaning"])
    sections = (Section("Evidence", evidence), Section("Sides", sides))
    return Shown(f"pair {pair['pair_id']} of release {corpus.release.id}", sections, path)


def _find(corpus: Corpus, pair_id: str) -> dict[str, Any]:
    quoted = pair_id.replace("'", "''")
    rows = corpus.pairs(f"starts_with(pair_id, '{quoted}')").to_arrow().to_pylist()
    exact = [row for row in rows if row["pair_id"] == pair_id] or rows
    if pair_id and len(exact) == 1:
        found: dict[str, Any] = exact[0]
        return found
    several = f"{len(exact)} pairs begin so" if pair_id and exact else "there is no such pair"
    raise QueryError(
        f"{several} in release {corpus.release.id}.",
        where=f"pair {pair_id!r}",
        remedy="list them: SELECT pair_id, tier, concept FROM pairs LIMIT 10",
    )


def _side(corpus: Corpus, pair: dict[str, Any], side: str) -> pd.Series[Any]:
    recording, number = pair[f"recording_{side}"], pair[f"window_{side}"]
    window = corpus.windows(recording).iloc[number]
    values = {
        "recording": recording,
        "modality": pair[f"modality_{side}"],
        "person": pair[f"person_{side}"],
        **window.drop(["study", "recording"]).to_dict(),
    }
    return pd.Series(values, name=side, dtype=object)


def text_table(title: str, sections: Mapping[str, list[dict[str, Any]]]) -> Group:
    """Show rows of several sections under one title; empty sections are left out."""
    made = tuple(Section(name, pd.DataFrame(rows)) for name, rows in sections.items())
    return Shown(title, made).__rich__()


def _rich_table(section: Section) -> Any:
    from rich.table import Table

    table = Table(title=section.title, title_justify="left", caption_justify="left")
    for name in section.rows.columns:
        is_number = pd.api.types.is_numeric_dtype(section.rows[name])
        table.add_column(str(name), justify="right" if is_number else "left", overflow="fold")
    for row in section.rows.head(_LIMIT).itertuples(index=False, name=None):
        table.add_row(*(_text(value) for value in row))
    if len(section.rows) > _LIMIT:
        table.caption = f"and {len(section.rows) - _LIMIT} more"
    return table


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
