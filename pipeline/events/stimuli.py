"""Give every event the key of its stimulus, where there is evidence for one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from neuropair.pipeline.events.identity import ContentKeys, kind_of, normalise
from neuropair.pipeline.types import Loss
from neuropair.schemas.errors import AssertionFailedError
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
    for number, name in zip(table["rule"], table["stimulus_name"], strict=True):
        how = rules[number].stimulus
        key = None
        if how is not None and how.identity != "none":
            key, note = _key(how, name, recipe, keys)
            if note is not None:
                notes[note].append(name)
        stimuli.append(key)
        identities.append(how.identity if how is not None and key is not None else "none")
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


def _key(
    how: Stimulus, name: str | None, recipe: Recipe, keys: ContentKeys
) -> tuple[str | None, str | None]:
    if name is None:
        return None, _NO_NAME
    text = normalise(name, how)
    if how.identity == "name":
        return f"name:{how.namespace or recipe.recipe}/{text}", None
    path = f"{how.folder}/{text}"
    return keys.key(path), keys.note(path)


def _listed(names: list[str | None]) -> str | None:
    different = [name for name in dict.fromkeys(names) if name is not None]
    more = ", ..." if len(different) > _NAMED else ""
    return ", ".join(different[:_NAMED]) + more if different else None


def contradictions(
    tables: Mapping[str, tuple[pd.DataFrame, Sequence[Rule]]], recipe: Recipe, keys: ContentKeys
) -> dict[str, AssertionFailedError]:
    """Find recordings whose names are taken for one stimulus against the files' contents.

    Parameters
    ----------
    tables : mapping
        Recording id -> table with ``stimulus``, ``stimulus_name``, ``identity`` and its rules.

    Returns
    -------
    dict
        Recording id -> error, for those that use such a name.
    """
    spellings: dict[str, set[str]] = defaultdict(set)
    used: dict[str, set[str]] = defaultdict(set)
    for recording, (table, rules) in tables.items():
        for key, path in _named(table, rules):
            spellings[key].add(path)
            used[recording].add(key)
    different = {key: found for key, paths in spellings.items() if (found := _differ(paths, keys))}
    return {
        recording: _contradicted(recording, min(wrong), different, recipe)
        for recording, mine in used.items()
        if (wrong := mine & set(different))
    }


def _named(table: pd.DataFrame, rules: Sequence[Rule]) -> Iterable[tuple[str, str]]:
    columns = (table[name].tolist() for name in ("identity", "stimulus", "stimulus_name", "rule"))
    for identity, key, name, number in zip(*columns, strict=True):
        how = rules[number].stimulus
        if identity == "name" and how is not None:
            yield key, f"{how.folder}/{name.replace(chr(92), '/')}"


def _differ(paths: set[str], keys: ContentKeys) -> tuple[str, str] | None:
    if len(paths) < 2:
        return None
    by_kind: dict[str, dict[str, str]] = defaultdict(dict)
    for path in sorted(paths):
        key = keys.key(path)
        if key is not None:
            by_kind[kind_of(key)].setdefault(key, path)
    return next(
        (
            (different[0], different[1])
            for _, found in sorted(by_kind.items())
            if len(different := list(found.values())) > 1
        ),
        None,
    )


def _contradicted(
    recording: str, key: str, different: Mapping[str, tuple[str, str]], recipe: Recipe
) -> AssertionFailedError:
    one, other = different[key]
    return AssertionFailedError(
        f"{one} and {other} are taken for one stimulus ({key}), and their contents differ; so do "
        f"those of {len(different) - 1} further name(s) ({recording}).",
        where=f"recipe {recipe.recipe}, key stimulus.identity",
        remedy="use 'identity: content', or rules of spelling that keep the names apart",
    )
