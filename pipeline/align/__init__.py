"""Pairs of windows, each with the evidence for it, and an abstention where there is none."""

from neuropair.pipeline.align.clock import Clock, align_clocks
from neuropair.pipeline.align.common import align_recordings, common_onsets
from neuropair.pipeline.align.reasons import Abstention
from neuropair.pipeline.align.run import align_study
from neuropair.pipeline.align.sliding import sliding_onsets
from neuropair.pipeline.align.types import AlignResult

__all__ = [
    "Abstention",
    "AlignResult",
    "Clock",
    "align_clocks",
    "align_recordings",
    "align_study",
    "common_onsets",
    "sliding_onsets",
]
