"""A simulator with known truth: events alone, or whole BIDS datasets with signals."""

from neuropair.pipeline.simulate.dataset import simulate
from neuropair.pipeline.simulate.events import SimulatedEvents, simulate_events
from neuropair.pipeline.simulate.settings import SimulationSettings

__all__ = ["SimulatedEvents", "SimulationSettings", "simulate", "simulate_events"]
