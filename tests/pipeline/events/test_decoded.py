"""What a picture shows and a sound sounds like, whatever the file's format."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy.io import wavfile

from neuropair.pipeline.events.decoded import decoded_key
from neuropair.pipeline.events.identity import ContentKeys, compare, kind_of

PICTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
SOUND = (np.sin(np.arange(400) / 7) * 20000).astype(np.int16)


def _saved(folder: Path, name: str, pixels: Any = PICTURE, **options: Any) -> str:
    path = folder / name
    Image.fromarray(pixels).save(path, **options)
    key, why = decoded_key(path)
    assert key is not None, why
    return key


def test_one_picture_in_lossless_formats_is_one(tmp_path: Path) -> None:
    keys = {_saved(tmp_path, f"a.{kind}") for kind in ("bmp", "png", "tiff", "gif.png", "ppm")}
    (key,) = keys
    assert key.startswith("PIXELS:")
    assert key.endswith(":6x4x1")


def test_metadata_and_compression_do_not_count(tmp_path: Path) -> None:
    plain = _saved(tmp_path, "a.png", compress_level=0)
    assert _saved(tmp_path, "b.png", compress_level=9, dpi=(300, 300)) == plain


def test_grey_and_palette_show_what_rgb_shows(tmp_path: Path) -> None:
    grey = np.arange(24, dtype=np.uint8).reshape(4, 6)
    as_rgb = _saved(tmp_path, "rgb.png", np.repeat(grey[:, :, None], 3, axis=2))
    assert _saved(tmp_path, "grey.png", grey) == as_rgb
    Image.fromarray(grey).convert("P").save(tmp_path / "palette.png")
    assert decoded_key(tmp_path / "palette.png")[0] == as_rgb


def test_one_pixel_less_bright_is_another_picture(tmp_path: Path) -> None:
    other = PICTURE.copy()
    other[2, 3, 1] += 1
    assert _saved(tmp_path, "a.png") != _saved(tmp_path, "b.png", other)


def test_sixteen_bits_are_not_cut_to_eight(tmp_path: Path) -> None:
    deep = np.arange(24, dtype=np.uint16).reshape(4, 6) + 256
    other = deep + 1
    assert _saved(tmp_path, "a.png", deep) != _saved(tmp_path, "b.png", other)
    assert _saved(tmp_path, "a.tiff", deep) == _saved(tmp_path, "a.png", deep)


def test_every_frame_counts(tmp_path: Path) -> None:
    frames = [Image.fromarray(PICTURE), Image.fromarray(PICTURE[::-1].copy())]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    key = decoded_key(tmp_path / "a.png")[0]
    assert str(key).endswith("x2")
    assert key != _saved(tmp_path, "b.png")


def test_one_sound_in_other_depths_is_one(tmp_path: Path) -> None:
    wavfile.write(tmp_path / "a.wav", 8000, SOUND)
    wavfile.write(tmp_path / "b.wav", 8000, SOUND.astype(np.int32) << 16)
    wavfile.write(tmp_path / "c.wav", 8000, (SOUND / 32768).astype(np.float32))
    with wave.open(str(tmp_path / "d.wav"), "wb") as stream:
        stream.setparams((1, 3, 8000, 0, "NONE", ""))
        deep = (SOUND.astype("<i4") << 16).view(np.uint8).reshape(-1, 4)[:, 1:]
        stream.writeframes(deep.tobytes())
    keys = {decoded_key(tmp_path / f"{name}.wav")[0] for name in "abcd"}
    (key,) = keys
    assert str(key).startswith("SAMPLES:")
    assert str(key).endswith(":8000x400x1")


def test_rate_and_channels_count(tmp_path: Path) -> None:
    wavfile.write(tmp_path / "a.wav", 8000, SOUND)
    wavfile.write(tmp_path / "b.wav", 16000, SOUND)
    wavfile.write(tmp_path / "c.wav", 8000, np.stack([SOUND, SOUND], axis=1))
    assert len({decoded_key(tmp_path / f"{name}.wav")[0] for name in "abc"}) == 3


def test_tags_of_a_sound_do_not_count(tmp_path: Path) -> None:
    wavfile.write(tmp_path / "a.wav", 8000, SOUND)
    content = (tmp_path / "a.wav").read_bytes()
    tag = b"LIST" + (4).to_bytes(4, "little") + b"INFO"
    (tmp_path / "b.wav").write_bytes(
        b"RIFF" + (len(content) + 4).to_bytes(4, "little") + content[8:36] + tag + content[36:]
    )
    assert decoded_key(tmp_path / "a.wav") == decoded_key(tmp_path / "b.wav")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"RIFF\x04\x00\x00\x00WAVE",
        b"\x89PNG\r\n\x1a\n" + b"\x00" * 40,
        b"BM" + b"\x01" * 60,
    ],
)
def test_what_cannot_be_decoded_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.bin").write_bytes(content)
    key, why = decoded_key(tmp_path / "a.bin")
    assert key is None
    assert str(why).startswith("cannot be decoded as a picture or WAV (")


def test_truncated_files_have_no_key(tmp_path: Path) -> None:
    wavfile.write(tmp_path / "a.wav", 8000, SOUND)
    _saved(tmp_path, "a.bmp")
    for name in ("a.wav", "a.bmp"):
        whole = (tmp_path / name).read_bytes()
        for length in [*range(0, 60, 3), len(whole) - 20]:
            (tmp_path / f"cut-{name}").write_bytes(whole[:length])
            assert decoded_key(tmp_path / f"cut-{name}")[0] is None


def test_a_picture_that_would_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _saved(tmp_path, "a.png")
    for limit in (10, 20):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        key, why = decoded_key(tmp_path / "a.png")
        assert key is None
        assert "decompression bomb" in str(why)


small_pictures = arrays(np.uint8, (2, 2, 3), elements=st.integers(0, 2))


@settings(deadline=None)
@given(small_pictures, small_pictures)
def test_keys_are_equal_where_pixels_are(tmp_path_factory: Any, one: Any, other: Any) -> None:
    folder = tmp_path_factory.mktemp("pictures")
    keys = _saved(folder, "a.bmp", one), _saved(folder, "b.png", other)
    assert (keys[0] == keys[1]) == bool((one == other).all())


def test_keys_of_several_kinds_never_mix(tmp_path: Path) -> None:
    (tmp_path / "stimuli").mkdir()
    _saved(tmp_path / "stimuli", "a.bmp")
    _saved(tmp_path / "stimuli", "a.png")
    wavfile.write(tmp_path / "stimuli" / "a.wav", 8000, SOUND)
    keys = ContentKeys(tmp_path)
    bmp, png, wav = (f"stimuli/a.{kind}" for kind in ("bmp", "png", "wav"))
    assert compare(keys.key(bmp), keys.key(png)) == "different"
    assert compare(keys.decoded(bmp), keys.decoded(png)) == "same"
    assert compare(keys.key(bmp), keys.decoded(bmp)) == "unknown"
    assert compare(keys.decoded(bmp), keys.decoded(wav)) == "unknown"
    assert compare(keys.decoded(bmp), None) == "unknown"
    kinds = [kind_of(str(key)) for key in (keys.key(bmp), keys.decoded(bmp), keys.decoded(wav))]
    assert kinds == ["SHA256", "PIXELS", "SAMPLES"]


def test_annexed_content_that_is_not_here_cannot_be_decoded(tmp_path: Path) -> None:
    (tmp_path / "stimuli").mkdir()
    key = "MD5E-s5--5d41402abc4b2a76b9719d911017c592.png"
    (tmp_path / "stimuli" / "a.png").symlink_to(f"../.git/annex/objects/a/b/{key}/{key}")
    (tmp_path / "stimuli" / "b.png").write_text(f"/annex/objects/{key}\n", encoding="utf-8")
    keys = ContentKeys(tmp_path)
    for path in ("stimuli/a.png", "stimuli/b.png"):
        assert keys.key(path) is not None
        assert keys.decoded(path) is None
        assert keys.note(path, decoded=True) == "unknown identity: the file's content is not here"


def _shown(*names: str) -> str:
    rows = (f"{at}\t0\t{name}\n" for at, name in enumerate(names, start=1))
    return "onset\tduration\tstim\n" + "".join(rows)


def _rule(**stimulus: Any) -> dict[str, Any]:
    given = {"column": "stim", "identity": "decoded", **stimulus}
    return {"concept": "perception/visual", "stimulus": given}


def test_events_match_across_formats(small: Any) -> None:
    folder = small.root / "stimuli"
    folder.mkdir()
    _saved(folder, "a.bmp")
    _saved(folder, "a.png")
    _saved(folder, "b.png", PICTURE[::-1].copy())
    (folder / "c.png").write_bytes(b"no picture")
    small.run(_shown("a.bmp", "a.png", "b.png", "c.png", "d.png"))
    events = small.read(rules=[_rule()])
    keys = events.table["stimulus"].tolist()
    assert keys[0] == keys[1] != keys[2]
    assert keys[3:] == [None, None]
    assert events.table["identity"].tolist() == ["content"] * 3 + ["none"] * 2
    reasons = sorted(loss.reason for loss in events.losses)
    assert reasons[0].startswith("unknown identity: cannot be decoded as a picture or WAV")
    assert reasons[1] == "unknown identity: the stimulus file is not there"
