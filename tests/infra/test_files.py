"""The files that run neuropair elsewhere, checked as far as it goes without a container engine."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
import yaml
from compose_pydantic import ComposeSpecification

from neuropair import __version__

INFRA = Path(__file__).resolve().parents[2] / "infra"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((INFRA / "compose.yaml").read_text())
    return {key: value for key, value in content.items() if not key.startswith("x-")}


@pytest.fixture(scope="module")
def deployments() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((INFRA / "prefect.yaml").read_text())
    return content


def test_dockerfile_passes_hadolint() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    found = subprocess.run(
        [hadolint, INFRA / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (0, "")


def test_compose_file_fits_the_specification(compose: dict[str, Any]) -> None:
    specification = ComposeSpecification.model_validate(compose)
    assert specification.services is not None
    assert {"database", "prefect", "worker", "scheduler", "dask-worker", "store"} <= set(
        specification.services
    )


def test_compose_file_holds_no_password(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for key, value in (service.get("environment") or {}).items():
            if "PASSWORD" in key or "SECRET" in key or "ACCESS_KEY" in key:
                assert str(value).startswith("${"), f"{name}.{key} is written out"


def test_services_wait_for_services_that_exist(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", ())) <= set(services), name


def test_every_image_has_a_version(compose: dict[str, Any]) -> None:
    images = {service["image"] for service in compose["services"].values()}
    tags = dict(image.split(":") for image in images)
    assert tags["neuropair"] == __version__
    assert all(re.match(r"\d+(\.\d+)*", tag) for tag in tags.values())


def test_image_holds_every_folder_of_the_package() -> None:
    copied = set(re.findall(r"^COPY (\w+) \1$", (INFRA / "Dockerfile").read_text(), re.MULTILINE))
    package = INFRA.parent / ".pkg" / "neuropair"
    links = {link.name for link in package.iterdir() if link.is_symlink()}
    assert copied == links == {"schemas", "pipeline", "catalog", "flows"}


def test_downloads_of_one_worker_are_seen_by_the_others(compose: dict[str, Any]) -> None:
    (cache,) = re.findall(r"NEUROPAIR_CACHE=(\S+)", (INFRA / "Dockerfile").read_text())
    for name in ("worker", "dask-worker"):
        assert f"cache:{cache}" in compose["services"][name]["volumes"]
    assert "cache" in compose["volumes"]


def test_deployments_name_flows_and_parameters_that_exist(deployments: dict[str, Any]) -> None:
    assert deployments["deployments"]
    for deployment in deployments["deployments"]:
        module, _, name = deployment["entrypoint"].rpartition(".")
        flow = getattr(importlib.import_module(module), name)
        assert set(deployment["parameters"]) <= set(flow.parameters.properties)


def test_deployments_hold_no_folder_of_whoever_deploys(deployments: dict[str, Any]) -> None:
    # with null, or nothing, Prefect adds a step that changes to the deployer's working directory
    assert deployments["pull"] == []


def test_deployments_write_to_a_bucket_that_the_store_makes(
    compose: dict[str, Any], deployments: dict[str, Any]
) -> None:
    store = compose["services"]["store"]["command"]
    for deployment in deployments["deployments"]:
        bucket = urlparse(deployment["parameters"]["corpus"]).netloc
        assert f"-bucket={bucket}" in store
