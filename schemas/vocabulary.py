"""The vocabulary of concepts, and what lies below a concept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

import yaml

from neuropair.schemas.errors import RecipeError


@cache
def vocabulary() -> Mapping[str, str]:
    """Every concept of the shipped vocabulary, with what it means."""
    text = files("neuropair.schemas").joinpath("vocabulary.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def is_within(concept: str, ancestor: str) -> bool:
    """Whether `concept` is `ancestor` or lies below it.

    Examples
    --------
    >>> is_within("motor/tapping/left", "motor/tapping")
    True
    >>> is_within("motor/tappingx", "motor/tapping")
    False
    """
    return concept == ancestor or concept.startswith(f"{ancestor}/")


def require_known(concepts: Iterable[str], extra: Mapping[str, str], where: str) -> None:
    """Refuse a concept that is neither in the vocabulary nor declared in `extra`.

    Raises
    ------
    RecipeError
        Naming the concept and the closest known ones.
    """
    known = {**vocabulary(), **extra}
    for concept in concepts:
        if concept not in known:
            close = get_close_matches(concept, known, n=3)
            raise RecipeError(
                f"concept {concept!r} is not in the vocabulary.",
                where=where,
                remedy=(f"did you mean {', '.join(close)}? " if close else "")
                + "declare a new one under 'concepts'",
            )
