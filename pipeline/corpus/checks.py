"""What has to hold between the tables of a study, and beside the other studies of a corpus."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from neuropair.pipeline.corpus.recording import is_written
from neuropair.pipeline.corpus.store import CorpusStore
from neuropair.schemas.errors import CorpusError

_OF_RECORDINGS = ("channels", "events", "windows")
_SIDES = ("a", "b")
_READS = 8
COLUMNS = [
    "recording",
    "status",
    "digest",
    "person",
    "modality",
    "split",
    "n_windows",
    "n_events",
]
"""Columns of recordings that the checks read."""
PAIRED = ("ok", "rehearsed")
"""Statuses of recordings that may be in pairs."""


@dataclass(frozen=True)
class Known:
    """What the newest release says.

    Parameters
    ----------
    others : pandas.DataFrame
        Recordings that stand under other studies.
    before : pandas.DataFrame
        Recordings that stood under this study.
    pairs_of_others : pandas.DataFrame
        ``study, recording_a, recording_b`` of other studies' pairs.
    """

    others: pd.DataFrame
    before: pd.DataFrame
    pairs_of_others: pd.DataFrame


def without_shared(rows: Mapping[str, pa.Table], known: Known) -> dict[str, pa.Table]:
    """Leave out recordings that another study has put into the corpus: they stand there once.

    Raises
    ------
    CorpusError
        If the other study made something else of such a recording.
    """
    own = rows["recordings"].select(["recording", "digest"]).to_pandas()
    both = own.merge(known.others, on="recording", suffixes=("", "_other"))
    differ = both[both["digest"].fillna("failed") != both["digest_other"].fillna("failed")]
    if len(differ):
        first = differ.iloc[0]
        raise CorpusError(
            f"recording {first['recording']} stands in the corpus with digest "
            f"{first['digest_other']}, from study {first['study']}; here it has {first['digest']} "
            f"({len(differ)} recordings in all).",
            where="table recordings",
            remedy="use the same recipe, settings and windows, or a corpus of its own",
        )
    if both.empty:
        return dict(rows)
    shared = pa.array(both["recording"], pa.string())
    return {
        name: table.filter(pc.invert(pc.is_in(table["recording"], shared)))
        if "recording" in table.column_names
        else table
        for name, table in rows.items()
    }


def check_tables(store: CorpusStore, rows: Mapping[str, pa.Table], known: Known) -> None:
    """Check what a release promises.

    Raises
    ------
    CorpusError
        Naming the first row that does not hold.
    """
    recordings = rows["recordings"].select(COLUMNS).to_pandas()
    _check_recordings(store, recordings, known)
    _check_rows(rows, recordings)
    every = pd.concat(
        [frame for frame in (recordings, known.others[COLUMNS]) if len(frame)] or [recordings]
    )
    every = every.set_index("recording")
    _check_pairs(rows["pairs"], every)
    _require_known(rows["abstentions"], every, "abstentions")
    _check_other_studies(recordings, known)


def _check_recordings(store: CorpusStore, recordings: pd.DataFrame, known: Known) -> None:
    done = set(known.before["digest"].dropna())
    ok = recordings[recordings["status"] == "ok"]
    new = [
        (name, str(digest))
        for name, digest in zip(ok["recording"], ok["digest"], strict=True)
        if digest not in done
    ]
    with ThreadPoolExecutor(_READS) as pool:
        for (name, _), written in zip(
            new, pool.map(lambda key: is_written(store, *key), new), strict=True
        ):
            if not written:
                raise _broken(
                    "recordings", f"the group of {name} is not in the corpus or not whole"
                )


def _check_rows(rows: Mapping[str, pa.Table], recordings: pd.DataFrame) -> None:
    for name in _OF_RECORDINGS:
        strangers = set(pc.unique(rows[name]["recording"]).to_pylist()) - set(
            recordings["recording"]
        )
        if strangers:
            raise _broken(name, f"recording {min(strangers)} is not in table recordings")
    windows = rows["windows"].select(["recording", "window"]).to_pandas()
    counts = windows.groupby("recording")["window"].agg(["count", "min", "max"])
    expected = recordings.set_index("recording")["n_windows"]
    expected = expected[expected > 0]
    counts = counts.reindex(expected.index).fillna(-1)
    wrong = (counts["count"] != expected) | (counts["min"] != 0) | (counts["max"] != expected - 1)
    if wrong.any():
        raise _broken(
            "windows", f"recording {wrong.idxmax()} does not have its windows 0 to n_windows - 1"
        )


def _check_pairs(pairs: pa.Table, recordings: pd.DataFrame) -> None:
    _require_known(pairs, recordings, "pairs")
    names = ["pair_id", "split"]
    names += [f"{key}_{s}" for s in _SIDES for key in ("recording", "window", "person", "modality")]
    frame = pairs.select(names).to_pandas()
    for side in _SIDES:
        of = recordings.reindex(frame[f"recording_{side}"]).reset_index(drop=True)
        # a rehearsal has no windows: the number of its event stands for that of the window
        rehearsed = of["status"] == "rehearsed"
        of["n_paired"] = of["n_events"].where(rehearsed, of["n_windows"])
        window = frame[f"window_{side}"]
        for wrong, what in (
            (~of["status"].isin(PAIRED), f"recording_{side} could not be read"),
            ((window < 0) | (window >= of["n_paired"]), f"window_{side} is not stored"),
            (of["split"] != frame["split"], f"its split is not that of recording_{side}"),
            (of["person"] != frame[f"person_{side}"], f"person_{side} is not the recording's"),
            (
                of["modality"] != frame[f"modality_{side}"],
                f"modality_{side} is not the recording's",
            ),
        ):
            if wrong.any():
                first = frame.loc[wrong.idxmax()]
                raise _broken(
                    "pairs",
                    f"pair {first['pair_id']} with {first[f'recording_{side}']}, window "
                    f"{first[f'window_{side}']}: {what} ({int(wrong.sum())} pairs in all)",
                )


def _require_known(table: pa.Table, recordings: pd.DataFrame, name: str) -> None:
    for side in _SIDES:
        named = set(pc.unique(table[f"recording_{side}"]).to_pylist())
        strangers = named - set(recordings.index)
        if strangers:
            raise _broken(name, f"recording_{side} {min(strangers)} is not in table recordings")


def _check_other_studies(recordings: pd.DataFrame, known: Known) -> None:
    """Other studies' pairs name windows of this study's recordings: those have to stay."""
    used = known.pairs_of_others.melt(
        "study", ["recording_a", "recording_b"], value_name="recording"
    )
    used = used[["study", "recording"]].drop_duplicates()
    before = used.merge(known.before, on="recording", suffixes=("", "_owner"))
    after = before.merge(recordings, on="recording", how="left", suffixes=("", "_now"))
    changed = after[
        (after["digest"] != after["digest_now"]) | (after["split"] != after["split_now"])
    ]
    if len(changed):
        first = changed.iloc[0]
        raise CorpusError(
            f"pairs of study {first['study']} use recording {first['recording']}, which this "
            f"ingest changes or leaves out ({len(changed)} recordings in all).",
            where="table recordings",
            remedy="keep its dataset, settings and split as they were, or use a corpus of its own",
        )


def _broken(table: str, problem: str) -> CorpusError:
    return CorpusError(
        f"{problem}.", where=f"table {table}", remedy="report this: nothing was published"
    )
