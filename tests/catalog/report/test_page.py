from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from evidences import HOSTILE, make_release, make_tables

from neuropair.catalog import Corpus
from neuropair.catalog import evidence as ev
from neuropair.catalog.report import render
from neuropair.catalog.report.verdict import findings, tiers

_VOID = {"meta"}


class _Page(HTMLParser):
    """Checks that every element is closed where it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_release(tmp_path_factory.mktemp("full"), make_tables())


def test_the_page_is_well_formed_and_needs_nothing_else(full: Corpus) -> None:
    text = render(full)
    page = _Page(text)
    assert page.open == []
    assert len(page.of("script")) == 1
    for tag in ("link", "img", "iframe", "object"):
        assert page.of(tag) == []
    assert all((a["href"] or "").startswith("#") for a in page.of("a"))
    assert "url(" not in text
    assert "@import" not in text
    drawings = page.of("svg")
    assert len(drawings) >= 12
    assert all(one["role"] == "img" and one["aria-label"] for one in drawings)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {(a["href"] or "")[1:] for a in page.of("a")} <= set(ids)
    assert text.count("<figcaption>") == text.count("<figure>") > 5


def test_what_data_name_is_text(full: Corpus) -> None:
    text = render(full)
    assert HOSTILE not in text
    assert "&lt;script&gt;alert(&#39;pwned&#39;)&lt;/script&gt;" in text


def test_the_same_release_gives_the_same_bytes_wherever_it_lies(tmp_path: Path) -> None:
    made = [make_release(tmp_path / name, make_tables(4)) for name in ("here", "there")]
    one, other = (render(corpus) for corpus in made)
    assert one == other
    shuffled = {name: rows.sample(frac=1, random_state=0) for name, rows in make_tables(4).items()}
    assert render(make_release(tmp_path / "shuffled", shuffled)) == one


def test_the_verdict_flags_what_fails(full: Corpus) -> None:
    tables = {section.title: section.rows for section in ev.evidence(full).sections}
    levels = {found.subject: found.level for found in findings(full, tables)}
    assert levels["Signals"] == levels["Clocks"] == levels["Balance"] == "flagged"
    assert levels["Recordings"] == "flagged"
    assert levels["Splits"] == "good"
    by_tier = {one.tier: one for one in tiers(tables)}
    assert {tier: one.level for tier, one in by_tier.items()} == {
        "T1": "good",
        "T3": "flagged",
        "T5": "open",
    }
    assert "leak" in by_tier["T3"].says
    assert render(full).index("1 test against the claim") < render(full).index('id="ledger"')


def test_nothing_is_called_good_that_nobody_showed(tmp_path: Path) -> None:
    nothing = make_release(tmp_path, {})
    tables = {section.title: section.rows for section in ev.evidence(nothing).sections}
    levels = {found.subject: found.level for found in findings(nothing, tables)}
    levels.pop("Confidence")  # it is what ships, not what the release holds
    assert "good" not in levels.values()
    _Page(render(nothing))


def test_older_releases_are_drawn(tmp_path: Path) -> None:
    later = ["clocks", "media_clocks", "balance", "alternates", "negatives", "duplicates"]
    later += ["persons", "ledger", "pairs.segment", "pairs.soa_ratio", "splits.policy"]
    text = render(make_release(tmp_path, make_tables(3), without=later))
    _Page(text)
    assert "Residuals over time of" in text
    assert "the release holds no table of clocks" in text


def test_a_shipped_curve_is_drawn(full: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    none = pd.DataFrame(columns=["tier", "predicted", "observed", "n"])
    monkeypatch.setattr(ev, "calibration_curve", lambda: none)
    assert "ships no calibration curve" in render(full)
    curve = pd.DataFrame([("T1", 0.6, 0.4, 30), ("T1", 0.99, 1.0, 300)], columns=none.columns)
    monkeypatch.setattr(ev, "calibration_curve", lambda: curve)
    text = render(full)
    assert "Reliability of the confidence, T1" in text
    assert "expected calibration error at most 0.0273" in text


def test_a_large_release_stays_small(tmp_path: Path) -> None:
    # 10^5 pairs of 10^3 recordings
    corpus = make_release(tmp_path, make_tables(persons=250, events=270))
    assert len(corpus.pairs()) >= 100_000
    assert len(render(corpus).encode()) < 1_000_000
