"""Standard electrode names and template positions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from neuropair.schemas.errors import DatasetError

TEMPLATE = "standard_1005"
"""MNE's template of the 10-05 system (Oostenveld and Praamstra 2001), fitted to the head frame."""

# the same montage: MNE 1.13 renamed it
_MONTAGE = "colin27_1005"

_PREFIX = re.compile(r"^EEG[\s_:-]*", re.IGNORECASE)
_SUFFIX = re.compile(r"[\s_:-]+(REF|LE|AVG?|A1|A2|M1|M2)$", re.IGNORECASE)


@cache
def _by_lower() -> dict[str, str]:
    import mne

    names = mne.channels.make_standard_montage(_MONTAGE).ch_names
    return {name.lower(): name for name in names}


@cache
def _positions() -> dict[str, tuple[float, ...]]:
    import mne

    montage = mne.channels.make_standard_montage(_MONTAGE)
    info = mne.create_info(montage.ch_names, 1.0, "eeg", verbose="ERROR")
    info.set_montage(montage, verbose="ERROR")
    return {c["ch_name"]: (*map(float, c["loc"][:3]),) for c in info["chs"]}


def template_position(name: str) -> NDArray[np.float64]:
    """Position of a standard name in the head frame, (3,) in m; NaN where it has none."""
    return np.array(_positions().get(name, (np.nan,) * 3))


def standard_names(names: Sequence[str], rename: Mapping[str, str], where: str) -> dict[str, str]:
    """Map a file's channel names to standard ones: ``Fc5.`` -> ``FC5``.

    A name is replaced by the recipe's `rename`, else by the one name of the 10-05 system that it
    is but for letter case, trailing dots, a leading ``EEG`` or a trailing reference (``-REF``).
    Where two channels would get one name, both keep their own.

    Parameters
    ----------
    names : sequence of str
        Names in the file.
    rename : Mapping
        File name -> standard name; wins.
    where : str
        The file, for the error.

    Returns
    -------
    dict
        Every name in the file -> the name to use. Values are unique if `names` are.

    Raises
    ------
    DatasetError
        If `rename` gives one name to two channels.
    """
    proposed = {name: rename.get(name) or _standard(name) for name in names}
    counts = Counter(proposed.values())
    result = {
        name: new if name in rename or counts[new] == 1 else name for name, new in proposed.items()
    }
    doubled = [name for name, count in Counter(result.values()).items() if count > 1]
    if doubled:
        raise DatasetError(
            f"two channels would be called {doubled[0]!r}.",
            where=where,
            remedy="mend 'channels' of the dataset's recipe: names must stay unique",
        )
    return result


def _standard(name: str) -> str:
    bare = _PREFIX.sub("", name.strip(" ."))
    for candidate in (bare, _SUFFIX.sub("", bare)):
        known = _by_lower().get(candidate.lower())
        if known:
            return known
    return name
