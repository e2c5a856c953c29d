"""Shipped recipes and studies: found by name, valid, and completed by editors."""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from neuropair.schemas.errors import RecipeError
from neuropair.schemas.library import find_recipe, find_study, list_recipes, list_studies
from neuropair.schemas.library.export import SCHEMAS, schema_text, write_schemas
from neuropair.schemas.vocabulary import require_known

LIBRARY = Path(str(files("neuropair.schemas.library")))

SIGNALS = {
    "eeg_fists_eegmmidb",
    "eeg_n170_muse",
    "eeg_oddball_muse",
    "fmri_haxby_pymvpa",
    "fmri_localizer_pyhrf",
    "fnirs_snirf_samples",
    "fnirs_tapping_homer3",
    "meg_audvis_mne",
}
TABLES = {
    *("ds000116", "ds000117", "ds000248", "ds002336", "ds003645", "ds004078"),
    *("ds004496", "ds004514", "ds005810", "ds005811", "nm000175"),
}


def test_there_is_a_recipe_for_every_dataset() -> None:
    assert set(list_recipes()) == SIGNALS | TABLES | {"simulated"}


@pytest.mark.parametrize("name", list_recipes())
def test_recipe_holds_what_a_user_needs(name: str) -> None:
    recipe = find_recipe(name)
    assert recipe.recipe == name
    assert recipe.citation
    assert recipe.notes
    concepts = {rule.concept for entry in recipe.events for rule in entry.rules}
    require_known(concepts, recipe.concepts, name)
    if name.startswith("ds"):
        assert recipe.source == f"openneuro:{name}"
    assert any(entry.assertions for entry in recipe.events)


@pytest.mark.parametrize("name", list_studies())
def test_study_names_recipes_that_ship(name: str) -> None:
    study, folder = find_study(name)
    assert folder is None
    for dataset in study.datasets:
        assert find_recipe(dataset.recipe or dataset.dataset)


@pytest.mark.parametrize(
    ("folder", "schema"), [("recipes", "recipe.schema.json"), ("studies", "study.schema.json")]
)
def test_first_line_tells_editors_the_schema(folder: str, schema: str) -> None:
    for path in sorted((LIBRARY / folder).glob("*.yaml")):
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first == f"# yaml-language-server: $schema=../{schema}", path.name
        assert (path.parent / f"../{schema}").is_file()


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_exported_schema_is_the_model(name: str) -> None:
    shipped = (LIBRARY / name).read_text(encoding="utf-8")
    assert shipped == schema_text(SCHEMAS[name]), "run: python -m neuropair.schemas.library"


def test_schema_completes_concepts_and_explains_keys(tmp_path: Path) -> None:
    write_schemas(tmp_path)
    schema = json.loads((tmp_path / "recipe.schema.json").read_text(encoding="utf-8"))
    assert "motor/tapping" in schema["$defs"]["Rule"]["properties"]["concept"]["examples"]
    assert schema["$defs"]["Rule"]["additionalProperties"] is False
    assert "because" in schema["$defs"]["Stimulus"]["properties"]["identity"]["description"]


def test_unknown_recipe_names_the_closest() -> None:
    with pytest.raises(RecipeError) as error:
        find_recipe("ds00117")
    assert error.value.where == "ds00117"
    assert error.value.problem == "no recipe of that name."
    assert error.value.remedy.startswith("did you mean ds000117")


def test_unknown_study_names_the_closest() -> None:
    with pytest.raises(RecipeError, match=r"n170_haxb: no study of that name\. .*n170_haxby"):
        find_study("n170_haxb")


def test_recipe_by_path_is_relative_to_the_study(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    shutil.copy(LIBRARY / "recipes" / "ds000248.yaml", tmp_path / "mine" / "other.yaml")
    assert find_recipe("mine/other.yaml", tmp_path).recipe == "ds000248"
    assert find_recipe(str(tmp_path / "mine" / "other.yaml")).recipe == "ds000248"
    with pytest.raises(RecipeError) as error:
        find_recipe("mine/absent.yaml", tmp_path)
    assert error.value.where == str(tmp_path / "mine" / "absent.yaml")
    assert error.value.problem == "no such file."


def test_study_by_path_knows_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("study: mine\ntitle: t\ndatasets: [{dataset: ds000117}]\n", encoding="utf-8")
    study, folder = find_study(str(path))
    assert (study.study, folder) == ("mine", tmp_path.resolve())
