"""The flow: it orders the work, one task a dataset and one task a recording."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, cast

from prefect import Task, flow, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.futures import as_completed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.utilities.annotations import quote

from neuropair.flows import console
from neuropair.flows.cluster import require_scheduler
from neuropair.flows.jobs import Job, Outcome, process
from neuropair.flows.loading import LoadedStudy, load_study
from neuropair.flows.pairing import pair_and_publish
from neuropair.flows.prepare import (
    Prepared,
    cache_folder,
    prepare_dataset,
    with_agreed_stimuli,
    with_common_windows,
)
from neuropair.flows.summary import Summary
from neuropair.pipeline.corpus import CorpusStore
from neuropair.schemas.errors import NeuropairError

P = ParamSpec("P")
R = TypeVar("R")

RETRIES = 2
RETRY_DELAY_S = [2.0, 10.0]


def _is_worth_retrying(_task: Any, _run: Any, state: Any) -> bool:
    """Say no for wrong input: it will not be right the second time."""
    return not isinstance(state.result(raise_on_failure=False), NeuropairError)


def _retrying(name: str) -> Callable[[Callable[P, R]], Task[P, R]]:
    return task(
        name=name,
        retries=RETRIES,
        retry_delay_seconds=RETRY_DELAY_S,
        retry_condition_fn=_is_worth_retrying,
        # The corpus itself says what is done: a group's folder is named by the digest of its
        # inputs and is there only when it is whole. A second store of results could contradict it.
        cache_policy=NO_CACHE,
    )


def _whole(value: R) -> R:
    """Pass a value as it is: Prefect would search it for futures, table by table."""
    return cast(R, quote(value))


class Sealed(Generic[R]):
    """A value on its way to a Dask worker, which neither Prefect nor Dask looks into.

    Prefect's `quote` is a named tuple, and Dask makes a plain tuple of it.
    """

    def __init__(self, content: R) -> None:
        self.content = content


@_retrying("prepare-dataset")
def prepare_task(loaded: LoadedStudy, dataset: str, corpus: str, cache: Path) -> Prepared:
    """Fetch and index one dataset and read its events."""
    entry = next(one for one in loaded.study.datasets if one.dataset == dataset)
    return prepare_dataset(loaded, entry, corpus, cache)


@_retrying("process-recording")
def process_task(job: Sealed[Job]) -> Outcome:
    """Clean, cut and write one recording, unless the corpus holds it already."""
    return process(job.content)


@_retrying("pair-and-publish")
def publish_task(
    loaded: LoadedStudy, corpus: str, prepared: Sequence[Prepared], outcomes: Sequence[Outcome]
) -> Summary:
    """Split, pair and publish a release."""
    return pair_and_publish(loaded, corpus, prepared, outcomes)


@flow(name="neuropair-ingest")
def ingest(
    study: str,
    corpus: str,
    sources: dict[str, str] | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    cache: str | None = None,
    quiet: bool = False,
) -> Summary:
    """Take a study's datasets through every stage to a release of a corpus.

    Parameters
    ----------
    study : str
        A shipped study or recipe, or the path of a study.
    corpus : str
        Folder or URL of the corpus.
    sources : dict, optional
        Dataset id -> where it lies.
    workers : int, optional
        Recordings at a time on this machine; one a core unless given.
    cluster : str, optional
        Address of a Dask scheduler that does the work instead.
    cache : str, optional
        Folder of downloads.
    quiet : bool
        Show no progress.

    Raises
    ------
    NeuropairError
        If the study, a recipe, a source, the cluster or the corpus is wrong. What was there before
        is there.
    """
    loaded = load_study(study, sources)
    if cluster is not None:
        require_scheduler(cluster)
    folder = cache_folder(Path(cache) if cache else None)
    # nothing is removed from the corpus, by `gc` or `forget`, before the release names it
    with CorpusStore(corpus).in_use():
        summary = _ingested(loaded, corpus, folder, _runner(workers, cluster), quiet)
    _leave_artifacts(summary)
    return summary


def _ingested(
    loaded: LoadedStudy, corpus: str, folder: Path, runner: TaskRunner[Any], quiet: bool
) -> Summary:
    prepared = []
    with console.progress("datasets", len(loaded.study.datasets), quiet=quiet) as shown:
        for entry in loaded.study.datasets:
            one = prepare_task.with_options(task_run_name=f"prepare {entry.dataset}")
            prepared.append(one(_whole(loaded), entry.dataset, corpus, folder))
            shown.advance(entry.dataset)
    prepared = with_agreed_stimuli(prepared)
    jobs = with_common_windows(loaded, [job for one in prepared for job in one.jobs])
    outcomes = _process_all(jobs, runner, quiet)
    return publish_task(_whole(loaded), corpus, _whole(prepared), _whole(outcomes))


def _process_all(jobs: Sequence[Job], runner: TaskRunner[Any], quiet: bool) -> list[Outcome]:
    outcomes = []
    with console.progress("recordings", len(jobs), quiet=quiet) as shown, runner:
        futures = [
            runner.submit(
                process_task.with_options(task_run_name=job.recording.id), {"job": Sealed(job)}
            )
            for job in jobs
        ]
        for future in as_completed(futures):
            outcome = future.result()
            outcomes.append(outcome)
            shown.advance(_said(outcome))
    return sorted(outcomes, key=lambda outcome: outcome.recording.id)


def _runner(workers: int | None, cluster: str | None) -> TaskRunner[Any]:
    if cluster is None:
        return ThreadPoolTaskRunner(max_workers=workers or os.cpu_count() or 1)
    from prefect_dask.task_runners import DaskTaskRunner

    return DaskTaskRunner(address=cluster)


def _said(outcome: Outcome) -> str:
    if outcome.error is not None:
        return f"{outcome.recording.id} FAILED: {outcome.error}"
    made = "already there" if outcome.reused else f"{outcome.seconds:.1f} s"
    return f"{outcome.recording.id} {made}"


def _leave_artifacts(summary: Summary) -> None:
    create_markdown_artifact(summary.markdown(), key="neuropair-release")
    create_table_artifact(summary.pairs_table(), key="neuropair-pairs")
    create_table_artifact(summary.failures_table(), key="neuropair-failures")
    create_table_artifact(summary.abstentions_table(), key="neuropair-abstentions")
