from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from neuropair.catalog import Corpus
from neuropair.catalog.draw import _masked, _own_samples
from neuropair.catalog.show import describe, show_pair
from neuropair.schemas.errors import QueryError, StorageError


def _text(renderable: Any) -> str:
    console = Console(file=StringIO(), width=200)
    console.print(renderable)
    return str(console.file.getvalue())  # type: ignore[attr-defined]  # it is the StringIO


def test_a_corpus_is_described_in_numbers(corpus: Corpus) -> None:
    shown = describe(corpus).to_dict()
    assert json.loads(json.dumps(shown)) == shown
    recordings = {row["modality"]: row for row in shown["Recordings"]}
    assert recordings["eeg"]["recordings"] == 5
    assert recordings["eeg"]["windows"] == 50
    assert recordings["eeg"]["hours"] == pytest.approx(5 * 60 / 3600, abs=0.01)
    pairs = {(row["tier"], row["modalities"]): row for row in shown["Pairs"]}
    assert pairs["T1", "eeg-fnirs"]["pairs"] == 50
    assert (pairs["T1", "eeg-fnirs"]["train"], pairs["T1", "eeg-fnirs"]["test"]) == (30, 10)
    assert [row["license"] for row in shown["Datasets"]] == ["CC0"]
    assert sum(row["persons"] for row in shown["Splits"]) == 5
    assert shown["Abstentions"] == shown["Failed recordings"] == []
    text = _text(describe(corpus))
    assert "T1" in text
    assert "Abstentions" not in text


def test_a_pair_is_shown_with_its_picture(corpus: Corpus, tmp_path: Path) -> None:
    from matplotlib.image import imread

    pair = corpus.pairs("tier = 'T1'").to_pandas().iloc[0]
    path = tmp_path / "new" / "pair.png"
    shown = show_pair(corpus, pair["pair_id"], path)
    assert shown.picture == path
    picture = imread(path)
    assert picture.shape[0] > 500
    assert (picture[..., :3] < 0.9).any(axis=-1).mean() > 0.01
    found = shown.to_dict()
    assert json.dumps(found, default=str)
    values = {row[""]: row["value"] for row in found["Evidence"]}
    assert values["tier"] == "T1"
    sides = {row[""]: (row["a"], row["b"]) for row in found["Sides"]}
    assert sides["modality"] == ("eeg", "fnirs")
    assert "triggers" in _text(shown)


def test_a_picture_needs_no_name(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pair_id = corpus.pairs("tier = 'T3'").to_pandas()["pair_id"].iloc[0]
    assert show_pair(corpus, pair_id[:12]).picture == Path(f"pair-{pair_id}.png")
    assert (tmp_path / f"pair-{pair_id}.png").is_file()


def test_an_unknown_pair_is_a_query_error(corpus: Corpus, tmp_path: Path) -> None:
    for pair_id, says in (("it's", "no such pair"), ("", "no such pair")):
        with pytest.raises(QueryError, match=says):
            show_pair(corpus, pair_id, tmp_path / "x.png")
    first = corpus.pairs().to_pandas()["pair_id"].str[0].value_counts().index[0]
    with pytest.raises(QueryError, match="pairs begin so"):
        show_pair(corpus, first, tmp_path / "x.png")


def test_a_picture_that_cannot_be_written_is_a_storage_error(
    corpus: Corpus, tmp_path: Path
) -> None:
    pair_id = corpus.pairs().to_pandas()["pair_id"].iloc[0]
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "pair.png"):
        with pytest.raises(StorageError, match="cannot be written"):
            show_pair(corpus, pair_id, path)


def test_a_picture_leaves_out_what_belongs_to_windows_of_the_other_kind() -> None:
    time = np.arange(-1, 10) * 1.0
    window = pd.Series({"tmin": 0.0, "tmax": 3.9})
    assert time[_own_samples(time, window)].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_masked_stretches_reach_half_a_sample_beyond() -> None:
    time = np.arange(6) * 1.0
    valid = np.array([False, True, False, False, True, False])
    assert list(_masked(time, valid)) == [(-0.5, 0.5), (1.5, 3.5), (4.5, 5.5)]
    assert list(_masked(time, ~np.zeros(6, bool))) == []
