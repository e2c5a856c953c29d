"""Copies, replays and plans: what find_duplicates calls them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropair.pipeline.duplicates import Found, find_duplicates, links, same_recording, twins
from neuropair.pipeline.duplicates.simulated import EXPECTED, planted
from neuropair.schemas.errors import NeuropairError
from neuropair.schemas.tables import conform

Rows = list[tuple[dict[str, Any], pd.DataFrame]]


def _onsets(seed: int, n: int = 120) -> np.ndarray:
    """Onsets on samples of a 1,100 Hz device: finer than a plan's milliseconds."""
    rng = np.random.default_rng(seed)
    return np.round(np.cumsum(rng.uniform(1.0, 2.0, n)) * 1100) / 1100


def _one(
    dataset: str,
    subject: str,
    onsets: np.ndarray,
    latencies: np.ndarray | None = None,
    **fields: Any,
) -> tuple[dict[str, Any], pd.DataFrame]:
    row = {"dataset": dataset, "subject": subject, "modality": "eeg", "task": "t"} | fields
    name = f"{dataset}/sub-{subject}/task-{row['task']}_{row['modality']}"
    row |= {"recording": name, "source_file": f"{name}.dat"}
    table = pd.DataFrame({"onset": onsets, "concept": "perception/visual"})
    if latencies is not None:
        pressed = pd.DataFrame({"onset": onsets + latencies, "concept": "response"})
        table = pd.concat([table, pressed])
    return row, table.assign(recording=name).sort_values("onset")


BESIDE = [_one("a", f"x{k}", _onsets(900 + k, 60) + 3.0 * k) for k in range(6)]
"""Recordings of dataset a that begin at other times: an equal offset is no matter of course."""


def _find(*made: tuple[dict[str, Any], pd.DataFrame], **files: dict[str, str]) -> Found:
    recordings = pd.DataFrame([row for row, _ in made])
    events = pd.concat([table for _, table in made], ignore_index=True)
    known = recordings[["recording"]].assign(events_file=None, signal=None).astype(object)
    for column, values in files.items():
        known[column] = known["recording"].map(values)
    return find_duplicates(recordings, events, known)


def _relations(found: Found) -> list[str]:
    return found.rows["relation"].tolist()


@pytest.fixture(scope="module")
def studies() -> list[Any]:
    return [planted(np.random.default_rng(seed), unrelated=4) for seed in range(4)]


@pytest.mark.parametrize("kind", EXPECTED)
def test_what_is_planted_is_called_by_its_name(studies: list[Any], kind: str) -> None:
    for drawn in studies:
        rows = find_duplicates(drawn.recordings, drawn.events, drawn.files).rows
        said = {(row.recording_a, row.recording_b): row.relation for row in rows.itertuples()}
        pair = next(pair for pair, planted_kind in drawn.pairs.items() if planted_kind == kind)
        assert said.get(pair, "none") in EXPECTED[kind]
        assert all(drawn.persons[a] == drawn.persons[b] for a, b in same_recording(rows))
        conform(rows.assign(study="s"), "duplicates")


@given(st.integers(0, 10_000), st.floats(-0.0005, 0.0005), st.sampled_from([4, 5, 6]))
@settings(deadline=None, max_examples=25)
def test_a_copy_without_responses_is_told_by_its_clock(
    seed: int, shift: float, decimals: int
) -> None:
    onsets = _onsets(seed)
    copy = _one("b", "2", np.round(onsets + shift, decimals))
    found = _find(_one("a", "1", onsets), copy, *BESIDE)
    assert _relations(found) == ["duplicate"]
    row = found.rows.iloc[0]
    assert row["reason"].startswith("clock-equal")
    assert row["offset"] == pytest.approx(shift, abs=2e-4)
    assert abs(row["drift_ppm"]) < 1
    assert row["share"] == 1
    assert row["n_events"] == 120


@given(st.integers(0, 10_000), st.integers(0, 10_000))
@settings(deadline=None, max_examples=25)
def test_unrelated_schedules_are_not_joined(one: int, other: int) -> None:
    if one == other:
        return
    assert _find(_one("a", "1", _onsets(one)), _one("b", "2", _onsets(other))).rows.empty


