"""Tables of evidence: clocks, balance, alternates, negatives, duplicates, persons, the ledger."""

from __future__ import annotations

from neuropair.schemas.tables.columns import (
    F64,
    I32,
    I64,
    RECORDING,
    STUDY,
    column,
    key,
    number,
    table,
    text,
)

CLOCKS = table(
    "One row a segment of a clock between two recordings made together (T1).",
    STUDY,
    key("rule", "name of the pairing in the study"),
    key("recording_a", "recording of side a"),
    key("recording_b", "recording of side b"),
    column("segment", I32, "0 unless a device restarted in the middle"),
    column("start", F64, "first instant on a's clock that the segment holds for", "s"),
    column("stop", F64, "last instant on a's clock that the segment holds for", "s"),
    column("n_a", I64, "triggers of a in the segment, bounces set aside"),
    column("n_b", I64, "triggers of b in the segment, bounces set aside"),
    column("n_matched", I64, "triggers that align"),
    column("debounced_a", I64, "bounces of a that were set aside"),
    column("debounced_b", I64, "bounces of b that were set aside"),
    column("offset", F64, "time on b's clock at time 0 of a's clock", "s"),
    column("drift_ppm", F64, "how much faster b's clock runs", "ppm"),
    number("drift_interval_ppm", "half width of the 95 % interval of the drift", "ppm"),
    column("residual_sd", F64, "of the aligned triggers", "s"),
    number("quantum", "step of the slower device's stamps", "s"),
    number("residual_ratio", "residual_sd over quantum / sqrt(12)"),
    column("tolerance", F64, "largest residual of an aligned trigger", "s"),
    column("bias", F64, "constant offset that triggers cannot identify, at most", "s"),
    number("interval_max", "largest half width of the clock's 95 % interval in the segment", "s"),
    column("coverage", F64, "aligned triggers as a share of the shorter sequence"),
    column("ambiguity", F64, "score of the second best offset over the best"),
    text("warning", "what is odd about the clock, such as a drift above 200 ppm"),
)

MEDIA_CLOCKS = table(
    "One row a playback of a story or film: its clock against the recording's.",
    STUDY,
    RECORDING,
    key("stimulus", "evidenced stimulus key"),
    key(
        "status",
        "measured (both marks), one-mark (the start mark lost, recovered from the end), start-only "
        "(no end mark), or unknown (no event is made)",
    ),
    text("reason", "why it is not measured, and what is assumed instead"),
    number("onset", "media time 0 on the recording's clock", "s"),
    number("span", "from the start to the end mark on the recording's clock", "s"),
    number("nominal", "length of the media", "s"),
    text("nominal_source", "where the length comes from"),
    number("rate_ppm", "how much longer the playback took than the media's length", "ppm"),
    number("uncertainty", "half width of the 95 % interval of media time 0", "s"),
    number("uncertainty_end", "half width of the 95 % interval of the media's end", "s"),
)

BALANCE = table(
    "One row a rule, pool of events and covariate: how alike the two sides are.",
    STUDY,
    key("rule", "name of the pairing in the study"),
    key("pool", "a person, a split where persons are mixed, or 'pooled'"),
    key("covariate", "name of the covariate"),
    column("n_a", I64, "events of a whose key stands on both sides"),
    column("n_b", I64, "events of b whose key stands on both sides"),
    column("n_pairs", I64, "pairs"),
    number("dropped_fraction", "share of the pairs possible without a caliper that were not made"),
    number("smd_before", "absolute standardised mean difference before", "pooled SD"),
    number("smd_after", "the same between the sides of the pairs", "pooled SD"),
    number("variance_ratio_before", "variance of a over that of b before"),
    number("variance_ratio_after", "the same between the sides of the pairs"),
    number("ks_before", "Kolmogorov-Smirnov distance before"),
    number("ks_after", "the same between the sides of the pairs"),
)

