"""What stores, Zarr and Delta raise, turned into one error with a place and a remedy."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from neuropair.schemas.errors import StorageError

_REMEDIES = {
    errno.ENOSPC: "free space on the disk and run again: what is written whole is kept",
    errno.EDQUOT: "free space in your quota and run again: what is written whole is kept",
    errno.EFBIG: "raise the file size limit and run again: what is written whole is kept",
    errno.EROFS: "choose a corpus folder that can be written",
    errno.EACCES: "choose a corpus folder that you may write",
}
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST = 400
_REMEDY = "check space, permission, address and network, and run again: what is written is kept"


@contextmanager
def storage_errors(where: str) -> Iterator[None]:
    """Raise `StorageError` for everything that a full, read-only or unreachable store raises.

    Raises
    ------
    StorageError
    """
    from deltalake.exceptions import DeltaError
    from obstore.exceptions import BaseError

    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot be read or written ({error.strerror or summary(error)}).",
            where=where,
            remedy=_REMEDIES.get(error.errno or 0, _REMEDY),
        ) from error
    except (BaseError, DeltaError) as error:
        raise StorageError(
            f"cannot be read or written ({summary(error)}).", where=where, remedy=_REMEDY
        ) from error


def summary(error: BaseException) -> str:
    """Say in one line what Rust's errors spread over many, without their colours."""
    lines = [_COLOUR.sub("", line).strip("\u21b3 ") for line in str(error).splitlines()]
    return ": ".join(line for line in lines if line)[:_LONGEST] or type(error).__name__
