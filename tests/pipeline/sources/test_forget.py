"""A subject goes from downloads, and from nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuropair.pipeline.sources import remove_copies
from neuropair.schemas.errors import StorageError

COPY = "ds1-0123abcd"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    for root in (tmp_path / COPY, tmp_path / "rehearsal" / COPY, tmp_path / "ds1", tmp_path / "x"):
        for label in ("01", "011"):
            for name in (
                f"sub-{label}/eeg/sub-{label}_task-t_eeg.vhdr",
                f"derivatives/fmriprep/sub-{label}/func/sub-{label}_bold.nii",
                f"stimuli/sub-{label}_order.txt",
            ):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text("data")
        (root / ".neuropair-parts").mkdir()
        (root / ".neuropair-parts" / "0a.part").write_text("half")
        (root / "participants.tsv").write_bytes(
            b"participant_id\tage\r\nsub-01\t9\r\nsub-011\t8\r\n"
        )
    listing = tmp_path / "rehearsal" / f"{COPY}_annexed.tsv"
    listing.write_text("path\tsize_bytes\nsub-01/eeg/a.edf\t1\nsub-011/eeg/a.edf\t1\n")
    return tmp_path


def test_files_and_lines_of_the_subject_go(cache: Path) -> None:
    assert remove_copies(cache, [("ds1", "01")]) == 9
    for root in (cache / COPY, cache / "rehearsal" / COPY):
        left = sorted(path.relative_to(root).as_posix() for path in root.rglob("sub-*"))
        assert left
        assert all("sub-011" in path for path in left)
        assert (root / "participants.tsv").read_bytes() == b"participant_id\tage\r\nsub-011\t8\r\n"
        assert not (root / ".neuropair-parts").exists()
    assert "sub-01/" not in (cache / "rehearsal" / f"{COPY}_annexed.tsv").read_text()
    assert remove_copies(cache, [("ds1", "01")]) == 0


def test_other_folders_are_not_touched(cache: Path) -> None:
    remove_copies(cache, [("ds1", "01")])
    for root in (cache / "ds1", cache / "x"):
        assert (root / "sub-01" / "eeg" / "sub-01_task-t_eeg.vhdr").is_file()
        assert "sub-01\t9" in (root / "participants.tsv").read_text()


def test_a_cache_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert remove_copies(tmp_path / "none", [("ds1", "01")]) == 0


def test_what_cannot_be_removed_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("neuropair.pipeline.sources.forget.Path.unlink", refused)
    with pytest.raises(StorageError, match=r"cannot be removed \(Permission denied\)"):
        remove_copies(cache, [("ds1", "01")])
