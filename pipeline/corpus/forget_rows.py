"""Which rows of a table are of a removed person, and which of the others' texts name them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from neuropair.pipeline.corpus.tables import arranged

REMOVED = "[removed]"
"""Stands in free text where a removed person was named."""
_RECORDINGS = ("recording", "recording_a", "recording_b")
_PERSONS = ("person", "person_a", "person_b", "pool")
_OF_PAIRS = ("alternates", "negatives")
_TEXTS = ("reason", "remedy", "where", "because", "warning", "flag")
"""Columns of free text: what names a person there is blotted out, and the row stays."""
_OF_NO_DATASET = ""
"""A label alone says nothing there: every dataset has a sub-01."""


@dataclass(frozen=True)
class Gone:
    """All that a removed person is called in a corpus.

    Parameters
    ----------
    persons : frozenset of str
    subjects : frozenset of (str, str)
        Dataset and label.
    recordings : frozenset of str
    """

    persons: frozenset[str] = frozenset()
    subjects: frozenset[tuple[str, str]] = frozenset()
    recordings: frozenset[str] = frozenset()

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What names them in free text: recordings, files of them, persons."""
        own = [rf"{re.escape(d)}/sub-{re.escape(s)}{_REST}" for d, s in sorted(self.subjects)]
        who = [rf"(?<![\w/-]){re.escape(p)}(?![\w/-])" for p in sorted(self.persons)]
        return re.compile("|".join([*own, *who]) or r"(?!)")

    def blot(self, text: str | None, dataset: str | None) -> str | None:
        """Blot out their names in a text.

        Parameters
        ----------
        text : str or None
        dataset : str or None
            Dataset that the text is about: only its subjects' files are meant; None for any.
        """
        if text is None:
            return None
        labels = sorted(label for name, label in self.subjects if dataset in (None, name))
        own = [rf"(?<![0-9A-Za-z])sub-{re.escape(label)}{_REST}" for label in labels]
        files = re.compile("|".join(own) or r"(?!)")
        return files.sub(REMOVED, self.pattern.sub(REMOVED, text))


_REST = r"(?![0-9A-Za-z])[^\s,;:'\")\]]*"


@dataclass(frozen=True)
class StudyRows:
    """Rows of one study, less those of a removed person.

    Parameters
    ----------
    tables : Mapping
        Table -> rows, in the table's order.
    removed : Mapping
        Table -> number of rows that went.
    changed : frozenset of str
        Tables of which a row went or a text was blotted out.
    """

    tables: Mapping[str, pa.Table]
    removed: Mapping[str, int] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()


def without_person(tables: Mapping[str, pa.Table], gone: Gone) -> StudyRows:
    """Take a person out of a study's rows; those of everybody else stay as they are.

    The ledger, which is measured on all pairs, goes whole if a pair goes, as it does when an
    ingest changes pairs; so does the balance of a rule that has no pairs left. Splits of the
    others stay; a stimulus that nobody else was shown goes.

    Parameters
    ----------
    tables : Mapping
        Every table of a release -> rows of one study.
    gone : Gone
    """
    masks = {name: _is_own(table, gone) for name, table in tables.items()}
    pairs = tables["pairs"]
    lost = pairs.filter(pa.array(masks["pairs"]))
    for name in _OF_PAIRS:
        masks[name] |= _is_in(tables[name], "pair_id", lost["pair_id"].to_pylist())
    if lost.num_rows:
        masks["ledger"][:] = True
        kept_rules = set(pc.unique(pairs.filter(pa.array(~masks["pairs"]))["rule"]).to_pylist())
        empty = set(pc.unique(lost["rule"]).to_pylist()) - kept_rules
        masks["balance"] |= _is_in(tables["balance"], "rule", empty)
    masks["splits"] |= _gone_splits(tables, masks, gone)
    kept = {name: table.filter(pa.array(~masks[name])) for name, table in tables.items()}
    kept["datasets"] = _recounted(kept["datasets"], kept["recordings"], gone)
    blotted = {name: _blotted(table, gone) for name, table in kept.items()}
    removed = {name: int(mask.sum()) for name, mask in masks.items() if mask.any()}
    changed = {name for name, table in tables.items() if not blotted[name].equals(table)}
    return StudyRows(
        {n: arranged(t, n) if n in changed else t for n, t in blotted.items()},
        removed,
        frozenset(changed),
    )


def _is_own(table: pa.Table, gone: Gone) -> np.ndarray:
    mask = np.zeros(table.num_rows, bool)
    for name in _RECORDINGS:
        mask |= _is_in(table, name, gone.recordings)
    for name in _PERSONS:
        mask |= _is_in(table, name, gone.persons)
    if {"dataset", "subject"} <= set(table.column_names):
        both = pc.binary_join_element_wise(table["dataset"], table["subject"], "/")
        own = pa.array(["/".join(subject) for subject in sorted(gone.subjects)], pa.string())
        mask |= np.asarray(pc.is_in(both, own))
    return mask


def _is_in(table: pa.Table, column: str, values: Iterable[str]) -> np.ndarray:
    if column not in table.column_names:
        return np.zeros(table.num_rows, bool)
    return np.asarray(pc.is_in(table[column], pa.array(sorted(values), pa.string())))


def _gone_splits(
    tables: Mapping[str, pa.Table], masks: Mapping[str, np.ndarray], gone: Gone
) -> np.ndarray:
    shown: list[set[str]] = []
    for own in (True, False):
        rows = [tables[n].filter(pa.array(masks[n] == own)) for n in ("events", "windows")]
        shown.append({one for t in rows for one in pc.unique(t["stimulus"]).to_pylist() if one})
    mine, others = shown
    by_kind = {
        "recording": gone.recordings,
        "person": gone.persons,
        "stimulus": frozenset(mine - others),
    }
    splits = tables["splits"]
    mask = np.zeros(splits.num_rows, bool)
    for kind, keys in by_kind.items():
        is_kind = np.asarray(pc.equal(splits["kind"], kind))
        mask |= is_kind & _is_in(splits, "key", keys)
    return mask


def _recounted(datasets: pa.Table, recordings: pa.Table, gone: Gone) -> pa.Table:
    touched = {dataset for dataset, _ in gone.subjects}
    rows = datasets.to_pylist()
    of = list(zip(recordings["dataset"].to_pylist(), recordings["status"].to_pylist(), strict=True))
    for row in rows:
        if row["dataset"] in touched:
            own = [status for dataset, status in of if dataset == row["dataset"]]
            row["n_recordings"], row["n_failed"] = len(own), own.count("failed")
    return pa.Table.from_pylist(rows, schema=datasets.schema)


def _blotted(table: pa.Table, gone: Gone) -> pa.Table:
    for name in _TEXTS:
        if name in table.column_names:
            texts = table[name].to_pylist()
            of = table["dataset"].to_pylist() if "dataset" in table.column_names else None
            datasets = of or [_OF_NO_DATASET] * len(texts)
            cells = list(zip(texts, datasets, strict=True))
            clean_of = {cell: gone.blot(*cell) for cell in set(cells)}
            clean = [clean_of[cell] for cell in cells]
            if clean != texts:
                field_ = table.schema.field(name)
                place = table.schema.get_field_index(name)
                table = table.set_column(place, field_, pa.array(clean, field_.type))
    return table
