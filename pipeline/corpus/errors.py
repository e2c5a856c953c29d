"""What stores, Zarr and Delta raise, turned into one error with a place and a remedy."""

from __future__ import annotations

import errno
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
            f"cannot be read or written ({error.strerror or first_line(error)}).",
            where=where,
            remedy=_REMEDIES.get(error.errno or 0, _REMEDY),
        ) from error
    except (BaseError, DeltaError) as error:
        raise StorageError(
            f"cannot be read or written ({first_line(error)}).", where=where, remedy=_REMEDY
        ) from error


def first_line(error: BaseException) -> str:
    """First line of what an error says; Rust errors append pages of debug output."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
