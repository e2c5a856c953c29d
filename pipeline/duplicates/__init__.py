"""Recordings that stand under two names, found by their clocks, responses and signal files."""

from neuropair.pipeline.duplicates.find import Found, find_duplicates
from neuropair.pipeline.duplicates.links import links, same_recording, twins
from neuropair.pipeline.duplicates.signals import SignalKeys

__all__ = ["Found", "SignalKeys", "find_duplicates", "links", "same_recording", "twins"]
