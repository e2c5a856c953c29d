"""Small writers of standard formats whose bytes depend on nothing but their content."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_table(path: Path, table: pd.DataFrame, encoding: str = "utf-8") -> None:
    """Write a BIDS table: tabs, ``n/a`` for what is missing or empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = table.replace("", np.nan).to_csv(
        sep="\t", index=False, na_rep="n/a", lineterminator="\n"
    )
    path.write_text(text, encoding=encoding)


def write_nifti(
    path: Path, data: NDArray[Any], affine: NDArray[np.float64], tr: float | None = None
) -> None:
    """Write an int16 NIfTI, compressed, without a time stamp.

    Parameters
    ----------
    path : Path
        Ends in ``.nii.gz``.
    data : array, shape (x, y, z) or (x, y, z, time)
    affine : array, shape (4, 4)
        mm, RAS.
    tr : float, optional
        s.
    """
    import nibabel as nib

    # nibabel ships types, and leaves these three functions without any
    image = nib.Nifti1Image(np.round(data).astype("<i2"), affine)  # type: ignore[no-untyped-call]
    image.set_qform(affine, code=1 if tr else 4)  # type: ignore[no-untyped-call]
    image.set_sform(affine, code=1 if tr else 4)  # type: ignore[no-untyped-call]
    image.header["xyzt_units"] = 2 + 8  # mm, s
    if tr:
        image.header["pixdim"][4] = tr
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(image.to_bytes(), compresslevel=1, mtime=0))


def write_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a grey PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels, mode=None).save(buffer, format="PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
