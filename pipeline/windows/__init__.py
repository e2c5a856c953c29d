"""Windows around events, on each modality's own time axis."""

from __future__ import annotations

from neuropair.pipeline.windows.betas import Betas, single_trial_betas
from neuropair.pipeline.windows.cut import cut

__all__ = ["Betas", "cut", "single_trial_betas"]
