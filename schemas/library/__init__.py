"""The recipes and studies that ship with the project, found by name or by path."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Literal

from neuropair.schemas.errors import RecipeError
from neuropair.schemas.recipe import Recipe
from neuropair.schemas.study import Study

_SUFFIXES = (".yaml", ".yml")
_ONE = {"recipes": "recipe", "studies": "study"}


def list_recipes() -> list[str]:
    """Names of the recipes that ship, sorted."""
    return _names("recipes")


def list_studies() -> list[str]:
    """Names of the studies that ship, sorted."""
    return _names("studies")


def find_recipe(name_or_path: str, base: Path | None = None) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    name_or_path : str
        Name of a shipped recipe, or path of a YAML file.
    base : Path or None
        Folder that a relative path is relative to; the working folder unless given.

    Raises
    ------
    RecipeError
        If there is none of that name, with the closest names; or if the file does not fit.
    """
    path = _locate(name_or_path, "recipes", base)
    recipe = Recipe.read(path)
    if path.parent == _folder("recipes") and recipe.recipe != path.stem:
        raise RecipeError(
            f"the recipe calls itself {recipe.recipe!r}.",
            where=str(path),
            remedy=f"a shipped recipe is named as its file: {path.stem!r}",
        )
    return recipe


def find_study(name_or_path: str) -> tuple[Study, Path | None]:
    """Read a study.

    Returns
    -------
    Study
    Path or None
        Folder that its paths are relative to; None for a shipped study.

    Raises
    ------
    RecipeError
        If there is none of that name, with the closest names; or if the file does not fit.
    """
    path = _locate(name_or_path, "studies", None)
    shipped = path.parent == _folder("studies")
    return Study.read(path), None if shipped else path.resolve().parent


def _locate(name: str, kind: Literal["recipes", "studies"], base: Path | None) -> Path:
    if name.endswith(_SUFFIXES) or "/" in name:
        path = (base or Path()) / Path(name).expanduser()
        if path.is_file():
            return path
        raise RecipeError("no such file.", where=str(path), remedy=_choices(path.stem, kind))
    shipped = _folder(kind) / f"{name}.yaml"
    if name not in _names(kind):
        raise RecipeError(f"no {_ONE[kind]} of that name.", where=name, remedy=_choices(name, kind))
    return shipped


def _choices(name: str, kind: Literal["recipes", "studies"]) -> str:
    close = get_close_matches(name, _names(kind), n=3)
    meant = f"did you mean {', '.join(close)}? " if close else ""
    return f"{meant}give the path of a YAML file, or one of {', '.join(_names(kind))}"


def _names(kind: Literal["recipes", "studies"]) -> list[str]:
    return sorted(path.stem for path in _folder(kind).glob("*.yaml"))


def _folder(kind: Literal["recipes", "studies"]) -> Path:
    return Path(str(files(__name__).joinpath(kind)))
