"""What every declarative file of the project shares: strictness, one error, a stable digest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Self

import yaml
from neuropair.schemas.errors import RecipeError
from pydantic import BaseModel, ConfigDict, ValidationError


class Strict(BaseModel):
    """A model that refuses keys it does not know, and cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    def digest(self) -> str:
        """SHA-256 of the content, the same for two files that say the same."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a YAML file.

        Raises
        ------
        RecipeError
            If the file is absent, no YAML, or does not fit; with the key that is wrong.
        """
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise RecipeError(
                f"cannot be read ({error.strerror}).",
                where=str(path),
                remedy="give an existing file",
            ) from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise RecipeError(
                f"is not YAML: {error}.", where=str(path), remedy="mend the syntax"
            ) from error
        return cls.parse(content, where=str(path))

    @classmethod
    def parse(cls, content: Any, where: str) -> Self:
        """Validate parsed content; `where` is named in the error."""
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"]) or "(top)"
            raise RecipeError(
                f"{first['msg']} ({error.error_count()} problem(s) in all).",
                where=f"{where}, key {key}",
                remedy=_remedy(cls, first),
            ) from error


def _remedy(model: type[BaseModel], problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        depth = len(problem["loc"])
        known = f"known keys at the top are {', '.join(model.model_fields)}" if depth == 1 else ""
        return "remove or rename the key" + (f"; {known}" if known else "")
    return f"it reads {problem['input']!r}"[:200]
