"""OpenNeuro by accession: the public bucket, read anonymously."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from neuropair.pipeline.sources.objectstore import ObjectStoreSource, client_options, retries
from neuropair.schemas.errors import SourceError

if TYPE_CHECKING:
    from obstore.store import S3Config

SCHEMES = ("openneuro",)
BUCKET = "openneuro.org"
REGION = "us-east-1"
ENDPOINT_VARIABLE = "NEUROPAIR_OPENNEURO_ENDPOINT"
"""Environment variable: another S3 endpoint that serves the same layout, such as a mirror."""

_ACCESSION = re.compile(r"^openneuro:/*(ds\d{6})$", re.IGNORECASE)


def open(url: str, base: Path | None) -> ObjectStoreSource:
    """Open ``openneuro:<accession>``; the bucket's layout is ``<accession>/…``."""
    from obstore.store import S3Store

    del base
    found = _ACCESSION.match(url)
    if found is None:
        raise SourceError(
            "is no accession of OpenNeuro.",
            where=url,
            remedy="write it as openneuro:ds004514",
        )
    endpoint = os.environ.get(ENDPOINT_VARIABLE, "")
    config: S3Config = {"region": REGION, "skip_signature": True}
    if endpoint:
        config["endpoint"] = endpoint
    store = S3Store(
        BUCKET,
        prefix=found.group(1).lower(),
        config=config,
        client_options=client_options(endpoint),
        retry_config=retries(),
    )
    return ObjectStoreSource(url, store)
