"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

_VARIABLE = "NEUROPAIR_TEST_DATA"
_SERVER_START_S = 180
"""The first start of a Prefect server took 23 to 34 s on two cores; under load it takes longer."""


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real recordings and tables; a test that needs it fails where it is absent."""
    given = os.environ.get(_VARIABLE)
    folder = Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "README.md").is_file():
        pytest.fail(
            f"{folder} holds no test data. Set {_VARIABLE} to the folder that holds "
            "eeg_n170_muse, fmri_haxby_pymvpa, events and the other datasets."
        )
    return folder


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A Prefect server of this test session, with a database that is thrown away."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=_SERVER_START_S):
        yield
