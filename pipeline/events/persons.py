"""Which person a subject is: by the recipe, and by recordings that stand under two subjects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from neuropair.schemas.errors import RecipeError
from neuropair.schemas.graph import components
from neuropair.schemas.recipe import Recipe
from neuropair.schemas.tables import LOSSES, PERSONS


def person_id(recipe: Recipe, dataset_id: str, subject: str) -> str:
    """Person of a subject, the same in all datasets whose recipes share a namespace.

    Parameters
    ----------
    recipe : Recipe
    dataset_id : str
        Id of the dataset in the study; the namespace unless the recipe names one.
    subject : str
        BIDS subject label.

    Returns
    -------
    str
        ``<namespace>/<label>``.

    Raises
    ------
    RecipeError
        If a subject that is not mapped has the label that another one is mapped to.

    Examples
    --------
    >>> recipe = Recipe.parse({"recipe": "r", "title": "t", "events": []}, "example")
    >>> person_id(recipe, "ds1", "01")
    'ds1/01'
    """
    persons = recipe.persons
    namespace = persons.namespace or dataset_id
    if subject not in persons.labels and subject in persons.labels.values():
        other = next(key for key, label in persons.labels.items() if label == subject)
        raise RecipeError(
            f"subject {subject!r} of {dataset_id} is not mapped, and subject {other!r} is mapped "
            f"to that label.",
            where=f"recipe {recipe.recipe}, key persons.labels",
            remedy=f"map subject {subject!r}, too",
        )
    return f"{namespace}/{persons.labels.get(subject, subject)}"


@dataclass(frozen=True)
class Joined:
    """Persons of a study.

    Parameters
    ----------
    of : Mapping
        Person as the recipes have it -> person. Of those that recordings join, the first by name
        stands for all.
    table, losses : pandas.DataFrame
        Tables ``persons`` and ``losses`` without ``study``.
    """

    of: Mapping[str, str]
    table: pd.DataFrame
    losses: pd.DataFrame


class _Who(NamedTuple):
    dataset: str
    subject: str
    person: str


def join_persons(
    recordings: pd.DataFrame,
    same: Iterable[tuple[str, str]],
    recipes: Mapping[str, Recipe] | None = None,
) -> Joined:
    """Join the persons whose recordings are one, across subjects and datasets.

    Parameters
    ----------
    recordings : pandas.DataFrame
        Columns ``recording, dataset, subject, person``; the persons are those of the recipes.
    same : iterable of (str, str)
        Pairs of recordings of one person, as `neuropair.pipeline.duplicates.same_recording` gives
        them.
    recipes : Mapping, optional
        Recipe by dataset, for its reason, and to refuse what contradicts it.

    Raises
    ------
    RecipeError
        If the recipes of two datasets name the persons of a shared namespace, and recordings say
        that two of these are one: the map of one of them is wrong.
    """
    recipes = recipes or {}
    who = {
        str(row.recording): _Who(str(row.dataset), str(row.subject), str(row.person))
        for row in recordings.itertuples()
    }
    links = [(a, b) for a, b in sorted(set(same)) if who[a].person != who[b].person]
    for a, b in links:
        _refuse_contradiction(a, who[a], b, who[b], recipes)
    joined = components((who[a].person, who[b].person) for a, b in links)
    because: dict[str, list[str]] = {}
    for a, b in links:
        because.setdefault(joined[who[a].person], []).append(f"{a} is {b}")
    subjects = recordings.groupby(["dataset", "subject"], sort=True)
    table = [
        _row(str(dataset), str(subject), group, joined, because, recipes)
        for (dataset, subject), group in subjects
    ]
    columns = [name for name in PERSONS.names if name != "study"]
    persons = pd.DataFrame(table, columns=columns)
    losses = pd.DataFrame(
        _merged(persons), columns=[name for name in LOSSES.names if name != "study"]
    )
    of = {str(name): joined.get(str(name), str(name)) for name in recordings["person"].unique()}
    return Joined(of, persons, losses)


def _refuse_contradiction(
    name_a: str, a: _Who, name_b: str, b: _Who, recipes: Mapping[str, Recipe]
) -> None:
    if a.dataset == b.dataset:
        return
    said = [recipes[one.dataset].persons for one in (a, b) if one.dataset in recipes]
    if len(said) == 2 and said[0].namespace and said[0].namespace == said[1].namespace:
        raise RecipeError(
            f"{a.dataset}/sub-{a.subject} is person {a.person} and {b.dataset}/sub-{b.subject} is "
            f"{b.person}, and their recordings say that they are one person: {name_a} is "
            f"{name_b}.",
            where=f"recipe {recipes[b.dataset].recipe}, key persons.labels",
            remedy="mend the map of subjects; or, if the recording is misfiled, exclude it in the "
            "study",
        )


def _row(
    dataset: str,
    subject: str,
    group: pd.DataFrame,
    joined: Mapping[str, str],
    because: Mapping[str, list[str]],
    recipes: Mapping[str, Recipe],
) -> dict[str, Any]:
    named = str(group["person"].iloc[0])
    person = joined.get(named, named)
    own = [text for text in because.get(person, []) if f"{dataset}/sub-{subject}/" in text]
    reason = recipes[dataset].persons.because if dataset in recipes else None
    if own:
        more = f" ({len(own)} such pairs)" if len(own) > 1 else ""
        reason = f"{own[0]}{more}"
    return {
        "dataset": dataset,
        "subject": subject,
        "person": person,
        "basis": "duplicate" if own else "recipe",
        "n_recordings": len(group),
        "because": reason,
    }


def _merged(persons: pd.DataFrame) -> list[dict[str, Any]]:
    """Flag subjects of one dataset that are one person."""
    rows = []
    for (dataset, person), group in persons.groupby(["dataset", "person"], sort=True):
        if len(group) > 1:
            subjects = ", ".join(group["subject"])
            rows.append(
                {
                    "dataset": dataset,
                    "recording": None,
                    "stage": "pairing",
                    "item": "candidate",
                    "action": "flagged",
                    "count": len(group),
                    "reason": f"subjects {subjects} are one person by their recordings: {person}",
                    "where": None,
                }
            )
    return rows
