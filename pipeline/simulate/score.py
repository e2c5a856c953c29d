"""Judge a corpus by the truth: which of its pairs are right, how many there could have been."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuropair.pipeline.simulate.events import AMPLITUDE_COLUMNS
from neuropair.pipeline.simulate.plan import DUPLICATE_SUBJECT
from neuropair.pipeline.simulate.regions import REGIONS
from neuropair.pipeline.simulate.truth import CLOCKS_FILE, EVENTS_FILE
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.kinds import Modality, Tier

TOLERANCE = 0.08
"""s between an event of a table and its trial: half an fNIRS sample (0.05 s) and six times the
trigger jitter; trials are 3 s apart, and no spurious trigger is closer than 1 s to one."""

_JUDGED = ["trial", "person", "stimulus", "condition", "session"]


def score_pairs(
    pairs: pd.DataFrame,
    events: pd.DataFrame,
    truth: Path,
    windows: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Judge the pairs of a corpus that was made from a simulated dataset.

    A pair is right if both its events are trials that happened, and: in T1 they are one trial; in
    T2 (T4) the same picture was shown to the same (another) person; in T3 (T5) the condition is
    the same and the person is the same (another). A sliding pair is right if the onset of b is
    that of a on the true clocks, to half a sample of the slower recorder.

    Parameters
    ----------
    pairs : pandas.DataFrame
        Table ``pairs`` of a corpus.
    events : pandas.DataFrame
        Its table ``events``.
    truth : Path
        Folder of the truth.
    windows : pandas.DataFrame, optional
        Its table ``windows``; sliding pairs are judged only where it is given.

    Returns
    -------
    pandas.DataFrame
        One row a tier and kind (``event`` or ``sliding``): ``tier``, ``kind``, ``n``, ``n_right``,
        ``precision``, ``possible`` (most right pairs that an assignment of one to one could make
        between recordings of the modalities that the tier's pairs have, inside one split; missing
        for sliding pairs), ``recall``.

    Raises
    ------
    DatasetError
        If the folder holds no truth.
    """
    trials = _read_trials(truth)
    judged = _judged_events(pairs, events, trials)
    splits = _splits(pairs, trials)
    rows = []
    for tier, group in judged.groupby("tier", sort=True):
        right = group[group["right"]]
        possible = _possible(group, trials, Tier(str(tier)), splits)
        rows.append(_row(str(tier), "event", len(group), len(right), possible))
        rows[-1]["recall"] = _matched(right, Tier(str(tier))) / possible if possible else np.nan
    sliding = pairs[pairs["concept"] == "sliding"]
    if len(sliding) and windows is not None:
        n_right = int(_right_sliding(sliding, windows, truth).sum())
        rows.append(_row("T1", "sliding", len(sliding), n_right, None))
    columns = ["tier", "kind", "n", "n_right", "precision", "possible", "recall"]
    return pd.DataFrame(rows, columns=columns)


def judge_pairs(
    pairs: pd.DataFrame, events: pd.DataFrame, truth: Path, windows: pd.DataFrame
) -> pd.DataFrame:
    """Judge every pair by itself, as `score_pairs` does.

    Parameters
    ----------
    pairs, events, windows : pandas.DataFrame
        Tables of a corpus.
    truth : Path
        Folder of the truth.

    Returns
    -------
    pandas.DataFrame
        The pairs, those by event first, with column ``right``.

    Raises
    ------
    DatasetError
        If the folder holds no truth.
    """
    by_event = _judged_events(pairs, events, _read_trials(truth))
    sliding = pairs[pairs["concept"] == "sliding"]
    by_event = by_event[[*pairs.columns, "right"]]
    if sliding.empty:
        return by_event.reset_index(drop=True)
    sliding = sliding.assign(right=_right_sliding(sliding, windows, truth))
    return pd.concat([by_event, sliding], ignore_index=True) if len(by_event) else sliding


