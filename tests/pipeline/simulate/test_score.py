from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neuropair.pipeline.simulate import (
    SimulationSettings,
    judge_pairs,
    score_pairs,
    simulate_events,
    true_amplitudes,
)
from neuropair.pipeline.simulate.truth import clocks, right_pairs, write_truth
from neuropair.schemas.errors import DatasetError

CHOSEN = SimulationSettings(subjects=4, seed=5)
HAPPENED = simulate_events(CHOSEN)


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("score") / "truth"
    write_truth(folder, HAPPENED, [], CHOSEN)
    return folder


@pytest.fixture(scope="module")
def events() -> pd.DataFrame:
    """The corpus's events as the recipe would read them."""
    concepts = dict(zip(HAPPENED.trials["condition"], HAPPENED.trials["concept"], strict=True))
    found = []
    for run in HAPPENED.runs:
        rows = HAPPENED.tables[run.recording]
        delay = 0.034 if run.session == "meg" and run.task != "tapping" else 0.0
        found.append(
            pd.DataFrame(
                {
                    "recording": f"simulated/{run.recording}",
                    "event": range(len(rows)),
                    "onset": rows["onset"] + delay,
                    "concept": rows["trial_type"].map(concepts).fillna("response"),
                }
            )
        )
    return pd.concat(found, ignore_index=True)


def _corpus_pairs(events: pd.DataFrame) -> pd.DataFrame:
    """The right pairs of the truth, one to one, in the form of table ``pairs``."""
    right = right_pairs(HAPPENED)
    right = right[right["same_repetition"]]
    for side in ("a", "b"):
        recording = "simulated/" + right[f"recording_{side}"]
        right[f"recording_{side}"] = recording
        right[f"modality_{side}"] = recording.str.rsplit("_", n=1).str[-1]
        right = _with_window(right, events, side)
    right["split"] = "train"
    return right


def _with_window(pairs: pd.DataFrame, events: pd.DataFrame, side: str) -> pd.DataFrame:
    table = events.rename(columns={"recording": f"recording_{side}", "event": f"window_{side}"})
    table = table[table["concept"] != "response"]
    columns = [f"recording_{side}", f"window_{side}", "onset"]
    extra = [*columns, "concept"] if side == "b" else columns
    merged = pd.merge_asof(
        pairs.sort_values(f"onset_{side}"),
        table[extra].sort_values("onset"),
        left_on=f"onset_{side}",
        right_on="onset",
        by=f"recording_{side}",
        direction="nearest",
    )
    return merged.drop(columns=["onset"])


def test_right_pairs_are_right_and_all_that_is_possible(truth: Path, events: pd.DataFrame) -> None:
    pairs = _corpus_pairs(events)
    score = score_pairs(pairs, events, truth).set_index("tier")
    assert set(score.index) == {"T1", "T2", "T4"}
    assert (score["precision"] == 1).all()
    assert (score["n"] == score["n_right"]).all()
    np.testing.assert_allclose(score["recall"].astype(float), 1.0)


def test_wrong_pairs_are_wrong(truth: Path, events: pd.DataFrame) -> None:
    pairs = _corpus_pairs(events)
    pairs["window_b"] += 1
    score = score_pairs(pairs, events, truth).set_index("tier")
    assert score.loc["T1", "n_right"] == 0
    assert (score["precision"] < 0.2).all()


def test_a_spurious_event_makes_no_right_pair(truth: Path, events: pd.DataFrame) -> None:
    stranger = HAPPENED.spurious[HAPPENED.spurious["recording"].str.contains("tapping")].iloc[0]
    recording = f"simulated/{stranger['recording']}"
    mine = events[events["recording"] == recording]
    window = mine.loc[(mine["onset"] - stranger["onset"]).abs().idxmin(), "event"]
    partner = recording.replace("_fnirs", "_eeg")
    pair = pd.DataFrame(
        {
            "tier": ["T3"],
            "recording_a": [partner],
            "recording_b": [recording],
            "modality_a": ["eeg"],
            "modality_b": ["fnirs"],
            "window_a": [0],
            "window_b": [window],
            "concept": ["motor/tapping/left"],
            "split": ["train"],
        }
    )
    assert score_pairs(pair, events, truth)["n_right"].tolist() == [0]


def test_same_condition_of_the_same_person_is_right_in_t3_and_wrong_in_t5(
    truth: Path, events: pd.DataFrame
) -> None:
    taps = events[events["concept"] == "motor/tapping/left"].set_index("recording")
    a, b = (f"simulated/sub-01/ses-{s}/task-tapping_{s}" for s in ("meg", "fmri"))
    row = {
        "recording_a": a,
        "recording_b": b,
        "modality_a": "meg",
        "modality_b": "fmri",
        "window_a": taps.loc[a, "event"].iloc[0],
        "window_b": taps.loc[b, "event"].iloc[0],
        "concept": "motor/tapping/left",
        "split": "train",
    }
    pairs = pd.DataFrame([row | {"tier": "T3"}, row | {"tier": "T5"}])
    score = score_pairs(pairs, events, truth).set_index("tier")
    assert score["n_right"].to_dict() == {"T3": 1, "T5": 0}
    # four persons, eight left taps on each side
    assert score.loc["T3", "possible"] == 32
    assert score.loc["T3", "recall"] == 1 / 32


