"""The JSON Schemas of recipes and studies, for editors."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from neuropair.schemas.base import Strict
from neuropair.schemas.recipe import Recipe
from neuropair.schemas.study import Study
from neuropair.schemas.vocabulary import vocabulary

SCHEMAS: dict[str, type[Strict]] = {"recipe.schema.json": Recipe, "study.schema.json": Study}
"""File -> model."""


def schema_text(model: type[Strict]) -> str:
    """JSON Schema of a model; a rule's concept is completed from the vocabulary."""
    schema = model.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    rule = schema.get("$defs", {}).get("Rule")
    if rule:
        rule["properties"]["concept"]["examples"] = sorted(vocabulary())
    return json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def write_schemas(folder: Path | None = None) -> None:
    """Write both schemas beside the recipes, or into `folder`."""
    target = folder or Path(str(files("neuropair.schemas.library")))
    for name, model in SCHEMAS.items():
        (target / name).write_text(schema_text(model), encoding="utf-8")
