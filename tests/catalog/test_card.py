"""A card tells what the tables hold; its BibTeX is valid whatever a dataset is called."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from removals import write_people

from neuropair.catalog import Corpus
from neuropair.catalog.bibtex import bibliography
from neuropair.catalog.card import make_card
from neuropair.pipeline.corpus import CorpusStore, publish

_ENTRY = re.compile(r"@misc\{([A-Za-z0-9:_-]+),\n((?:  [a-z]+ = \{.*\},\n)+)\}\n", re.DOTALL)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    store = CorpusStore(tmp_path_factory.mktemp("card") / "corpus")
    tables = write_people(store)
    tables["datasets"] = tables["datasets"].assign(
        name="Faces & _names_ | 100%", citation="Ada Lovelace; Grace Hopper", license=None
    )
    publish(store, "demo", tables)
    return Corpus.open(store.url)


def _parse(text: str) -> dict[str, dict[str, str]]:
    """Read what `bibliography` wrote as BibTeX does: braces balance, escaped ones do not count."""
    entries = {}
    for part in filter(None, re.split(r"(?m)^(?=@)", text)):
        found = _ENTRY.fullmatch(part.removesuffix("\n") if part.endswith("\n\n") else part)
        assert found, part
        assert _is_balanced(part)
        fields = re.findall(r"(?m)^  ([a-z]+) = \{(.*)\},$", found.group(2))
        entries[found.group(1)] = dict(fields)
    return entries


def _is_balanced(text: str) -> bool:
    depth = 0
    for character in re.sub(r"\\[{}]", "", text):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            return False
    return depth == 0


def test_a_card_counts_what_the_tables_hold(people: Corpus) -> None:
    text = make_card(people).text
    assert f"# Data card of release {people.release.id}" in text
    assert people.release.neuropair_version in text
    assert "| ds1 | eeg | 2 | 2 |" in text
    assert "| T1 | rule-0 | eeg with fnirs | triggers | 10 | 1 | 0.9 | 0.9 |" in text
    assert "| train | 2 | 4 | 0 | 20 |" in text
    assert "| T4 | r | far | 1 | none |" in text
    assert "none stated | Faces & _names_ \\| 100% |" in text
    assert "- 1 datasets that state no licence" in text
    assert "- 1 pairs of recordings that may be one recording" in text
    assert "Nothing yet: whether the pairs carry signal has not been tested." in text


def test_a_card_is_the_same_for_the_same_release(people: Corpus) -> None:
    again = Corpus.open(people.location.url)
    assert make_card(people) == make_card(again)


def test_every_table_of_a_card_is_markdown(people: Corpus) -> None:
    blocks = re.findall(r"(?:^\|.*\n)+", make_card(people).text, re.MULTILINE)
    assert len(blocks) >= 5
    for block in blocks:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1


def test_authors_title_and_doi_are_cited(people: Corpus) -> None:
    (entry,) = _parse(make_card(people).bibtex).values()
    assert entry["author"] == "{Ada Lovelace} and {Grace Hopper}"
    assert entry["doi"] == "10.1/ds1"
    assert entry["title"] == r"{Faces \& \_names\_ | 100\%}"


def test_a_sentence_is_a_note_and_names_the_year() -> None:
    row = {"dataset": "ds000117", "name": None, "doi": "https://doi.org/10.1038/sdata.2015.1"}
    row |= {"citation": "Wakeman & Henson (2015). A multi-subject, multi-modal dataset."}
    entry = _parse(bibliography([row]))["ds000117"]
    assert entry["year"] == "2015"
    assert entry["doi"] == "10.1038/sdata.2015.1"
    assert entry["note"].startswith(r"Wakeman \& Henson")
    assert entry["title"] == "{ds000117}"
    assert "author" not in entry


def test_a_dataset_of_two_studies_is_cited_once() -> None:
    rows = [{"study": s, "dataset": "d", "name": f"of {s}"} for s in ("two", "one")]
    assert _parse(bibliography(rows))["d"]["title"] == "{of one}"


_TEXTS = st.none() | st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "dataset": st.text(st.characters(codec="ascii"), min_size=1, max_size=8),
                **dict.fromkeys(("name", "citation", "doi", "license", "source"), _TEXTS),
            }
        ),
        max_size=6,
    )
)
def test_any_dataset_makes_one_valid_entry(rows: list[dict[str, str | None]]) -> None:
    entries = _parse(bibliography(rows))
    assert len(entries) == len({row["dataset"] for row in rows})
    assert len({key.lower() for key in entries}) == len(entries)
    assert bibliography(reversed(rows)).count("@misc{") == len(entries)
    assert all(entry["title"] and entry["howpublished"] for entry in entries.values())


def test_an_empty_corpus_has_a_card(tmp_path: Path) -> None:
    store = CorpusStore(tmp_path / "corpus")
    publish(store, "demo", {})
    text = make_card(Corpus.open(store.url)).text
    assert "No pairs." in text
    assert "- Recordings: 0, 0.0 hours" in text
