"""Where everything lies in a corpus, and what its arrays are called."""

from __future__ import annotations

FORMAT = 2
"""Version of the corpus format; a reader refuses a newer one."""

TABLES_FOLDER = "tables"
RELEASES_TABLE = "releases"
SIGNALS_FOLDER = "signals"
ROWS_FOLDER = "rows"
"""In a recording's group: its rows of every table, as Parquet; tables can be rebuilt from them."""
MANIFEST_FILE = "manifest.json"
"""Inside a recording's group: SHA-256 and size of every other file of the group. Written last."""
STAGING_FOLDER = ".staging"
"""Half-written groups; never read."""
LOCK_FILE = ".lock"
"""Locked, shared, by ingests at work, and by whoever removes something, alone."""
DESCRIPTION_FILE = "dataset_description.json"

WINDOWS_PER_CHUNK = 64
"""Most windows in an inner chunk: 64 windows of 64 x 256 int16 are 2 MB, a disk's read-ahead."""
CHUNK_BYTES = 16 * 2**20
"""An inner chunk of long windows or many voxels holds fewer windows than that, to stay below."""
SHARD_BYTES = 128 * 2**20
"""Above this a recording gets more than one shard."""

SIGNAL = "signal"
SCALE = "scale"
"""``signal * scale`` is the value in SI units; absent where `SIGNAL` is float32."""
VALID = "valid"
CHANNEL_VALID = "channel_valid"
BASELINE = "baseline"
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


def table_folder(table: str) -> str:
    """Path of a Delta table, relative to the corpus root.

    Examples
    --------
    >>> table_folder("pairs")
    'tables/pairs'
    """
    return f"{TABLES_FOLDER}/{table}"


def windows_per_chunk(n_windows: int, window_bytes: int) -> int:
    """Windows in an inner chunk: the chunks are balanced, so that padding stays small.

    Examples
    --------
    >>> windows_per_chunk(70, 1000)
    35
    >>> windows_per_chunk(10_000, 1000)
    64
    >>> windows_per_chunk(0, 1000)
    1
    """
    most = min(WINDOWS_PER_CHUNK, max(1, CHUNK_BYTES // max(1, window_bytes)))
    chunks = max(1, -(-n_windows // most))
    return max(1, -(-n_windows // chunks))


def windows_per_shard(n_windows: int, window_bytes: int) -> int:
    """Windows in a shard, a multiple of `windows_per_chunk`; shards are balanced too.

    Examples
    --------
    >>> windows_per_shard(70, 1000)
    70
    >>> windows_per_shard(71, 1000)
    72
    """
    chunk = windows_per_chunk(n_windows, window_bytes)
    chunks = max(1, -(-n_windows // chunk))
    most = max(1, SHARD_BYTES // max(1, chunk * window_bytes))
    shards = -(-chunks // most)
    return chunk * -(-chunks // shards)
