"""Everything in a release that carries evidence, as tables: what pairs rest on, and what is not."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from neuropair.catalog.corpus import Corpus
from neuropair.catalog.show import Section, Shown

if TYPE_CHECKING:
    from rich.console import Group

SMD_LIMIT = 0.1
"""Standardised mean difference that counts as balanced: Austin 2009, Statistics in Medicine
28:3083, doi:10.1002/sim.3697."""
RESIDUAL_RATIO = (0.9, 1.15)
"""Residual over quantisation limit of a clock that is as good as its device's stamps."""
_SPREAD = 0.447
"""Standard error of that ratio times sqrt(triggers): sqrt((kurtosis - 1) / 4), 9/5 for a uniform
error. Three of them are allowed for: 15 triggers of a right clock scatter by 0.12."""
_STEP_MS = 10.0
"""Quantisation limit from which on the ratio judges: trigger jitter of 5 ms adds 12 % there, and
more than the range allows below."""
_OFF_THE_LIMIT = f"""(quantum / sqrt(12) * 1000 >= {_STEP_MS} AND residual_ratio NOT BETWEEN
    {RESIDUAL_RATIO[0]} - 3 * {_SPREAD} / sqrt(greatest(n_matched, 1))
    AND {RESIDUAL_RATIO[1]} + 3 * {_SPREAD} / sqrt(greatest(n_matched, 1)))"""

PAIRS = "Pairs"
CLOCKS = "Clocks"
CLOCK_SEGMENTS = "Clock segments"
RESIDUALS = "Residuals of recording pairs"
ABSTENTIONS = "Abstentions"
UNLOCKS = "What would unlock them"
BALANCE = "Balance"
MEDIA_CLOCKS = "Media clocks"
DUPLICATES = "Duplicates"
PERSONS = "Persons"
SPLITS = "Splits"
LEAKS = "Keys in more than one split"
LEDGER = "Ledger"
PARTNERS = "Alternates and hard negatives"
CALIBRATION = "Calibration"

