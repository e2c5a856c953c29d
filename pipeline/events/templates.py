"""Names and paths that a recipe fills from a recording's entities."""

from __future__ import annotations

from collections.abc import Mapping

from neuropair.schemas.errors import RecipeError
from neuropair.schemas.recipe import fields_of


def fill(template: str, entities: Mapping[str, str | None], where: str) -> str:
    """Fill a template.

    Parameters
    ----------
    template : str
    entities : mapping
        Name -> label, None where the recording has none.
    where : str
        Named in the error.

    Raises
    ------
    RecipeError
        If the recording lacks an entity that the template names.
    """
    absent = [name for name in fields_of(template) if entities.get(name) is None]
    if absent:
        raise RecipeError(
            f"the template {template!r} needs {absent[0]!r}, which the recording has not.",
            where=where,
            remedy="name entities that every recording of the entry has",
        )
    return template.format(**entities)
