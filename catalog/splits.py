"""Splits that have no person, stimulus, recording or sitting in common."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from neuropair.schemas.errors import CorpusError
from neuropair.schemas.study import Splits

SPLIT_NAMES = ("train", "validation", "test")
SEPARATE = {
    "both": ("person", "stimulus"),
    "subject-disjoint": ("person",),
    "stimulus-disjoint": ("stimulus",),
}
"""Policy -> what, beside recordings, stands in one split only."""
HELD_OUT = "; held out: "
"""Stands between the policy and the datasets that are held out, in column ``policy``."""

_Key = tuple[str, str]


class _Component(NamedTuple):
    name: str
    datasets: frozenset[str]
    stratum: frozenset[tuple[str, str]]
    windows: int


def assign_splits(
    recordings: pd.DataFrame,
    windows: pd.DataFrame,
    settings: Splits,
    links: Iterable[tuple[str, str]] = (),
) -> pd.DataFrame:
    """Assign every recording, and what the policy keeps apart, to one split.

    What shares a person or a stimulus (by the policy, one of the two or both), is linked, or comes
    from one sitting is one component and stays on one side. A recording is never divided, so that
    windows that overlap are never apart. Held-out datasets, and what is in one component with
    them, are the test split. Components are
    grouped into strata by their set of (dataset, modality), so that every split sees every
    kind of data; a stratum that has fewer components than there are splits goes to train whole.
    Within a stratum the components, largest first, go where most windows are missing; every
    split gets at least one.

    Parameters
    ----------
    recordings : pandas.DataFrame
        Columns ``recording, dataset, modality, person``. With ``source_file``, recordings of one
        file stay together; with ``subject`` and ``session``, so do those of a session that several
        instruments recorded.
    windows : pandas.DataFrame
        Columns ``recording, stimulus``: one row a window; ``stimulus`` is null where its identity
        is not evidenced.
    settings : Splits
        Policy, held-out datasets, shares by windows, and the seed that breaks ties between
        components of equal size.
    links : iterable of (str, str)
        Further pairs of recordings that must stay together: one run published twice
        (`neuropair.pipeline.duplicates.links`).

    Returns
    -------
    pandas.DataFrame
        Columns ``kind, key, component, split, policy``, sorted by kind and key; kinds are recording
        and what the policy keeps apart. It does not depend on the order of the rows given.

    Raises
    ------
    CorpusError
        If windows or links name a recording that is not in `recordings`.

    Examples
    --------
    >>> recordings = pd.DataFrame(
    ...     {"recording": ["r"], "dataset": ["d"], "modality": ["eeg"], "person": ["p"]}
    ... )
    >>> windows = pd.DataFrame({"recording": ["r"], "stimulus": [None]})
    >>> assign_splits(recordings, windows, Splits())[["kind", "key", "split"]].values.tolist()
    [['person', 'p', 'train'], ['recording', 'r', 'train']]
    """
    shown = windows.loc[windows["stimulus"].notna(), ["recording", "stimulus"]].drop_duplicates()
    links = list(links)
    named = {*windows["recording"], *(name for link in links for name in link)}
    _refuse_strangers(sorted(named - set(recordings["recording"])))
    separate = SEPARATE[settings.policy]
    edges = [
        *((("recording", name), ("recording", name)) for name in recordings["recording"]),
        *(_edges(recordings, "person") if "person" in separate else ()),
        *(_edges(shown, "stimulus") if "stimulus" in separate else ()),
        *((("recording", a), ("recording", b)) for a, b in (*links, *_sittings(recordings))),
    ]
    members = _members(edges)
    components = _components(members, recordings, windows)
    chosen = _choose(list(components.values()), settings)
    rows = [
        (kind, key, components[label].name, chosen[components[label].name], describe(settings))
        for label, keys in members.items()
        for kind, key in keys
    ]
    columns = ["kind", "key", "component", "split", "policy"]
    table = pd.DataFrame(rows, columns=columns, dtype=object)
    return table.sort_values(["kind", "key"], ignore_index=True)


def keep_splits(assigned: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """Keep the split that a component's recordings and persons had, where it was one.

    After a person was removed, the sizes of components and of strata are others, and fresh
    splits would move people from test to train whom a model must not have seen.

    Parameters
    ----------
    assigned : pandas.DataFrame
        From `assign_splits`.
    before : pandas.DataFrame
        Columns ``kind, key, policy, split``: of the release before. What had another policy, or
        other datasets held out, is split afresh.

    Returns
    -------
    pandas.DataFrame
        As `assigned`. A component of which nothing was there, or whose parts were on two sides,
        has the split that was assigned.
    """
    told = before[before["kind"] != "stimulus"]
    same = ["kind", "key", "policy"]
    had = assigned.merge(told[[*same, "split"]], on=same, suffixes=("", "_had"))
    groups = had.groupby("component")["split_had"]
    kept = groups.first()[groups.nunique() == 1].to_dict()
    rows = zip(assigned["component"], assigned["split"], strict=True)
    split = pd.Series([kept.get(*row) for row in rows], assigned.index, dtype=object)
    return assigned.assign(split=split)


def describe(settings: Splits) -> str:
    """Put the policy and the held-out datasets in words, for column ``policy``."""
    held = HELD_OUT + ", ".join(sorted(settings.hold_out)) if settings.hold_out else ""
    return settings.policy + held


def _sittings(recordings: pd.DataFrame) -> Iterable[tuple[str, str]]:
    """Pairs of recordings whose time overlaps, as far as files and entities tell."""
    for by in (["dataset", "source_file"], ["dataset", "subject", "session"]):
        if not set(by) <= set(recordings.columns):
            continue
        for _, group in recordings.groupby(by, dropna=False, sort=True):
            if group["modality"].nunique() > 1:
                names = sorted(group["recording"])
                yield from pairwise(names)


def _refuse_strangers(strangers: Sequence[str]) -> None:
    if strangers:
        raise CorpusError(
            f"{len(strangers)} recordings are not in the recordings table, first {strangers[0]}.",
            where="splits",
            remedy="give the recordings table that the windows belong to",
        )


def _edges(rows: pd.DataFrame, kind: str) -> Iterable[tuple[_Key, _Key]]:
    for recording, key in zip(rows["recording"], rows[kind], strict=True):
        yield ("recording", recording), (kind, key)


def _members(edges: list[tuple[_Key, _Key]]) -> dict[int, list[_Key]]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    nodes = sorted({node for edge in edges for node in edge})
    number = {node: i for i, node in enumerate(nodes)}
    ends = np.array([[number[a], number[b]] for a, b in edges], dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(nodes),) * 2)
    _, labels = connected_components(graph, directed=False)
    members: dict[int, list[_Key]] = {}
    for node, label in zip(nodes, labels, strict=True):
        members.setdefault(int(label), []).append(node)
    return members


def _components(
    members: dict[int, list[_Key]], recordings: pd.DataFrame, windows: pd.DataFrame
) -> dict[int, _Component]:
    kinds = recordings[["dataset", "modality"]].itertuples(index=False, name=None)
    kind_of = dict(zip(recordings["recording"], kinds, strict=True))
    counts = {str(name): int(n) for name, n in windows["recording"].value_counts().items()}
    return {
        label: _component(
            [key for kind, key in keys if kind == "recording"],
            kind_of,
            counts,
        )
        for label, keys in members.items()
    }


def _component(
    recordings: list[str], kind_of: dict[str, tuple[str, str]], counts: dict[str, int]
) -> _Component:
    return _Component(
        name=_digest("\n".join(recordings))[:12],
        datasets=frozenset(kind_of[r][0] for r in recordings),
        stratum=frozenset(kind_of[r] for r in recordings if counts.get(r)),
        windows=sum(counts.get(r, 0) for r in recordings),
    )


def _choose(components: list[_Component], settings: Splits) -> dict[str, str]:
    shares = {name: getattr(settings, name) for name in SPLIT_NAMES if getattr(settings, name) > 0}
    strata: dict[frozenset[tuple[str, str]], list[_Component]] = {}
    chosen: dict[str, str] = {}
    if settings.hold_out:
        shares.pop("test", None)
    for component in components:
        if component.datasets & set(settings.hold_out):
            chosen[component.name] = "test"
        else:
            strata.setdefault(component.stratum, []).append(component)
    for stratum, group in strata.items():
        if not stratum or len(group) < len(shares):
            chosen.update((component.name, "train") for component in group)
        else:
            chosen.update(_fill(group, shares, settings.seed))
    return chosen


def _fill(group: list[_Component], shares: dict[str, float], seed: int) -> dict[str, str]:
    order = sorted(group, key=lambda c: (-c.windows, _digest(f"{seed}:{c.name}")))
    total = sum(component.windows for component in group)
    whole = sum(shares.values())
    missing = {name: share / whole * total for name, share in shares.items()}
    empty = dict.fromkeys(shares)
    chosen: dict[str, str] = {}
    for place, component in enumerate(order):
        open_to = list(empty) if len(order) - place <= len(empty) else list(missing)
        split = max(open_to, key=lambda name: missing[name])
        missing[split] -= component.windows
        empty.pop(split, None)
        chosen[component.name] = split
    return chosen


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
