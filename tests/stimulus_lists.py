"""Real NOD tables with stimulus lists beside them, for joins by order."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

from neuropair.pipeline.bids import index_dataset
from neuropair.pipeline.events import read_dataset_events
from neuropair.pipeline.types import Dataset, Events
from neuropair.schemas.errors import NeuropairError
from neuropair.schemas.library import find_recipe
from neuropair.schemas.recipe import Recipe

LIST = "derivatives/detailed_events/sub-{subject}_events.csv"
"""Where README of ds005810 and ds005811 says that the images of each trial are named."""


def copy_with_lists(real: Path, target: Path, images: int) -> dict[tuple[str, str], int]:
    """Copy a subject's tables, and write a list of `images` lines a run.

    Returns
    -------
    dict
        (session, run) -> number of the first line of its list in the file, from 0.
    """
    target.mkdir(parents=True)
    for name in ("dataset_description.json", "participants.tsv"):
        shutil.copy(real / name, target / name)
    shutil.copytree(real / "sub-01", target / "sub-01")
    runs = sorted(
        (path.parts[-3].removeprefix("ses-"), path.name.split("_run-")[1].split("_")[0])
        for path in target.rglob("*_events.tsv")
    )
    path = target / LIST.format(subject="01")
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        lines = csv.writer(stream)
        lines.writerow(["session", "run", "trial", "code", "image_id"])
        for session, run in runs:
            for trial in range(images):
                image = f"n{int(run):08d}/{session}, {trial}.JPEG"
                lines.writerow([session, int(run), trial + 1, "4.0", image])
    return {key: number * images for number, key in enumerate(runs)}


def drop_line(target: Path, line: int) -> None:
    """Remove one line of the list, counted from 0 below the header."""
    path = target / LIST.format(subject="01")
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    del lines[line + 1]
    path.write_text("".join(lines), encoding="utf-8")


def joining(name: str, **changes: Any) -> Recipe:
    """Give a shipped NOD recipe a join with the list."""
    given = find_recipe(name).model_dump(mode="json", exclude_unset=True)
    (entry,) = given["events"]
    entry["join"] = {
        "path": LIST,
        "rows": {"session": "{session}", "run": "{run}"},
        "where": {"trial_type": "stim_on"},
        "columns": {"image": "image_id"},
        "agree": {"value": "code"},
        "because": "README: each row corresponds to a trial",
        **changes,
    }
    entry["rules"][0]["stimulus"] = {
        "column": "image",
        "identity": "name",
        "because": "a test",
        "basename": True,
        "strip_extension": True,
    }
    return Recipe.parse(given, f"{name}.yaml")


def read_joined(folder: Path, recipe: Recipe) -> dict[str, Events | NeuropairError]:
    """Events of a dataset's folder."""
    index = index_dataset(Dataset(folder.name, folder, "here", {}), signals_needed=False)
    return read_dataset_events(index, recipe)
