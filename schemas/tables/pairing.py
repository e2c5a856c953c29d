"""Tables of what was paired, on which grounds, and what was not."""

from __future__ import annotations

from neuropair.schemas.tables.columns import F64, I32, STUDY, column, key, number, table, text

PAIRS = table(
    "One row a pair of windows, with the evidence for it.",
    STUDY,
    key("pair_id", "digest of tier, rule and both windows"),
    key("tier", "T0 to T5"),
    key("rule", "name of the pairing in the study"),
    key("modality_a", "modality of side a"),
    key("modality_b", "modality of side b"),
    key("recording_a", "recording of side a"),
    key("recording_b", "recording of side b"),
    column("window_a", I32, "window of side a"),
    column("window_b", I32, "window of side b"),
    key("person_a", "person of side a"),
    key("person_b", "person of side b"),
    key("concept", "concept both sides share; 'sliding' for sliding windows"),
    text("stimulus", "evidenced stimulus both sides share"),
    key("split", "train, validation or test"),
    column("confidence", F64, "probability that the pair is right, from the shipped calibration"),
    key("evidence", "what it rests on: sample, triggers, content, name or condition"),
    number("time_difference", "T0, T1: onset of b on a's clock minus onset of a", "s"),
    number("clock_interval", "T1: half width of the 95 % interval of the clock at the event", "s"),
    number("clock_bias", "T1: constant offset that triggers cannot identify, at most", "s"),
    number("coverage", "T1: share of the events of the shorter sequence that align"),
    number("ambiguity", "T1: score of the second best offset over the best"),
    number(
        "covariate_distance", "T2 to T5: RMS of standardised covariate differences", "pooled SD"
    ),
    column("n_alternatives", I32, "T2 to T5: partners as admissible as this one", null=True),
    column("segment", I32, "T1: segment of the clock, 0 unless a device restarted", null=True),
    number("soa_ratio", "larger over smaller median stimulus interval of the two recordings"),
    number("quality", "quality of the worse window; null if paired from tables, without signals"),
)

ABSTENTIONS = table(
    "One row a candidate pair of recordings that is not paired, with what would unlock it.",
    STUDY,
    key("recording_a", "recording of side a"),
    key("recording_b", "recording of side b"),
    key("tier", "T0 to T5"),
    key("rule", "name of the pairing in the study"),
    key("reason", "a short code and what failed, with the numbers"),
    key("remedy", "what would unlock it"),
)
