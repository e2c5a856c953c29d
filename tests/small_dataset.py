"""A small dataset in a folder, and what a recipe makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from neuropair.pipeline.events import read_dataset_events
from neuropair.pipeline.types import Dataset, Events, Index, Recording
from neuropair.schemas.errors import NeuropairError
from neuropair.schemas.kinds import Modality
from neuropair.schemas.recipe import Recipe

RULES: list[dict[str, Any]] = [
    {"where": {"trial_type": "face"}, "concept": "perception/visual/face"},
    {"where": {"trial_type": "house"}, "concept": "perception/visual/house"},
    {"where": {"trial_type": "resp"}, "concept": "response"},
]


class Small:
    """A dataset of one subject whose runs are tables given as bytes or text."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.recordings: list[Recording] = []

    def run(
        self,
        table: str | bytes | None,
        run: str = "1",
        modality: Modality = Modality.EEG,
        sidecar: Mapping[str, Any] | None = None,
        **entities: Any,
    ) -> Recording:
        name = f"sub-01_task-t_run-{run}"
        events_path = None
        if table is not None:
            events_path = PurePosixPath(f"sub-01/{modality.datatype}/{name}_events.tsv")
            path = self.root / events_path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(table.encode() if isinstance(table, str) else table)
        given = {"dataset": "ds", "subject": "01", "session": None, "task": "t"} | entities
        recording = Recording(
            modality=modality,
            acquisition=None,
            run=run,
            path=PurePosixPath(f"sub-01/{modality.datatype}/{name}_{modality.suffix}.edf"),
            sidecar=sidecar or {},
            events_path=events_path,
            **given,
        )
        self.recordings.append(recording)
        return recording

    def read_all(self, *entries: dict[str, Any]) -> dict[str, Events | NeuropairError]:
        recipe = Recipe.parse({"recipe": "r", "title": "t", "events": list(entries)}, "r.yaml")
        index = Index(Dataset("ds", self.root, "here", {}), tuple(self.recordings))
        return read_dataset_events(index, recipe)

    def read(self, **entry: Any) -> Events:
        """Events of the only run, by one entry; `RULES` unless it has rules."""
        results = self.read_all({"rules": RULES} | entry)
        (events,) = results.values()
        if isinstance(events, NeuropairError):
            raise events
        return events
