"""Writing a corpus: one Zarr group a recording, Delta tables, releases."""

from __future__ import annotations

from neuropair.pipeline.corpus.digest import input_digest, sha256_file
from neuropair.pipeline.corpus.recording import is_written, read_rows, write_recording
from neuropair.pipeline.corpus.release import newest_release, publish, publish_measured
from neuropair.pipeline.corpus.rows import (
    RecordingRows,
    combine,
    failed_rows,
    loss_rows,
    rehearsed_rows,
    sidecar_number,
)
from neuropair.pipeline.corpus.store import CorpusStore

__all__ = [
    "CorpusStore",
    "RecordingRows",
    "combine",
    "failed_rows",
    "input_digest",
    "is_written",
    "loss_rows",
    "newest_release",
    "publish",
    "publish_measured",
    "read_rows",
    "rehearsed_rows",
    "sha256_file",
    "sidecar_number",
    "write_recording",
]
