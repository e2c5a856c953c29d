"""Further partners that a pair's event could have had, with their weights."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neuropair.pipeline.align.points import Assignment
from neuropair.pipeline.align.types import Floats, Integers, SideTable

BANDWIDTH = 0.5
"""pooled SD: distance at which a partner weighs ``exp(-1/2)`` of one at no distance. It is the
default caliper: what is just admissible still counts."""


def weights(distance: Floats, pair: Integers, own: Floats) -> Floats:
    """Weigh further partners against the pair's own.

    A Gaussian kernel of the distance, ``exp(-d^2 / (2 BANDWIDTH^2))``, over the sum of the event's
    partners: those told here and its own.

    Parameters
    ----------
    distance : ndarray, shape (n,)
        Of each further partner.
    pair : ndarray of int, shape (n,)
        Its pair.
    own : ndarray, shape (n_pairs,)
        Distance of each pair's own partner.

    Returns
    -------
    ndarray, shape (n,)
        1 minus the sum over a pair is the weight of its own partner.

    Examples
    --------
    >>> weights(np.array([0.2, 0.2]), np.array([0, 0]), np.array([0.2])).round(3).tolist()
    [0.333, 0.333]
    """
    # from the nearest one, for without a caliper all may be far
    nearest = own.copy()
    np.minimum.at(nearest, pair, distance)
    scale = 2 * BANDWIDTH**2
    mine = np.exp(-(own**2 - nearest**2) / scale)
    theirs = np.exp(-(distance**2 - nearest[pair] ** 2) / scale)
    total = mine + np.bincount(pair, theirs, minlength=own.size)
    return np.asarray(theirs / total[pair])


def alternates(b: SideTable, rows_b: Integers, found: Assignment) -> pd.DataFrame:
    """Rows of table ``alternates``, with ``pair`` (position in `found`) for ``pair_id``.

    Parameters
    ----------
    b : SideTable
    rows_b : ndarray of int
        Row of ``b.items`` of each point.
    found : Assignment
    """
    rows = rows_b[found.other_b]
    pair = found.other_pair
    return pd.DataFrame(
        {
            "pair": pair,
            "rank": (np.arange(pair.size) - np.searchsorted(pair, pair) + 1).astype(np.int32),
            "recording_b": recording_of(b, rows),
            "window_b": b.items["window"].to_numpy()[rows].astype(np.int32),
            "weight": weights(found.other_distance, pair, found.distance),
            "distance": found.other_distance,
        }
    )


def recording_of(side: SideTable, rows: Integers) -> pd.Series:
    """Name the recordings of items; as objects, for a million rows share a few thousand names."""
    names = side.recordings["recording"].to_numpy(dtype=object)
    return pd.Series(names[side.items["rec"].to_numpy()[rows]], dtype=object)
