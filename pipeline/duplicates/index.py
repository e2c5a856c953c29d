"""Which sequences may be one: an index of n-grams of quantised intervals, in place of all pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from neuropair.pipeline.duplicates.schedule import GRAM, Bools, Floats, Integers

KEYS = ((0.04, GRAM), (0.25, GRAM), (0.04, 16))
"""Bin width, s, and number of intervals of each kind of key. The first keeps a schedule that was
played twice (two intervals differ by 9 ms on average where frames drop: 0.2 of all n-grams stay
equal); the second one whose stamps were rounded to 0.1 s (0.4 stay); the third tells schedules
apart whose intervals hardly vary (0.4 stay at 1 ms of jitter)."""
LEAST_BITS = 12.0
"""A key that chance makes once in 4,096 places; sequences whose keys of a kind tell less have none
of that kind."""
CROWD = 100
"""Sequences with one n-gram beyond which each is compared with the next one only: a schedule that
10,000 recordings share would make 5e7 pairs, of which 1e4 say the same."""
_SAME_OFFSET = 0.5
"""s. N-grams of one alignment agree in the offset: 500 ppm of drift in a quarter of an hour."""
_SHARE = 30
"""One n-gram of 30 events has to be found at one offset. Damage leaves far more: 20 % at twice the
jitter seen in real replays (above)."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
_FOLD = np.uint64(0xBF58476D1CE4E5B9)


class Candidate(NamedTuple):
    """Two sequences, by number, and the times at which they have an n-gram in common, s."""

    a: int
    b: int
    times_a: Floats
    times_b: Floats


def candidates(sequences: Sequence[Floats]) -> list[Candidate]:
    """Find the pairs of sequences that have enough n-grams in common at one offset.

    Parameters
    ----------
    sequences : sequence of ndarray
        Ascending times, s.

    Returns
    -------
    list of Candidate
        By `a` and `b`, ``a < b``. The work grows with the number of events, and not with the
        number of pairs.
    """
    found = [_shared(sequences, *kind) for kind in KEYS]
    a, b = (np.concatenate([one[k] for one in found]) for k in (0, 1))
    times_a, times_b = (np.concatenate([one[k] for one in found]) for k in (2, 3))
    if not a.size:
        return []
    order = np.lexsort((times_a, b, a))
    a, b, times_a, times_b = a[order], b[order], times_a[order], times_b[order]
    starts = np.flatnonzero(np.r_[True, (np.diff(a) != 0) | (np.diff(b) != 0)])
    lengths = np.array([len(one) for one in sequences])
    needed = np.maximum(1, np.minimum(lengths[a[starts]], lengths[b[starts]]) // _SHARE)
    result = []
    stops = np.append(starts[1:], a.size)
    for start, stop, need in zip(starts, stops, needed, strict=True):
        if stop - start < need:
            continue
        keep = _one_offset(times_b[start:stop] - times_a[start:stop])
        if keep.sum() >= need:
            both = times_a[start:stop][keep], times_b[start:stop][keep]
            result.append(Candidate(int(a[start]), int(b[start]), *both))
    return result


def _one_offset(offsets: Floats) -> Bools:
    """Mark the largest group of offsets that lie together."""
    ordered = np.sort(offsets)
    upto = np.searchsorted(ordered, ordered + 2 * _SAME_OFFSET, side="right")
    first = int(np.argmax(upto - np.arange(ordered.size)))
    low, high = ordered[first], ordered[upto[first] - 1]
    return np.asarray((offsets >= low) & (offsets <= high))


def _shared(
    sequences: Sequence[Floats], width: float, length: int
) -> tuple[Integers, Integers, Floats, Floats]:
    """Every pair of places in two sequences whose n-grams are equal."""
    of, key, time = _grams(sequences, width, length)
    order = np.lexsort((time, of, key))
    of, key, time = of[order], key[order], time[order]
    # within one sequence a repeated n-gram says nothing: the first stands for it
    fresh = np.r_[True, (np.diff(of) != 0) | (key[1:] != key[:-1])] if of.size else of == 0
    of, key, time = of[fresh], key[fresh], time[fresh]
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]]) if key.size else np.zeros(0, int)
    sizes = np.diff(np.append(starts, key.size))
    left, right = [], []
    for size in np.unique(sizes[sizes > 1]):
        rows = starts[sizes == size]
        i, j = (
            np.triu_indices(int(size), 1)
            if size <= CROWD
            else (np.arange(size - 1), np.arange(1, size))
        )
        left.append((rows[:, None] + i).ravel())
        right.append((rows[:, None] + j).ravel())
    if not left:
        none = np.zeros(0)
        return none.astype(np.int64), none.astype(np.int64), none, none
    one, other = np.concatenate(left), np.concatenate(right)
    return of[one], of[other], time[one], time[other]


def _grams(
    sequences: Sequence[Floats], width: float, length: int
) -> tuple[Integers, npt.NDArray[np.uint64], Floats]:
    """Give the number of the sequence, key and time of every n-gram."""
    bins = [np.floor(np.diff(times) / width).astype(np.int64) for times in sequences]
    telling = [k for k, one in enumerate(bins) if one.size >= length and _bits(one, length)]
    if not telling:
        return np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros(0)
    sizes = [bins[k].size - length + 1 for k in telling]
    windows = [np.lib.stride_tricks.sliding_window_view(bins[k], length) for k in telling]
    places = np.concatenate(windows).astype(np.uint64)
    key = np.zeros(len(places), np.uint64)
    for column in range(length):
        key = (key ^ (places[:, column] + _MIX)) * _FOLD
        key ^= key >> np.uint64(29)
    of = np.repeat(np.asarray(telling, dtype=np.int64), sizes)
    time = np.concatenate([sequences[k][:n] for k, n in zip(telling, sizes, strict=True)])
    return of, key, time


def _bits(bins: Integers, length: int) -> bool:
    """Whether an n-gram tells enough: collision entropy of the binned intervals."""
    counts = np.unique(bins, return_counts=True)[1].astype(float)
    n = bins.size
    collide = (float((counts * (counts - 1)).sum()) + 1) / (n * (n - 1) + 1)
    return -length * float(np.log2(collide)) >= LEAST_BITS
