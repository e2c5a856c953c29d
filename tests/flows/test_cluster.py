"""The same flow on a Dask cluster gives the same corpus."""

from __future__ import annotations

from pathlib import Path

import pytest
from ingests import group_manifests, real_sources

STUDY = "oddball"


@pytest.mark.slow
@pytest.mark.real
def test_local_cluster_gives_the_same_groups(
    real_data: Path, tmp_path: Path, prefect_server: None
) -> None:
    from distributed import LocalCluster

    from neuropair.flows.ingest import ingest

    sources = real_sources(STUDY, real_data)
    here = ingest(STUDY, str(tmp_path / "threads"), sources, workers=2, quiet=True)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        there = ingest(
            STUDY,
            str(tmp_path / "dask"),
            sources,
            cluster=cluster.scheduler_address,
            quiet=True,
        )
    assert group_manifests(tmp_path / "dask") == group_manifests(tmp_path / "threads")
    assert there.recordings == here.recordings == {"eeg": 9}
    assert there.release == here.release
