"""The tables of a corpus: one Arrow schema each, with the unit and meaning of every column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

from neuropair.schemas.errors import CorpusError

_STR, _I32, _I64 = pa.string(), pa.int32(), pa.int64()
_F32, _F64, _BOOL = pa.float32(), pa.float64(), pa.bool_()


def _column(name: str, kind: pa.DataType, doc: str, unit: str = "", null: bool = False) -> pa.Field:
    metadata = {"description": doc, "unit": unit} if unit else {"description": doc}
    return pa.field(name, kind, nullable=null, metadata=metadata)


def _key(name: str, doc: str) -> pa.Field:
    return _column(name, _STR, doc)


def _text(name: str, doc: str) -> pa.Field:
    return _column(name, _STR, doc, null=True)


def _number(name: str, doc: str, unit: str = "") -> pa.Field:
    return _column(name, _F64, doc, unit, null=True)


def _table(doc: str, *fields: pa.Field) -> pa.Schema:
    return pa.schema(fields, metadata={"description": doc})


_STUDY = _key("study", "name of the study whose ingest wrote the row")
_RECORDING = _key(
    "recording", "recording id: <dataset>/sub-..[/ses-..]/task-..[_acq-..][_run-..]_<modality>"
)

DATASETS = _table(
    "One row a dataset of a study.",
    _STUDY,
    _key("dataset", "dataset id in the study"),
    _text("name", "Name in dataset_description.json"),
    _text("license", "License in dataset_description.json or, where it says none, in the recipe"),
    _text("citation", "how to cite: authors, DOI"),
    _text("doi", "DatasetDOI"),
    _key("recipe", "recipe that read it"),
    _key("recipe_sha256", "digest of the recipe's content"),
    _key("source", "where it lay"),
    _column("n_files", _I64, "files read"),
    _column("n_bytes", _I64, "bytes of those files", "byte"),
    _column("n_recordings", _I64, "recordings found"),
    _column("n_failed", _I64, "recordings that could not be read"),
)

RECORDINGS = _table(
    "One row a recording; a recording that could not be read has status 'failed' and the reason.",
    _STUDY,
    _RECORDING,
    _key("dataset", "dataset id"),
    _key("subject", "BIDS subject label"),
    _text("session", "BIDS session label"),
    _text("task", "BIDS task label"),
    _text("acquisition", "BIDS acquisition label"),
    _text("run", "BIDS run label"),
    _key("modality", "eeg, meg, fnirs or fmri"),
    _key("person", "person id; the same across datasets where a recipe maps them"),
    _text("split", "train, validation or test"),
    _key("status", "ok or failed"),
    _text("reason", "why it failed"),
    _text("remedy", "what would mend it"),
    _text("path", "Zarr group, relative to the corpus root"),
    _text("digest", "digest of everything the group was made from"),
    _text("manifest_sha256", "digest of the group's manifest of file digests"),
    _column("n_events", _I64, "canonical events"),
    _column("n_windows", _I64, "windows stored"),
    _column("n_channels", _I64, "channels stored"),
    _number("sfreq", "sampling rate of the stored windows", "Hz"),
    _number("sfreq_source", "sampling rate of the source", "Hz"),
    _number("duration_s", "length of the source recording", "s"),
    _text("acq_time", "acquisition time in scans.tsv, as written there"),
    _key("source_file", "signal file, relative to the dataset"),
    _text("source_checksum", "kind:hex digest of the signal file"),
    _column("source_bytes", _I64, "size of the signal file", "byte"),
    _number("bad_channel_fraction", "share of channels that are bad"),
    _text("quality", "JSON: quality of the run, by name"),
    _text("steps", "JSON: processing steps with parameters and software versions"),
)

CHANNELS = _table(
    "One row a channel of a recording, the rejected ones included.",
    _STUDY,
    _RECORDING,
    _column("row", _I32, "position along the channel dimension; -1 if it is not stored"),
    _key("channel", "channel name"),
    _key("type", "MNE channel type, or 'region' and 'voxel' for fMRI"),
    _key("unit", "SI unit of the stored values"),
    _number("x", "position: to the right", "m"),
    _number("y", "position: to the front", "m"),
    _number("z", "position: up", "m"),
    _text("frame", "coordinate frame of the position"),
    _key("status", "good, bad or excluded"),
    _text("reason", "why it is bad or excluded"),
    _text("quality", "JSON: quality measures of the channel, by name"),
)

EVENTS = _table(
    "One row a canonical event.",
    _STUDY,
    _RECORDING,
    _column("event", _I32, "number of the event in its recording, by onset"),
    _column(
        "onset", _F64, "onset on the recording's own clock, with the recipe's delay applied", "s"
    ),
    _number("duration", "duration; null if the table does not say", "s"),
    _key("concept", "concept in the vocabulary, slash-tagged"),
    _text("stimulus", "evidenced stimulus key; null where identity is unknown"),
    _text("stimulus_name", "stimulus as the table names it"),
    _key("identity", "content, name or none: what the stimulus key rests on"),
    _text("value", "trigger code as the table has it"),
    _text("trial_type", "trial_type as the table has it"),
    _text("hed", "HED string that the recipe gives"),
    _column(
        "repetition",
        _I32,
        "how often this stimulus was shown before in the session, 0 first; null unknown",
        null=True,
    ),
    _text("repetition_class", "first, immediate or delayed; null unknown"),
    _number(
        "preceding_interval",
        "time since the previous kept event that is neither a response nor a marker",
        "s",
    ),
    _number("run_position", "onset as a share of the run's events span, 0 to 1"),
    _number("response_time", "response time", "s"),
    _text("attributes", "JSON: attributes that the recipe gives"),
    _column("source_row", _I32, "line of the events table, the header is 1; 0 if not from a table"),
)

WINDOWS = _table(
    "One row a window: a row of the array 'signal' of its recording.",
    _STUDY,
    _RECORDING,
    _column("window", _I32, "position along the window dimension of the recording's group"),
    _key("kind", "event or sliding"),
    _column("event", _I32, "number of the event; null for sliding windows", null=True),
    _column("onset", _F64, "time zero of the window on the recording's clock", "s"),
    _column("tmin", _F64, "first sample relative to the onset", "s"),
    _column("tmax", _F64, "last sample relative to the onset", "s"),
    _key("concept", "concept of the event; 'sliding' for sliding windows"),
    _text("stimulus", "evidenced stimulus key"),
    _column("clipped", _BOOL, "part of the window lies outside the recording"),
    _column("overlaps", _BOOL, "another window of the same kind overlaps it"),
    _column("artefact", _BOOL, "an artefact criterion of the modality is met"),
    _column("valid_fraction", _F64, "share of valid samples, 0 to 1"),
    _number(
        "peak_to_peak",
        "median over good channels of peak to peak; MEG: of magnetometers, where there are any",
        "unit of the channel",
    ),
    _number("previous_event", "time since the previous event's onset", "s"),
    _number("next_event", "time to the next event's onset", "s"),
    _number("beta_se", "median standard error of the single-trial estimate", "unit of the channel"),
    _column(
        "quality", _F64, "0 worst to 1 best: share of good channels times share of valid samples"
    ),
)

PAIRS = _table(
    "One row a pair of windows, with the evidence for it.",
    _STUDY,
    _key("pair_id", "digest of tier, rule and both windows"),
    _key("tier", "T0 to T5"),
    _key("rule", "name of the pairing in the study"),
    _key("modality_a", "modality of side a"),
    _key("modality_b", "modality of side b"),
    _key("recording_a", "recording of side a"),
    _key("recording_b", "recording of side b"),
    _column("window_a", _I32, "window of side a"),
    _column("window_b", _I32, "window of side b"),
    _key("person_a", "person of side a"),
    _key("person_b", "person of side b"),
    _key("concept", "concept both sides share; 'sliding' for sliding windows"),
    _text("stimulus", "evidenced stimulus both sides share"),
    _key("split", "train, validation or test"),
    _column("confidence", _F64, "probability that the pair is right, from the shipped calibration"),
    _key("evidence", "what it rests on: sample, triggers, content, name or condition"),
    _number("time_difference", "T0, T1: onset of b on a's clock minus onset of a", "s"),
    _number("clock_interval", "T1: half width of the 95 % interval of the clock at the event", "s"),
    _number("clock_bias", "T1: constant offset that triggers cannot identify, at most", "s"),
    _number("coverage", "T1: share of the events of the shorter sequence that align"),
    _number("ambiguity", "T1: score of the second best offset over the best"),
    _number(
        "covariate_distance", "T2 to T5: RMS of standardised covariate differences", "pooled SD"
    ),
    _column("n_alternatives", _I32, "T2 to T5: partners as admissible as this one", null=True),
    _number("soa_ratio", "larger over smaller median stimulus interval of the two recordings"),
    _number("quality", "quality of the worse window; null if paired from tables, without signals"),
)

ABSTENTIONS = _table(
    "One row a candidate pair of recordings that is not paired, with what would unlock it.",
    _STUDY,
    _key("recording_a", "recording of side a"),
    _key("recording_b", "recording of side b"),
    _key("tier", "T0 to T5"),
    _key("rule", "name of the pairing in the study"),
    _key("reason", "a short code and what failed, with the numbers"),
    _key("remedy", "what would unlock it"),
)

SPLITS = _table(
    "One row a person, recording or stimulus: the component it belongs to, and that one's split.",
    _STUDY,
    _key("kind", "person, recording or stimulus"),
    _key("key", "its id"),
    _key("component", "connected component: what must stay on one side"),
    _key("split", "train, validation or test"),
)

LOSSES = _table(
    "One row a thing that did not make it, or was repaired, with its number and the reason.",
    _STUDY,
    _key("dataset", "dataset id"),
    _text("recording", "recording id, if it belongs to one"),
    _key("stage", "source, index, events, signal, windows, pairing"),
    _key("item", "file, row, channel, event, window or candidate"),
    _key("action", "dropped, repaired or flagged"),
    _column("count", _I64, "how many"),
    _key("reason", "why"),
    _text("where", "file and line, where it is one"),
)

RELEASES = _table(
    "One row a release: one version of every table. Written last.",
    _key("release", "digest of the parent and of every table's rows, first 12 hex digits"),
    _column("sequence", _I64, "1 for the first"),
    _text("parent", "release before it"),
    _key("created", "UTC time, ISO 8601"),
    _key("study", "study whose ingest made it"),
    _key("neuropair_version", "version that wrote it"),
    _column("format", _I32, "version of the corpus format"),
    _key("manifest", "JSON: each table's Delta version, files, sizes and digests"),
    _key("summary", "JSON: counts by tier, split and reason"),
    _key("seal", "SHA-256 of the row's other columns, as JSON with sorted keys"),
)

TABLES: Mapping[str, pa.Schema] = {
    "datasets": DATASETS,
    "recordings": RECORDINGS,
    "channels": CHANNELS,
    "events": EVENTS,
    "windows": WINDOWS,
    "pairs": PAIRS,
    "abstentions": ABSTENTIONS,
    "splits": SPLITS,
    "losses": LOSSES,
}
"""Every table that a release names; ``releases`` itself stands beside them."""

KEYS: Mapping[str, tuple[str, ...]] = {
    "datasets": ("study", "dataset"),
    "recordings": ("recording",),
    "channels": ("recording", "channel"),
    "events": ("recording", "event"),
    "windows": ("recording", "window"),
    "pairs": ("study", "pair_id"),
    "abstentions": (),
    "splits": ("study", "kind", "key"),
    "losses": (),
    "releases": ("release",),
}
"""The columns that no two rows of a table share; empty where rows may be alike."""

ORDER: Mapping[str, tuple[str, ...]] = {
    "datasets": ("dataset",),
    "recordings": ("recording",),
    "channels": ("recording", "row", "channel"),
    "events": ("recording", "event"),
    "windows": ("recording", "window"),
    "pairs": ("tier", "rule", "recording_a", "recording_b", "window_a", "window_b", "pair_id"),
    "abstentions": ("tier", "rule", "recording_a", "recording_b", "reason"),
    "splits": ("kind", "key"),
    "losses": ("dataset", "recording", "stage", "item", "action", "reason", "where", "count"),
    "releases": ("sequence",),
}
"""How the rows of one study are sorted in a table; `KEYS` then decide what is left."""


def conform(rows: pd.DataFrame | list[dict[str, Any]], table: str) -> pa.Table:
    """Turn rows into an Arrow table of exactly the table's schema.

    Parameters
    ----------
    rows : pandas.DataFrame or list of dict
        Rows by column name. Nullable columns may be absent.
    table : str
        A name in `TABLES`, or ``releases``.

    Raises
    ------
    CorpusError
        If a column is unknown, missing, of another type, or null where it may not be.
    """
    schema = RELEASES if table == "releases" else TABLES[table]
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows)
    unknown = [name for name in frame.columns if name not in schema.names]
    missing = [f.name for f in schema if not f.nullable and f.name not in frame.columns]
    if unknown or (missing and len(frame)):
        raise CorpusError(
            f"unknown columns {unknown}, missing columns {missing}.",
            where=f"table {table}",
            remedy=f"the columns are {', '.join(schema.names)}",
        )
    columns = [_array(frame, field, table) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _array(frame: pd.DataFrame, field: pa.Field, table: str) -> pa.Array:
    if field.name not in frame.columns:
        return pa.nulls(len(frame), field.type)
    try:
        array = pa.array(frame[field.name], type=field.type, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise CorpusError(
            f"{error}.", where=f"table {table}, column {field.name}", remedy=f"give {field.type}"
        ) from error
    if array.null_count and not field.nullable:
        raise CorpusError(
            f"{array.null_count} values are null.",
            where=f"table {table}, column {field.name}",
            remedy="every row needs a value",
        )
    return array
