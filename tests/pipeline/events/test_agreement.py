"""Two datasets that share names: where their contents differ, the name is no evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_dataset import Small

from neuropair.pipeline.events import set_aside_changed
from neuropair.pipeline.types import Events
from neuropair.schemas.errors import DatasetError, NeuropairError

RULE = {
    "concept": "perception/visual",
    "stimulus": {
        **{"column": "stim", "identity": "name", "because": "a test", "namespace": "shared"},
        **{"basename": True, "strip_extension": True},
    },
}
SHOWN = "onset\tduration\tstim\n1\t0\tx/a.png\n2\t0\tx/b.png\n3\t0\tx/c.png\n"
HELLO, OTHER = "5d41402abc4b2a76b9719d911017c592", "6d41402abc4b2a76b9719d911017c592"


def _read(folder: Path, dataset: str, *listed: tuple[str, str, str]) -> dict[str, Any]:
    root = folder / dataset
    root.mkdir()
    lines = [f"stimuli/x/{name}\t5\t{kind}\t{digest}" for name, kind, digest in listed]
    text = "\n".join(["path\tsize_bytes\tchecksum_type\tchecksum", *lines]) + "\n"
    (folder / f"{dataset}_annexed.tsv").write_text(text, encoding="utf-8")
    small = Small(root)
    small.run(SHOWN, dataset=dataset)
    return small.read_all({"rules": [RULE]})


def _keys(results: dict[str, Events | NeuropairError]) -> list[list[str | None]]:
    tables = [one.table for one in results.values() if isinstance(one, Events)]
    return [table["stimulus"].tolist() for table in tables]


def test_name_of_two_contents_is_set_aside(tmp_path: Path) -> None:
    one = _read(tmp_path, "one", ("a.png", "MD5", HELLO), ("b.png", "MD5", HELLO))
    two = _read(tmp_path, "two", ("a.png", "MD5", OTHER), ("b.png", "MD5", HELLO))
    results = set_aside_changed(one | two)
    assert _keys(results) == [[None, "name:shared/b", "name:shared/c"]] * 2
    for events in results.values():
        assert isinstance(events, Events)
        assert events.table["identity"].tolist() == ["none", "name", "name"]
        assert events.table["stimulus_name"].tolist()[0] == "x/a.png"
        (loss,) = events.losses
        assert (loss.action, loss.count, loss.where) == ("flagged", 1, "name:shared/a")
        assert f"(name:shared/a: MD5:{HELLO}:5 and MD5:{OTHER}:5)" in loss.reason


@pytest.mark.parametrize(
    "listed", [("a.png", "MD5", HELLO), ("a.png", "SHA256", "0" * 64), ("d.png", "MD5", OTHER)]
)
def test_equal_and_unknown_contents_keep_the_name(
    tmp_path: Path, listed: tuple[str, str, str]
) -> None:
    one = _read(tmp_path, "one", ("a.png", "MD5", HELLO))
    two = _read(tmp_path, "two", listed)
    results = set_aside_changed(one | two)
    assert _keys(results) == [["name:shared/a", "name:shared/b", "name:shared/c"]] * 2


def test_files_that_are_no_annexed_content_are_not_read(tmp_path: Path) -> None:
    results = _read(tmp_path, "one", ("a.png", "MD5", HELLO))
    (events,) = results.values()
    assert isinstance(events, Events)
    assert events.contents == {"name:shared/a": f"MD5:{HELLO}:5"}


def test_stretches_of_a_changed_story_go_with_it(tmp_path: Path) -> None:
    one = _read(tmp_path, "one", ("a.png", "MD5", HELLO))
    two = _read(tmp_path, "two", ("a.png", "MD5", OTHER))
    (events,) = one.values()
    events.table.loc[1, "stimulus"] = "name:shared/a@10.000"
    error = DatasetError("is absent.", where="x", remedy="y")
    results = set_aside_changed(one | two | {"three": error})
    assert _keys(results)[0] == [None, None, "name:shared/c"]
    assert results["three"] is error
