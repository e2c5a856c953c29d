"""A picture of both sides of a pair."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neuropair.catalog.corpus import Corpus
from neuropair.catalog.stream.recording import RecordingReader
from neuropair.schemas import layout
from neuropair.schemas.errors import StorageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN_UNITS = {
    "V": (1e6, "µV"),
    "T": (1e15, "fT"),
    "T/m": (1e13, "fT/cm"),
    "mol/L": (1e6, "µmol/L"),
    "M": (1e6, "µmol/L"),
}
_COLOURS = {"hbo": "#c0392b", "hbr": "#2c5fa8"}
"""Red for oxygenated and blue for deoxygenated haemoglobin, as everywhere in fNIRS."""
_OTHER_COLOUR = "#2f4b6e"
_SHADE = "#d9d9d9"
_LINE = 110
"""Characters of the headline that fit into the picture's width."""


class _Window(NamedTuple):
    time: NDArray[np.float64]
    signal: NDArray[np.float32]
    valid: NDArray[np.bool_]
    good: NDArray[np.bool_]
    types: list[str]
    units: list[str]


def draw_pair(corpus: Corpus, pair: dict[str, Any], path: Path) -> None:
    """Draw both windows of a pair, each on its own time axis, the event at 0.

    Every good channel is a line; channels of different units get axes of their own. Samples that
    are not valid, for the window or for its sampling, are shaded.

    Parameters
    ----------
    corpus : Corpus
    pair : dict
        A row of table ``pairs``.
    path : Path
        Of the PNG.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    from matplotlib.figure import Figure

    sides = {side: _read(corpus, pair, side) for side in "ab"}
    panels = [(side, unit) for side, window in sides.items() for unit in _units(window)]
    figure = Figure(figsize=(10, 1.2 + 2.6 * len(panels)), layout="constrained")
    figure.suptitle(_headline(pair), fontsize=11)
    axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for ax, (side, unit) in zip(axes, panels, strict=True):
        _draw(ax, sides[side], unit)
        ax.set_title(_side_title(pair, side, sides[side], unit), fontsize=9, loc="left")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110, format="png")
    except OSError as error:
        raise StorageError(
            f"cannot be written ({error.strerror}).",
            where=str(path),
            remedy="give a path that can be written",
        ) from error


def _read(corpus: Corpus, pair: dict[str, Any], side: str) -> _Window:
    recording, number = pair[f"recording_{side}"], int(pair[f"window_{side}"])
    quoted = recording.replace("'", "''")
    (row,) = corpus.sql(f"SELECT path FROM recordings WHERE recording = '{quoted}'").to_pylist()
    reader = RecordingReader(corpus.location, row["path"])
    channels = corpus.sql(
        f"SELECT type, unit FROM channels WHERE recording = '{quoted}' AND \"row\" >= 0 "
        'ORDER BY "row"'
    )
    one = np.array([number])
    own = _own_samples(reader.whole("time"), corpus.windows(recording).iloc[number])
    return _Window(
        time=(reader.whole("time") + reader.rows("time_offset", one)[0])[own],
        signal=reader.signal(one)[0][:, own],
        valid=reader.rows(layout.VALID, one)[0][own],
        good=reader.rows(layout.CHANNEL_VALID, one)[0],
        types=channels["type"].to_pylist(),
        units=channels["unit"].to_pylist(),
    )


def _own_samples(time: NDArray[np.float64], window: pd.Series[Any]) -> NDArray[np.bool_]:
    """Leave out the part of the common time axis that belongs to windows of the other kind."""
    half = _half_step(time)
    own = (time > window["tmin"] - half) & (time < window["tmax"] + half)
    return own if own.any() else np.ones(len(time), bool)


def _units(window: _Window) -> list[str]:
    return sorted(set(window.units))


def _draw(ax: Axes, window: _Window, unit: str) -> None:
    factor, shown = _SHOWN_UNITS.get(unit, (1.0, unit))
    chosen = [i for i, own in enumerate(window.units) if own == unit and window.good[i]]
    width, alpha = (0.6, 0.45) if len(chosen) > 8 else (1.0, 0.7)
    marker = "o" if len(window.time) < 40 else None
    labelled: set[str] = set()
    for i in chosen:
        kind = window.types[i]
        values = np.where(window.valid, window.signal[i] * factor, np.nan)
        ax.plot(
            window.time,
            values,
            color=_COLOURS.get(kind, _OTHER_COLOUR),
            linewidth=width,
            alpha=alpha,
            marker=marker,
            markersize=2.5,
            label=None if kind in labelled else kind,
        )
        labelled.add(kind)
    for start, stop in _masked(window.time, window.valid):
        ax.axvspan(start, stop, facecolor=_SHADE, edgecolor="none", zorder=0)
    ax.axvline(0, color="black", linewidth=1, linestyle="--", zorder=3)
    half = _half_step(window.time)
    ax.set_xlim(min(window.time[0] - half, 0), max(window.time[-1] + half, 0))
    ax.set_xlabel("time from the onset (s)")
    ax.set_ylabel(shown)
    ax.spines[["top", "right"]].set_visible(False)
    if labelled:
        for line in ax.legend(loc="upper right", fontsize=8, frameon=False).get_lines():
            line.set(alpha=1, linewidth=1.5)
    else:
        ax.text(0.5, 0.5, "no good channel", transform=ax.transAxes, ha="center")


def _half_step(time: NDArray[np.float64]) -> float:
    return float(np.median(np.diff(time)) / 2) if len(time) > 1 else 0.5


def _masked(time: NDArray[np.float64], valid: NDArray[np.bool_]) -> Iterator[tuple[float, float]]:
    """Stretches of samples that are not valid, from half a sample before to half a sample after."""
    half = _half_step(time)
    edges = np.flatnonzero(np.diff(np.concatenate([[True], valid, [True]]).astype(np.int8)))
    for start, stop in edges.reshape(-1, 2):
        yield float(time[start] - half), float(time[stop - 1] + half)


def _headline(pair: dict[str, Any]) -> str:
    facts = [
        f"{pair['tier']} {pair['modality_a']}-{pair['modality_b']}: {pair['concept']}",
        f"evidence: {pair['evidence']}",
        f"confidence {pair['confidence']:.2f}",
        f"split {pair['split']}",
    ]
    if pair["stimulus"]:
        facts.insert(1, f"stimulus {pair['stimulus'][:40]}")
    if pair["time_difference"] is not None:
        facts.append(f"onsets differ by {pair['time_difference'] * 1000:.1f} ms")
    if pair["covariate_distance"] is not None:
        facts.append(f"covariate distance {pair['covariate_distance']:.2f} SD")
    return "\n".join([f"pair {pair['pair_id']}", *wrap("; ".join(facts), _LINE)])


def _side_title(pair: dict[str, Any], side: str, window: _Window, unit: str) -> str:
    of_unit = [i for i, own in enumerate(window.units) if own == unit]
    n_good = int(window.good[of_unit].sum())
    masked = "" if window.valid.all() else f", {1 - window.valid.mean():.0%} masked (grey)"
    return (
        f"{side}: {pair[f'modality_{side}']}, {pair[f'recording_{side}']}, window "
        f"{pair[f'window_{side}']}; {n_good} of {len(of_unit)} channels good{masked}"
    )
