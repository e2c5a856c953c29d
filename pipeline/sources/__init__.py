"""Where datasets come from: a folder, an object store, OpenNeuro. One file a source."""

from neuropair.pipeline.sources.base import Source, open_source, safe_path
from neuropair.pipeline.sources.fetch import Fetched, fetch
from neuropair.pipeline.sources.forget import remove_copies
from neuropair.pipeline.sources.listing import listing_path, write_listing
from neuropair.pipeline.sources.selection import (
    extra_folders,
    list_folders,
    select_files,
    selects,
)

__all__ = [
    "Fetched",
    "Source",
    "extra_folders",
    "fetch",
    "list_folders",
    "listing_path",
    "open_source",
    "remove_copies",
    "safe_path",
    "select_files",
    "selects",
    "write_listing",
]
