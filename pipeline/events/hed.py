"""Check HED strings offline, with the schemas that the hedtools wheel carries."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from neuropair.schemas.errors import RecipeError
from neuropair.schemas.recipe import Recipe

HED_VERSION = "8.4.0"
"""Version of the HED schema that recipes are written in."""


def check_hed(recipe: Recipe) -> None:
    """Validate the HED strings of a recipe's rules.

    Raises
    ------
    RecipeError
        Naming the first rule whose string is not valid HED, and what is wrong with it.
    """
    from hed import HedString

    for entry_number, entry in enumerate(recipe.events):
        for rule_number, rule in enumerate(entry.rules):
            if rule.hed is None:
                continue
            issues = HedString(rule.hed, _schema()).validate(allow_placeholders=False)
            if issues:
                first = issues[0]
                raise RecipeError(
                    f"{rule.hed!r} is not valid HED {HED_VERSION}: "
                    f"{first.get('message', first.get('code'))}".rstrip(".")
                    + ".",
                    where=f"recipe {recipe.recipe}, "
                    f"key events.{entry_number}.rules.{rule_number}.hed",
                    remedy="see https://www.hedtags.org/hed-schema-browser",
                )


@cache
def _schema() -> Any:
    """Load the schema from its file: by version it would be copied to the home folder."""
    from hed import load_schema

    folder = Path(str(files("hed.schema"))) / "schema_data"
    return load_schema(str(folder / f"HED{HED_VERSION}.xml"))
