"""Made-up releases whose every table of evidence holds rows; tables only, no signals."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from neuropair.catalog import Corpus
from neuropair.catalog.location import Location
from neuropair.catalog.release import Release, ReleasedTable, TableFile
from neuropair.schemas.tables import TABLES, conform

Rows = list[dict[str, Any]]

HOSTILE = "</title><script>alert('pwned')</script>"
STEP = 0.128
_DEFAULTS = {pa.string(): "", pa.bool_(): False}


def make_release(
    folder: Path, tables: Mapping[str, pd.DataFrame], without: Collection[str] = ()
) -> Corpus:
    """Write tables as a release would hold them.

    `without` names columns (``pairs.segment``) or tables that the release is too old to have.
    """
    released = {}
    for name, rows in tables.items():
        if name in without or rows.empty:
            continue
        filled = rows.assign(
            study=rows.get("study", "made-up"),
            **{
                field.name: _DEFAULTS.get(field.type, 0)
                for field in TABLES[name]
                if not field.nullable and field.name not in (*rows.columns, "study")
            },
        )
        table = conform(filled, name)
        gone = [column for column in table.column_names if f"{name}.{column}" in without]
        path = f"{name}.parquet"
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(table.drop_columns(gone), folder / path)
        released[name] = ReleasedTable(1, len(rows), {}, (TableFile(path, 1, "00"),), ())
    release = Release(
        id="0123456789ab",
        sequence=3,
        parent=None,
        created="2026-01-02T03:04:05+00:00",
        study="made-up",
        neuropair_version="1.0",
        format=2,
        summary={},
        tables=released,
    )
    return Corpus(Location.of(folder), release)


def make_tables(persons: int = 6, events: int = 120, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Every table, of people with simultaneous EEG and fNIRS and separate MEG and fMRI."""
    rng = np.random.default_rng(seed)
    tables: dict[str, Rows] = {name: [] for name in TABLES}
    tables["datasets"] = [
        {"dataset": "ds1", "name": "Tapping <b>", "license": "CC0", "citation": "A. Author 2020"},
        {"dataset": "ds2", "name": "Faces", "license": None, "doi": "doi:10.1/ds2"},
    ]
    for number in range(1, persons + 1):
        _person(tables, f"{number:02}", number, events, rng)
    _others(tables, persons)
    frames = {name: pd.DataFrame(rows) for name, rows in tables.items()}
    frames["windows"] = pd.DataFrame(
        {
            "recording": np.repeat(frames["recordings"]["recording"].to_numpy(), events),
            "window": np.tile(np.arange(events), len(frames["recordings"])),
            "onset": np.tile(10 + 15.0 * np.arange(events), len(frames["recordings"])),
            "kind": "event",
        }
    )
    return frames


def _name(subject: str, modality: str) -> str:
    if subject == "01" and modality == "meg":
        return f"ds2/sub-01/{HOSTILE}_meg"
    return f"ds1/sub-{subject}/ses-tapping/task-fingertapping_run-01_{modality}"


def _split(number: int) -> str:
    return "test" if number % 5 == 0 else "validation" if number % 5 == 4 else "train"


def _person(
    tables: dict[str, Rows], subject: str, number: int, events: int, rng: np.random.Generator
) -> None:
    person, split = f"ds1/{subject}", _split(number)
    for modality in ("eeg", "fnirs", "meg", "fmri"):
        name = _name(subject, modality)
        failed = modality == "fmri" and number == 3
        tables["recordings"].append(
            {
                "recording": name,
                "dataset": "ds1",
                "subject": subject,
                "modality": modality,
                "person": person,
                "split": split,
                "status": "failed" if failed else "ok",
                "reason": "the file is truncated" if failed else None,
                "remedy": "fetch it again" if failed else None,
                "duration_s": 1800.0,
                "n_windows": events,
                "sfreq": 10.0,
            }
        )
        tables["splits"].append(
            {"kind": "recording", "key": name, "component": person, "split": split}
        )
    tables["splits"].append(
        {"kind": "person", "key": person, "component": person, "split": split}
        | {"policy": "subject-disjoint"}
    )
    tables["persons"].append(
        {"dataset": "ds1", "subject": subject, "person": person, "basis": "recipe"}
        | {"n_recordings": 4}
    )
    if number % 4 == 0:
        _abstain(tables, subject, number)
    else:
        _clock(tables, subject, number, events, rng)
    _conditions(tables, subject, number, events, rng)
    _balance(tables, f"ds1/{subject}", rng)