_QUERIES = {
    PAIRS: """
        SELECT study, tier, rule, modality_a || '-' || modality_b AS modalities, evidence,
            count(*) AS pairs, count(DISTINCT recording_a || chr(10) || recording_b)
                AS recording_pairs,
            min(confidence) AS confidence_min, median(confidence) AS confidence_median,
            max(confidence) AS confidence_max, max(covariate_distance) AS covariate_distance_max,
            max(soa_ratio) AS soa_ratio_max
        FROM pairs GROUP BY ALL ORDER BY ALL""",
    CLOCKS: f"""
        SELECT study, rule, count(DISTINCT recording_a || chr(10) || recording_b)
                AS recording_pairs,
            count(*) AS segments, count(*) FILTER (segment > 0) AS restarts,
            min(drift_ppm) AS drift_ppm_min, max(drift_ppm) AS drift_ppm_max,
            min(residual_ratio) AS residual_ratio_min, max(residual_ratio) AS residual_ratio_max,
            count(*) FILTER {_OFF_THE_LIMIT} AS off_the_limit,
            min(coverage) AS coverage_min, max(ambiguity) AS ambiguity_max,
            count(warning) AS warnings
        FROM clocks GROUP BY ALL ORDER BY ALL""",
    CLOCK_SEGMENTS: f"""
        SELECT study, rule, recording_a, recording_b, segment, n_matched, drift_ppm,
            drift_interval_ppm, residual_sd * 1000 AS residual_ms,
            quantum / sqrt(12) * 1000 AS limit_ms, residual_ratio,
            coalesce({_OFF_THE_LIMIT}, false) AS off_the_limit,
            interval_max * 1000 AS interval_ms, bias * 1000 AS bias_ms, coverage, ambiguity,
            start, stop, warning
        FROM clocks ORDER BY study, rule, recording_a, recording_b, segment""",
    RESIDUALS: """
        SELECT study, rule, recording_a, recording_b, count(*) AS pairs,
            avg(time_difference) * 1000 AS mean_ms,
            stddev_samp(time_difference) * 1000 AS residual_ms,
            max(abs(time_difference)) * 1000 AS largest_ms, max(clock_interval) * 1000 AS
                interval_ms,
            min(coverage) AS coverage, max(ambiguity) AS ambiguity
        FROM pairs
        WHERE tier = 'T1' AND concept <> 'sliding' AND time_difference IS NOT NULL
        GROUP BY ALL ORDER BY ALL""",
    ABSTENTIONS: """
        SELECT study, tier, rule, split_part(reason, ':', 1) AS reason,
            count(*) AS recording_pairs, min(reason) AS for_example, min(remedy) AS remedy
        FROM abstentions GROUP BY ALL ORDER BY ALL""",
    UNLOCKS: """
        WITH grouped AS (
            SELECT study, tier, rule, recording_a, recording_b,
                split_part(reason, ':', 1) AS reason,
                regexp_replace(remedy, '[0-9]+([.][0-9]+)?', '#', 'g') AS like_remedy, remedy
            FROM abstentions)
        SELECT study, min(remedy) AS remedy, count(*) AS recording_pairs,
            string_agg(DISTINCT tier, ', ' ORDER BY tier) AS tiers,
            string_agg(DISTINCT reason, ', ' ORDER BY reason) AS reasons
        FROM grouped GROUP BY study, like_remedy
        ORDER BY recording_pairs DESC, remedy, study""",
    BALANCE: f"""
        SELECT study, rule, pool, covariate, n_a, n_b, n_pairs, dropped_fraction, smd_before,
            smd_after, coalesce(smd_after >= {SMD_LIMIT}, false) AS over_limit,
            variance_ratio_before, variance_ratio_after, ks_before, ks_after
        FROM balance
        ORDER BY over_limit DESC, study, rule, pool = 'pooled' DESC, pool, covariate""",
    MEDIA_CLOCKS: """
        SELECT study, recording, stimulus, status, onset, span, nominal, nominal_source, rate_ppm,
            uncertainty * 1000 AS uncertainty_ms, reason
        FROM media_clocks ORDER BY study, recording, stimulus, onset""",
    DUPLICATES: """
        SELECT study, relation, recording_a, recording_b, n_events, share,
            "offset" * 1000 AS offset_ms, drift_ppm, residual_sd * 1000 AS residual_ms, responses,
            reason
        FROM duplicates ORDER BY study, relation, recording_a, recording_b""",
    PERSONS: """
        SELECT study, person, count(*) AS subjects,
            string_agg(dataset || ' ' || subject, ', ' ORDER BY dataset, subject) AS known_as,
            string_agg(DISTINCT basis, ', ' ORDER BY basis) AS basis,
            sum(n_recordings)::BIGINT AS recordings, min(because) AS because
        FROM persons GROUP BY study, person ORDER BY subjects DESC, person, study""",
    SPLITS: """
        SELECT s.study, coalesce(policy, 'not recorded') AS policy, s.split,
            count(*) FILTER (kind = 'person') AS persons,
            count(*) FILTER (kind = 'recording') AS recordings,
            count(*) FILTER (kind = 'stimulus') AS stimuli,
            count(DISTINCT component) AS components, coalesce(any_value(n), 0) AS pairs
        FROM splits s LEFT JOIN (
            SELECT study, split, count(*) AS n FROM pairs GROUP BY ALL) p
            ON s.study = p.study AND s.split = p.split
        GROUP BY ALL ORDER BY s.study, s.split, policy""",
    LEAKS: """
        SELECT study, kind, "key", string_agg(DISTINCT split, ', ' ORDER BY split) AS splits
        FROM splits GROUP BY study, kind, "key" HAVING count(DISTINCT split) > 1 ORDER BY ALL""",
    LEDGER: """
        SELECT study, tier, rule, modality_a || '-' || modality_b AS modalities, measure, "null",
            effect, low, high, null_mean, p, detectable, ceiling, n_permutations, n_train, n_test,
            n_persons, claim, flag, CASE WHEN claim = 'fails' AND
                (measure LIKE 'subject-id%' OR flag LIKE 'caution%') THEN 'caution'
                ELSE claim END AS judged
        FROM ledger ORDER BY study, tier, rule, modalities, measure, "null" """,
    PARTNERS: """
        SELECT n.study, 'hard negative' AS partner, kind, grade, count(*) AS partners,
            count(DISTINCT pair_id) AS pairs FROM negatives n GROUP BY ALL
        UNION ALL
        SELECT a.study, 'alternate', 'as admissible', NULL, count(*), count(DISTINCT pair_id)
        FROM alternates a GROUP BY ALL ORDER BY ALL""",
}

