"""The README's code blocks run as they stand, after `make demo`'s own work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _blocks(language: str) -> list[str]:
    return [text for kind, text in _BLOCK.findall(README) if kind == language]


def test_every_block_has_a_kind_that_is_checked() -> None:
    kinds = {kind for kind, _ in _BLOCK.findall(README)}
    assert kinds <= {"sh", "python", "yaml"}


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    lines = [line for block in _blocks("sh") for line in block.splitlines()]
    named = {line.split()[1] for line in lines if line.startswith("make ")}
    assert named == {"demo", "test"}
    assert all(re.search(rf"^{name}:", makefile, re.MULTILINE) for name in named)


def test_study_is_the_one_that_ships() -> None:
    from neuropair.schemas.library import find_study
    from neuropair.schemas.study import Study

    shown = Study.parse(yaml.safe_load(_blocks("yaml")[0]), where="README.md")
    shipped, _ = find_study(shown.study)
    assert [one.dataset for one in shown.datasets] == [one.dataset for one in shipped.datasets]
    assert shown.pairings[0].tier == shipped.pairings[0].tier


@pytest.mark.slow
def test_blocks_run(tmp_path: Path, prefect_server: None) -> None:
    from neuropair.flows.cli import main

    assert main(["demo", str(tmp_path / "demo")]) == 0
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    commands = [line for block in _blocks("sh") for line in block.splitlines()]
    asked = [line.replace(".venv/bin/", "") for line in commands if not line.startswith("make ")]
    assert asked
    for line in asked:
        done = subprocess.run(
            line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    for block in _blocks("python"):
        done = subprocess.run(
            [sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout
