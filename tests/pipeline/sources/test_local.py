"""Local folders: read in place, never left, never written."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropair.pipeline.sources import fetch, open_source, safe_path
from neuropair.pipeline.sources.walk import walk
from neuropair.schemas.errors import DatasetError, SourceError

KEY = "MD5E-s860240688--6f39798536d6f2354e4984542416260a.fif"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    (root / "sub-01" / "eeg").mkdir(parents=True)
    (root / "dataset_description.json").write_text('{"Name": "x"}')
    (root / "sub-01" / "eeg" / "sub-01_task-rest_eeg.edf").write_bytes(b"0" * 2000)
    return root


def test_a_folder_is_used_where_it_is(folder: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    got = fetch(open_source("data", base=tmp_path), "d", tmp_path / "copies")
    assert got.dataset.root == folder
    assert got.dataset.description == {"Name": "x"}
    assert (got.n_files, got.n_bytes) == (2, 2013)
    assert not (tmp_path / "copies").exists()
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_file_url_is_a_folder(folder: Path) -> None:
    source = open_source(folder.as_uri())
    assert source.local_root == folder
    assert source.read(PurePosixPath("dataset_description.json")) == b'{"Name": "x"}'
    listed = {file.path.name: file for file in source.list()}
    signal = listed["sub-01_task-rest_eeg.edf"]
    assert b"".join(source.stream(signal, 1990)) == b"0" * 10


def test_files_are_listed_sorted(folder: Path) -> None:
    paths = [file.path.as_posix() for file in open_source(str(folder)).list()]
    assert paths == sorted(paths)
    assert len(paths) == 2


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("nowhere", "is no folder"),
        ("ftp://example.org/x", "no source reads the scheme 'ftp'"),
        ("openneuro:4514", "is no accession"),
        ("openneuro:../etc", "is no accession"),
        ("memory://", "holds no file"),
    ],
)
def test_an_address_that_cannot_be_read(url: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=problem):
        open_source(url, base=tmp_path).list()


def test_no_description_is_flagged(folder: Path, tmp_path: Path) -> None:
    (folder / "dataset_description.json").unlink()
    got = fetch(open_source(str(folder)), "d", tmp_path)
    assert [(loss.action, loss.where) for loss in got.losses] == [
        ("flagged", "dataset_description.json")
    ]


@pytest.mark.parametrize("kind", ["file", "folder", "broken"])
def test_a_link_out_of_the_dataset_is_refused(folder: Path, tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "secret"
    if kind == "file":
        outside.write_text("secret")
    elif kind == "folder":
        outside.mkdir()
    (folder / "sub-01" / "notes.tsv").symlink_to(outside)
    with pytest.raises(DatasetError, match=r"notes.tsv: is a link that leads out .*secret"):
        open_source(str(folder)).list()


def test_a_link_inside_the_dataset_is_followed(folder: Path) -> None:
    key = folder / ".git" / "annex" / "objects" / "a" / KEY
    key.parent.mkdir(parents=True)
    key.write_bytes(b"content")
    (folder / "sub-01" / "meg.fif").symlink_to(Path("..") / key.relative_to(folder))
    assert walk(folder).files["sub-01/meg.fif"].st_size == 7


def test_a_dataset_that_is_itself_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(folder)
    assert len(open_source("alias", base=tmp_path).list()) == 2


@pytest.mark.parametrize("pointer", ["link", "file"])
def test_annexed_pointers_are_absent_content(folder: Path, pointer: str) -> None:
    path = folder / "sub-01" / "sub-01_task-x_meg.fif"
    if pointer == "link":
        path.symlink_to(f"../.git/annex/objects/W3/kk/{KEY}/{KEY}")
    else:
        path.write_text(f"/annex/objects/{KEY}\n")
    found = walk(folder)
    absent = found.absent["sub-01/sub-01_task-x_meg.fif"]
    assert absent.size == 860240688
    assert "annexed pointer" in absent.reason
    assert "datalad get" in absent.remedy
    assert "sub-01/sub-01_task-x_meg.fif" not in found.files


def test_hidden_and_apple_double_files_are_no_data(folder: Path) -> None:
    (folder / ".DS_Store").write_bytes(b"")
    (folder / "sub-01" / "._sub-01_scans.tsv").write_bytes(b"")
    found = walk(folder)
    assert len(found.files) == 2
    assert found.apple_doubles == ("sub-01/._sub-01_scans.tsv",)


def test_a_loop_of_links_is_not_followed(folder: Path) -> None:
    (folder / "sub-01" / "again").symlink_to(folder)
    assert walk(folder).folder_links == ("sub-01/again",)


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/./b", "a\\..\\b", "C:/x", "a\n/b"]
)
def test_tricks_with_paths_are_refused(path: str) -> None:
    with pytest.raises(DatasetError, match="a listing: names the path"):
        safe_path(path, "a listing")


@given(st.text(alphabet="ab./\\:-\0", max_size=12))
def test_an_accepted_path_stays_inside(text: str) -> None:
    root = Path("/data/set")
    try:
        path = safe_path(text, "x")
    except DatasetError:
        return
    joined = Path(str(root / path))
    assert joined.resolve().is_relative_to(root)
    assert joined.resolve() != root
