"""Receipts of removed subjects: whole, ended, and the releases they withdrew withdrawn."""

from __future__ import annotations

import json

from neuropair.catalog.location import Location
from neuropair.catalog.release import Release
from neuropair.catalog.verify.report import Damage
from neuropair.schemas.forgotten import FORGOTTEN_FOLDER, PENDING_FILE, SALT_FILE, is_receipt
from neuropair.schemas.seal import SEAL, seal_of


def check_receipts(location: Location, releases: list[Release]) -> list[Damage]:
    """Check the receipts of a corpus against their seals and against table ``releases``."""
    paths = list(location.sizes(FORGOTTEN_FOLDER))
    damages = [
        damage for path in paths if is_receipt(path) for damage in _check(location, path, releases)
    ]
    if PENDING_FILE in paths:
        what = "the removal of a subject has not ended: run the same `neuropair forget` again"
        damages.append(Damage(PENDING_FILE, what))
    if paths and SALT_FILE not in paths:
        damages.append(Damage(SALT_FILE, "is missing: who was removed cannot be told any more"))
    return damages


def _check(location: Location, path: str, releases: list[Release]) -> list[Damage]:
    try:
        receipt = json.loads(location.read(path))
        fits = receipt.get(SEAL) == seal_of(receipt)
    except (ValueError, AttributeError):
        fits = False
    if not fits:
        return [Damage(path, "does not fit its seal")]
    is_open = {release.id for release in releases if release.withdrawn is None}
    return [
        Damage(path, f"release {release} opens, which it withdrew")
        for release in receipt["withdrawn"]
        if release in is_open
    ]