def test_sliding_pairs_are_judged_by_the_clocks(truth: Path, events: pd.DataFrame) -> None:
    clock = clocks(HAPPENED).iloc[0]
    onset = np.array([20.0, 30.0, 40.0])
    there = clock["offset"] + (1 + clock["drift_ppm"] * 1e-6) * onset + [0.0, 0.03, 0.2]
    names = {side: f"simulated/{clock[f'recording_{side}']}" for side in ("a", "b")}
    windows = pd.concat(
        [
            pd.DataFrame({"recording": names["a"], "window": [0, 1, 2], "onset": onset}),
            pd.DataFrame({"recording": names["b"], "window": [0, 1, 2], "onset": there}),
        ]
    )
    pairs = pd.DataFrame(
        {
            "tier": "T1",
            "recording_a": names["a"],
            "recording_b": names["b"],
            "modality_a": "eeg",
            "modality_b": "fnirs",
            "window_a": [0, 1, 2],
            "window_b": [0, 1, 2],
            "concept": "sliding",
            "split": "train",
        }
    )
    score = score_pairs(pairs, events, truth, windows)
    assert score[["kind", "n", "n_right"]].values.tolist() == [["sliding", 3, 2]]
    turned = pairs.rename(
        columns={c: c[:-1] + "ba"["ab".index(c[-1])] for c in pairs if c.endswith(("_a", "_b"))}
    )
    assert score_pairs(turned, events, truth, windows)["n_right"].tolist() == [2]
    assert judge_pairs(pairs, events, truth, windows)["right"].tolist() == [True, True, False]


def test_each_pair_is_judged_as_all_are(truth: Path, events: pd.DataFrame) -> None:
    pairs = _corpus_pairs(events)
    pairs["window_b"] += np.arange(len(pairs)) % 3 == 0
    judged = judge_pairs(pairs, events, truth, pd.DataFrame())
    assert len(judged) == len(pairs)
    score = score_pairs(pairs, events, truth).set_index("tier")
    by_tier = judged.groupby("tier")["right"].sum()
    assert by_tier.to_dict() == score["n_right"].to_dict()
    assert 0.6 < judged["right"].mean() < 0.8


def test_no_pairs_are_no_judgement(truth: Path, events: pd.DataFrame) -> None:
    none = _corpus_pairs(events).iloc[:0]
    windows = events.rename(columns={"event": "window"})
    assert judge_pairs(none, events, truth, windows).empty


def test_windows_of_a_restarted_recorder_are_judged_by_their_segment(
    tmp_path: Path, events: pd.DataFrame
) -> None:
    chosen = SimulationSettings(subjects=1, seed=5, restart=True)
    happened = simulate_events(chosen)
    write_truth(tmp_path / "truth", happened, [], chosen)
    first, second = clocks(happened).iloc[0], clocks(happened).iloc[1]
    onset = np.array([first["stop"] - 9, second["start"] + 9])
    slope = 1 + first["drift_ppm"] * 1e-6
    names = {side: f"simulated/{first[f'recording_{side}']}" for side in ("a", "b")}
    parts = [
        {"recording": names["a"], "window": range(2), "onset": onset},
        {
            "recording": names["b"],
            "window": range(2),
            "onset": first["offset"] + slope * onset,  # as if one clock went on
        },
    ]
    windows = pd.concat([pd.DataFrame(part) for part in parts])
    pairs = pd.DataFrame(
        {
            "tier": "T1",
            "recording_a": names["a"],
            "recording_b": names["b"],
            "window_a": [0, 1],
            "window_b": [0, 1],
            "concept": "sliding",
            "split": "train",
        }
    )
    judged = judge_pairs(pairs, events, tmp_path / "truth", windows)
    assert judged["right"].tolist() == [True, False]


def test_amplitudes_are_squared_for_blood(truth: Path) -> None:
    electric = true_amplitudes(truth, "sub-01/ses-eegnirs/task-tapping_eeg")
    blood = true_amplitudes(truth, "simulated/sub-01/ses-eegnirs/task-tapping_fnirs")
    assert list(electric.columns[:3]) == ["onset", "condition", "V1-L"]
    np.testing.assert_allclose(electric["M1-R"] ** 2, blood["M1-R"])
    left = electric["condition"] == "tap_left"
    assert electric.loc[left, "M1-R"].mean() > 2 * electric.loc[~left, "M1-R"].mean()


def test_no_truth_is_an_error_that_says_so(tmp_path: Path, events: pd.DataFrame) -> None:
    with pytest.raises(DatasetError, match="neuropair simulate"):
        true_amplitudes(tmp_path, "sub-01/ses-meg/task-faces_meg")


def test_an_unknown_recording_is_an_error(truth: Path) -> None:
    with pytest.raises(DatasetError, match="sub-99"):
        true_amplitudes(truth, "sub-99/ses-meg/task-faces_meg")
