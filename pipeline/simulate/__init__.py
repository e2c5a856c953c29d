"""A simulator with known truth: events alone, or whole BIDS datasets with signals."""

from neuropair.pipeline.simulate.dataset import simulate
from neuropair.pipeline.simulate.events import SimulatedEvents, simulate_events
from neuropair.pipeline.simulate.score import judge_pairs, score_pairs, true_amplitudes
from neuropair.pipeline.simulate.settings import SimulationSettings

__all__ = [
    "SimulatedEvents",
    "SimulationSettings",
    "judge_pairs",
    "score_pairs",
    "simulate",
    "simulate_events",
    "true_amplitudes",
]
