"""From a name on the command line to a study with its recipes and sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from neuropair.schemas.errors import RecipeError
from neuropair.schemas.library import find_recipe, find_study, list_recipes, list_studies
from neuropair.schemas.recipe import Recipe
from neuropair.schemas.study import Study, StudyDataset


@dataclass(frozen=True)
class LoadedStudy:
    """A study, and for each of its datasets the recipe and where the dataset lies.

    Parameters
    ----------
    study : Study
    base : Path or None
        Folder that relative sources and recipe paths start from.
    recipes, sources : Mapping
        By dataset id.
    """

    study: Study
    base: Path | None
    recipes: Mapping[str, Recipe]
    sources: Mapping[str, str]


def load_study(name_or_path: str, sources: Mapping[str, str] | None = None) -> LoadedStudy:
    """Find a study, or a recipe that stands for the study of its one dataset.

    Parameters
    ----------
    name_or_path : str
        A shipped study or recipe, or the path of a study's YAML file.
    sources : Mapping, optional
        Dataset id -> folder or URL, in place of what the study or recipe says. A relative folder
        starts from the working directory.

    Raises
    ------
    RecipeError
        If there is no such study, a recipe does not fit, or a dataset has no source.
    """
    study, base = _find(name_or_path)
    given = dict(sources or {})
    strangers = sorted(set(given) - {entry.dataset for entry in study.datasets})
    if strangers:
        raise RecipeError(
            f"the study has no dataset {strangers}.",
            where="--source",
            remedy=f"its datasets are {', '.join(entry.dataset for entry in study.datasets)}",
        )
    recipes = {
        entry.dataset: find_recipe(entry.recipe or entry.dataset, base) for entry in study.datasets
    }
    return LoadedStudy(
        study=study,
        base=base,
        recipes=recipes,
        sources={
            entry.dataset: _source(entry, recipes[entry.dataset], given, study)
            for entry in study.datasets
        },
    )


def _find(name_or_path: str) -> tuple[Study, Path | None]:
    if name_or_path not in list_studies() and name_or_path in list_recipes():
        recipe = find_recipe(name_or_path, None)
        return Study(
            study=recipe.recipe, title=recipe.title, datasets=[StudyDataset(dataset=recipe.recipe)]
        ), None
    return find_study(name_or_path)


def _source(entry: StudyDataset, recipe: Recipe, given: Mapping[str, str], study: Study) -> str:
    if entry.dataset in given:
        said = given[entry.dataset]
        is_url = "://" in said or said.startswith("openneuro:")
        return said if is_url else str(Path(said).resolve())
    source = entry.source or recipe.source
    if source is None:
        raise RecipeError(
            f"dataset {entry.dataset} has no source.",
            where=f"study {study.study}",
            remedy=f"say where it lies: --source {entry.dataset}=FOLDER_OR_URL",
        )
    return source
