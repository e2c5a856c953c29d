"""A selection as Parquet and Zarr: every row is the pair's, as the corpus decodes it."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray as xr
import zarr

from neuropair.catalog import Corpus
from neuropair.catalog import export as export_module
from neuropair.catalog.export import export
from neuropair.schemas.errors import QueryError, StorageError
from neuropair.schemas.tables import PAIRS


@pytest.fixture(scope="module")
def exported(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / "all"
    export(corpus, None, folder)
    return folder


def _check_rows(corpus: Corpus, folder: Path, side: str) -> int:
    pairs = pq.read_table(folder / "pairs.parquet").to_pylist()
    recordings = pq.read_table(folder / "recordings.parquet")["recording"].to_pylist()
    seen = 0
    for path in sorted(folder.glob(f"{side}_*.zarr")):
        data = xr.open_zarr(path).load()
        for i, pair in enumerate(pairs):
            assert bool(data["present"][i]) == (pair[f"modality_{side}"] == path.stem[2:])
            if not data["present"][i]:
                assert np.isnan(data["signal"][i]).all()
                assert not data["valid"][i].any()
                assert data["recording"][i] == -1
                continue
            source = corpus.recording(pair[f"recording_{side}"]).isel(window=pair[f"window_{side}"])
            n_channels, n_times = source["signal"].shape
            row = data.isel(pair=i)
            np.testing.assert_array_equal(row["signal"][:n_channels, :n_times], source["signal"])
            assert np.isnan(row["signal"][n_channels:]).all()
            np.testing.assert_array_equal(row["valid"][:n_times], source["valid"])
            assert not row["valid"][n_times:].any()
            np.testing.assert_array_equal(
                row["channel_valid"][:n_channels], source["channel_valid"]
            )
            np.testing.assert_allclose(
                row["time"][:n_times], source["time"] + float(source["time_offset"])
            )
            assert recordings[int(row["recording"])] == pair[f"recording_{side}"]
            seen += 1
    return seen


@pytest.mark.parametrize("side", ["a", "b"])
def test_row_i_of_every_array_is_of_pair_i(corpus: Corpus, exported: Path, side: str) -> None:
    assert _check_rows(corpus, exported, side) == len(corpus.pairs())


def test_pairs_keep_their_evidence_units_and_meanings(corpus: Corpus, exported: Path) -> None:
    pairs = pq.read_table(exported / "pairs.parquet")
    assert pairs.schema.equals(PAIRS, check_metadata=False)
    assert pairs.schema.field("clock_interval").metadata[b"unit"] == b"s"
    assert pairs.sort_by([("study", "ascending"), ("pair_id", "ascending")]).equals(
        corpus.pairs().to_arrow().cast(PAIRS)
    )


def test_only_recordings_of_the_pairs_come_along(corpus: Corpus, tmp_path: Path) -> None:
    where = "tier = 'T3' AND person_a = 'ds1/02' -- a comment"
    done = export(corpus, where, tmp_path / "out")
    assert (done.pairs, done.recordings) == (5, 2)
    assert sorted(done.arrays) == ["a_meg.zarr", "b_fmri.zarr"]
    names = set(pq.read_table(tmp_path / "out" / "recordings.parquet")["recording"].to_pylist())
    for table in ("channels", "events"):
        rows = pq.read_table(tmp_path / "out" / f"{table}.parquet")
        assert set(pa.compute.unique(rows["recording"]).to_pylist()) == names
    said = json.loads((tmp_path / "out" / "export.json").read_text())
    assert (said["release"], said["where"]) == (corpus.release.id, where)
    assert said["arrays"]["a_meg.zarr"] == [5, 6, 42]


def test_plain_zarr_reads_it_in_si_units(exported: Path) -> None:
    signal = zarr.open_group(exported / "a_eeg.zarr", mode="r")["signal"]
    assert isinstance(signal, zarr.Array)
    assert signal.dtype == np.float32
    assert signal.attrs["units"] == "V"
    assert 1e-6 < float(np.nanstd(np.asarray(signal))) < 1e-4


def test_small_parts_give_the_same_bytes(
    corpus: Corpus, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_module, "ROWS", 7)
    monkeypatch.setattr(export_module, "BLOCK_BYTES", 1)
    export(corpus, None, tmp_path / "small")
    for path in sorted(exported.glob("*.zarr")):
        xr.testing.assert_identical(
            xr.open_zarr(path).load(), xr.open_zarr(tmp_path / "small" / path.name).load()
        )
    assert pq.read_table(tmp_path / "small" / "pairs.parquet").equals(
        pq.read_table(exported / "pairs.parquet")
    )


def test_a_folder_that_is_not_empty_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(StorageError, match="is not empty"):
        export(corpus, None, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    assert export(corpus, "tier = 'T1'", tmp_path / "empty").pairs == 50


def test_an_export_that_breaks_leaves_nothing(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(export_module.SideArrays, "write", full)
    with pytest.raises(StorageError, match=r"No space left.*make room"):
        export(corpus, None, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("colour = 'red'", r"columns of pairs: study, pair_id"),
        ("tier = 'T9'", r"no pair is selected"),
        ("tier = ", r"write what stands after WHERE"),
    ],
)
def test_a_wrong_condition_is_told(
    corpus: Corpus, tmp_path: Path, where: str, message: str
) -> None:
    with pytest.raises(QueryError, match=message):
        export(corpus, where, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
