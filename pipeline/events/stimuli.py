"""Give every event the key of its stimulus, where there is evidence for one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from neuropair.pipeline.events.identity import ContentKeys, normalise
from neuropair.pipeline.types import Loss
from neuropair.schemas.errors import IdentityError
from neuropair.schemas.recipe import Recipe, Rule, Stimulus

_NO_NAME = "unknown identity: the table names no stimulus"
_NAMED = 3


def add_stimuli(
    table: pd.DataFrame, rules: Sequence[Rule], recipe: Recipe, keys: ContentKeys
) -> list[Loss]:
    """Add ``stimulus`` and ``identity`` in place.

    Parameters
    ----------
    table : pandas.DataFrame
        With columns ``rule`` and ``stimulus_name``.
    rules : sequence of Rule
    recipe : Recipe
    keys : ContentKeys

    Returns
    -------
    list of Loss
        Events whose stimulus is unknown or was found under another spelling, by reason.
    """
    stimuli: list[str | None] = []
    identities: list[str] = []
    notes: dict[str, list[str | None]] = defaultdict(list)
    shown = zip(table["rule"], table["stimulus_name"], table["folder"], strict=True)
    for number, name, folder in shown:
        how = rules[number].stimulus
        key = None
        if how is not None and how.identity != "none":
            key, note = _key(how, name, folder, recipe, keys)
            if note is not None:
                notes[note].append(name)
        stimuli.append(key)
        identities.append(_basis(how) if how is not None and key is not None else "none")
    table["stimulus"] = pd.Series(stimuli, index=table.index, dtype=object)
    table["identity"] = pd.Series(identities, index=table.index, dtype=object)
    return [
        Loss(
            "events",
            "event",
            "flagged" if note.startswith("unknown") else "repaired",
            len(names),
            note,
            _listed(names),
        )
        for note, names in sorted(notes.items())
    ]


def _basis(how: Stimulus) -> str:
    """Column ``identity``: a digest of pixels is a content key as one of the file is."""
    return "name" if how.identity == "name" else "content"


def _key(
    how: Stimulus, name: str | None, folder: str, recipe: Recipe, keys: ContentKeys
) -> tuple[str | None, str | None]:
    if name is None:
        return None, _NO_NAME
    text = normalise(name, how)
    if how.identity == "name":
        return f"name:{how.namespace or recipe.recipe}/{text}", None
    path = f"{folder}/{text}"
    if how.identity == "decoded":
        return keys.decoded(path), keys.note(path, decoded=True)
    return keys.key(path), keys.note(path)


def _listed(names: list[str | None]) -> str | None:
    different = [name for name in dict.fromkeys(names) if name is not None]
    more = ", ..." if len(different) > _NAMED else ""
    return ", ".join(different[:_NAMED]) + more if different else None


def contradictions(
    tables: Mapping[str, tuple[pd.DataFrame, Sequence[Rule]]], recipe: Recipe, keys: ContentKeys
) -> dict[str, IdentityError]:
    """Find recordings whose names are taken for one stimulus against the files' contents.

    Names that a recipe's rules of spelling merge, and one name in the folders of several
    sessions, may hold one content only, whatever the identity rests on.

    Parameters
    ----------
    tables : mapping
        Recording id -> table with ``stimulus``, ``stimulus_name``, ``folder``, ``identity`` and
        its rules.

    Returns
    -------
    dict
        Recording id -> error, for those that use such a name.
    """
    spellings: dict[_Merged, set[str]] = defaultdict(set)
    used: dict[str, set[_Merged]] = defaultdict(set)
    for recording, (table, rules) in tables.items():
        for merged, paths in _merged(table, rules):
            spellings[merged] |= paths
            used[recording].add(merged)
    different = {
        one: found for one, paths in spellings.items() if (found := _differ(one, paths, keys))
    }
    return {
        recording: _contradicted(recording, min(wrong), different, recipe)
        for recording, mine in used.items()
        if (wrong := mine & set(different))
    }


def published_contents(
    table: pd.DataFrame, rules: Sequence[Rule], keys: ContentKeys
) -> dict[str, str]:
    """Content key that is published for each name that stands for a stimulus.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``stimulus``, ``stimulus_name``, ``folder``, ``identity`` and ``rule``.
    rules : sequence of Rule
    keys : ContentKeys

    Returns
    -------
    dict
        Stimulus key -> content key; names whose content is unknown are left out.
    """
    named = table[table["identity"] == "name"]
    found: dict[str, str] = {}
    for merged, paths in _merged(named, rules):
        for path in sorted(paths):
            content = keys.published(path)
            if content is not None:
                found.setdefault(merged.text, content)
    return found


class _Merged(NamedTuple):
    """What several spellings come to: the key of a name, or the path of a file."""

    text: str
    decoded: bool


def _merged(table: pd.DataFrame, rules: Sequence[Rule]) -> Iterable[tuple[_Merged, set[str]]]:
    columns = ("stimulus", "stimulus_name", "folder", "rule")
    rows = table.loc[table["identity"] != "none", list(columns)].drop_duplicates()
    for key, name, folder, number in rows.itertuples(index=False):
        how = rules[number].stimulus
        if how is None:
            continue
        as_written = f"{folder}/{name.replace(chr(92), '/')}"
        if how.identity == "name":
            yield _Merged(key, False), {as_written}
        else:
            path = f"{folder}/{normalise(name, how)}"
            yield _Merged(path, how.identity == "decoded"), {path, as_written}


def _differ(merged: _Merged, paths: set[str], keys: ContentKeys) -> tuple[str, str] | None:
    told_apart: list[str] = []
    for path in sorted(paths):
        for other in told_apart:
            if keys.differ(other, path, decoded=merged.decoded):
                return other, path
        told_apart.append(path)
    return None


def _contradicted(
    recording: str,
    merged: _Merged,
    different: Mapping[_Merged, tuple[str, str]],
    recipe: Recipe,
) -> IdentityError:
    one, other = different[merged]
    return IdentityError(
        f"{one} and {other} are taken for one stimulus ({merged.text}), and their contents differ; "
        f"so do those of {len(different) - 1} further name(s) ({recording}).",
        where=f"recipe {recipe.recipe}, key stimulus.identity",
        remedy="use 'identity: content', or rules of spelling that keep the names apart",
    )
