"""The same flow on a Dask cluster gives the same corpus, the same losses and the same errors."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest
from ingests import group_manifests, real_sources
from processes import free_port

from neuropair.flows.cli import main
from neuropair.schemas.errors import ClusterError, ExitCode

STUDY = "oddball"
CUT = "sub-01/ses-01/eeg/sub-01_ses-01_task-auditoryoddball_run-02_eeg.eeg"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def on_threads(
    real_data: Path, tmp_path_factory: pytest.TempPathFactory, prefect_server: None
) -> tuple[Path, Any]:
    from neuropair.flows.ingest import ingest

    corpus = tmp_path_factory.mktemp("threads")
    sources = real_sources(STUDY, real_data)
    return corpus, ingest(STUDY, str(corpus), sources, workers=2, quiet=True)


@pytest.mark.slow
@pytest.mark.real
def test_local_cluster_gives_the_same_groups(
    real_data: Path, tmp_path: Path, on_threads: tuple[Path, Any], cluster: Any
) -> None:
    from neuropair.flows.ingest import ingest

    address = cluster.scheduler_address
    there = ingest(
        STUDY, str(tmp_path), real_sources(STUDY, real_data), cluster=address, quiet=True
    )
    corpus, here = on_threads
    assert group_manifests(tmp_path) == group_manifests(corpus)
    assert there.recordings == here.recordings == {"eeg": 9}
    assert there.release == here.release


@pytest.mark.slow
@pytest.mark.real
def test_lost_worker_changes_nothing(
    real_data: Path, tmp_path: Path, on_threads: tuple[Path, Any], cluster: Any
) -> None:
    from distributed import Client

    from neuropair.flows.ingest import ingest

    with Client(cluster, set_as_default=False) as client:
        doomed = next(iter(client.run(os.getpid).values()))
    killer = Thread(target=_kill_at_work, args=(doomed, tmp_path), daemon=True)
    killer.start()
    address = cluster.scheduler_address
    there = ingest(
        STUDY, str(tmp_path), real_sources(STUDY, real_data), cluster=address, quiet=True
    )
    killer.join(timeout=10)
    assert not psutil.pid_exists(doomed)
    corpus, here = on_threads
    assert group_manifests(tmp_path) == group_manifests(corpus)
    assert there.release == here.release


def _kill_at_work(pid: int, corpus: Path) -> None:
    """Kill a worker when the first recording is there: it works on the next one then."""
    while not list(corpus.glob("signals/**/manifest.json")):
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.real
def test_unreadable_recording_comes_back_with_its_reason(
    real_data: Path, tmp_path: Path, prefect_server: None, cluster: Any
) -> None:
    from neuropair.flows.ingest import ingest

    bids = tmp_path / "bids"
    shutil.copytree(real_data / "eeg_oddball_muse", bids)
    (bids / CUT).write_bytes((bids / CUT).read_bytes()[:-1000])
    summary = ingest(
        STUDY,
        str(tmp_path / "corpus"),
        {"eeg_oddball_muse": str(bids)},
        cluster=cluster.scheduler_address,
        quiet=True,
    )
    assert summary.recordings == {"eeg": 8}
    (failed,) = summary.failures
    assert Path(CUT).name in failed["reason"]
    assert failed["remedy"]


@pytest.mark.slow
@pytest.mark.real
def test_corpus_that_a_worker_cannot_write(
    real_data: Path,
    tmp_path: Path,
    prefect_server: None,
    cluster: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("no folder")
    ((dataset, folder),) = real_sources(STUDY, real_data).items()
    given = ["--source", f"{dataset}={folder}", "--cluster", cluster.scheduler_address]
    code = main(["ingest", STUDY, "--corpus", str(tmp_path / "file" / "corpus"), *given])
    assert code == ExitCode.STORAGE
    assert f"where:  {tmp_path / 'file'}" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:{port}", "tcp://127.0.0.1", "nonsense"])
def test_address_where_nobody_answers(address: str) -> None:
    from neuropair.flows.cluster import require_scheduler

    there = address.format(port=free_port())
    with pytest.raises(ClusterError, match="no Dask scheduler answers") as raised:
        require_scheduler(there)
    assert raised.value.where == f"--cluster {there}"


@pytest.mark.real
def test_wrong_address_is_told_at_once(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ((dataset, folder),) = real_sources(STUDY, real_data).items()
    given = ["--source", f"{dataset}={folder}", "--cluster", f"tcp://127.0.0.1:{free_port()}"]
    assert main(["ingest", STUDY, "--corpus", str(tmp_path / "corpus"), *given]) == ExitCode.INPUT
    assert "no Dask scheduler answers" in capsys.readouterr().err
    assert not (tmp_path / "corpus").exists()
