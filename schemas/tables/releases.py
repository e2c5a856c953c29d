"""Tables of splits, losses and releases."""

from __future__ import annotations

from neuropair.schemas.tables.columns import I32, I64, STUDY, column, key, table, text

SPLITS = table(
    "One row a person, recording or stimulus: the component it belongs to, and that one's split.",
    STUDY,
    key("kind", "person, recording or stimulus"),
    key("key", "its id"),
    key("component", "connected component: what must stay on one side"),
    key("split", "train, validation or test"),
    text("policy", "what may not be in two splits: the study's policy"),
)

LOSSES = table(
    "One row a thing that did not make it, or was repaired, with its number and the reason.",
    STUDY,
    key("dataset", "dataset id"),
    text("recording", "recording id, if it belongs to one"),
    key("stage", "source, index, events, signal, windows, pairing"),
    key("item", "file, row, channel, event, window or candidate"),
    key("action", "dropped, repaired or flagged"),
    column("count", I64, "how many"),
    key("reason", "why"),
    text("where", "file and line, where it is one"),
)

RELEASES = table(
    "One row a release: one version of every table. Written last.",
    key("release", "digest of the parent and of every table's rows, first 12 hex digits"),
    column("sequence", I64, "1 for the first"),
    text("parent", "release before it"),
    key("created", "UTC time, ISO 8601"),
    key("study", "study whose ingest made it; of a removal, that of the release before"),
    key("neuropair_version", "version that wrote it"),
    column("format", I32, "version of the corpus format"),
    key("manifest", "JSON: each table's Delta version, files, sizes and digests"),
    key("summary", "JSON: counts by tier, split and reason"),
    key("seal", "SHA-256 of the row's other columns, as JSON with sorted keys"),
    text(
        "withdrawn", "when and why its rows and arrays were removed: it cannot be opened any more"
    ),
)
