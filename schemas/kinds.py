"""Modalities and tiers: the two enumerations that every table carries."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Modality(StrEnum):
    """An instrument, by the name that tables, studies and array names use."""

    EEG = "eeg"
    MEG = "meg"
    FNIRS = "fnirs"
    FMRI = "fmri"

    @property
    def datatype(self) -> str:
        """Its BIDS datatype folder (``fnirs`` lies in ``nirs``, ``fmri`` in ``func``)."""
        return _BIDS[self].datatype

    @property
    def suffix(self) -> str:
        """The BIDS suffix of its signal files."""
        return _BIDS[self].suffix

    @property
    def is_haemodynamic(self) -> bool:
        """Whether it sees blood (seconds late) and not currents."""
        return self in (Modality.FNIRS, Modality.FMRI)


class _Bids(NamedTuple):
    datatype: str
    suffix: str


_BIDS = {
    Modality.EEG: _Bids("eeg", "eeg"),
    Modality.MEG: _Bids("meg", "meg"),
    Modality.FNIRS: _Bids("nirs", "nirs"),
    Modality.FMRI: _Bids("func", "bold"),
}


class Tier(StrEnum):
    """How strong the reason for a pair is; T0 is the strongest."""

    T0 = "T0"
    """Same clock: one file, one amplifier."""
    T1 = "T1"
    """Simultaneous on separate clocks that shared triggers align."""
    T2 = "T2"
    """Same person, same evidenced stimulus, another session."""
    T3 = "T3"
    """Same person, same condition."""
    T4 = "T4"
    """Other person, same evidenced stimulus."""
    T5 = "T5"
    """Other person, same condition."""

    @property
    def is_event_level(self) -> bool:
        """Whether the pair names one right partner (else any member of the cell is as right)."""
        return self in (Tier.T0, Tier.T1, Tier.T2, Tier.T4)

    @property
    def same_person(self) -> bool:
        """Whether both windows are of one person."""
        return self in (Tier.T0, Tier.T1, Tier.T2, Tier.T3)
