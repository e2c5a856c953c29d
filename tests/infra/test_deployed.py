"""The services of the compose file, started by hand on loopback, take a study to a corpus in S3.

What cannot be had here without a container engine is replaced by its like: PostgreSQL by Prefect's
SQLite, the object store by moto, /opt and the hosts' names by paths and addresses of this machine.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
import yaml
from ingests import real_sources
from processes import Processes, answers, free_port, listens, processes

INFRA = Path(__file__).resolve().parents[2] / "infra"
STUDY = "audvis"
CORPUS = "s3://corpus/v1"
CLEANERS = "neuropair.pipeline.signals"
SECRETS = {"STORE_USER": "tester", "STORE_PASSWORD": "secret", "DATABASE_PASSWORD": "secret"}

pytestmark = [pytest.mark.slow, pytest.mark.real, pytest.mark.timeout(600)]


@cache
def compose() -> Any:
    return yaml.safe_load((INFRA / "compose.yaml").read_text())


@dataclass(frozen=True)
class Stack:
    """Addresses of a stack on loopback."""

    programs: Processes
    prefect: int = field(default_factory=free_port)
    scheduler: int = field(default_factory=free_port)
    store: int = field(default_factory=free_port)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.prefect}/api"

    @property
    def cluster(self) -> str:
        return f"tcp://127.0.0.1:{self.scheduler}"

    def service(self, name: str) -> tuple[list[str], dict[str, str]]:
        """Command and environment of a service of the compose file, moved to loopback."""
        service = compose()["services"][name]
        command = [*service["entrypoint"], *service.get("command", [])]
        environment = {key: str(value) for key, value in service["environment"].items()}
        return (
            [self._moved(part) for part in command],
            {key: self._moved(value) for key, value in environment.items()},
        )

    def start(self, service: str, name: str = "") -> None:
        self.programs.start(name or service, *self.service(service))

    def _moved(self, text: str) -> str:
        for named, here in (
            ("prefect:4200", f"127.0.0.1:{self.prefect}"),
            ("scheduler:8786", f"127.0.0.1:{self.scheduler}"),
            ("store:8333", f"127.0.0.1:{self.store}"),
            ("0.0.0.0", "127.0.0.1"),
            ("/opt/neuropair/prefect.yaml", str(INFRA / "prefect.yaml")),
        ):
            text = text.replace(named, here)
        if text == "8786":
            return str(self.scheduler)
        return re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: SECRETS[found[1]], text)

    def ask(self, path: str, question: Mapping[str, Any]) -> Any:
        """Ask Prefect's server."""
        body = json.dumps(question).encode()
        request = Request(f"{self.api}/{path}", body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=30) as answer:
            return json.load(answer)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything that `docker compose up` starts, up and deployed to."""
    with processes(tmp_path_factory.mktemp("stack")) as programs:
        stack = Stack(programs)
        _start_server(stack)
        _start_store(stack)
        _start_dask(stack)
        programs.wait_until(lambda: listens(stack.store), "store")
        _create_bucket(stack)
        programs.wait_until(lambda: answers(f"{stack.api}/health"), "Prefect server", 180)
        command, environment = stack.service("deploy")
        programs.run("deploy", command, environment)
        stack.start("worker")
        yield stack


def _start_server(stack: Stack) -> None:
    command, environment = stack.service("prefect")
    database = environment.pop("PREFECT_API_DATABASE_CONNECTION_URL")
    assert database == "postgresql+asyncpg://prefect:secret@database:5432/prefect"
    port = {"PREFECT_SERVER_API_PORT": str(stack.prefect)}
    stack.programs.start("prefect", command, environment | port)


def _start_store(stack: Stack) -> None:
    moto = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(stack.store)]
    stack.programs.start("store", moto)


def _create_bucket(stack: Stack) -> None:
    assert "-bucket=corpus" in compose()["services"]["store"]["command"]
    _, environment = stack.service("worker")
    boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    ).create_bucket(Bucket="corpus")


def _start_dask(stack: Stack) -> None:
    command, environment = stack.service("scheduler")
    # the dashboard's own port may be taken on this machine
    stack.programs.start("scheduler", [*command, "--dashboard-address", ":0"], environment)
    for i in range(2):
        stack.start("dask-worker", f"dask-worker-{i}")


@pytest.fixture(scope="module")
def run(stack: Stack, real_data: Path) -> dict[str, Any]:
    """The run of the deployment, as Prefect's server tells of it."""
    _, environment = stack.service("worker")
    parameters = {
        "study": STUDY,
        "sources": real_sources(STUDY, real_data),
        "corpus": CORPUS,
        "cluster": stack.cluster,
    }
    command = ["prefect", "deployment", "run", "neuropair-ingest/ingest-on-dask", "--watch"]
    stack.programs.run(
        "run", [*command, "--params", json.dumps(parameters)], environment, timeout=300
    )
    (found,) = stack.ask("flow_runs/filter", {"limit": 2})
    return dict(found)


