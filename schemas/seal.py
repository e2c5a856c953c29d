"""The seal of a release or a receipt: a digest of its content, which nothing else names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SEAL = "seal"
WITHDRAWN = "withdrawn"


def seal_of(row: Mapping[str, Any]) -> str:
    """SHA-256 of everything but the seal itself.

    Releases of before there was a column `WITHDRAWN` keep their seal: it counts only where it
    says something.
    """
    content = {
        name: value
        for name, value in row.items()
        if name != SEAL and not (name == WITHDRAWN and value is None)
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