ALTERNATES = table(
    "One row a further partner of a pair's side a, as admissible as the one it has.",
    STUDY,
    key("pair_id", "the pair"),
    column("rank", I32, "1 for the nearest"),
    key("recording_b", "recording of the other partner"),
    column("window_b", I32, "window of the other partner"),
    column("weight", F64, "share of the event's weight among its partners, the pair's included"),
    number("distance", "RMS of standardised covariate differences", "pooled SD"),
)

NEGATIVES = table(
    "One row a window that is a hard wrong partner for a pair's side a.",
    STUDY,
    key("pair_id", "the pair"),
    key(
        "kind",
        "same-condition (other stimulus), same-stimulus (other person), off-by-one, same-position",
    ),
    column("grade", I32, "1 easy to 4 hard"),
    key("recording_b", "recording of the wrong partner"),
    column("window_b", I32, "window of the wrong partner"),
)

DUPLICATES = table(
    "One row a pair of recordings that are, or look like, one recording.",
    STUDY,
    key("recording_a", "one recording"),
    key("recording_b", "the other"),
    key(
        "relation",
        "duplicate; simultaneous (one sitting, by two devices); same-schedule (not one sitting); "
        "unconfirmed; shared-events (two signal files with one events table); shared-signal (two "
        "names of one signal)",
    ),
    column("n_events", I64, "events compared"),
    number("share", "share of the shorter sequence's intervals found in the other"),
    number("offset", "onset of b minus onset of a", "s"),
    number("drift_ppm", "how much faster b's clock runs", "ppm"),
    number("residual_sd", "of the compared events", "s"),
    text("responses", "equal, differ, or unknown where one has none"),
    key("reason", "what decided, with the numbers"),
)

PERSONS = table(
    "One row a subject of a dataset: the person it is, and what that rests on.",
    STUDY,
    key("dataset", "dataset id"),
    key("subject", "BIDS subject label"),
    key("person", "person id"),
    key("basis", "recipe, or duplicate: joined by recordings that are one"),
    column("n_recordings", I64, "recordings of the subject"),
    text("because", "the recipe's reason, or the recordings that join it"),
)

LEDGER = table(
    "One row a claim put to the test on signals: an effect against a null.",
    STUDY,
    key("tier", "T0 to T5"),
    key("rule", "name of the pairing in the study"),
    key("modality_a", "modality of side a"),
    key("modality_b", "modality of side b"),
    key(
        "measure",
        "map (linear, from a to b), dose-10 and dose-50 (that share of pairs wrong), rsa, "
        "subject-id-a and -b",
    ),
    key(
        "null",
        "L1 across conditions, L2 within, L3 x position, L4 shift within run; labels: persons of "
        "whole runs; none",
    ),
    number("effect", "the score on held-out persons; null if it could not be measured"),
    number("low", "lower end of its 95 % interval (dose: of the draws)"),
    number("high", "upper end of its 95 % interval (dose: of the draws)"),
    number("null_mean", "mean score under the null"),
    number("p", "share of refitted permutations that score as high, the pairs counted among them"),
    number("detectable", "smallest excess over null_mean that would be found with 80 % power"),
    number("ceiling_low", "rsa: lower noise ceiling of side b"),
    number("ceiling", "rsa: upper noise ceiling of side b"),
    column("n_permutations", I64, "refitted permutations, or draws of wrong pairs"),
    column("n_train", I64, "pairs fitted on, mean over folds"),
    column("n_test", I64, "pairs scored; subject-id: windows"),
    column("n_moved", I64, "pairs whose partner the null can change; rsa: labels"),
    column("n_persons", I64, "held-out persons, over all folds"),
    key("claim", "holds, fails, or untested; subject-id: holds if persons cannot be told apart"),
    text("flag", "what the tier claims and does not show, a caution, or why it is untested"),
    text("left_out", "pairs and channels that were not measured, with the reason"),
    column("seed", I64, "of the permutations"),
)
