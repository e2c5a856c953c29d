"""Assembling a batch: rows of many arrays, padded to one shape, with masks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuropair.catalog.stream.selection import Selection

Batch = dict[str, Any]


def assemble(selection: Selection, pairs: NDArray[np.integer[Any]], size: int) -> Batch:
    """Read the pairs of one batch.

    Parameters
    ----------
    selection : Selection
    pairs : array of int, shape (n,)
        Which pairs of the selection, in the order of the batch.
    size : int
        Rows of the batch, n or more; rows beyond n are no pairs and have nothing present.

    Returns
    -------
    dict
        As `neuropair.catalog.stream.PairStream` describes it.
    """
    batch: Batch = {key: gather.read(pairs, size) for key, gather in selection.gathers.items()}
    blank = size - len(pairs)
    for name, (values, codes) in selection.texts.items():
        batch[name] = values[codes[pairs]].tolist() + [""] * blank
    for name, numbers in selection.numbers.items():
        fill = -1 if name in _WINDOWS else 0
        batch[name] = np.append(numbers[pairs], np.full(blank, fill, numbers.dtype))
    batch["is_pair"] = np.arange(size) < len(pairs)
    return batch


_WINDOWS = ("window_a", "window_b")
