"""Find truncated signal files, which readers mend without a word.

MNE takes the number of samples of an EDF or BrainVision recording from the size of the file, so
that half a recording reads as a whole one.
"""

from __future__ import annotations

import configparser
import struct
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from neuropair.pipeline.signals.base import inside
from neuropair.pipeline.types import Dataset, Loss
from neuropair.schemas.errors import DatasetError

_BRAINVISION_BYTES = {"INT_16": 2, "UINT_16": 2, "INT_32": 4, "IEEE_FLOAT_32": 4}
_FIF_TAG = struct.Struct(">iIii")
_FIF_END = -1


def check_size(dataset: Dataset, path: PurePosixPath) -> list[Loss]:
    """Compare a signal file's size with what its header says.

    Parameters
    ----------
    dataset : Dataset
    path : PurePosixPath
        The signal file, relative to the dataset. Formats without a check are let through: their
        readers refuse what is too short.

    Returns
    -------
    list of Loss
        What is odd and still readable: bytes after the end, channels of unequal rates.

    Raises
    ------
    DatasetError
        If the file is missing, empty, or shorter than its header says.
    """
    file = inside(dataset, path)
    if file.is_file() and file.stat().st_size == 0:
        raise _truncated(file, "is empty (0 bytes)")
    check = _CHECKS.get(path.suffix.lower())
    if check is None:
        return []
    try:
        return check(dataset, path)
    except (ValueError, ZeroDivisionError, struct.error) as error:
        raise _truncated(file, f"has a header that makes no sense ({error})") from error


def _truncated(file: Path, problem: str) -> DatasetError:
    return DatasetError(
        f"{problem}.", where=str(file), remedy="fetch the file again: it is truncated or damaged"
    )


def _edf(dataset: Dataset, path: PurePosixPath) -> list[Loss]:
    """EDF and BDF: header, then `records` records of the samples of each channel."""
    file = inside(dataset, path)
    width = 3 if path.suffix.lower() == ".bdf" else 2
    size = file.stat().st_size
    with file.open("rb") as stream:
        fixed = stream.read(256)
        try:
            header, records, channels = (
                int(fixed[a:b]) for a, b in ((184, 192), (236, 244), (252, 256))
            )
            fields = stream.read(channels * 256)
            labels = [fields[i * 16 : i * 16 + 16].decode("latin-1") for i in range(channels)]
            at = channels * 216
            samples = [int(fields[at + i * 8 : at + i * 8 + 8]) for i in range(channels)]
        except ValueError as error:
            raise _truncated(file, f"has no readable EDF header ({error})") from error
    record = sum(samples) * width
    signals = {n for label, n in zip(labels, samples, strict=True) if "Annotations" not in label}
    losses = []
    if len(signals) > 1:
        losses.append(_flag(path, "channels of unequal rates; the reader resamples the slower"))
    if records < 0:
        records = (size - header) // record
    expected = header + records * record
    if size < expected:
        raise _truncated(file, f"has {size} bytes, its header says {expected} ({records} records)")
    if size > expected:
        losses.append(_flag(path, f"{size - expected} bytes after the last record are not read"))
    return losses


def _brainvision(dataset: Dataset, path: PurePosixPath) -> list[Loss]:
    """BrainVision: samples must be whole, as many as DataPoints says, and reach the last marker."""
    file = inside(dataset, path)
    header = _ini(file)
    common = header["Common Infos"] if header.has_section("Common Infos") else {}
    binary = header["Binary Infos"] if header.has_section("Binary Infos") else {}
    if "datafile" not in common or "numberofchannels" not in common:
        raise _truncated(file, "is no BrainVision header (no DataFile or NumberOfChannels)")
    name = common["datafile"].replace("$b", path.stem)
    data = inside(dataset, path.parent / name)
    width = _BRAINVISION_BYTES.get(binary.get("binaryformat", ""), 0)
    if not width:
        return []
    samples, rest = divmod(data.stat().st_size, width * int(common["numberofchannels"]))
    if samples == 0 or rest:
        raise _truncated(data, f"holds {samples} samples and {rest} bytes of another")
    points = int(common.get("datapoints", samples))
    if samples < points:
        raise _truncated(data, f"holds {samples} samples, its header says {points}")
    last = _last_marker(dataset, path, common.get("markerfile"))
    # recorders may set a stop marker just after the last sample
    second = round(1e6 / float(common.get("samplinginterval", 1e6)))
    if last > samples + second:
        raise _truncated(data, f"holds {samples} samples, its last marker is at sample {last}")
    return []


def _ini(file: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(
        interpolation=None, strict=False, allow_no_value=True, comment_prefixes=(";",)
    )
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    # the first line is a title, and all after [Comment] is free text
    body = text[text.find("[") :].split("\n[Comment]")[0]
    try:
        parser.read_string(body)
    except configparser.Error as error:
        raise _truncated(file, f"is no BrainVision header ({error})") from error
    return parser


def _last_marker(dataset: Dataset, path: PurePosixPath, name: str | None) -> int:
    if not name:
        return 0
    parser = _ini(inside(dataset, path.parent / name.replace("$b", path.stem)))
    markers = parser["Marker Infos"] if parser.has_section("Marker Infos") else {}
    positions = [value.split(",")[2] for value in markers.values() if value.count(",") >= 2]
    return max((int(p) for p in positions if p.strip().isdigit()), default=0)


def _fif(dataset: Dataset, path: PurePosixPath) -> list[Loss]:
    """FIF: the chain of tags must reach its end mark inside the file."""
    file = inside(dataset, path)
    size, at = file.stat().st_size, 0
    with file.open("rb") as stream:
        while True:
            stream.seek(at)
            tag = stream.read(_FIF_TAG.size)
            if len(tag) < _FIF_TAG.size:
                raise _truncated(file, f"ends at byte {size} within a tag, before its end mark")
            _, _, length, following = _FIF_TAG.unpack(tag)
            end = at + _FIF_TAG.size + length
            if length < 0 or end > size:
                raise _truncated(file, f"has {size} bytes; the tag at byte {at} ends at {end}")
            if following == _FIF_END:
                return []
            at = following if following > 0 else end


def _flag(path: PurePosixPath, reason: str) -> Loss:
    return Loss("signal", "file", "flagged", 1, reason, str(path))


_CHECKS: dict[str, Callable[[Dataset, PurePosixPath], list[Loss]]] = {
    ".edf": _edf,
    ".bdf": _edf,
    ".vhdr": _brainvision,
    ".fif": _fif,
}
