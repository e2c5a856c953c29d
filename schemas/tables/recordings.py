"""Tables of what was read: datasets, recordings, channels, events, windows."""

from __future__ import annotations

from neuropair.schemas.tables.columns import (
    BOOL,
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

DATASETS = table(
    "One row a dataset of a study.",
    STUDY,
    key("dataset", "dataset id in the study"),
    text("name", "Name in dataset_description.json"),
    text("license", "License in dataset_description.json or, where it says none, in the recipe"),
    text("citation", "how to cite: authors, DOI"),
    text("doi", "DatasetDOI"),
    key("recipe", "recipe that read it"),
    key("recipe_sha256", "digest of the recipe's content"),
    key("source", "where it lay"),
    column("n_files", I64, "files read"),
    column("n_bytes", I64, "bytes of those files", "byte"),
    column("n_recordings", I64, "recordings found"),
    column("n_failed", I64, "recordings that could not be read"),
)

RECORDINGS = table(
    "One row a recording; one that could not be read has status 'failed' and the reason.",
    STUDY,
    RECORDING,
    key("dataset", "dataset id"),
    key("subject", "BIDS subject label"),
    text("session", "BIDS session label"),
    text("task", "BIDS task label"),
    text("acquisition", "BIDS acquisition label"),
    text("run", "BIDS run label"),
    key("modality", "eeg, meg, fnirs or fmri"),
    key("person", "person id; the same across datasets where a recipe maps them"),
    text("split", "train, validation or test"),
    key("status", "ok, failed, or rehearsed: read from tables alone, without signal"),
    text("reason", "why it failed"),
    text("remedy", "what would mend it"),
    text("path", "Zarr group, relative to the corpus root"),
    text("digest", "digest of everything the group was made from"),
    text("manifest_sha256", "digest of the group's manifest of file digests"),
    column("n_events", I64, "canonical events"),
    column("n_windows", I64, "windows stored"),
    column("n_channels", I64, "channels stored"),
    number("sfreq", "sampling rate of the stored windows", "Hz"),
    number("sfreq_source", "sampling rate of the source", "Hz"),
    number("duration_s", "length of the source recording", "s"),
    text("acq_time", "acquisition time in scans.tsv, as written there"),
    key("source_file", "signal file, relative to the dataset"),
    text("source_checksum", "kind:hex digest of the signal file"),
    column("source_bytes", I64, "size of the signal file", "byte"),
    number("bad_channel_fraction", "share of channels that are bad"),
    text("quality", "JSON: quality of the run, by name"),
    text("steps", "JSON: processing steps with parameters and software versions"),
)

CHANNELS = table(
    "One row a channel of a recording, the rejected ones included.",
    STUDY,
    RECORDING,
    column("row", I32, "position along the channel dimension; -1 if it is not stored"),
    key("channel", "channel name"),
    key("type", "MNE channel type, or 'region' and 'voxel' for fMRI"),
    key("unit", "SI unit of the stored values"),
    number("x", "position: to the right", "m"),
    number("y", "position: to the front", "m"),
    number("z", "position: up", "m"),
    text("frame", "coordinate frame of the position"),
    key("status", "good, bad or excluded"),
    text("reason", "why it is bad or excluded"),
    text("quality", "JSON: quality measures of the channel, by name"),
)

EVENTS = table(
    "One row a canonical event.",
    STUDY,
    RECORDING,
    column("event", I32, "number of the event in its recording, by onset"),
    column(
        "onset", F64, "onset on the recording's own clock, with the recipe's delay applied", "s"
    ),
    number("duration", "duration; null if the table does not say", "s"),
    key("concept", "concept in the vocabulary, slash-tagged"),
    text("stimulus", "evidenced stimulus key; null where identity is unknown"),
    text("stimulus_name", "stimulus as the table names it"),
    key(
        "identity",
        "content (of the file, its pixels or its samples: the key's kind tells), name or none: "
        "what the stimulus key rests on",
    ),
    text("value", "trigger code as the table has it"),
    text("trial_type", "trial_type as the table has it"),
    text("hed", "HED string that the recipe gives"),
    column(
        "repetition",
        I32,
        "how often this stimulus was shown before in the session, 0 first; null unknown",
        null=True,
    ),
    text("repetition_class", "first, immediate or delayed; null unknown"),
    number(
        "preceding_interval",
        "time since the previous kept event that is neither a response nor a marker",
        "s",
    ),
    number("run_position", "onset as a share of the run's events span, 0 to 1"),
    number("response_time", "response time", "s"),
    text("attributes", "JSON: attributes that the recipe gives"),
    column("source_row", I32, "line of the events table, the header is 1; 0 if not from a table"),
)

WINDOWS = table(
    "One row a window: a row of the array 'signal' of its recording.",
    STUDY,
    RECORDING,
    column("window", I32, "position along the window dimension of the recording's group"),
    key("kind", "event or sliding"),
    column("event", I32, "number of the event; null for sliding windows", null=True),
    column("onset", F64, "time zero of the window on the recording's clock", "s"),
    column("tmin", F64, "first sample relative to the onset", "s"),
    column("tmax", F64, "last sample relative to the onset", "s"),
    key("concept", "concept of the event; 'sliding' for sliding windows"),
    text("stimulus", "evidenced stimulus key"),
    column("clipped", BOOL, "part of the window lies outside the recording"),
    column("overlaps", BOOL, "another window of the same kind overlaps it"),
    column("artefact", BOOL, "an artefact criterion of the modality is met"),
    column("valid_fraction", F64, "share of valid samples, 0 to 1"),
    number(
        "peak_to_peak",
        "median over good channels of peak to peak; MEG: of magnetometers, where there are any",
        "unit of the channel",
    ),
    number("previous_event", "time since the previous event's onset", "s"),
    number("next_event", "time to the next event's onset", "s"),
    number("beta_se", "median standard error of the single-trial estimate", "unit of the channel"),
    column(
        "quality", F64, "0 worst to 1 best: share of good channels times share of valid samples"
    ),
)
