"""What every cleaner needs: safe paths, tables of a dataset, software versions."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from pathlib import Path, PurePosixPath

import pandas as pd

from neuropair.pipeline.types import Dataset
from neuropair.schemas.errors import DatasetError


@cache
def software(package: str) -> str:
    """Return package and version, as steps record them: ``mne 1.13.2``."""
    return f"{package} {version(package)}"


def inside(dataset: Dataset, path: PurePosixPath) -> Path:
    """Resolve a path of a dataset that must exist and lie in the dataset's folder.

    Raises
    ------
    DatasetError
        If the file is absent (a link to content that was not fetched included), or lies outside.
    """
    root = dataset.root.resolve()
    found = (root / path).resolve()
    if not found.is_relative_to(root):
        raise DatasetError(
            "leads out of the dataset's folder.",
            where=str(dataset.root / path),
            remedy="keep a dataset's files, and what its links point to, in its folder",
        )
    if not found.exists():
        raise DatasetError(
            "does not exist.",
            where=str(dataset.root / path),
            remedy="fetch the file (`datalad get`, `git annex get`, or from its source again)",
        )
    return dataset.root / path


def read_table(dataset: Dataset, path: PurePosixPath, needs: tuple[str, ...]) -> pd.DataFrame:
    """Read a tab-separated BIDS table as text; ``n/a`` and empty cells become ``""``.

    Raises
    ------
    DatasetError
        If it is no table or lacks a column of `needs`.
    """
    file = inside(dataset, path)
    try:
        table = pd.read_csv(
            file,
            sep="\t",
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            encoding_errors="replace",
            skip_blank_lines=True,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise _no_table(file, str(error)) from error
    if not isinstance(table.index, pd.RangeIndex):
        # pandas takes surplus cells for an index
        raise _no_table(file, "rows have more cells than line 1")
    missing = [name for name in needs if name not in table.columns]
    if missing:
        raise DatasetError(
            f"has no column {', '.join(missing)}; it has {', '.join(table.columns)}.",
            where=f"{file}, line 1",
            remedy="name the columns as BIDS does",
        )
    text = table.fillna("").map(str.strip)
    return text.mask(text.apply(lambda column: column.str.lower()).isin(["n/a", "na", "nan"]), "")


def _no_table(file: Path, why: str) -> DatasetError:
    return DatasetError(
        f"is no table ({why}).",
        where=str(file),
        remedy="mend the table: columns are separated by tabs, as many in each row",
    )
