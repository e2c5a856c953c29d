"""Recordings that stand under two names, found by their clocks, responses and signal files."""

from neuropair.pipeline.duplicates.find import Found, find_duplicates
from neuropair.pipeline.duplicates.links import links, same_recording, twins
from neuropair.pipeline.duplicates.signals import signal_key

__all__ = ["Found", "find_duplicates", "links", "same_recording", "signal_key", "twins"]