@pytest.fixture(scope="module")
def corpus(stack: Stack, run: dict[str, Any]) -> Iterator[Any]:
    from neuropair.catalog import Corpus

    _, environment = stack.service("worker")
    with pytest.MonkeyPatch.context() as patch:
        for key in [key for key in os.environ if key.startswith("AWS_")]:
            patch.delenv(key)
        for key, value in environment.items():
            if key.startswith("AWS_"):
                patch.setenv(key, value)
        yield Corpus.open(CORPUS)


def test_run_completes(run: dict[str, Any], stack: Stack) -> None:
    assert run["state_type"] == "COMPLETED", stack.programs.logs()


def test_every_task_completes_at_once(run: dict[str, Any], stack: Stack) -> None:
    tasks = stack.ask("task_runs/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
    assert len(tasks) == 1 + 2 + 1  # the dataset, its recordings, the release
    assert {(task["state_type"], task["run_count"]) for task in tasks} == {("COMPLETED", 1)}


def test_recordings_were_made_on_the_dask_workers(run: dict[str, Any], stack: Stack) -> None:
    from distributed import Client

    # a lambda crosses by value: the workers cannot import this file
    with Client(stack.cluster, set_as_default=False) as client:
        loaded = client.run(lambda: set(sys.modules) & {f"{CLEANERS}.eeg", f"{CLEANERS}.meg"})
    assert len(loaded) == 2
    assert set().union(*loaded.values()) == {f"{CLEANERS}.eeg", f"{CLEANERS}.meg"}


def test_batch_streams_from_the_store(corpus: Any) -> None:
    batch = next(iter(corpus.pairs("tier = 'T0'").stream(batch_size=8, seed=0)))
    assert batch["meg"]["signal"].shape[:2] == (8, 306)
    assert batch["eeg"]["signal"].shape[:2] == (8, 60)


def test_corpus_holds_the_pairs(corpus: Any) -> None:
    counted = corpus.sql("SELECT tier, count(*) AS n FROM pairs GROUP BY ALL").to_pylist()
    assert counted == [{"tier": "T0", "n": 31 + 22}]


def test_artifacts_say_what_came_out(run: dict[str, Any], corpus: Any, stack: Stack) -> None:
    found = stack.ask("artifacts/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
    artifacts = {artifact["key"]: artifact for artifact in found}
    assert {key: artifact["type"] for key, artifact in artifacts.items()} == {
        "neuropair-release": "markdown",
        "neuropair-pairs": "table",
        "neuropair-failures": "table",
        "neuropair-abstentions": "table",
    }
    assert corpus.release.id in artifacts["neuropair-release"]["data"]
    pairs = json.loads(artifacts["neuropair-pairs"]["data"])
    assert sum(row["n"] for row in pairs) == 31 + 22


def test_every_byte_in_the_store_is_right(corpus: Any) -> None:
    from neuropair.catalog.verify import verify

    report = verify(CORPUS)
    assert report.damages == []
    assert report.release == corpus.release.id
