from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import mne
import mne_bids
import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from neuropair.pipeline.simulate import SimulationSettings, bold, simulate, simulate_events
from neuropair.pipeline.simulate.fif import BIT
from neuropair.pipeline.simulate.truth import clocks
from neuropair.schemas.errors import DatasetError, RecipeError


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _validate(folder: Path) -> list[dict[str, str]]:
    program = Path(sys.executable).with_name("bids-validator-deno")
    result = subprocess.run(
        [program, folder, "--format", "json"], capture_output=True, text=True, check=False
    )
    issues: list[dict[str, str]] = json.loads(result.stdout)["issues"]["issues"]
    return [issue for issue in issues if issue["severity"] == "error"]


def test_the_bids_validator_finds_no_error(small: Path) -> None:
    assert _validate(small / "bids") == []


def test_the_bids_validator_would_find_one(small: Path, tmp_path: Path) -> None:
    # the same call on a folder with a fault, so that the test above can fail
    target = tmp_path / "faulty"
    target.mkdir()
    for path in (small / "bids").iterdir():
        if path.name != "dataset_description.json":
            (target / path.name).symlink_to(path)
    assert _validate(target) != []


def test_equal_arguments_give_equal_bytes(small: Path, tmp_path: Path) -> None:
    simulate(tmp_path / "bids", subjects=2, seconds=60, seed=7)
    assert _digests(small) == _digests(tmp_path)


def test_another_seed_gives_other_signals(small: Path, tmp_path: Path) -> None:
    simulate(tmp_path / "bids", subjects=1, seconds=60, seed=8)
    first, second = _digests(small / "bids"), _digests(tmp_path / "bids")
    signals = [name for name in second if name.endswith((".eeg", ".fif", ".snirf", "bold.nii.gz"))]
    assert len(signals) == 16
    assert all(first[name] != second[name] for name in signals)


def test_no_file_is_half_written_or_tells_of_the_machine(small: Path) -> None:
    assert sorted(path.name for path in small.iterdir()) == ["bids", "truth"]
    info = mne.io.read_info(
        small / "bids/sub-01/ses-meg/meg/sub-01_ses-meg_task-faces_meg.fif", verbose="error"
    )
    for name in ("file_id", "meas_id"):
        assert not np.any(info[name]["machid"])
        assert info[name]["secs"] == 0


def test_mne_bids_reads_eeg_in_volts_with_its_bad_channel_and_events(small: Path) -> None:
    path = mne_bids.BIDSPath(
        root=small / "bids", subject="01", session="eegnirs", task="faces", datatype="eeg"
    )
    raw = mne_bids.read_raw_bids(path, verbose="error")
    data = raw.get_data(picks="eeg", reject_by_annotation=None)
    assert data.shape == (32, 250 * 60)
    assert 3e-6 < np.median(data.std(axis=1)) < 60e-6
    assert len(raw.info["bads"]) == 1
    assert raw.get_channel_types(picks=["VEOG"]) == ["eog"]
    assert {"face", "house", "response"} <= {d.split("/")[0] for d in raw.annotations.description}
    assert raw.get_montage().get_positions()["ch_pos"]["Cz"][2] == pytest.approx(0.135, abs=0.001)


def test_mne_bids_reads_meg_in_tesla_and_its_triggers(small: Path) -> None:
    path = mne_bids.BIDSPath(
        root=small / "bids", subject="02", session="meg", task="faces", datatype="meg"
    )
    raw = mne_bids.read_raw_bids(path, verbose="error")
    data = raw.get_data(picks="mag")
    assert data.shape == (48, 200 * 60)
    assert 1e-13 < np.median(data.std(axis=1)) < 3e-12
    # rounded to the calibration step and not to zero
    assert np.unique(data[0]).size > 100
    np.testing.assert_allclose(data / BIT, np.round(data / BIT), atol=1e-3)
    pulses = mne.find_events(raw, "STI101", verbose="error")
    events = pd.read_csv(path.fpath.with_name(path.fpath.stem[:-4] + "_events.tsv"), sep="\t")
    np.testing.assert_allclose((pulses[:, 0] - raw.first_samp) / 200, events["onset"], atol=0.003)
    assert (pulses[:, 2] == events["value"]).all()


def test_mne_bids_reads_fnirs_with_short_channels(small: Path) -> None:
    path = mne_bids.BIDSPath(
        root=small / "bids", subject="01", session="eegnirs", task="tapping", datatype="nirs"
    )
    raw = mne_bids.read_raw_bids(path, verbose="error")
    assert raw.info["sfreq"] == pytest.approx(10)
    assert len(raw.ch_names) == 48
    assert (raw.get_data() > 0).all()
    distances = mne.preprocessing.nirs.source_detector_distances(raw.info)
    assert (distances < 0.010).sum() == 12
    assert np.median(distances) == pytest.approx(0.030, abs=1e-4)
    table = pd.read_csv(path.fpath.with_name(path.fpath.stem[:-5] + "_channels.tsv"), sep="\t")
    assert table["name"].tolist() == raw.ch_names


