"""Streaming pairs into training."""

from neuropair.catalog.stream.selection import Channel
from neuropair.catalog.stream.stream import PairStream

__all__ = ["Channel", "PairStream"]
