"""participants.tsv: nothing leaves it unless a recipe names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuropair.pipeline.bids import read_participants
from neuropair.pipeline.types import Dataset
from neuropair.schemas.errors import DatasetError

TABLE = "\ufeffparticipant_id\tage\tname\tsex\r\nsub-01\t34\tJane\tF\r\n\r\nsub-02\tn/a\tJoe\tM\r\n"


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    (tmp_path / "participants.tsv").write_text(TABLE, encoding="utf-8", newline="")
    return Dataset("d", tmp_path, "", {})


def test_only_the_named_columns(dataset: Dataset) -> None:
    found = read_participants(dataset, ["age"])
    assert found.to_dict("list") == {"subject": ["01", "02"], "age": ["34", None]}
    assert "Jane" not in str(found.to_dict())


def test_none_named_does_not_open_the_file(tmp_path: Path) -> None:
    found = read_participants(Dataset("d", tmp_path / "nowhere", "", {}), [])
    assert list(found.columns) == ["subject"]
    assert len(found) == 0


def test_a_column_that_is_not_there(dataset: Dataset) -> None:
    with pytest.raises(DatasetError, match=r"no column 'weight'.*participant_id, age, name, sex"):
        read_participants(dataset, ["weight"])


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"participants\.tsv: cannot be read"):
        read_participants(Dataset("d", tmp_path, "", {}), ["age"])


def test_no_utf8(dataset: Dataset) -> None:
    (dataset.root / "participants.tsv").write_bytes(b"participant_id\tage\nsub-01\t\xff\n")
    with pytest.raises(DatasetError, match="is not UTF-8"):
        read_participants(dataset, ["age"])


@pytest.mark.real
def test_a_real_one(real_data: Path) -> None:
    root = real_data / "events" / "ds004514"
    found = read_participants(Dataset("ds004514", root, "", {}), ["sex"])
    assert list(found.columns) == ["subject", "sex"]
    assert "01" in set(found["subject"])
