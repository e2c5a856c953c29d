"""MEG, and MEG with EEG of one file, on MNE's sample recording (24 s)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path, PurePosixPath

import mne
import numpy as np
import pandas as pd
import pytest
from electrical import background, epochs, open_real, run, step, write_fif

from neuropair.pipeline.types import CleanSignal, Dataset, Recording
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.kinds import Modality

ID = "sub-01/task-audiovisual_run-01_"


@pytest.fixture(scope="module")
def sample(real_data: Path) -> tuple[Dataset, dict[str, Recording]]:
    return open_real(real_data / "meg_audvis_mne")


@pytest.fixture(scope="module")
def meg(sample: tuple[Dataset, dict[str, Recording]]) -> CleanSignal:
    dataset, recordings = sample
    return run(dataset, recordings[ID + "meg"])


@pytest.fixture(scope="module")
def eeg(sample: tuple[Dataset, dict[str, Recording]]) -> CleanSignal:
    dataset, recordings = sample
    return run(dataset, recordings[ID + "eeg"])


def test_golden_facts(meg: CleanSignal) -> None:
    kept = meg.channels[meg.channels["status"] != "excluded"]
    assert dict(kept["type"].value_counts()) == {"grad": 204, "mag": 102}
    assert set(zip(kept["type"], kept["unit"], strict=True)) == {("grad", "T/m"), ("mag", "T")}
    assert meg.sfreq_source == pytest.approx(600.615, abs=1e-4)
    assert (meg.sfreq, meg.duration) == (200.0, pytest.approx(23.975, abs=1e-3))
    assert set(kept["frame"]) == {"head"}
    # above the head's centre, in metres
    assert 0.05 < kept["z"].median() < 0.12


def test_bad_channel_that_the_authors_marked(meg: CleanSignal, eeg: CleanSignal) -> None:
    """`MEG 2443` and `EEG 053` are the bads of mne.datasets.sample, not of this channels.tsv."""
    for clean, name in ((meg, "MEG 2443"), (eeg, "EEG 053")):
        found = clean.channels.set_index("channel").loc[name]
        assert found["status"] == "bad"
        assert "high-frequency noise" in found["reason"]
        assert clean.quality["bad_fraction"] < 0.05


def test_other_channels_are_excluded_and_the_other_modality_is_left_out(
    meg: CleanSignal, eeg: CleanSignal
) -> None:
    for clean, stored in ((meg, 306), (eeg, 60)):
        excluded = clean.channels.iloc[stored:]
        assert set(excluded["status"]) == {"excluded"}
        assert set(excluded["type"]) == {"eog", "stim"}
        assert len(excluded) == 10


def test_one_time_axis(meg: CleanSignal, eeg: CleanSignal) -> None:
    """T0 pairs by sample: both sides must lie on the very same grid."""
    assert meg.data["time"].to_numpy().tobytes() == eeg.data["time"].to_numpy().tobytes()
    assert meg.sfreq == eeg.sfreq
    assert np.array_equal(meg.data["time"].to_numpy(), np.arange(4795) / 200)


def test_time_is_that_of_the_events_table(
    sample: tuple[Dataset, dict[str, Recording]], meg: CleanSignal
) -> None:
    """Onsets count from the first sample of the file, although the FIF begins at sample 25800."""
    dataset, recordings = sample
    table = _events(dataset, recordings[ID + "meg"])
    assert np.allclose(table["onset"], table["sample"] / meg.sfreq_source)
    raw = mne.io.read_raw(dataset.root / recordings[ID + "meg"].path, verbose="ERROR")
    assert raw.first_samp == 25800
    found = mne.find_events(raw, "STI 014", verbose="ERROR")[:, 0] - raw.first_samp
    assert set(table["sample"]) <= set(found)


def _events(dataset: Dataset, recording: Recording) -> pd.DataFrame:
    assert recording.events_path is not None
    return pd.read_csv(dataset.root / recording.events_path, sep="\t")


@pytest.mark.parametrize(("kind", "least"), [("mag", 3.0), ("grad", 2.5)])
def test_evoked_field_survives(
    sample: tuple[Dataset, dict[str, Recording]], meg: CleanSignal, kind: str, least: float
) -> None:
    dataset, recordings = sample
    table = _events(dataset, recordings[ID + "meg"])
    cut, times, _ = epochs(meg, table["onset"].to_numpy(), -0.1, 0.4)
    rows = ((meg.channels["type"] == kind) & (meg.channels["status"] == "good")).to_numpy()[:306]
    field = cut.mean(axis=0)[rows].std(axis=0)
    baseline = np.sqrt(np.mean(field[times < 0] ** 2))
    assert field[times > 0].max() > least * baseline
    assert 0.07 < times[field.argmax()] < 0.2


def test_what_was_done_is_recorded(meg: CleanSignal) -> None:
    assert step(meg, "projectors")["projectors"] == ["PCA-v1", "PCA-v2", "PCA-v3"]
    assert step(meg, "tsss") == {"done": False, "reason": "no calibration and cross-talk files"}
    assert step(meg, "notch")["freqs"] == [60.0]
    # 24 s are shorter than the 33 s of the 0.1 Hz FIR filter
    assert step(meg, "band_pass")["method"] == {"highpass": "iir", "lowpass": "fir"}
    assert any("shorter than the FIR filter" in loss.reason for loss in meg.losses)
    assert all(s.software.count(" ") == 1 for s in meg.steps)
    assert json.dumps([s.parameters for s in meg.steps], allow_nan=False)


def _cropped(
    sample: tuple[Dataset, dict[str, Recording]], folder: Path
) -> tuple[Dataset, Recording]:
    dataset, recordings = sample
    recording = recordings[ID + "meg"]
    target = folder / recording.path
    target.parent.mkdir(parents=True)
    raw = mne.io.read_raw(dataset.root / recording.path, verbose="ERROR").crop(0, 10.5)
    raw.save(target, verbose="ERROR")
    assert recording.channels_path is not None
    shutil.copy(dataset.root / recording.channels_path, folder / recording.channels_path)
    return Dataset(dataset.id, folder, str(folder), {}), recording


def _write_calibration(folder: Path, info: mne.Info) -> None:
    """Nominal coil positions and no cross-talk: what tSSS does without calibration."""
    from mne._fiff import write
    from mne.io.constants import FIFF
    from scipy.sparse import eye_array

    picks = mne.pick_types(info, meg=True)
    names = [info["ch_names"][i] for i in picks]
    kinds = ["grad" if info["chs"][i]["unit"] == FIFF.FIFF_UNIT_T_M else "mag" for i in picks]
    mne.preprocessing.write_fine_calibration(
        folder / "sub-01_acq-calibration_meg.dat",
        {
            "ch_names": [name.replace(" ", "") for name in names],
            "locs": [info["chs"][i]["loc"] for i in picks],
            "imb_cals": [[0.0] if kind == "grad" else [1.0] for kind in kinds],
        },
    )
    with write.start_and_end_file(folder / "sub-01_acq-crosstalk_meg.fif") as fid:
        write.start_block(fid, FIFF.FIFFB_DATA_CORRECTION)
        write.write_string(fid, FIFF.FIFF_COMMENT, "cross-talk compensation matrix")
        write.write_string(fid, FIFF.FIFF_CREATOR, "test")
        write.write_int(fid, FIFF.FIFF_MEAS_DATE, [0, 0])
        write.start_block(fid, FIFF.FIFFB_CHANNEL_DECOUPLER)
        write.write_float_sparse(
            fid, FIFF.FIFF_DECOUPLER_MATRIX, eye_array(len(picks), format="csr")
        )
        write.write_name_list(
            fid, FIFF.FIFF_PROJ_ITEM_CH_NAME_LIST, [n.replace(" ", "") for n in names]
        )
        write.end_block(fid, FIFF.FIFFB_CHANNEL_DECOUPLER)
        write.end_block(fid, FIFF.FIFFB_DATA_CORRECTION)


def test_tsss_where_calibration_exists(
    sample: tuple[Dataset, dict[str, Recording]], tmp_path: Path
) -> None:
    dataset, recording = _cropped(sample, tmp_path)
    info = mne.io.read_info(tmp_path / recording.path, verbose="ERROR")
    _write_calibration((tmp_path / recording.path).parent, info)
    clean = run(dataset, recording)
    done = step(clean, "tsss")
    assert (done["done"], done["st_duration"], done["st_correlation"]) == (True, 10.0, 0.98)
    assert (done["int_order"], done["ext_order"]) == (8, 3)
    assert not any(s.name == "projectors" and s.parameters["done"] for s in clean.steps)
    # what is left lies in the space of the internal expansion: (8 + 1)^2 - 1 dimensions at most
    good = (clean.channels["status"] == "good").to_numpy()[:306]
    values = clean.data["signal"].to_numpy()[good]
    rank = np.linalg.matrix_rank(values / values.std(axis=1, keepdims=True), rtol=1e-6)
    assert 20 < rank <= 80


def test_maxwell_criterion_where_it_is_asked_for(
    sample: tuple[Dataset, dict[str, Recording]], tmp_path: Path
) -> None:
    dataset, recording = _cropped(sample, tmp_path)
    clean = run(dataset, recording, maxwell_bad_channels=True)
    assert step(clean, "bad_channels_maxwell")["coord_frame"] == "head"
    data = 1e-8 * background(10, 20, 250)
    made = write_fif(
        tmp_path / "no_positions",
        data,
        250,
        [f"MEG {i:04}" for i in range(10)],
        types="mag",
        modality=Modality.MEG,
    )
    flagged = [loss.reason for loss in run(*made, maxwell_bad_channels=True).losses]
    assert any("find_bad_channels_maxwell was not possible" in reason for reason in flagged)


def test_calibration_that_cannot_be_read(
    sample: tuple[Dataset, dict[str, Recording]], tmp_path: Path
) -> None:
    dataset, recording = _cropped(sample, tmp_path)
    folder = (tmp_path / recording.path).parent
    (folder / "sub-01_acq-calibration_meg.dat").write_text("no calibration\n")
    (folder / "sub-01_acq-crosstalk_meg.fif").write_bytes(b"no fif")
    with pytest.raises(DatasetError, match="tsss: false"):
        run(dataset, recording)


def test_calibration_that_was_not_fetched(
    sample: tuple[Dataset, dict[str, Recording]], tmp_path: Path
) -> None:
    dataset, recording = _cropped(sample, tmp_path)
    folder = (tmp_path / recording.path).parent
    for name in ("sub-01_acq-calibration_meg.dat", "sub-01_acq-crosstalk_meg.fif"):
        (folder / name).symlink_to("../../.git/annex/objects/xx/key")
    with pytest.raises(DatasetError, match="does not exist"):
        run(dataset, recording)


def test_sidecar_status_counts(
    sample: tuple[Dataset, dict[str, Recording]], tmp_path: Path
) -> None:
    dataset, recording = _cropped(sample, tmp_path)
    assert recording.channels_path is not None
    path = tmp_path / PurePosixPath(recording.channels_path)
    path.chmod(0o644)
    table = pd.read_csv(path, sep="\t", keep_default_na=False)
    table.loc[table["name"] == "MEG 0113", ["status", "status_description"]] = ["bad", "jumps"]
    table.to_csv(path, sep="\t", index=False)
    clean = run(dataset, recording, bad_channels="sidecar")
    bad = clean.channels[clean.channels["status"] == "bad"]
    assert list(zip(bad["channel"], bad["reason"], strict=True)) == [("MEG 0113", "sidecar: jumps")]
