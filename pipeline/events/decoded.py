"""Digests of what a stimulus shows or sounds like, whatever its file format.

A picture saved as BMP and as PNG has two digests and one set of pixels; a sound with other tags in
its header has the same samples. Keys are ``PIXELS:<sha256>:<width>x<height>x<frames>`` and
``SAMPLES:<sha256>:<rate>x<samples>x<channels>``; a key matches keys of its own kind only.
"""

from __future__ import annotations

import hashlib
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_AS_SHOWN = frozenset({"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX"})
"""Pillow's modes of 8 bits and less a channel: as RGBA none of them loses anything."""
_DEEP_GREY = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
_DAMAGED = (UnboundLocalError, struct.error, ZeroDivisionError, TypeError)
"""What scipy raises beside ValueError where chunks of a WAV file are missing or cut."""
_BLOCK = 1 << 20
"""Samples that are scaled at a time."""


def decoded_key(path: Path) -> tuple[str | None, str | None]:
    """Key of a picture's pixels or a sound's samples.

    Parameters
    ----------
    path : Path
        A picture that Pillow reads, or a WAV file.

    Returns
    -------
    key : str or None
        None where the file cannot be decoded.
    why : str or None
        Why not.
    """
    try:
        return (_samples if _is_wav(path) else _pixels)(path), None
    except (OSError, ValueError, SyntaxError, EOFError, Warning) as error:
        first = str(error).replace(str(path), path.name).split("\n", 1)[0]
        return None, f"cannot be decoded as a picture or WAV ({first})"


def _is_wav(path: Path) -> bool:
    with path.open("rb") as stream:
        start = stream.read(12)
    return start[:4] in (b"RIFF", b"RIFX", b"RF64") and start[8:12] == b"WAVE"


def _pixels(path: Path) -> str:
    from PIL import Image, ImageSequence

    digest, frames = hashlib.sha256(), 0
    with warnings.catch_warnings():
        # a picture that unpacks to gigabytes is refused, not hashed
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as picture:
                width, height = picture.size
                for frame in ImageSequence.Iterator(picture):
                    digest.update(_canonical_pixels(frame))
                    frames += 1
        except Image.DecompressionBombError as error:
            raise ValueError(str(error)) from error
    return f"PIXELS:{digest.hexdigest()}:{width}x{height}x{frames}"


def _canonical_pixels(frame: Any) -> bytes:
    if frame.mode in _AS_SHOWN:
        return b"RGBA" + bytes(frame.convert("RGBA").tobytes())
    if frame.mode in _DEEP_GREY:
        return b"I" + bytes(frame.convert("I").tobytes())
    # CMYK, LAB, float: what a screen shows of them is the viewer's choice
    return str(frame.mode).encode() + bytes(frame.tobytes())


def _samples(path: Path) -> str:
    rate, samples = read_wav(path)
    digest = hashlib.sha256()
    for start in range(0, len(samples), _BLOCK):
        digest.update(_full_scale(samples[start : start + _BLOCK]).tobytes())
    return f"SAMPLES:{digest.hexdigest()}:{rate}x{samples.shape[0]}x{samples.shape[1]}"


def _full_scale(samples: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Scale samples to -1..1: 16 bits and the same sound in 24 bits or float are equal."""
    if samples.dtype == np.uint8:
        return (samples.astype("<f8") - 128) / 128
    if np.issubdtype(samples.dtype, np.integer):
        return samples.astype("<f8") / -float(np.iinfo(samples.dtype).min) + 0.0
    return samples.astype("<f8") + 0.0


def read_wav(path: Path) -> tuple[int, npt.NDArray[Any]]:
    """Read rate (Hz) and samples of a WAV file (PCM or float, plain or extensible).

    Returns
    -------
    rate : int
    samples : numpy.ndarray, shape (samples, channels)

    Raises
    ------
    ValueError
        If the file is truncated or no WAV file.
    """
    from scipy.io import wavfile

    with warnings.catch_warnings():
        # chunks of tags are skipped, which scipy warns about; a truncated file is an error
        warnings.simplefilter("ignore", wavfile.WavFileWarning)
        warnings.filterwarnings("error", "Reached EOF prematurely", wavfile.WavFileWarning)
        try:
            rate, samples = wavfile.read(path)
        except (wavfile.WavFileWarning, *_DAMAGED) as error:
            raise ValueError(f"damaged: {error}") from error
    return int(rate), samples if samples.ndim == 2 else samples[:, None]
