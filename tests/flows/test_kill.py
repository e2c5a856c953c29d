"""Killed twice on the way and run again, an ingest gives what an undisturbed one gives."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from ingests import group_manifests, real_sources, start_ingest, table_rows

STUDY = "n170_haxby"


def _kill_after(process: subprocess.Popen[str], recordings: int) -> None:
    """Kill the whole process group once so many recordings are said to be done."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(f"recordings {recordings}/"):
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _finish(process: subprocess.Popen[str]) -> None:
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, f"{out}\n{err}"


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.timeout(1500)
def test_killed_twice_gives_the_same_corpus(
    real_data: Path, tmp_path: Path, prefect_server: None
) -> None:
    sources = real_sources(STUDY, real_data)
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    _finish(start_ingest(STUDY, undisturbed, sources))
    _kill_after(start_ingest(STUDY, disturbed, sources), 3)
    assert not (disturbed / "tables" / "releases").exists()
    _kill_after(start_ingest(STUDY, disturbed, sources), 9)
    _finish(start_ingest(STUDY, disturbed, sources))

    assert group_manifests(disturbed) == group_manifests(undisturbed)
    expected, found = table_rows(undisturbed), table_rows(disturbed)
    for name, rows in expected.items():
        pd.testing.assert_frame_equal(found[name], rows, obj=name)
    assert len(found["pairs"]) > 0
