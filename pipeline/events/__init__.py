"""A dataset's own tables become canonical events, by its recipe."""

from neuropair.pipeline.events.agreement import set_aside_changed
from neuropair.pipeline.events.dataset import COLUMNS, check_concepts, read_dataset_events
from neuropair.pipeline.events.hed import check_hed
from neuropair.pipeline.events.persons import Joined, join_persons, person_id

__all__ = [
    "COLUMNS",
    "Joined",
    "check_concepts",
    "check_hed",
    "join_persons",
    "person_id",
    "read_dataset_events",
    "set_aside_changed",
]
