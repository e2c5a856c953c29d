"""The files that run neuropair elsewhere, checked as far as it goes without a container engine."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from compose_pydantic import ComposeSpecification

INFRA = Path(__file__).resolve().parents[2] / "infra"


@pytest.fixture(scope="module")
def compose() -> dict[str, object]:
    content: dict[str, object] = yaml.safe_load((INFRA / "compose.yaml").read_text())
    return {key: value for key, value in content.items() if not key.startswith("x-")}


def test_dockerfile_passes_hadolint() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    found = subprocess.run(
        [hadolint, INFRA / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (0, "")


def test_compose_file_fits_the_specification(compose: dict[str, object]) -> None:
    specification = ComposeSpecification.model_validate(compose)
    assert specification.services is not None
    assert {"database", "prefect", "worker", "scheduler", "dask-worker", "store"} <= set(
        specification.services
    )


def test_compose_file_holds_no_password(compose: dict[str, object]) -> None:
    services = compose["services"]
    assert isinstance(services, dict)
    for name, service in services.items():
        for key, value in (service.get("environment") or {}).items():
            if "PASSWORD" in key or "SECRET" in key:
                assert str(value).startswith("${"), f"{name}.{key} is written out"


def test_services_wait_for_services_that_exist(compose: dict[str, object]) -> None:
    services = compose["services"]
    assert isinstance(services, dict)
    for name, service in services.items():
        assert set(service.get("depends_on", ())) <= set(services), name


def test_deployments_name_flows_and_parameters_that_exist() -> None:
    deployments = yaml.safe_load((INFRA / "prefect.yaml").read_text())["deployments"]
    assert deployments
    for deployment in deployments:
        module, _, name = deployment["entrypoint"].rpartition(".")
        flow = getattr(importlib.import_module(module), name)
        assert set(deployment["parameters"]) <= set(flow.parameters.properties)
