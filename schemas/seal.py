"""The seal of a release: a digest of its row, which no manifest can name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SEAL = "seal"


def seal_of(row: Mapping[str, Any]) -> str:
    """SHA-256 of every other column of a row of table ``releases``."""
    content = {name: value for name, value in row.items() if name != SEAL}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
