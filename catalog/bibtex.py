"""Citations of datasets as BibTeX: one valid entry each, with a key that does not change."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
_DOI = re.compile(r"^(?:doi:|https?://(?:dx\.)?doi\.org/)", re.IGNORECASE)
_YEAR = re.compile(r"(?<![\d./-])(?:19|20)\d\d(?![\d/-])")
_NAME = re.compile(r"[^\d:/()]{2,60}")
"""What may be one author of a list that semicolons divide."""
_MOST_WORDS = 6


def bibliography(datasets: Iterable[Mapping[str, Any]]) -> str:
    """Make a ``.bib`` file of rows of table ``datasets``.

    Authors are those that the dataset's description lists (the column holds them with semicolons
    between); a sentence of how to cite stands as a note. The year is given where the citation
    names one and no other.

    Parameters
    ----------
    datasets : iterable of Mapping
        Rows with ``dataset, name, citation, doi, license, source``; of several rows of a dataset
        the first by study counts.

    Returns
    -------
    str
        Entries by dataset id. The key is the id, with what BibTeX does not take in keys left out;
        where two ids come to the same key, a letter tells them apart.
    """
    rows: dict[str, Mapping[str, Any]] = {}
    for row in sorted(datasets, key=lambda one: (one["dataset"], one.get("study") or "")):
        rows.setdefault(row["dataset"], row)
    keys = _keys(list(rows))
    return "\n".join(_entry(keys[name], row) for name, row in rows.items())


def _keys(names: list[str]) -> dict[str, str]:
    keys: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9:_-]+", "", name) or "dataset"
        key, letter = plain, ord("a")
        while key.lower() in {other.lower() for other in keys.values()}:
            key, letter = f"{plain}{chr(letter)}", letter + 1
        keys[name] = key
    return keys


def _entry(key: str, row: Mapping[str, Any]) -> str:
    citation = row.get("citation") or ""
    authors = _authors(citation)
    years = set(_YEAR.findall(citation))
    source = row.get("source") or ""
    doi = _DOI.sub("", row.get("doi") or "").strip()
    fields = {
        "title": f"{{{_escaped(row.get('name') or '') or _escaped(row['dataset']) or key}}}",
        "author": " and ".join(f"{{{_escaped(name)}}}" for name in authors),
        "year": years.pop() if len(years) == 1 else "",
        "doi": re.sub(r"[{}\\\s]", "", doi),
        "url": re.sub(r"[{}\\\s]", "", source) if source.startswith("http") else "",
        "howpublished": f"Dataset {_escaped(row['dataset'])}".strip(),
        "note": "" if authors else _escaped(citation),
        "copyright": _escaped(row.get("license") or ""),
    }
    body = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)
    return f"@misc{{{key},\n{body}}}\n"


def _authors(citation: str) -> list[str]:
    parts = [part.strip() for part in citation.split(";")]
    are_names = all(_NAME.fullmatch(p) and len(p.split()) <= _MOST_WORDS for p in parts)
    return parts if len(parts) > 1 and are_names else []


def _escaped(text: str) -> str:
    """Make one line of a text, with nothing in it that BibTeX or LaTeX takes for a command."""
    return "".join(_SPECIAL.get(character, character) for character in " ".join(text.split()))
