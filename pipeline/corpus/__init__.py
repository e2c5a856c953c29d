"""Writing a corpus: one Zarr group a recording, Delta tables, releases."""

from __future__ import annotations

from neuropair.pipeline.corpus.digest import input_digest, sha256_file
from neuropair.pipeline.corpus.forget import Receipt, forget
from neuropair.pipeline.corpus.forgotten import Forgotten, read_forgotten
from neuropair.pipeline.corpus.gc import Freed, collect_garbage
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
    "Forgotten",
    "Freed",
    "Receipt",
    "RecordingRows",
    "collect_garbage",
    "combine",
    "failed_rows",
    "forget",
    "input_digest",
    "is_written",
    "loss_rows",
    "newest_release",
    "publish",
    "publish_measured",
    "read_forgotten",
    "read_rows",
    "rehearsed_rows",
    "sha256_file",
    "sidecar_number",
    "write_recording",
]