def _pair(tier: str, a: str, b: str, number: int, window: int, **more: Any) -> dict[str, Any]:
    (subject_a, modality_a), (subject_b, modality_b) = a.split("/"), b.split("/")
    return {
        "pair_id": f"{tier}-{a}-{b}-{window}",
        "tier": tier,
        "modality_a": modality_a,
        "modality_b": modality_b,
        "recording_a": _name(subject_a, modality_a),
        "recording_b": _name(subject_b, modality_b),
        "window_a": window,
        "window_b": window,
        "person_a": f"ds1/{subject_a}",
        "person_b": f"ds1/{subject_b}",
        "concept": "motor/tapping",
        "split": _split(number),
        **more,
    }


def _clock(
    tables: dict[str, Rows], subject: str, number: int, events: int, rng: np.random.Generator
) -> None:
    restarts = number % 3 == 2
    residual = rng.uniform(-STEP / 2, STEP / 2, events)
    at = np.linspace(-1, 1, events)
    for window in range(events):
        segment = int(restarts and window >= events // 2)
        tables["pairs"].append(
            _pair(
                "T1",
                f"{subject}/eeg",
                f"{subject}/fnirs",
                number,
                window,
                rule="together",
                evidence="triggers",
                confidence=0.99 + 0.009 * rng.random(),
                time_difference=residual[window],
                clock_interval=0.006 * np.sqrt(1 + 2 * at[window] ** 2),
                clock_bias=STEP,
                coverage=0.97,
                ambiguity=0.2,
                segment=segment,
            )
        )
    for segment in range(1 + restarts):
        half = 15.0 * events / (1 + restarts)
        tables["clocks"].append(
            {
                "rule": "together",
                "recording_a": _name(subject, "eeg"),
                "recording_b": _name(subject, "fnirs"),
                "segment": segment,
                "start": segment * half,
                "stop": (segment + 1) * half,
                "n_matched": events // (1 + restarts),
                "drift_ppm": 13.0 + rng.normal(),
                "drift_interval_ppm": 4.1,
                "residual_sd": residual.std(),
                "quantum": STEP,
                "residual_ratio": residual.std() / (STEP / np.sqrt(12)),
                "interval_max": 0.0105,
                "bias": STEP,
                "coverage": 0.97,
                "ambiguity": 0.2,
                "warning": "drift of 240 ppm is above 200 ppm" if number == 5 else None,
            }
        )


def _abstain(tables: dict[str, Rows], subject: str, number: int) -> None:
    tables["abstentions"].append(
        {
            "recording_a": _name(subject, "eeg"),
            "recording_b": _name(subject, "fnirs"),
            "tier": "T1",
            "rule": "together",
            "reason": f"ambiguous: second best offset scores 0.{90 + number % 10} of the best",
            "remedy": "give trigger codes, a photodiode channel or an annotation file",
        }
    )


def _conditions(
    tables: dict[str, Rows], subject: str, number: int, events: int, rng: np.random.Generator
) -> None:
    made = {"evidence": "condition", "n_alternatives": 3, "quality": 0.9}
    if number != 3:
        for window in range(0, events, 2):
            tables["pairs"].append(
                _pair(
                    "T3",
                    f"{subject}/meg",
                    f"{subject}/fmri",
                    number,
                    window,
                    rule="same-condition",
                    confidence=0.8 + 0.1 * rng.random(),
                    covariate_distance=0.3 * rng.random(),
                    soa_ratio=1.4,
                    **made,
                )
            )
    partner = number + 5
    if partner < 1 + sum(row["modality"] == "eeg" for row in tables["recordings"]) + 5 and (
        number > 5
    ):
        for window in range(0, events, 4):
            tables["pairs"].append(
                _pair(
                    "T5",
                    f"{subject}/eeg",
                    f"{number - 5:02}/meg",
                    number,
                    window,
                    rule="other-person",
                    confidence=0.7,
                    **made,
                )
            )


def _balance(tables: dict[str, Rows], pool: str, rng: np.random.Generator) -> None:
    for covariate in ("preceding_interval", "run_position", "response_time"):
        after = abs(rng.normal(0, 0.035)) + (0.09 if covariate == "response_time" else 0)
        tables["balance"].append(
            {
                "rule": "same-condition",
                "pool": pool,
                "covariate": covariate,
                "n_a": 400,
                "n_b": 430,
                "n_pairs": 350,
                "dropped_fraction": 0.12,
                "smd_before": 0.33 + rng.normal(0, 0.08),
                "smd_after": after,
                "variance_ratio_before": 2.4,
                "variance_ratio_after": 1.0 + rng.normal(0, 0.08),
                "ks_before": 0.3,
                "ks_after": 0.06,
            }
        )


def _others(tables: dict[str, Rows], persons: int) -> None:
    _balance(tables, "pooled", np.random.default_rng(1))
    tables["media_clocks"] = [
        {"recording": _name("01", "meg"), "stimulus": "name:story_1", "status": status}
        | {"onset": 4.0 + i, "span": span, "nominal": 294.5, "rate_ppm": rate, "reason": reason}
        for i, (status, span, rate, reason) in enumerate(
            [("measured", 294.47, -107.0, None), ("one-mark", None, None, "the start mark lacks")]
        )
    ]
    tables["duplicates"] = [
        {
            "recording_a": _name("01", "eeg"),
            "recording_b": _name("02", "eeg"),
            "relation": relation,
            "n_events": 120,
            "share": 1.0,
            "offset": 0.001,
            "responses": responses,
            "reason": reason,
        }
        for relation, responses, reason in [
            ("duplicate", "equal", "offset 1 ms, responses equal"),
            ("same-schedule", "differ", "one pseudo-random schedule; responses differ"),
        ]
    ]
    tables["persons"].append(
        {"dataset": "ds2", "subject": "A", "person": "ds1/01", "basis": "duplicate"}
        | {"n_recordings": 1, "because": "its recording is ds1's"}
    )
    tables["alternates"] = [{"pair_id": "p", "rank": 1, "recording_b": "r", "weight": 0.5}]
    tables["negatives"] = [
        {"pair_id": "p", "kind": kind, "grade": grade, "recording_b": "r"}
        for grade, kind in enumerate(("same-condition", "same-stimulus", "off-by-one"), start=1)
    ]
    tables["losses"] = [
        {"dataset": "ds1", "stage": "events", "item": "row", "action": "dropped", "count": 12}
        | {"reason": "a bounce"}
    ]
    tables["ledger"] = [
        _claim("T1", "together", "eeg", "fnirs", "L1", 0.12, 0.001, "holds"),
        _claim("T1", "together", "eeg", "fnirs", "L2", 0.10, 0.004, "holds"),
        _claim("T1", "together", "eeg", "fnirs", "L4", 0.02, 0.2, "fails")
        | {"flag": "caution: partners shifted along the run score as well (T1)"},
        _claim("T1", "together", "eeg", "fnirs", "L3", 0.0, None, "untested")
        | {"low": None, "high": None, "flag": "not tested: few"},
        _claim("T3", "same-condition", "meg", "fmri", "L1", 0.08, 0.002, "holds"),
        _claim("T3", "same-condition", "meg", "fmri", "L2", 0.07, 0.01, "fails")
        | {"flag": "T3 claims the condition and no more, but beats L2: a leak"},
    ]


def _claim(*key: Any) -> dict[str, Any]:
    tier, rule, a, b, null, effect, p, claim = key
    return {
        "tier": tier,
        "rule": rule,
        "modality_a": a,
        "modality_b": b,
        "measure": "map",
        "null": null,
        "effect": effect,
        "low": effect - 0.03,
        "high": effect + 0.03,
        "null_mean": 0.002,
        "p": p,
        "detectable": 0.04,
        "n_permutations": 999,
        "n_test": 720,
        "claim": claim,
    }
