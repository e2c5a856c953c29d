"""Recordings of the public datasets that stand under two names, without the recipes' word."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

from neuropair.catalog import Corpus
from neuropair.flows.loading import load_study
from neuropair.flows.rehearse import rehearse
from neuropair.pipeline.duplicates import find_duplicates, same_recording
from neuropair.pipeline.events import join_persons
from neuropair.schemas.errors import RecipeError
from neuropair.schemas.recipe import Persons

pytestmark = pytest.mark.real


class Rehearsed(NamedTuple):
    """Tables of a rehearsal."""

    corpus: Corpus
    recordings: pd.DataFrame
    events: pd.DataFrame


@pytest.fixture(scope="module")
def faces(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Rehearsed:
    """Rehearse both releases, with the recipes' maps of persons hidden."""
    folder = tmp_path_factory.mktemp("faces")
    names = ("ds000117", "ds003645")
    loaded = load_study(
        "faces_releases", {name: str(real_data / "events" / name) for name in names}
    )
    for name in names:
        hidden = loaded.recipes[name].model_copy(update={"persons": Persons()})
        loaded.recipes[name] = hidden  # type: ignore[index]
    rehearse(loaded, str(folder / "out"), folder, quiet=True)
    corpus = Corpus.open(str(folder / "out"))
    tables = {n: corpus.sql(f"SELECT * FROM {n}").to_pandas() for n in ("recordings", "events")}
    return Rehearsed(corpus, **{n: t.drop(columns="study") for n, t in tables.items()})


def test_shared_runs_are_recognised_and_no_others(faces: Rehearsed) -> None:
    rows = find_duplicates(faces.recordings, faces.events).rows
    assert set(rows["relation"]) == {"duplicate"}
    runs = faces.recordings.set_index("recording")[["subject", "run", "modality"]]
    a, b = runs.loc[rows["recording_a"]], runs.loc[rows["recording_b"]]
    found = set(zip(a["subject"], b["subject"], strict=True))
    assert found == {("01", "002"), ("02", "003"), ("03", "004")}
    assert (a["run"].astype(int).to_numpy() == b["run"].astype(int).to_numpy()).all()
    assert (a["modality"].to_numpy() == b["modality"].to_numpy()).all()
    assert len(rows) == 3 * 6 * 2
    # one sample of 1,100 Hz is 0.91 ms; its error is 0.26 ms
    assert rows["residual_sd"].between(0.2e-3, 0.3e-3).all()
    assert rows["offset"].between(-1.6e-3, -1.4e-3).all()
    assert rows["drift_ppm"].abs().max() < 1


def test_subjects_are_mapped_without_the_recipes(faces: Rehearsed) -> None:
    persons = faces.corpus.sql("SELECT * FROM persons").to_pandas()
    person = persons.set_index(["dataset", "subject"])["person"]
    for mine, theirs in (("01", "002"), ("02", "003"), ("03", "004")):
        assert person["ds000117", mine] == person["ds003645", theirs] == f"ds000117/{mine}"
    assert person.nunique() == 6 + 4 - 3
    assert (persons["basis"] == "duplicate").sum() == 6


def test_published_keys_confirm_what_events_say(faces: Rehearsed) -> None:
    """The listings of both releases give MEG files of equal MD5 and size."""
    rows = faces.corpus.sql("SELECT * FROM duplicates").to_pandas()
    meg = rows["recording_a"].str.endswith("_meg")
    assert (rows.loc[meg, "relation"] == "shared-signal").all()
    assert (rows.loc[~meg, "relation"] == "duplicate").all()
    assert meg.sum() == (~meg).sum() == 18


def test_splits_keep_both_names_together_and_no_run_is_another_person(faces: Rehearsed) -> None:
    apart = faces.corpus.sql(
        "SELECT d.* FROM duplicates d JOIN recordings a ON d.recording_a = a.recording "
        "JOIN recordings b ON d.recording_b = b.recording WHERE a.split <> b.split"
    )
    assert apart.num_rows == 0
    mixed = faces.corpus.sql("SELECT * FROM pairs WHERE tier = 'T4' AND person_a = person_b")
    assert mixed.num_rows == 0


def test_a_wrong_map_of_persons_is_refused(faces: Rehearsed) -> None:
    from neuropair.schemas.library import find_recipe

    recipes = {name: find_recipe(name) for name in ("ds000117", "ds003645")}
    labels = recipes["ds000117"].persons.labels
    turned = {**labels, "01": labels["02"], "02": labels["01"]}
    wrong = recipes["ds000117"].persons.model_copy(update={"labels": turned})
    recipes["ds000117"] = recipes["ds000117"].model_copy(update={"persons": wrong})
    names = faces.recordings.assign(
        person=[
            f"wakeman-henson-2015/{recipes[d].persons.labels.get(s, s)}"
            for d, s in zip(faces.recordings["dataset"], faces.recordings["subject"], strict=True)
        ]
    )
    same = same_recording(find_duplicates(faces.recordings, faces.events).rows)
    with pytest.raises(RecipeError, match="they are one person"):
        join_persons(names, same, recipes)
