from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest
from corpora import make_events, make_recording, make_signal, make_windows

from neuropair.pipeline.corpus import (
    CorpusStore,
    combine,
    failed_rows,
    input_digest,
    is_written,
    read_rows,
    write_recording,
)
from neuropair.pipeline.types import Loss
from neuropair.schemas import layout
from neuropair.schemas.errors import CorpusError, DamagedError, DatasetError
from neuropair.schemas.signals import EEG, MEG, Signals
from neuropair.schemas.study import Window, Windows

DIGEST = "00ff00ff00ff00ff"


def _write(store, recording=None, digest=DIGEST, **more):
    return write_recording(
        store,
        recording or make_recording(),
        digest,
        make_windows(),
        make_signal(),
        make_events(range(10)),
        person="ds1/01",
        settings=Signals(),
        source_checksum="sha256:11",
        source_bytes=123,
        **more,
    )


@pytest.fixture
def store(tmp_path):
    return CorpusStore(tmp_path / "corpus")


def test_what_is_written_is_read_again(store):
    recording = make_recording()
    losses = (Loss("index", "file", "repaired", 1, "no sidecar"),)
    assert not is_written(store, recording.id, DIGEST)
    written = _write(store, losses=losses)
    assert is_written(store, recording.id, DIGEST)
    rows = read_rows(store, recording.id, DIGEST)
    for name, frame in written.tables().items():
        pd.testing.assert_frame_equal(frame, rows.tables()[name])
    row = rows.recordings.iloc[0]
    assert row["path"] == layout.recording_folder(recording.id, DIGEST)
    assert (row["n_windows"], row["n_events"], row["n_channels"]) == (10, 10, 4)
    assert json.loads(row["steps"])[0]["name"] == "filter"
    assert rows.channels[["channel", "row"]].to_numpy().tolist()[-1] == ["EOG", -1]
    assert json.loads(rows.channels["quality"][0]) == {"correlation": None, "deviation": 0.5}
    assert set(rows.losses["stage"]) == {"index", "events"}


def test_the_manifest_names_every_other_file_and_two_writes_are_equal(tmp_path):
    manifests = []
    for name in ("a", "b"):
        store = CorpusStore(tmp_path / name)
        _write(store)
        place = layout.recording_folder(make_recording().id, DIGEST)
        manifests.append(store.read(f"{place}/{layout.MANIFEST_FILE}"))
        listed = {path.removeprefix(f"{place}/"): size for path, size in store.list(place)}
        files = json.loads(manifests[-1])["files"]
        assert {path: entry["size"] for path, entry in files.items()} | {
            layout.MANIFEST_FILE: listed[layout.MANIFEST_FILE]
        } == listed
    assert manifests[0] == manifests[1]


def test_nothing_stays_in_staging(store):
    _write(store)
    assert list((store.root / layout.STAGING_FOLDER).iterdir()) == []


def test_writing_again_keeps_what_is_whole_and_replaces_what_is_not(store):
    _write(store)
    place = store.root / layout.recording_folder(make_recording().id, DIGEST)
    before = (place / "signal/c/0/0/0").stat().st_ino
    _write(store)
    assert (place / "signal/c/0/0/0").stat().st_ino == before
    (place / layout.MANIFEST_FILE).unlink()
    assert not is_written(store, make_recording().id, DIGEST)
    _write(store)
    assert is_written(store, make_recording().id, DIGEST)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 1}'])
def test_a_broken_manifest_counts_as_not_written(store, content):
    _write(store)
    place = store.root / layout.recording_folder(make_recording().id, DIGEST)
    (place / layout.MANIFEST_FILE).write_bytes(content)
    assert not is_written(store, make_recording().id, DIGEST)
    with pytest.raises(DamagedError, match="no manifest"):
        read_rows(store, make_recording().id, DIGEST)


def test_flipped_rows_are_damage(store):
    _write(store)
    path = (
        store.root / layout.recording_folder(make_recording().id, DIGEST) / "rows/windows.parquet"
    )
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedError, match=r"windows\.parquet.*digest"):
        read_rows(store, make_recording().id, DIGEST)


def test_a_newer_format_is_refused(store):
    _write(store)
    path = store.root / layout.recording_folder(make_recording().id, DIGEST) / layout.MANIFEST_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": layout.FORMAT + 1}))
    with pytest.raises(CorpusError, match=r"format \d+.*update neuropair"):
        read_rows(store, make_recording().id, DIGEST)


def test_a_recording_may_not_leave_the_corpus(store):
    with pytest.raises(CorpusError, match="leaves the corpus"):
        _write(store, recording=make_recording(dataset=".."))


def test_rows_of_many_recordings_do_not_depend_on_their_order(store):
    parts = [_write(store, make_recording(subject=subject)) for subject in ("02", "01")]
    error = DatasetError("is truncated.", where="sub-03_eeg.edf", remedy="fetch it again")
    parts.append(failed_rows(make_recording(subject="03"), error, person="ds1/03"))
    one, other = combine(parts), combine(reversed(parts))
    for name in one:
        pd.testing.assert_frame_equal(one[name], other[name])
    assert one["recordings"]["subject"].tolist() == ["01", "02", "03"]
    failed = one["recordings"].iloc[2]
    assert (failed["status"], failed["reason"]) == ("failed", "sub-03_eeg.edf: is truncated.")
    assert len(one["windows"]) == 20


class TestInputDigest:
    def _digest(self, **changes):
        given = {
            "files": {"a.edf": "sha256:00"},
            "events": make_events(range(5)),
            "person": "ds1/01",
            "signals": Signals(),
            "windows": Windows(),
        }
        recording = changes.pop("recording", make_recording())
        return input_digest(recording, **(given | changes))

    def test_it_is_the_same_for_the_same(self):
        assert self._digest() == self._digest()

    @pytest.mark.parametrize(
        "changes",
        [
            {"files": {"a.edf": "sha256:01"}},
            {"events": make_events(range(6))},
            {"person": "ds1/02"},
            {"signals": Signals(eeg=EEG(highpass=1.0))},
            {"windows": Windows(eeg=Window(tmin=-0.1, tmax=1.0))},
            {"rename": {"Fp1": "FP1"}},
            {"sliding_onsets": [0.0, 1.0]},
            {"license": "CC0"},
            {"recording": make_recording(subject="02")},
            {"recording": replace(make_recording(), sidecar={"PowerLineFrequency": 60})},
        ],
    )
    def test_everything_that_concerns_the_recording_changes_it(self, changes):
        assert self._digest(**changes) != self._digest()

    def test_another_modality_s_settings_do_not(self):
        signals = Signals(meg=MEG(highpass=1.0))
        windows = Windows(fmri=Window(tmin=-2.0, tmax=10.0))
        assert self._digest(signals=signals, windows=windows) == self._digest()