_PRINTED = {
    PAIRS: "tier rule modalities evidence pairs recording_pairs confidence_min confidence_median "
    "confidence_max",
    CLOCK_SEGMENTS: "rule recordings segment drift_ppm drift_interval_ppm residual_ms limit_ms "
    "residual_ratio off_the_limit coverage ambiguity warning",
    RESIDUALS: "rule recordings pairs mean_ms residual_ms largest_ms",
    BALANCE: "rule pool covariate n_pairs dropped_fraction smd_before smd_after over_limit "
    "variance_ratio_after ks_after",
    MEDIA_CLOCKS: "recording stimulus status span nominal rate_ppm reason",
    DUPLICATES: "relation recordings n_events responses reason",
    LEDGER: "tier rule modalities measure null effect low high p judged flag",
}
"""What of a wide table fits a terminal; `Evidence.to_dict` has every column."""
_SHORT = {
    "recording_pairs": "rec. pairs",
    "confidence_min": "min",
    "confidence_median": "median",
    "confidence_max": "max conf.",
    "drift_interval_ppm": "± ppm",
    "residual_ms": "SD ms",
    "limit_ms": "limit ms",
    "residual_ratio": "ratio",
    "residual_ratio_min": "ratio min",
    "residual_ratio_max": "ratio max",
    "off_the_limit": "off limit",
    "coverage_min": "cover min",
    "ambiguity_max": "ambig. max",
    "ambiguity": "ambig.",
    "coverage": "cover",
    "segment": "seg.",
    "dropped_fraction": "dropped",
    "variance_ratio_after": "VR after",
    "over_limit": "over 0.1",
}
"""Headings of columns that need more than their numbers."""
_PRINTED_ROWS = 30


class Evidence(Shown):
    """Tables of evidence: plain data by `to_dict`, text by ``rich``."""

    def __rich__(self) -> Group:
        """Show the columns that fit; empty tables are named in one line."""
        from rich.console import Group
        from rich.text import Text

        empty = [section.title for section in self.sections if section.rows.empty]
        parts: list[Any] = [Text(self.title, style="bold")]
        for section in self.sections:
            if len(section.rows):
                parts += [Text(), _printed(section)]
        if empty:
            parts += [Text(), Text(f"no rows: {', '.join(empty)}")]
        return Group(*parts)


def _printed(section: Section) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    rows = section.rows
    if {"recording_a", "recording_b"} <= set(rows.columns):
        both = [together(a, b) for a, b in zip(rows.recording_a, rows.recording_b, strict=True)]
        rows = rows.assign(recordings=both)
    listed = _PRINTED.get(section.title)
    wanted = listed.split() if listed else section.rows.columns
    rows = rows[[name for name in ("study", *wanted) if name in rows.columns]]
    table = Table(title=section.title, title_justify="left", caption_justify="left")
    table.box, table.title_style, table.padding = SIMPLE_HEAD, "bold", (0, 1, 0, 0)
    for name in rows.columns:
        is_number = pd.api.types.is_numeric_dtype(rows[name]) and rows[name].dtype != bool
        heading = Text(_SHORT.get(str(name), str(name).replace("_", " ")))
        side: Literal["left", "right"] = "right" if is_number else "left"
        table.add_column(heading, justify=side, overflow="fold", min_width=_least(rows[name]))
    for row in rows.head(_PRINTED_ROWS).itertuples(index=False, name=None):
        table.add_row(*(Text(_text(value)) for value in row))
    if len(rows) > _PRINTED_ROWS:
        table.caption = f"and {len(rows) - _PRINTED_ROWS} more; --json prints all"
    return table


