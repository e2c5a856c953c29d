"""Which person a subject is."""

from __future__ import annotations

from neuropair.schemas.errors import RecipeError
from neuropair.schemas.recipe import Recipe


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
