"""Stopped three times on the way and run again, an ingest gives what an undisturbed one gives."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pandas as pd
import pytest
from ingests import group_manifests, ingest_command, real_sources, table_rows
from processes import Processes, processes

STUDY = "n170_haxby"
N_RECORDINGS = 16


def _stop_after(
    programs: Processes, name: str, command: list[str], recordings: int, how: signal.Signals
) -> int:
    """Stop an ingest once so many recordings are said to be done; SIGKILL hits its whole group."""
    home = {"PREFECT_HOME": programs.environment("prefect")["PREFECT_HOME"]}
    process = programs.start(name, command, home)
    said = f"recordings {recordings}/{N_RECORDINGS} "
    programs.wait_until(lambda: said in programs.log(name), said, 400)
    if how is signal.SIGKILL:
        os.killpg(process.pid, how)
    else:
        os.kill(process.pid, how)
    status = programs.end(name, process)
    programs.wait_until(lambda: not programs.alive(), "end of Prefect's temporary server")
    return status


def _finish(programs: Processes, name: str, command: list[str]) -> int:
    """Run an ingest to its end and return how many recordings it found there already."""
    home = {"PREFECT_HOME": programs.environment("prefect")["PREFECT_HOME"]}
    said = programs.run(name, command, home, timeout=500)
    assert not programs.alive()
    return said.count(" already there\n")


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.timeout(1500)
def test_stopped_three_times_gives_the_same_corpus(real_data: Path, tmp_path: Path) -> None:
    sources = real_sources(STUDY, real_data)
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    again = ingest_command(STUDY, disturbed, sources)
    with processes(tmp_path / "programs") as programs:
        assert _finish(programs, "whole", ingest_command(STUDY, undisturbed, sources)) == 0

        assert _stop_after(programs, "killed", again, 3, signal.SIGKILL) == -signal.SIGKILL
        assert not (disturbed / "tables").exists()
        assert len(group_manifests(disturbed)) >= 3
        assert _stop_after(programs, "ended", again, 6, signal.SIGTERM) == 130
        assert programs.log("ended").count(" already there\n") >= 3
        assert _stop_after(programs, "killed-again", again, 9, signal.SIGKILL) == -signal.SIGKILL
        assert not (disturbed / "tables").exists()
        assert 9 <= _finish(programs, "finished", again) < N_RECORDINGS

    assert group_manifests(disturbed) == group_manifests(undisturbed)
    expected, found = table_rows(undisturbed), table_rows(disturbed)
    for name, rows in expected.items():
        pd.testing.assert_frame_equal(found[name], rows, obj=name)
    assert len(found["pairs"]) > 0
