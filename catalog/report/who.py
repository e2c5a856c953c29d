"""Part of the page on who is paired with whom."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd
from markupsafe import Markup

from neuropair.catalog import evidence as ev
from neuropair.catalog.corpus import Corpus
from neuropair.catalog.report.blocks import Block, Figure, Panel, Part, counted, grid
from neuropair.catalog.report.svg import LETTER, WIDTH, drawing, element, number, shortened
from neuropair.schemas.kinds import Tier

ROWS = 100
"""Rows of a picture; more persons are taken together, as many to a row as needed."""
SQUARE = 40
"""The same where persons stand along both sides."""
_LEFT, _TOP, _BOTTOM = 112.0, 26.0, 6.0
_STATES = ("paired", "abstained")

_WITHIN = """
    WITH paired AS (
        SELECT tier, person_a AS person, modality_a || '-' || modality_b AS column_,
            count(*) AS pairs, 0 AS abstained FROM pairs WHERE person_a = person_b GROUP BY ALL),
    abstained AS (
        SELECT tier, a.person, a.modality || '-' || b.modality, 0, count(*)
        FROM abstentions
        JOIN recordings a ON a.recording = recording_a
        JOIN recordings b ON b.recording = recording_b
        WHERE a.person = b.person GROUP BY ALL)
    SELECT tier, person AS row_, column_, sum(pairs)::BIGINT AS pairs,
        sum(abstained)::BIGINT AS abstained
    FROM (FROM paired UNION ALL FROM abstained) GROUP BY ALL ORDER BY ALL"""
_ACROSS = """
    SELECT tier, person_a AS row_, person_b AS column_, count(*) AS pairs, 0 AS abstained
    FROM pairs WHERE person_a <> person_b GROUP BY ALL ORDER BY ALL"""


def who_part(corpus: Corpus, tables: Mapping[str, pd.DataFrame]) -> Part:
    """Draw a heat picture a tier, and list persons and duplicates."""
    within, across = corpus.sql(_WITHIN).to_pandas(), corpus.sql(_ACROSS).to_pandas()
    everyone = sorted({*within["row_"], *across["row_"], *across["column_"]}, key=_natural)
    blocks: list[Block] = []
    if len(within):
        columns = sorted(within["column_"].unique())
        people = sorted(within["row_"].unique(), key=_natural)
        panels = [
            _panel(tier, own, people, columns, ROWS, len(columns))
            for tier, own in within.groupby("tier", sort=True)
        ]
        blocks.append(Figure(tuple(panels), _within_caption(len(people))))
    if len(across):
        panels = [
            _panel(tier, own, everyone, everyone, SQUARE, SQUARE)
            for tier, own in across.groupby("tier", sort=True)
        ]
        blocks.append(Figure(tuple(panels), _across_caption(len(everyone))))
    persons, duplicates = tables[ev.PERSONS], tables[ev.DUPLICATES]
    blocks += [grid("Pairs by tier and rule", tables[ev.PAIRS], folded=True)]
    if len(duplicates):
        blocks.append(grid("Recordings that are, or look like, one", duplicates))
    several = persons[persons["subjects"] > 1]
    if len(several):
        blocks.append(grid("Persons known by several names", several))
    lead = (
        f"The pairs are of {counted(len(everyone), 'person')}. Known by several names: "
        f"{counted(len(several), 'person')}; {_duplicates(duplicates)}."
    )
    if persons.empty:
        lead = f"The pairs are of {counted(len(everyone), 'person')}; {_duplicates(duplicates)}."
    return Part("who", "Who is paired with whom", lead, blocks)


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Order in which 2 comes before 10."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], name


def _duplicates(duplicates: pd.DataFrame) -> str:
    counts = duplicates["relation"].value_counts().sort_index()
    if counts.empty:
        return "no two recordings are reported as one"
    listed = ", ".join(f"{n:,} {relation}" for relation, n in counts.items())
    return f"pairs of recordings reported as alike: {listed}"


def _panel(
    tier: str, own: pd.DataFrame, rows: list[str], columns: list[str], most_rows: int, most: int
) -> Panel:
    row_of, row_names = _grouped(rows, most_rows)
    column_of, column_names = _grouped(columns, most)
    cells = (
        own.assign(r=own["row_"].map(row_of), c=own["column_"].map(column_of))
        .groupby(["r", "c"], as_index=False)[["pairs", "abstained"]]
        .sum()
    )
    total = int(own["pairs"].sum())
    name = Tier(tier).name if tier in set(Tier) else tier
    title = f"{name}: {total:,} pairs, rows of persons"
    return Panel(f"{tier}", _drawing(cells, row_names, column_names, title), f"{total:,} pairs")


def _grouped(names: list[str], most: int) -> tuple[dict[str, int], list[str]]:
    """Row of each name, and the rows' names: neighbours share a row where there are too many."""
    size = -(-len(names) // most)
    of = {name: k // size for k, name in enumerate(names)}
    heads = [names[k : k + size] for k in range(0, len(names), size)]
    return of, [g[0] if len(g) == 1 else f"{g[0]} … {g[-1]}" for g in heads]


def _drawing(cells: pd.DataFrame, rows: list[str], columns: list[str], title: str) -> Markup:
    high = max(4.0, min(20.0, 480.0 / len(rows)))
    wide = min(110.0, (WIDTH - _LEFT - 1) / len(columns))
    top = _TOP if _has_headings(columns, wide) else 6.0
    height = top + high * len(rows) + _BOTTOM
    parts = [
        element("text", shortened(name, _LEFT - 6), x=0.0, y=top + high * (k + 0.5) + 4)
        for k, name in enumerate(rows)
        if k % -(-15 // int(high)) == 0
    ]
    if _has_headings(columns, wide):
        parts += [_heading(name, _LEFT + wide * (k + 0.5), wide) for k, name in enumerate(columns)]
    most = float(cells["pairs"].max()) or 1.0
    gap = 1.0 if high > 6 and wide > 6 else 0.3
    for r, c, pairs, abstained in cells[["r", "c", "pairs", "abstained"]].itertuples(index=False):
        place = {
            "x": float(_LEFT + wide * c),
            "y": float(top + high * r),
            "width": float(wide - gap),
            "height": float(high - gap),
        }
        what = f"{rows[int(r)]}, {columns[int(c)]}: {pairs:,} pairs"
        if pairs:
            shade = number(0.15 + 0.85 * (pairs / most) ** 0.5)
            parts.append(_cell(what, place, "heat", fill_opacity=shade))
        if abstained:
            told = f"{what}, {abstained:,} recording pairs abstained from"
            parts.append(_cell(told, place, "abstained" if pairs else "abstained only"))
    frame = {"width": float(wide * len(columns)), "height": float(high * len(rows))}
    parts.append(element("rect", x=_LEFT, y=float(top), **frame, class_="frame"))
    return drawing(height, title, parts)


def _has_headings(columns: list[str], wide: float) -> bool:
    words = [word for name in columns for word in name.split("-")]
    return max(len(word) for word in words) * LETTER + 4 <= wide


def _heading(name: str, x: float, wide: float) -> Markup:
    """Name of a column; both modalities on a line each where one line is too narrow."""
    if len(name) * LETTER + 4 <= wide:
        return element("text", name, x=x, y=18.0, text_anchor="middle", class_="tick")
    a, _, b = name.partition("-")
    lines = Markup("").join(element("tspan", text, x=x, y=y) for text, y in ((a, 10.0), (b, 22.0)))
    return element("text", lines, text_anchor="middle", class_="tick")


def _cell(what: str, place: dict[str, float], class_: str, **more: str) -> Markup:
    return element("rect", element("title", what), **place, class_=class_, **more)


def _within_caption(people: int) -> str:
    return (
        "Pairs within one person, a picture a tier: rows are persons, columns the two modalities; "
        "the darker, the more pairs (square-root scale within the tier). A red outline "
        "marks what was abstained from, dashed where nothing was paired; an empty cell was no "
        f"candidate.{_together(people, ROWS)}"
    )


def _across_caption(people: int) -> str:
    return (
        "Pairs across persons, a picture a tier: rows are persons of side a, columns, in the same "
        "order, persons of side b; the darker, the more pairs. Blocks show which persons a split "
        f"keeps together.{_together(people, SQUARE)}"
    )


def _together(people: int, most: int) -> str:
    size = -(-people // most)
    return "" if size == 1 else f" Each row stands for {size} persons, neighbours by name."
