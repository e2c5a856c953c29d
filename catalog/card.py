"""The data card of a release: what is in it, whose it is, how it was split, what to mind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neuropair.catalog.bibtex import bibliography
from neuropair.catalog.corpus import Corpus

_NONE = "none"
_SECTIONS: Mapping[str, str] = {
    "Recordings": """
        SELECT dataset, modality, count(*) FILTER (status <> 'failed') AS recordings,
            count(DISTINCT subject) FILTER (status <> 'failed') AS subjects,
            round(coalesce(sum(duration_s) FILTER (status <> 'failed'), 0) / 3600, 2) AS hours,
            coalesce(sum(n_windows), 0)::BIGINT AS windows,
            count(*) FILTER (status = 'failed') AS failed,
            count(*) FILTER (status = 'rehearsed') AS without_signals
        FROM recordings GROUP BY ALL ORDER BY ALL""",
    "Pairs": """
        SELECT tier, rule, modality_a || ' with ' || modality_b AS modalities, evidence,
            count(*) AS pairs, count(DISTINCT person_a) AS persons,
            round(avg(confidence), 3) AS mean_confidence, round(min(confidence), 3) AS lowest
        FROM pairs GROUP BY ALL ORDER BY ALL""",
    "Splits": """
        SELECT s.split, count(*) FILTER (kind = 'person') AS persons,
            count(*) FILTER (kind = 'recording') AS recordings,
            count(*) FILTER (kind = 'stimulus') AS stimuli,
            any_value(p.n) AS pairs, coalesce(min(policy), '') AS policy
        FROM splits s LEFT JOIN (SELECT split, count(*) AS n FROM pairs GROUP BY split) p
            ON s.split = p.split GROUP BY s.split ORDER BY s.split""",
    "Licences": """
        SELECT dataset, coalesce(min(license), 'none stated') AS licence, min(name) AS name,
            coalesce(min(doi), '') AS doi, min(source) AS source
        FROM datasets GROUP BY dataset ORDER BY dataset""",
    "What was abstained from": """
        SELECT tier, rule, split_part(reason, ':', 1) AS reason, count(*) AS recording_pairs,
            min(remedy) AS what_would_unlock_it
        FROM abstentions GROUP BY ALL ORDER BY ALL""",
    "What was left out or repaired": """
        SELECT dataset, stage, item, action, sum("count")::BIGINT AS number,
            min(reason) AS for_example
        FROM losses GROUP BY ALL ORDER BY ALL""",
    "What was put to the test": """
        SELECT tier, rule, measure, "null", claim, round(effect, 4) AS effect,
            round(p, 4) AS p, coalesce(flag, '') AS flag
        FROM ledger ORDER BY ALL""",
}
_EMPTY: Mapping[str, str] = {
    "Pairs": "No pairs.",
    "Splits": "No splits were assigned.",
    "What was abstained from": "Nothing: no candidate pair of recordings was left unpaired.",
    "What was left out or repaired": "Nothing.",
    "What was put to the test": "Nothing yet: whether the pairs carry signal has not been tested.",
}
_FLAGS: Sequence[tuple[str, str]] = (
    (
        "SELECT count(*) AS n FROM ledger WHERE flag IS NOT NULL OR claim = 'fails'",
        "claims that the signals do not show (see what was put to the test)",
    ),
    ("SELECT count(*) AS n FROM clocks WHERE warning IS NOT NULL", "clocks with a warning"),
    (
        "SELECT count(*) AS n FROM media_clocks WHERE status <> 'measured'",
        "playbacks whose media clock was not measured",
    ),
    (
        "SELECT count(*) AS n FROM duplicates WHERE relation = 'duplicate'",
        "pairs of recordings that are one recording under two names",
    ),
    (
        "SELECT count(*) AS n FROM duplicates WHERE relation = 'unconfirmed'",
        "pairs of recordings that may be one recording",
    ),
    ("SELECT count(*) AS n FROM recordings WHERE status = 'failed'", "recordings not readable"),
    (
        "SELECT count(*) AS n FROM recordings WHERE bad_channel_fraction > 0.5",
        "recordings of which more than half of the channels are bad",
    ),
    ("SELECT count(*) AS n FROM windows WHERE artefact", "windows that meet an artefact criterion"),
    (
        "SELECT count(*) AS n FROM datasets WHERE license IS NULL",
        "datasets that state no licence",
    ),
)


@dataclass(frozen=True)
class Card:
    """A data card.

    Parameters
    ----------
    text : str
        Markdown, the same for the same release.
    bibtex : str
        The citations alone, as a ``.bib`` file.
    """

    text: str
    bibtex: str


def make_card(corpus: Corpus) -> Card:
    """Describe a release for whoever trains on it.

    Parameters
    ----------
    corpus : Corpus

    Raises
    ------
    DamagedError
        If a table cannot be read.
    """
    cited = bibliography(corpus.sql("SELECT * FROM datasets").to_pylist())
    parts = [_head(corpus)]
    for title, query in _SECTIONS.items():
        rows = corpus.sql(query).to_pylist()
        parts.append(f"## {title}\n\n{_table(rows) if rows else _EMPTY.get(title, 'None.')}")
    parts.append(f"## Known flags\n\n{_flags(corpus)}")
    parts.append(f"## Citations\n\n```bibtex\n{cited}```")
    return Card("\n\n".join(parts) + "\n", cited)


def _head(corpus: Corpus) -> str:
    release = corpus.release
    (totals,) = corpus.sql(
        "SELECT count(*) AS recordings, count(DISTINCT person) AS persons, "
        "count(DISTINCT dataset) AS datasets, "
        "round(coalesce(sum(duration_s), 0) / 3600, 2) AS hours, "
        "string_agg(DISTINCT modality, ', ' ORDER BY modality) AS modalities "
        "FROM recordings WHERE status <> 'failed'"
    ).to_pylist()
    studies = sorted({study for table in release.tables.values() for study in table.studies})
    facts = {
        "Release": f"{release.id} ({release.sequence}, {release.created})",
        "Made by": f"neuropair {release.neuropair_version}, corpus format {release.format}",
        "Studies": ", ".join(studies) or _NONE,
        "Recordings": f"{totals['recordings']:,}, {totals['hours']:,} hours",
        "Persons": f"{totals['persons']:,}, in {totals['datasets']} datasets",
        "Modalities": totals["modalities"] or _NONE,
        "Pairs": f"{len(corpus.pairs()):,}",
    }
    lines = "\n".join(f"- {name}: {_cell(value)}" for name, value in facts.items())
    return f"# Data card of release {release.id}\n\n{lines}"


def _flags(corpus: Corpus) -> str:
    counted = [(corpus.sql(query)["n"][0].as_py(), what) for query, what in _FLAGS]
    lines = [f"- {n:,} {what}" for n, what in counted if n]
    return "\n".join(lines) or "None."


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(rows[0])
    lines = [names, ["---"] * len(names)]
    lines += [[_cell(row[name]) for name in names] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return " ".join(text.split()).replace("|", "\\|")