def _least(column: pd.Series[Any]) -> int:
    """Width below which a column is not read: whole numbers and flags, some letters of a text."""
    longest = max((len(_text(value)) for value in column), default=0)
    return min(longest, 16)


def together(a: str, b: str) -> str:
    """Write two names that begin alike as one.

    Examples
    --------
    >>> together("ds/sub-01_eeg", "ds/sub-01_fnirs")
    'ds/sub-01_{eeg, fnirs}'
    """
    differ = (k for k, (one, other) in enumerate(zip(a, b, strict=False)) if one != other)
    common = next(differ, min(len(a), len(b)))
    return f"{a[:common]}{{{a[common:]}, {b[common:]}}}"


def _text(value: Any) -> str:
    if value is None or pd.isna(value):
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "over" if value else ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def evidence(corpus: Corpus) -> Evidence:
    """Gather what a release rests on.

    Parameters
    ----------
    corpus : Corpus

    Returns
    -------
    Evidence
        A table each: pairs by tier, rule and evidence; clocks; abstentions, and what would unlock
        them; balance; media clocks; duplicates; persons; splits; the ledger; calibration. A table
        that the release does not hold is empty. Column ``study`` stands where there are several.

    Raises
    ------
    DamagedError
        If a table cannot be read.
    """
    rows = {title: corpus.sql(query).to_pandas() for title, query in _QUERIES.items()}
    rows[CALIBRATION] = calibration_errors()
    studies = {str(name) for frame in rows.values() for name in frame.get("study", ())}
    if len(studies) < 2:
        rows = {
            title: frame.drop(columns="study", errors="ignore") for title, frame in rows.items()
        }
    title = f"Evidence of release {corpus.release.id} (study {corpus.release.study})"
    return Evidence(title, tuple(Section(name, frame) for name, frame in rows.items()))


def shipped_calibration() -> Any | None:
    """Find module ``neuropair.schemas.calibration``, or None where this version ships no curve."""
    try:
        return importlib.import_module("neuropair.schemas.calibration")
    except ModuleNotFoundError:
        return None


def calibration_curve() -> pd.DataFrame:
    """Give the reliability curve that ships, of simulated corpora that its fit never saw.

    Returns
    -------
    pandas.DataFrame
        One row a tier and bin: ``tier`` (``all`` for every tier together), ``predicted``,
        ``observed``, ``n``. No row where this version ships no curve.
    """
    module = shipped_calibration()
    if module is None:
        return pd.DataFrame(columns=["tier", "predicted", "observed", "n"])
    curve: pd.DataFrame = module.calibration_curve()
    return curve


def calibration_errors() -> pd.DataFrame:
    """Give the expected calibration error by tier: mean of abs(predicted - observed) over pairs.

    Returns
    -------
    pandas.DataFrame
        ``tier``, ``bins``, ``simulated_pairs``, ``expected_calibration_error``.
    """
    curve = calibration_curve()
    wrong = (curve["predicted"].astype(float) - curve["observed"].astype(float)).abs()
    weighted = curve.assign(error=wrong * curve["n"].astype(float))
    by_tier = weighted.groupby("tier", sort=True).agg(
        bins=("n", "size"), simulated_pairs=("n", "sum"), error=("error", "sum")
    )
    share = by_tier["error"].astype(float) / by_tier["simulated_pairs"].astype(float)
    found = by_tier.drop(columns="error").assign(expected_calibration_error=share)
    return found.reset_index()
