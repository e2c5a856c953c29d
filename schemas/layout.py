"""Where everything lies in a corpus, and what its arrays are called."""

from __future__ import annotations

FORMAT = 1
"""Version of the corpus format; a reader refuses a newer one."""

TABLES_FOLDER = "tables"
SIGNALS_FOLDER = "signals"
ROWS_FOLDER = "rows"
"""In a recording's group: its rows of every table, as Parquet; tables can be rebuilt from them."""
MANIFEST_FILE = "manifest.json"
"""Inside a recording's group: SHA-256 and size of every other file of the group. Written last."""
STAGING_FOLDER = ".staging"
DESCRIPTION_FILE = "dataset_description.json"

WINDOWS_PER_CHUNK = 64
"""Windows in an inner chunk: 64 windows of 64 x 256 int16 are 2 MB, about one disk read-ahead."""
SHARD_BYTES = 128 * 2**20
"""Above this a recording gets more than one shard."""

SIGNAL = "signal"
SCALE = "scale"
VALID = "valid"
CHANNEL_VALID = "channel_valid"
BETA = "beta"
BETA_SE = "beta_se"
DIMS = ("window", "channel", "time")


def recording_folder(recording: str, digest: str) -> str:
    """Path of a recording's Zarr group, relative to the corpus root.

    Examples
    --------
    >>> recording_folder("ds1/sub-01/ses-a/task-rest_run-1_eeg", "0f3a")
    'signals/ds1/sub-01/ses-a/task-rest_run-1_eeg/0f3a'
    """
    return f"{SIGNALS_FOLDER}/{recording}/{digest}"
