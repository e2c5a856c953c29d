"""Who was removed from a corpus for good, and may not come back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from neuropair.pipeline.corpus.store import CorpusStore
from neuropair.schemas import layout
from neuropair.schemas.errors import CorpusError, DamagedError
from neuropair.schemas.forgotten import (
    FORGOTTEN_FOLDER,
    PENDING_FILE,
    SALT_FILE,
    digests_of,
    is_receipt,
    salted,
)
from neuropair.schemas.seal import SEAL, seal_of

REASON = "a subject who was removed from the corpus for good"


@dataclass(frozen=True)
class Forgotten:
    """What a corpus remembers of those who were removed.

    Parameters
    ----------
    salt : str
        Empty if nobody was removed.
    digests : frozenset of str
        Of persons and subjects.
    pending : bool
        Whether a removal has begun and not ended.
    """

    salt: str = ""
    digests: frozenset[str] = frozenset()
    pending: bool = False

    def holds(self, dataset: str, subject: str, person: str) -> bool:
        """Whether a subject, or the person it is, was removed."""
        if not self.digests:
            return False
        given = {
            salted(self.salt, "person", person),
            salted(self.salt, "subject", f"{dataset}/{subject}"),
        }
        return bool(given & self.digests)

    def subjects(self, dataset: str, subjects: Iterable[tuple[str, str]]) -> list[str]:
        """Those of a dataset's subjects, given as (label, person), who were removed."""
        return sorted(label for label, who in subjects if self.holds(dataset, label, who))


def read_forgotten(store: CorpusStore) -> Forgotten:
    """Read who was removed; nobody for a corpus without receipts.

    Raises
    ------
    DamagedError
        If a receipt is not as it was written.
    """
    paths = [path for path, _ in store.list(FORGOTTEN_FOLDER)]
    if SALT_FILE not in paths:
        return Forgotten()
    salt = store.read(SALT_FILE).decode()
    receipts = [read_receipt(store, path) for path in paths if is_receipt(path)]
    digests = {digest for receipt in receipts for digest in receipt["subjects"]}
    pending = PENDING_FILE in paths
    if pending:
        plan = read_receipt(store, PENDING_FILE)
        digests |= digests_of(salt, plan["persons"], plan["members"])
    return Forgotten(salt, frozenset(digests), pending)


def read_receipt(store: CorpusStore, path: str) -> dict[str, Any]:
    """Read a receipt, or the plan of a removal that has begun.

    Raises
    ------
    DamagedError
        If it does not fit its seal.
    """
    try:
        receipt: dict[str, Any] = json.loads(store.read(path))
        fits = receipt.get(SEAL) == seal_of(receipt)
    except (ValueError, AttributeError):
        fits = False
    if not fits:
        raise DamagedError(
            "is not the receipt of a removal that was written.",
            where=store.where(path),
            remedy="restore it from a copy: without it, who was removed may come back",
        )
    return receipt


def refuse_forgotten(store: CorpusStore, recordings: pa.Table) -> None:
    """Refuse rows of recordings of a person who was removed, and remove their arrays.

    Raises
    ------
    CorpusError
        If there are some, or a removal has begun and not ended.
    """
    forgotten = read_forgotten(store)
    if forgotten.pending:
        raise CorpusError(
            "the removal of a subject has begun and not ended.",
            where=store.where(PENDING_FILE),
            remedy="run the same `neuropair forget` again, then this",
        )
    rows = recordings.select(["dataset", "subject", "person"]).to_pylist() if forgotten.salt else []
    found = {
        (row["dataset"], row["subject"])
        for row in rows
        if forgotten.holds(row["dataset"], row["subject"], row["person"])
    }
    if not found:
        return
    for dataset, subject in sorted(found):
        store.delete(subject_folder(dataset, subject))
    raise CorpusError(
        f"the rows are of {REASON} ({len(found)} subjects); their arrays were removed again.",
        where=store.url,
        remedy="run the ingest again: it leaves them out",
    )


def subject_folder(dataset: str, subject: str) -> str:
    """Folder of all groups of a subject, relative to the corpus root."""
    return f"{layout.SIGNALS_FOLDER}/{dataset}/sub-{subject}"
