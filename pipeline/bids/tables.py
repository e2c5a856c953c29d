"""The small tables of BIDS: scans.tsv, participants.tsv, channels.tsv."""

from __future__ import annotations

import csv
import io

from neuropair.schemas.errors import DatasetError

MISSING = ("", "n/a", "N/A")


def parse_tsv(content: bytes, where: str) -> list[dict[str, str]]:
    """Read a table; a byte-order mark, blank rows and CRLF are taken as what they are.

    Parameters
    ----------
    content : bytes
    where : str
        The file; stands in the error.

    Returns
    -------
    list of dict
        Column -> cell as written; cells beyond the header are left out, absent ones are ``n/a``.

    Raises
    ------
    DatasetError
        If it is not UTF-8.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"is not UTF-8 (byte {error.start}).", where=where, remedy="save it as UTF-8"
        ) from error
    rows = csv.reader(io.StringIO(text, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    if not filled:
        return []
    header = [name.strip() for name in filled[0]]
    return [
        {name: (row[i].strip() if i < len(row) else "n/a") for i, name in enumerate(header)}
        for row in filled[1:]
    ]