def test_the_order_of_the_rows_does_not_matter(studies: list[Any]) -> None:
    drawn = studies[0]
    expected = find_duplicates(drawn.recordings, drawn.events, drawn.files)
    shuffled = find_duplicates(
        drawn.recordings.sample(frac=1, random_state=1),
        drawn.events.sample(frac=1, random_state=2),
        drawn.files.sample(frac=1, random_state=3),
    )
    pd.testing.assert_frame_equal(expected.rows, shuffled.rows)
    pd.testing.assert_frame_equal(expected.losses, shuffled.losses)


def test_responses_decide_over_an_equal_clock() -> None:
    rng = np.random.default_rng(1)
    onsets = _onsets(0)
    mine, yours = rng.uniform(0.3, 0.8, (2, 120))
    same = _find(_one("a", "1", onsets, mine), _one("b", "2", onsets, mine))
    other = _find(_one("a", "1", onsets, mine), _one("b", "2", onsets, yours))
    assert _relations(same) == ["duplicate"]
    assert _relations(other) == ["same-schedule"]
    assert other.rows["responses"].tolist() == ["differ"]
    assert same_recording(other.rows) == links(other.rows) == []


def test_response_times_in_a_column_count_as_responses() -> None:
    rng = np.random.default_rng(2)
    onsets, late = _onsets(0), rng.uniform(0.3, 0.8, 120)
    row, table = _one("b", "2", onsets)
    column = row, table.assign(response_time=late)
    assert _relations(_find(_one("a", "1", onsets, late), column)) == ["duplicate"]


def test_a_copy_at_an_unexplained_offset_is_not_confirmed() -> None:
    onsets = _onsets(3)
    found = _find(_one("a", "1", onsets), _one("b", "2", onsets + 0.034))
    assert _relations(found) == ["unconfirmed"]
    assert found.rows["reason"].iloc[0].startswith("shifted: the offset 34.00 ms")
    assert same_recording(found.rows) == []
    assert len(links(found.rows)) == 1
    assert len(set(twins(found.rows).values())) == 1


def test_recordings_that_are_all_cut_alike_need_responses() -> None:
    onsets = _onsets(13)
    beside = [_one("a", f"y{k}", _onsets(950 + k) - _onsets(950 + k)[0]) for k in range(6)]
    cut = onsets - onsets[0]
    found = _find(_one("a", "1", cut), _one("b", "2", cut), *beside)
    assert _relations(found) == ["unconfirmed"]
    assert "cut-alike: 100%" in found.rows["reason"].iloc[0]


def test_what_is_sampled_anew_is_not_confirmed() -> None:
    shown, late = _onsets(14) + np.random.default_rng(0).uniform(0, 1e-3, 120), 0.4e-3
    made = []
    for dataset, times in (("a", shown), ("b", shown + late)):
        row, table = _one(dataset, "1", np.round(times * 1100) / 1100)
        made.append((row | {"sfreq_source": 1100.0}, table))
    found = _find(*made, *BESIDE)
    assert _relations(found) == ["unconfirmed"]
    assert "sampled-anew" in found.rows["reason"].iloc[0]


def test_stamps_in_milliseconds_confirm_nothing() -> None:
    onsets = np.round(_onsets(4), 3)
    found = _find(_one("a", "1", onsets), _one("b", "2", onsets))
    assert _relations(found) == ["unconfirmed"]
    assert "coarse-stamps" in found.rows["reason"].iloc[0]


def test_a_clock_that_drifts_is_another_sitting() -> None:
    onsets = _onsets(5)
    found = _find(_one("a", "1", onsets), _one("b", "2", onsets * (1 + 12e-6)))
    assert _relations(found) == ["same-schedule"]
    assert "other-clock" in found.rows["reason"].iloc[0]


def test_a_schedule_that_is_known_to_be_replayed_closely_needs_responses() -> None:
    onsets = _onsets(6)
    rng = np.random.default_rng(0)
    replay = onsets + 5 + rng.normal(0, 0.7e-3, onsets.size)
    made = [_one("a", "1", onsets), _one("b", "2", onsets + rng.normal(0, 3e-4, onsets.size))]
    assert _relations(_find(*made, *BESIDE)) == ["duplicate"]
    found = _find(*made, _one("c", "3", replay), *BESIDE).rows.set_index(
        ["recording_a", "recording_b"]
    )
    assert found.iloc[0]["relation"] == "unconfirmed"
    assert "replayed" in found.iloc[0]["reason"]


def test_a_fixed_interval_is_no_fingerprint() -> None:
    onsets = np.arange(1, 200) * 2.0
    found = _find(_one("a", "1", onsets), _one("b", "2", onsets))
    assert found.rows.empty
    assert found.losses["count"].tolist() == [1, 1]
    assert found.losses["reason"].str.startswith("no fingerprint").all()


