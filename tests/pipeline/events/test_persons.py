"""Who is who across datasets."""

from __future__ import annotations

from typing import Any

import pytest

from neuropair.pipeline.events import person_id
from neuropair.schemas.errors import RecipeError
from neuropair.schemas.library import find_recipe
from neuropair.schemas.recipe import Recipe


def _recipe(**persons: Any) -> Recipe:
    return Recipe.parse({"recipe": "r", "title": "t", "events": [], "persons": persons}, "r.yaml")


def test_a_person_is_of_the_dataset_unless_said() -> None:
    assert person_id(_recipe(), "ds1", "01") == "ds1/01"


def test_labels_are_mapped_into_the_namespace() -> None:
    recipe = _recipe(namespace="n", labels={"01": "A"}, because="a test")
    assert person_id(recipe, "ds1", "01") == "n/A"
    assert person_id(recipe, "ds1", "02") == "n/02"


def test_unmapped_subject_with_another_s_label() -> None:
    recipe = _recipe(namespace="n", labels={"01": "02"}, because="a test")
    with pytest.raises(RecipeError) as error:
        person_id(recipe, "ds1", "02")
    assert error.value.problem == (
        "subject '02' of ds1 is not mapped, and subject '01' is mapped to that label."
    )


def test_persons_shared_by_shipped_recipes() -> None:
    faces, repackaged = find_recipe("ds000117"), find_recipe("ds003645")
    assert person_id(faces, "a", "01") == person_id(repackaged, "b", "002")
    assert person_id(faces, "a", "04") == person_id(repackaged, "b", "011")
    subjects = [f"{number:02d}" for number in range(1, 17)]
    assert len({person_id(faces, "a", subject) for subject in subjects}) == 16
    nod = {
        person_id(find_recipe(name), name, "01") for name in ("ds004496", "ds005810", "ds005811")
    }
    assert nod == {"nod/01"}
    assert len({person_id(find_recipe(n), n, "01") for n in ("ds000248", "meg_audvis_mne")}) == 1
