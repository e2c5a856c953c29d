"""A small dataset in a folder, and what a recipe makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from small_dataset import Small

from neuropair.pipeline.types import Events


@pytest.fixture
def small(tmp_path: Path) -> Small:
    root = tmp_path / "ds"
    root.mkdir()
    return Small(root)


@pytest.fixture
def table(small: Small) -> Callable[..., Events]:
    """Read one table by one entry of a recipe."""

    def read(
        content: str | bytes, *, sidecar: Mapping[str, Any] | None = None, **entry: Any
    ) -> Events:
        small.run(content, sidecar=sidecar)
        return small.read(**entry)

    return read