def test_an_alternation_and_a_repeated_block_are_no_fingerprint() -> None:
    alternation = np.cumsum(np.tile([1.0, 2.0], 100))
    block = np.cumsum(np.tile([1.0, 1.4, 2.2, 1.7, 1.1, 1.9, 2.5, 1.3], 25))
    for onsets in (alternation, block):
        assert _find(_one("a", "1", onsets), _one("b", "2", onsets)).rows.empty


def test_instruments_of_one_sitting_are_no_duplicates() -> None:
    onsets = _onsets(7)
    eeg = _one("a", "1", onsets)
    fnirs = _one("a", "1", onsets * (1 + 12e-6) + 40, modality="fnirs", task="nirs")
    assert _find(eeg, fnirs).rows.empty


def test_meg_and_eeg_of_one_sitting_match_their_likes_only() -> None:
    onsets, names = _onsets(8), []
    for dataset, subject in (("a", "1"), ("b", "2")):
        names += [_one(dataset, subject, onsets, modality=m) for m in ("meg", "eeg")]
    for k in range(6):
        names += [
            _one("a", f"x{k}", _onsets(900 + k) + 3.0 * k, modality=m) for m in ("meg", "eeg")
        ]
    rows = _find(*names).rows
    assert rows["relation"].tolist() == ["duplicate", "duplicate"]
    assert all(a[-3:] == b[-3:] for a, b in same_recording(rows))


def test_one_sitting_published_by_instrument_is_one_person() -> None:
    onsets, late = _onsets(9), np.random.default_rng(0).uniform(0.3, 0.8, 120)
    meg, eeg = _one("a", "1", onsets, late, modality="meg"), _one("b", "2", onsets, late)
    assert _relations(_find(meg, eeg)) == ["simultaneous"]


def test_a_table_copied_to_another_subject_is_an_anomaly() -> None:
    onsets = _onsets(10)
    found = _find(_one("a", "1", onsets), _one("a", "2", onsets))
    assert _relations(found) == ["shared-events"]
    assert "two signal files have one events table" in found.losses["reason"].iloc[0]
    assert same_recording(found.rows) == []
    assert links(found.rows)


def test_a_table_that_is_inherited_is_a_plan_and_no_anomaly() -> None:
    onsets = _onsets(11)
    made = [_one("a", "1", onsets), _one("a", "2", onsets)]
    table = {row["recording"]: "task-t_events.tsv" for row, _ in made}
    found = _find(*made, events_file=table)
    assert found.rows.empty
    assert found.losses["count"].tolist() == [2]
    assert "inherited" in found.losses["reason"].iloc[0]


def test_equal_signals_are_one_whatever_the_events_say() -> None:
    made = [_one("a", "1", np.arange(5) * 2.0), _one("a", "dup", np.arange(9) * 3.0)]
    names = [row["recording"] for row, _ in made]
    found = _find(*made, signal=dict.fromkeys(names, "SHA256:00:1"))
    assert _relations(found) == ["shared-signal"]
    assert same_recording(found.rows) == [tuple(names)]
    assert "one signal file stands under two names" in " ".join(found.losses["reason"])


def test_two_modalities_of_one_file_do_not_share_a_signal() -> None:
    made = [_one("a", "1", _onsets(12), modality=m) for m in ("meg", "eeg")]
    names = [row["recording"] for row, _ in made]
    for row, _ in made:
        row["source_file"] = "one.fif"
    assert _find(*made, signal=dict.fromkeys(names, "SHA256:00:1")).rows.empty


@pytest.mark.parametrize("onsets", [[], [1.0], [2.0] * 30, list(range(30, 0, -1))])
def test_odd_tables_are_no_duplicates_and_no_error(onsets: list[float]) -> None:
    times = np.asarray(onsets, dtype=float)
    assert _find(_one("a", "1", times), _one("b", "2", times)).rows.empty


def test_no_events_at_all() -> None:
    recordings = pd.DataFrame([_one("a", "1", _onsets(0))[0]])
    assert find_duplicates(recordings, pd.DataFrame()).rows.empty


def test_a_table_without_onsets_is_refused() -> None:
    row, table = _one("a", "1", _onsets(0))
    with pytest.raises(NeuropairError, match="onset"):
        find_duplicates(pd.DataFrame([row]), table.drop(columns="onset"))
