"""One name in two datasets: where the contents that they publish differ, it is no evidence.

Recipes of several datasets may share a namespace of names (NOD's images in fMRI, MEG and EEG). The
statement that equal names are equal stimuli is then held against the content keys of every
dataset: a stimulus folder that changed between two sessions' releases shows here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from neuropair.pipeline.events.identity import compare, kind_of
from neuropair.pipeline.types import Events, Loss
from neuropair.schemas.errors import NeuropairError

Results = Mapping[str, Events | NeuropairError]
_NAMED = 3
_MEDIA_TIME = r"@[0-9]+\.[0-9]{3}$"


def set_aside_changed(events: Results) -> dict[str, Events | NeuropairError]:
    """Take the stimulus key from events whose name has two contents.

    Parameters
    ----------
    events : mapping
        Recording id -> events, of all datasets of a study.

    Returns
    -------
    dict
        The same, where no two datasets contradict each other. Else those events have no
        stimulus key, identity ``none``, and a `Loss` says so.
    """
    changed = _changed(events)
    return {
        recording: _without(one, changed) if isinstance(one, Events) and changed else one
        for recording, one in events.items()
    }


def _changed(events: Results) -> dict[str, str]:
    """Name key -> its contents, where they differ."""
    seen: dict[tuple[str, str], str] = {}
    changed: dict[str, str] = {}
    for _, one in sorted(events.items()):
        for key, content in one.contents.items() if isinstance(one, Events) else ():
            first = seen.setdefault((key, kind_of(content)), content)
            if compare(first, content) == "different":
                changed[key] = f"{first} and {content}"
    return changed


def _without(events: Events, changed: Mapping[str, str]) -> Events:
    # a stretch of a story has the story's key before its media time
    keys = events.table["stimulus"].astype(object)
    roots = keys.where(keys.isin(list(changed)), keys.str.replace(_MEDIA_TIME, "", regex=True))
    mine = roots.isin(list(changed)).to_numpy(dtype=bool)
    if not mine.any():
        return events
    table = events.table.copy()
    table["stimulus"] = table["stimulus"].where(pd.Series(~mine, index=table.index), None)
    table["identity"] = table["identity"].where(pd.Series(~mine, index=table.index), "none")
    names = sorted(set(roots[mine]))
    more = ", ..." if len(names) > _NAMED else ""
    reason = (
        f"unknown identity: datasets publish different contents under one name "
        f"({names[0]}: {changed[names[0]]})"
    )
    where = ", ".join(names[:_NAMED]) + more
    loss = Loss("events", "event", "flagged", int(mine.sum()), reason, where)
    return replace(events, table=table, losses=(*events.losses, loss))
