"""Tables as dicts of arrays: building thousands of small data frames takes ten times as long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Columns = dict[str, NDArray[Any]]
"""Column name -> values, all of one length."""


def stacked(parts: Sequence[Columns]) -> pd.DataFrame:
    """Give the rows of all parts, which have the same columns, one after another."""
    names = list(parts[0])
    return pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in names})
