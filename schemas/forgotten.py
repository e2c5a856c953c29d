"""What a corpus remembers of a person who was removed: salted digests, never a name."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence

FORGOTTEN_FOLDER = "forgotten"
"""Receipts of removals, one file each, and the salt of their digests."""
SALT_FILE = f"{FORGOTTEN_FOLDER}/salt"
PENDING_FILE = f"{FORGOTTEN_FOLDER}/pending.json"
"""A removal that has begun. While it is there, the releases that it withdraws do not open."""
RECEIPT_FORMAT = 1


def receipt_file(receipt: str) -> str:
    """Path of a receipt, relative to the corpus root."""
    return f"{FORGOTTEN_FOLDER}/{receipt}.json"


def is_receipt(path: str) -> bool:
    """Whether a path of `FORGOTTEN_FOLDER` is that of a receipt."""
    return path.endswith(".json") and path != PENDING_FILE


def salted(salt: str, kind: str, name: str) -> str:
    """HMAC-SHA256 of a name under the corpus's salt.

    It hides names from whoever reads the receipts, not from one who holds the corpus and guesses:
    an ingest has to be able to ask whether a subject was removed.

    Parameters
    ----------
    salt : str
    kind : {'person', 'subject', 'recording'}
        Equal names of two kinds have different digests.
    name : str
    """
    return hmac.new(salt.encode(), f"{kind}\n{name}".encode(), hashlib.sha256).hexdigest()


def digests_of(
    salt: str, persons: Iterable[str], subjects: Iterable[Sequence[str]]
) -> frozenset[str]:
    """Digests by which persons, and subjects given as (dataset, label), are known again."""
    people = (salted(salt, "person", name) for name in persons)
    labels = (salted(salt, "subject", "/".join(subject)) for subject in subjects)
    return frozenset([*people, *labels])
