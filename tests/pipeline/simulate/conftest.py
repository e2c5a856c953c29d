from __future__ import annotations

from pathlib import Path

import pytest

from neuropair.pipeline.simulate import simulate


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``bids`` and ``truth`` of two persons, recordings of one minute."""
    folder = tmp_path_factory.mktemp("small")
    simulate(folder / "bids", subjects=2, seconds=60, seed=7)
    return folder
