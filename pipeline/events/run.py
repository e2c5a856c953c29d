"""One recording on its way to canonical events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from neuropair.pipeline.events.canonical import Draft
from neuropair.pipeline.types import Recording
from neuropair.schemas.recipe import EventsRecipe


@dataclass
class Run:
    """A recording, its entry of the recipe, and what was made of its table so far.

    Parameters
    ----------
    recording : Recording
    entry : EventsRecipe
    where : str
        Names recipe and entry in errors.
    draft : Draft
    media : pandas.DataFrame or None
        Its media clocks, once they are known.
    contents : mapping
        Stimulus key of a name -> content key that the dataset publishes for it.
    """

    recording: Recording
    entry: EventsRecipe
    where: str
    draft: Draft
    media: pd.DataFrame | None = None
    contents: Mapping[str, str] = field(default_factory=dict)