def test_nibabel_reads_bold_and_nilearn_its_confounds(small: Path) -> None:
    from nilearn.interfaces.fmriprep import load_confounds_strategy

    stem = "func/sub-01_ses-fmri_task-faces"
    raw = nib.load(small / "bids/sub-01/ses-fmri" / f"{stem}_bold.nii.gz")
    sidecar = json.loads((small / f"bids/sub-01/ses-fmri/{stem}_bold.json").read_text())
    assert raw.shape == (*bold.SHAPE, 30)
    assert raw.header.get_zooms() == pytest.approx((9, 9, 9, 2))
    assert raw.header.get_xyzt_units() == ("mm", "sec")
    assert len(sidecar["SliceTiming"]) == raw.shape[2]
    folder = small / "bids/derivatives/fmriprep/sub-01/ses-fmri"
    image = folder / f"{stem}_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"
    confounds, _ = load_confounds_strategy(str(image), denoise_strategy="simple")
    assert len(confounds) == 30
    assert {"trans_x", "white_matter", "csf"} <= set(confounds.columns)
    assert np.isfinite(confounds.to_numpy()).all()
    mask = nib.load(str(image).replace("desc-preproc_bold", "desc-brain_mask"))
    regions = nib.load(
        small / "bids/derivatives/fmriprep/sub-01/anat"
        "/sub-01_space-MNI152NLin2009cAsym_desc-regions_dseg.nii.gz"
    )
    np.testing.assert_allclose(mask.affine, raw.affine)
    np.testing.assert_allclose(regions.affine, raw.affine)
    assert mask.get_fdata().sum() == bold.brain_mask().sum()
    assert set(np.unique(regions.get_fdata())) == set(range(11))


def test_tables_on_disk_are_the_simulated_tables_and_the_truth_is_theirs(small: Path) -> None:
    happened = simulate_events(SimulationSettings(subjects=2, seconds=60, seed=7))
    for run in happened.runs:
        path = small / "bids" / run.folder / f"{run.stem}_events.tsv"
        table = pd.read_csv(path, sep="\t", encoding="utf-8-sig", na_values="n/a")
        expected = happened.tables[run.recording]
        np.testing.assert_array_equal(table["onset"], expected["onset"])
        assert table["trial_type"].tolist() == expected["trial_type"].tolist()
    truth = pd.read_parquet(small / "truth" / "events.parquet")
    pd.testing.assert_frame_equal(truth, happened.trials, check_dtype=False)
    written = pd.read_csv(small / "truth" / "clocks.tsv", sep="\t")
    pd.testing.assert_frame_equal(written, clocks(happened), check_dtype=False)


def test_stimuli_of_a_collision_have_other_content(small: Path) -> None:
    folder = small / "bids" / "stimuli" / "collision" / "pool1"
    names = sorted(path.name for path in (folder / "meg").iterdir())
    assert names == sorted(path.name for path in (folder / "func").iterdir())
    every = _digests(small / "bids" / "stimuli")
    assert len(set(every.values())) == len(every)


def test_every_trap_is_where_the_list_says(small: Path) -> None:
    traps = pd.read_json(small / "truth" / "traps.json")
    places = dict(zip(traps["trap"], traps["path"], strict=True))
    marked = (small / "bids" / places["byte-order mark"]).read_bytes()
    assert marked.startswith(b"\xef\xbb\xbfonset")
    double = small / "bids" / places["AppleDouble file"]
    assert double.name.startswith("._")
    bounced = pd.read_csv(small / "bids" / places["bounced responses"], sep="\t")
    presses = bounced.loc[bounced["trial_type"] == "response", "onset"]
    assert presses.diff().min() < 0.05
    assert traps["trap"].value_counts()["fixed interval without codes"] == 2


def test_the_duplicate_has_the_same_samples(small: Path) -> None:
    row = pd.read_csv(small / "truth" / "duplicates.tsv", sep="\t").iloc[0]
    assert row["recording"] == "sub-dup/ses-eegnirs/task-tapping_eeg"
    name = "ses-eegnirs/eeg/sub-{0}_ses-eegnirs_task-tapping_eeg.eeg"
    copy, original = (
        (small / "bids" / f"sub-{label}" / name.format(label)).read_bytes()
        for label in ("dup", "01")
    )
    assert copy == original


def test_traps_that_make_the_dataset_invalid_are_planted_on_request(tmp_path: Path) -> None:
    simulate(tmp_path / "bids", subjects=1, seconds=60, traps=True)
    traps = pd.read_json(tmp_path / "truth" / "traps.json").set_index("trap")["path"]
    onsets = pd.read_csv(tmp_path / "bids" / traps["milliseconds"], sep="\t")["onset"]
    assert onsets.min() > 5000
    ragged = (tmp_path / "bids" / traps["ragged table"]).read_text()
    assert "\n\n" in ragged
    assert "2.9999.1" in ragged
    cut = (tmp_path / "bids" / traps["truncated signal file"]).stat().st_size
    assert cut < 33 * 2 * 250 * 60 * 0.51
    names = pd.read_csv(tmp_path / "bids" / traps["channel order"], sep="\t")["name"]
    assert names.iloc[-1] == "S1_D1 760"


def test_what_is_there_is_never_replaced_unless_it_is_ours(small: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bids"
    simulate(folder, subjects=1, seconds=60)
    with pytest.raises(DatasetError, match="holds something"):
        simulate(folder, subjects=1, seconds=60)
    simulate(folder, subjects=1, seconds=60, seed=7, overwrite=True)
    name = "sub-01/ses-meg/meg/sub-01_ses-meg_task-faces_meg.fif"
    assert (folder / name).read_bytes() == (small / "bids" / name).read_bytes()
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    (stranger / "thesis.tex").write_text("years of work")
    with pytest.raises(DatasetError, match="no simulated dataset"):
        simulate(stranger, truth=tmp_path / "t", overwrite=True)
    assert (stranger / "thesis.tex").exists()


def test_a_setting_out_of_bounds_names_itself(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="key seconds"):
        simulate(tmp_path / "bids", seconds=10)
    assert not (tmp_path / "bids").exists()