def true_amplitudes(truth: Path, recording: str) -> pd.DataFrame:
    """Give what single-trial estimates of a recording should follow.

    Parameters
    ----------
    truth : Path
        Folder of the truth.
    recording : str
        Recording id, with or without the dataset.

    Returns
    -------
    pandas.DataFrame
        One row a trial: ``onset`` (s, on the recording's clock), ``condition`` and a column a
        region: the source's amplitude for EEG and MEG; its square, which blood follows, for fNIRS
        and fMRI. 1 is 20 nAm.

    Raises
    ------
    DatasetError
        If the folder holds no truth, or none of this recording.
    """
    trials = _read_trials(truth)
    rows = trials[trials["recording"] == _without_dataset(pd.Series([recording])).iat[0]]
    if rows.empty:
        raise DatasetError(
            f"recording {recording!r} is not in it.",
            where=str(truth / EVENTS_FILE),
            remedy=f"there are {', '.join(trials['recording'].unique()[:3])} and others",
        )
    levels = rows[AMPLITUDE_COLUMNS].set_axis(list(REGIONS), axis=1)
    if Modality(str(rows["modality"].iat[0])).is_haemodynamic:
        levels = levels**2
    return pd.concat([rows[["onset", "condition"]], levels], axis=1).reset_index(drop=True)


