"""The page: parts in order, in one file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

import pandas as pd

from neuropair.catalog import evidence as ev
from neuropair.catalog.corpus import Corpus
from neuropair.catalog.report.abstained import abstained_part
from neuropair.catalog.report.balance import balance_part
from neuropair.catalog.report.blocks import ABSENT, Block, Figure, Grid, Part, grid
from neuropair.catalog.report.clocks import clocks_part
from neuropair.catalog.report.confidence import confidence_part
from neuropair.catalog.report.ledger import ledger_part
from neuropair.catalog.report.verdict import findings, tiers
from neuropair.catalog.report.who import who_part
from neuropair.catalog.show import describe


def render(corpus: Corpus) -> str:
    """Draw a release's evidence as one HTML page.

    Parameters
    ----------
    corpus : Corpus

    Returns
    -------
    str
        HTML with inline styles, script and SVG. It depends on the release and on neuropair's
        version only: neither on time nor on where the corpus lies.

    Raises
    ------
    DamagedError
        If a table cannot be read.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    tables = {section.title: section.rows for section in ev.evidence(corpus).sections}
    held = {section.title: section.rows for section in describe(corpus).sections}
    parts = [
        ledger_part(tables),
        clocks_part(corpus, tables),
        who_part(corpus, tables),
        abstained_part(tables),
        balance_part(tables),
        confidence_part(corpus, tables),
        _splits_part(tables),
        _holds_part(held),
    ]
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = _template("report.js")
    page = environment.get_template("report.html").render(
        release=corpus.release,
        facts=_facts(held),
        tiers=tiers(tables),
        findings=findings(corpus, tables),
        parts=parts,
        is_figure=_is_figure,
        style=_template("report.css"),
        script=script,
        script_digest=_digest(script),
    )
    return page + "\n"


def _is_figure(block: Block) -> bool:
    return isinstance(block, Figure)


def _template(name: str) -> str:
    folder = files("neuropair.catalog.report").joinpath("templates")
    return folder.joinpath(name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    """Digest that lets this script run, and no other that a name in the data might smuggle in."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _facts(held: dict[str, pd.DataFrame]) -> list[tuple[str, str]]:
    recordings, pairs = held["Recordings"], held["Pairs"]
    licences = sorted(set(held["Datasets"]["license"].fillna("none stated")))
    facts: list[tuple[str, Any]] = [
        ("datasets", f"{len(held['Datasets']):,}"),
        ("recordings", f"{int(recordings['recordings'].sum()):,}"),
        ("hours", f"{float(recordings['hours'].sum()):,.1f}"),
        ("windows", f"{int(recordings['windows'].sum()):,}"),
        ("pairs", f"{int(pairs['pairs'].sum()):,}"),
        ("licences", ", ".join(licences) or ABSENT),
    ]
    return facts


def _splits_part(tables: dict[str, pd.DataFrame]) -> Part:
    blocks: list[Block] = [grid("Sizes and policy", tables[ev.SPLITS])]
    if len(tables[ev.LEAKS]):
        blocks.insert(0, grid("Keys in more than one split", tables[ev.LEAKS]))
    if len(tables[ev.PARTNERS]):
        blocks.append(grid("Alternates and hard negatives beside the pairs", tables[ev.PARTNERS]))
    lead = (
        "A model is tested on what it was not trained on only if nothing ties the splits: whatever "
        "shares a person, a recording under two names or (where the policy says so) a stimulus "
        "is one component and stays on one side."
    )
    return Part("splits", "Splits", lead, blocks)


def _holds_part(held: dict[str, pd.DataFrame]) -> Part:
    titles = {
        "Datasets": "Datasets, their licences, and how to cite them",
        "Recordings": "Recordings",
        "Failed recordings": "Recordings that could not be read",
        "Losses and repairs": "Losses and repairs: what did not make it, counted with its reason",
    }
    blocks: list[Block] = [
        _folded(grid(title, held[name]), name == "Losses and repairs")
        for name, title in titles.items()
        if len(held[name])
    ]
    lead = (
        "The data keep the licences of their datasets; cite the original authors. Nothing is "
        "dropped in silence: what was left out or repaired is counted below."
    )
    return Part("holds", "What the release holds", lead, blocks)


def _folded(table: Grid, folded: bool) -> Grid:
    return Grid(table.title, table.columns, table.rows, table.note, folded)
