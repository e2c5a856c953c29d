"""A Dask cluster that somebody named: reached before the work starts, or one clear error."""

from __future__ import annotations

import socket

from neuropair.schemas.errors import ClusterError

_PATIENCE_S = 10.0


def require_scheduler(address: str) -> None:
    """Make sure that somebody listens at the address of a Dask scheduler.

    Parameters
    ----------
    address : str
        ``tcp://HOST:PORT``.

    Raises
    ------
    ClusterError
        If nobody does. Dask itself would say so only after the datasets are fetched and indexed,
        and half a minute more.
    """
    from distributed.comm.addressing import get_address_host_port

    try:
        place = get_address_host_port(address)
        socket.create_connection(place, timeout=_PATIENCE_S).close()
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"no Dask scheduler answers ({error}).",
            where=f"--cluster {address}",
            remedy="start one with `dask scheduler`, and name it as it does: tcp://HOST:PORT",
        ) from error