def _read_trials(truth: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(truth / EVENTS_FILE)
    except FileNotFoundError as error:
        raise DatasetError(
            "no such file.",
            where=str(truth / EVENTS_FILE),
            remedy="give the folder 'truth' that `neuropair simulate` wrote",
        ) from error


def _without_dataset(recordings: pd.Series) -> pd.Series:
    return recordings.str.replace(r"^.*?(?=sub-)", "", regex=True)


def _with_trials(pairs: pd.DataFrame, events: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Add to each pair its events' trials; missing where no trial made the event."""
    known = _events_with_trials(events, trials)
    for side in ("a", "b"):
        mine = known.add_suffix(f"_{side}")
        pairs = pairs.merge(mine, on=[f"recording_{side}", f"window_{side}"], how="left")
    return pairs


def _judged_events(pairs: pd.DataFrame, events: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    judged = _with_trials(pairs[pairs["concept"] != "sliding"], events, trials)
    judged["right"] = False
    for tier, group in judged.groupby("tier"):
        judged.loc[group.index, "right"] = _is_right(group, Tier(str(tier)))
    return judged


def _events_with_trials(events: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    short = events.assign(short=_without_dataset(events["recording"])).sort_values("onset")
    truth = trials[["recording", "onset", "concept", *_JUDGED]].sort_values("onset")
    found = pd.merge_asof(
        short[["recording", "event", "onset", "concept", "short"]].astype({"onset": float}),
        truth.rename(columns={"recording": "short"}),
        on="onset",
        by=["short", "concept"],
        direction="nearest",
        tolerance=TOLERANCE,  # type: ignore[arg-type]  # the stubs know no float tolerance
    )
    # event windows come first in a group, in the order of the events: window i is event i
    found = found.rename(columns={"event": "window", "person": "person_true"})
    found = found.rename(columns={"stimulus": "stimulus_true"})
    return found[["recording", "window", "trial", "person_true", "stimulus_true", "condition"]]


def _is_right(pairs: pd.DataFrame, tier: Tier) -> pd.Series:
    happened = pairs["trial_a"].notna() & pairs["trial_b"].notna()
    if tier in (Tier.T0, Tier.T1):
        return happened & (pairs["trial_a"] == pairs["trial_b"])
    same_person = pairs["person_true_a"] == pairs["person_true_b"]
    what = "stimulus_true" if tier.is_event_level else "condition"
    same = (pairs[f"{what}_a"] == pairs[f"{what}_b"]) & (pairs[f"{what}_a"] != "")
    return happened & same & (same_person if tier.same_person else ~same_person)


def _matched(right: pd.DataFrame, tier: Tier) -> int:
    """Count the right pairs, each event once: what is beyond one to one adds nothing."""
    keys = ["recording_a", "recording_b", f"{_unit(tier)}_a"]
    uses = right.groupby(keys)[["window_a", "window_b"]].nunique()
    return int(uses.min(axis=1).sum())


def _unit(tier: Tier) -> str:
    if tier in (Tier.T0, Tier.T1):
        return "trial"
    return "stimulus_true" if tier.is_event_level else "condition"


def _possible(pairs: pd.DataFrame, trials: pd.DataFrame, tier: Tier, splits: dict[str, str]) -> int:
    """Count the right pairs that one-to-one assignments could make.

    Between recordings of the modalities, and events of the concepts, that the pairs have.
    """
    unit = _unit(tier).removesuffix("_true")
    duplicate = trials["recording"].str.startswith(f"sub-{DUPLICATE_SUBJECT}/")
    kept = trials[trials["in_table"] & (trials[unit] != "") & ~duplicate]
    kept = kept[kept["concept"].isin(pairs["concept"].unique())]
    counts = kept.groupby(["recording", "person", "session", "modality", unit]).size()
    cells = counts.rename("n").reset_index()
    modalities = pairs[["modality_a", "modality_b"]].drop_duplicates()
    both = cells.merge(cells, on=unit, suffixes=("_a", "_b"))
    both = both.merge(modalities, on=["modality_a", "modality_b"])
    same_person = both["person_a"] == both["person_b"]
    if tier in (Tier.T0, Tier.T1):
        both = both[both["recording_a"] != both["recording_b"]]
    elif tier.same_person:
        both = both[same_person & (both["session_a"] != both["session_b"])]
    else:
        same_split = both["person_a"].map(splits) == both["person_b"].map(splits)
        both = both[~same_person & same_split]
    # two recordings are one candidate, whichever stands first
    names = np.sort(both[["recording_a", "recording_b"]].to_numpy(dtype=str), axis=1)
    both = both.assign(first=names[:, 0], second=names[:, 1])
    both = both.drop_duplicates(["first", "second", unit])
    return int(both[["n_a", "n_b"]].min(axis=1).sum())


def _splits(pairs: pd.DataFrame, trials: pd.DataFrame) -> dict[str, str]:
    """Split by true person, of everyone who is in a pair of any tier."""
    persons = dict(zip(trials["recording"], trials["person"], strict=True))
    found: dict[str, str] = {}
    for side in ("recording_a", "recording_b"):
        who = _without_dataset(pairs[side]).map(persons)
        found |= dict(zip(who, pairs["split"], strict=True))
    return found


def _right_sliding(pairs: pd.DataFrame, windows: pd.DataFrame, truth: Path) -> NDArray[np.bool_]:
    clocks = pd.read_csv(truth / CLOCKS_FILE, sep="\t")
    onsets = windows.set_index(["recording", "window"])["onset"]
    onset, name = {}, {}
    for side in ("a", "b"):
        wanted = pd.MultiIndex.from_frame(pairs[[f"recording_{side}", f"window_{side}"]])
        onset[side] = onsets.reindex(wanted).to_numpy()
        name[side] = _without_dataset(pairs[f"recording_{side}"])
    straight = pd.MultiIndex.from_arrays([name["a"], name["b"]])
    turned = pd.MultiIndex.from_arrays([name["b"], name["a"]])
    is_straight = straight.isin(pd.MultiIndex.from_frame(clocks[["recording_a", "recording_b"]]))
    names = [*np.where(is_straight, straight, turned)]
    first = np.where(is_straight, onset["a"], onset["b"])
    second = np.where(is_straight, onset["b"], onset["a"])
    right = np.zeros(len(pairs), dtype=bool)
    for _, segment in clocks.groupby("segment"):
        clock = segment.set_index(["recording_a", "recording_b"]).reindex(names)
        inside = (first >= clock["start"].to_numpy()) & (first <= clock["stop"].to_numpy())
        expected = clock["offset"].to_numpy() + (1 + clock["drift_ppm"].to_numpy() * 1e-6) * first
        # an alignment by triggers has a bias of up to half a sample that it cannot see
        bias = clock["sample_period_b"].to_numpy() / 2
        right |= inside & (np.abs(expected - second) <= bias)
    return right


def _row(tier: str, kind: str, n: int, n_right: int, possible: int | None) -> dict[str, object]:
    return {
        "tier": tier,
        "kind": kind,
        "n": n,
        "n_right": n_right,
        "precision": n_right / n if n else np.nan,
        "possible": possible,
        "recall": np.nan,
    }
