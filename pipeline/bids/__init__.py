"""Reading BIDS: what a dataset holds, which sidecar belongs to which file."""

from neuropair.pipeline.bids.index import index_dataset, index_tree
from neuropair.pipeline.bids.names import Entry, parse_name
from neuropair.pipeline.bids.participants import read_participants
from neuropair.pipeline.bids.tree import Tree, local_tree

__all__ = [
    "Entry",
    "Tree",
    "index_dataset",
    "index_tree",
    "local_tree",
    "parse_name",
    "read_participants",
]
