"""What every declarative file of the project shares: strictness, one error, a stable digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from neuropair.schemas.errors import RecipeError

_TELLING = ("extra_forbidden", "value_error")
"""Kinds of problems that say more than that the type is wrong, best first."""


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
            content = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_Loader)
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
            problems = error.errors()
            # what is wrong inside a member of a union comes after the other members' complaints
            told = (p for kind in _TELLING for p in problems if p["type"] == kind)
            first = next(told, problems[0])
            parts = [str(part) for part in first["loc"] if "[" not in str(part)]
            raise RecipeError(
                _problem(first),
                where=f"{where}, key {'.'.join(parts) or '(top)'}",
                remedy=_remedy(cls, first),
            ) from error


class _Loader(yaml.SafeLoader):
    """YAML's safe loader; a key that stands twice is an error, not a silent replacement."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = str(key_node.value)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _problem(problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        return f"unknown key {str(problem['loc'][-1])!r}."
    return str(problem["msg"]).removeprefix("Value error, ") + "."


def _remedy(model: type[BaseModel], problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        *path, key = problem["loc"]
        known = _keys_at(model, path)
        close = get_close_matches(str(key), known, n=1)
        meant = f"did you mean {close[0]!r}? " if close else ""
        return f"{meant}known keys here are {', '.join(known)}"
    return f"it reads {problem['input']!r}"[:200]


def _keys_at(model: type[BaseModel], path: Iterable[object]) -> list[str]:
    """Field names of the models that may stand at a path; list indexes and union tags stay."""
    models = [model]
    for part in path:
        fields = [m.model_fields[part] for m in models if part in m.model_fields]
        if fields:
            models = [m for f in fields for m in _models_in(f.annotation)] or models
    return list(dict.fromkeys(name for m in models for name in m.model_fields))


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for argument in get_args(annotation) for m in _models_in(argument)]
