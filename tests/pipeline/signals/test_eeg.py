"""EEG, on real recordings and on made-up ones with known faults."""

from __future__ import annotations

from pathlib import Path

import mne
import numpy as np
import pandas as pd
import pytest
from electrical import (
    TEN_TWENTY,
    amplitude_at,
    background,
    epochs,
    open_real,
    row,
    run,
    status,
    step,
    tone,
    write_fif,
)

from neuropair.pipeline.types import CleanSignal
from neuropair.schemas.errors import DatasetError

UV = 1e-6


@pytest.fixture(scope="module")
def fists(real_data: Path) -> CleanSignal:
    dataset, recordings = open_real(real_data / "eeg_fists_eegmmidb")
    return run(dataset, recordings["sub-001/task-fistexec_run-01_eeg"])


class TestFists:
    """64 channels of eegmmidb, EDF, 160 Hz."""

    def test_golden_facts(self, fists: CleanSignal) -> None:
        assert fists.data["signal"].shape == (64, 20000)
        assert fists.sfreq == fists.sfreq_source == 160.0
        assert fists.duration == 125.0
        assert fists.data["signal"].dtype == np.float64
        assert bool(fists.data["valid"].all())

    def test_names_and_positions_are_standard(self, fists: CleanSignal) -> None:
        known = set(mne.channels.make_standard_montage("colin27_1005").ch_names)
        assert set(fists.channels["channel"]) <= known
        assert list(fists.data["channel"].to_numpy()) == list(fists.channels["channel"])
        assert set(fists.channels["frame"]) == {"template:standard_1005"}
        at = fists.channels.set_index("channel")[["x", "y", "z"]]
        assert at.loc["C3", "x"] < 0 < at.loc["C4", "x"]
        assert at.loc["Oz", "y"] < 0 < at.loc["Fpz", "y"]
        assert 0.05 < np.linalg.norm(at.loc["Cz"]) < 0.2

    def test_amplitudes_are_volts(self, fists: CleanSignal) -> None:
        spread = fists.data["signal"].std("time")
        assert 2 * UV < float(spread.min()) < float(spread.max()) < 200 * UV

    def test_settings_that_the_rate_forbids_are_lowered(self, fists: CleanSignal) -> None:
        assert step(fists, "band_pass")["h_freq"] == 72.0
        assert step(fists, "resample") == {"done": False, "sfreq": 160.0}

    def test_average_reference_of_good_channels(self, fists: CleanSignal) -> None:
        good = (fists.channels["status"] == "good").to_numpy()
        assert good.sum() == step(fists, "reference")["n_channels"] == 61
        mean = fists.data["signal"].to_numpy()[good].mean(axis=0)
        assert np.abs(mean).max() < 1e-6 * UV

    def test_bad_channels_stay_with_the_reason(self, fists: CleanSignal) -> None:
        bad = fists.channels[fists.channels["status"] == "bad"].set_index("channel")
        assert set(bad.index) == {"T8", "T10", "TP8"}
        assert "deviation" in bad.loc["T10", "reason"]
        assert row(fists, "T10").std() > 0
        assert fists.quality["bad_fraction"] == 3 / 64
        assert fists.quality["n_interpolated"] == 0

    def test_quality_is_numbers(self, fists: CleanSignal) -> None:
        needs = {"deviation_z", "hf_noise_z", "correlation", "line_ratio", "flat_fraction"}
        for quality in fists.channels["quality"]:
            assert needs <= set(quality)
            assert all(type(v) is float and np.isfinite(v) for v in quality.values())

    def test_two_runs_are_equal(self, fists: CleanSignal, real_data: Path) -> None:
        dataset, recordings = open_real(real_data / "eeg_fists_eegmmidb")
        again = run(dataset, recordings["sub-001/task-fistexec_run-01_eeg"])
        assert (
            again.data["signal"].to_numpy().tobytes() == fists.data["signal"].to_numpy().tobytes()
        )
        pd.testing.assert_frame_equal(again.channels, fists.channels)
        assert (again.steps, again.losses) == (fists.steps, fists.losses)


def _difference(
    folder: Path, subject: str, conditions: tuple[str, str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over TP9 and TP10 of all runs: difference in uV, its z, and times."""
    dataset, recordings = open_real(folder)
    parts, labels = [], []
    for recording in recordings.values():
        if recording.subject != subject or recording.events_path is None:
            continue
        clean = run(dataset, recording)
        table = pd.read_csv(dataset.root / recording.events_path, sep="\t")
        cut, times, fits = epochs(clean, table["onset"].to_numpy(), -0.2, 0.8)
        parts.append(cut[:, [0, 3]])
        labels.append(table["trial_type"].to_numpy()[fits])
    trials, label = np.concatenate(parts), np.concatenate(labels)
    calm = np.ptp(trials, axis=-1).max(axis=1) < 100 * UV
    trials, label = trials[calm].mean(axis=1), label[calm]
    a, b = (trials[label == name] for name in conditions)
    error = np.sqrt(a.var(axis=0) / len(a) + b.var(axis=0) / len(b))
    difference = a.mean(axis=0) - b.mean(axis=0)
    return difference / UV, difference / error, times


@pytest.fixture(scope="module")
def n170(real_data: Path) -> CleanSignal:
    dataset, recordings = open_real(real_data / "eeg_n170_muse")
    return run(dataset, recordings["sub-01/ses-01/task-n170_run-01_eeg"])


class TestMuse:
    """Four channels of a Muse, BrainVision, 256 Hz."""

    def test_golden_facts(self, n170: CleanSignal) -> None:
        assert list(n170.data["channel"].to_numpy()) == ["TP9", "AF7", "AF8", "TP10"]
        assert (n170.sfreq, n170.sfreq_source) == (200.0, 256.0)
        assert n170.data.sizes["time"] == 24009
        assert np.array_equal(n170.data["time"].to_numpy(), np.arange(24009) / 200)
        assert 5 * UV < float(n170.data["signal"].std()) < 50 * UV

    def test_too_few_channels_are_not_compared(self, n170: CleanSignal) -> None:
        criteria = step(n170, "bad_channels")["criteria"]["eeg"]
        assert criteria == {"done": False, "reason": "4 channels: too few to compare"}
        assert "an average needs 16" in step(n170, "reference")["reason"]
        assert set(n170.channels["status"]) == {"good"}

    def test_n170_survives(self, real_data: Path) -> None:
        difference, z, times = _difference(real_data / "eeg_n170_muse", "01", ("face", "house"))
        seen = (times > 0.1) & (times < 0.3)
        peak = np.flatnonzero(seen)[difference[seen].argmin()]
        assert 0.17 <= times[peak] <= 0.27
        assert -3.5 < difference[peak] < -1.5
        assert z[peak] < -4

    def test_p300_survives(self, real_data: Path) -> None:
        _, z, times = _difference(real_data / "eeg_oddball_muse", "01", ("target", "nontarget"))
        assert z[(times > 0.25) & (times < 0.6)].max() > 3


class TestFilters:
    """Made-up signals of known content."""

    def test_line_goes_and_alpha_stays(self, tmp_path: Path) -> None:
        data = np.tile(tone(10, 40, 500) + tone(50, 40, 500) + tone(100, 40, 500, 5e-6), (4, 1))
        data += background(4, 40, 500) * 0.01
        made = write_fif(tmp_path, data, 500, TEN_TWENTY[:4], sidecar={"PowerLineFrequency": 50})
        clean = run(*made)
        signal = row(clean, "Fp1")
        assert amplitude_at(signal, 10, 200) == pytest.approx(1e-5, rel=0.01)
        assert amplitude_at(signal, 50, 200) < 1e-5 * 10 ** (-30 / 20)
        assert clean.channels["quality"][0]["line_ratio"] > 100
        assert step(clean, "notch")["freqs"] == [50.0]

    def test_line_frequency_that_is_not_given(self, tmp_path: Path) -> None:
        made = write_fif(
            tmp_path,
            background(4, 40, 250),
            250,
            TEN_TWENTY[:4],
            sidecar={"PowerLineFrequency": "n/a"},
        )
        assert step(run(*made), "notch") == {
            "done": False,
            "reason": "line frequency not given",
        }
        assert step(run(*made, line_freq=60), "notch")["freqs"] == [60.0]
        assert step(run(*made, line_freq=None), "notch")["reason"] == "not asked for"

    @pytest.mark.parametrize("sfreq", [256.0, 600.614990234375, 1000.0])
    def test_amplitude_and_time_survive_resampling(self, tmp_path: Path, sfreq: float) -> None:
        data = np.tile(tone(10, 40, sfreq), (2, 1))
        # without the high-pass, whose edge effect outlasts 40 s
        clean = run(*write_fif(tmp_path, data, sfreq, ["Cz", "Pz"]), highpass=None)
        expected = 1e-5 * np.sin(2 * np.pi * 10 * clean.data["time"].to_numpy())
        middle = slice(1000, -1000)
        assert np.abs(row(clean, "Cz") - expected)[middle].max() < 5e-9

    def test_recording_shorter_than_the_filters(self, tmp_path: Path) -> None:
        data = np.tile(tone(10, 5, 250), (2, 1)) + 1e-3
        clean = run(
            *write_fif(tmp_path, data, 250, ["Cz", "Pz"], sidecar={"PowerLineFrequency": 50})
        )
        assert step(clean, "band_pass")["method"] == {"highpass": "iir", "lowpass": "fir"}
        assert step(clean, "notch")["method"] == "iir"
        assert sum("shorter than the FIR filter" in loss.reason for loss in clean.losses) == 2
        assert amplitude_at(row(clean, "Cz"), 10, 200) == pytest.approx(1e-5, rel=0.05)

    def test_band_that_cannot_be(self, tmp_path: Path) -> None:
        made = write_fif(tmp_path, background(2, 40, 10), 10, ["Cz", "Pz"])
        with pytest.raises(DatasetError, match="no band from 5"):
            run(*made, highpass=5.0)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> CleanSignal:
    data = background(len(TEN_TWENTY), 60, 250)
    rng = np.random.default_rng(1)
    at = TEN_TWENTY.index
    data[at("Cz")] = 3e-6
    data[at("P3")] = np.nan
    data[at("O1")] *= 30
    data[at("F8")] += 3e-5 * np.diff(rng.normal(size=15001))
    data[at("T7"), 2500:2750] = np.nan
    notes = mne.Annotations([20.0, 50.0], [2.0, 1.0], ["BAD_move", "stimulus"])
    table = pd.DataFrame({"name": TEN_TWENTY, "type": "EEG", "units": "V", "status": "good"})
    table["status_description"] = "n/a"
    table.loc[at("Pz"), ["status", "status_description"]] = ["bad", "bridged"]
    return run(
        *write_fif(
            tmp_path_factory.mktemp("faults"),
            data,
            250,
            TEN_TWENTY,
            annotations=notes,
            first_samp=1000,
            channels_tsv=table,
        )
    )


class TestFaults:
    """Channels with planted faults."""

    def test_each_fault_is_found(self, faulty: CleanSignal) -> None:
        reasons = faulty.channels.set_index("channel")["reason"].dropna().to_dict()
        assert set(reasons) == {"Cz", "P3", "O1", "F8", "Pz"}
        assert reasons["Cz"] == "flat"
        assert reasons["P3"].startswith("NaN in 100%")
        assert "deviation" in reasons["O1"]
        assert "high-frequency noise" in reasons["F8"]
        assert reasons["Pz"].startswith("sidecar: bridged")

    def test_gaps_are_masked_and_not_made_up(self, faulty: CleanSignal) -> None:
        valid = faulty.data["valid"]
        time = faulty.data["time"].to_numpy()
        assert not valid.sel(channel="P3").any()
        gap = ~valid.sel(channel="T7").to_numpy()
        assert time[gap & (time < 15)].min() == pytest.approx(10.0, abs=0.01)
        assert time[gap & (time < 15)].max() == pytest.approx(11.0, abs=0.01)
        assert np.all(row(faulty, "T7")[gap] == 0)
        assert np.isfinite(faulty.data["signal"]).all()

    def test_only_bad_annotations_mask_all_channels(self, faulty: CleanSignal) -> None:
        time = faulty.data["time"].to_numpy()
        masked = time[~faulty.data["valid"].sel(channel="O2").to_numpy()]
        assert masked.min() == pytest.approx(20.0, abs=0.01)
        assert masked.max() == pytest.approx(22.0, abs=0.01)

    def test_losses_count_them(self, faulty: CleanSignal) -> None:
        counted = {loss.reason.split(":")[0]: loss.count for loss in faulty.losses}
        assert counted["bad channels"] == 5
        assert any("masked" in reason for reason in counted)

    def test_what_the_modes_take(self, tmp_path: Path) -> None:
        data = background(len(TEN_TWENTY), 30, 250)
        data[0] *= 30
        data[1] = 0
        table = pd.DataFrame({"name": TEN_TWENTY, "type": "EEG", "status": "good"})
        table.loc[2, "status"] = "bad"
        made = write_fif(tmp_path, data, 250, TEN_TWENTY, channels_tsv=table)
        found = {
            mode: {n for n, s in status(run(*made, bad_channels=mode)).items() if s == "bad"}
            for mode in ("detect", "sidecar", "none")
        }
        first = TEN_TWENTY
        assert found["none"] == {first[1]}
        assert found["sidecar"] == {first[1], first[2]}
        assert found["detect"] == {first[0], first[1], first[2]}


def test_skipped_acquisition_is_masked_and_does_not_ring(tmp_path: Path) -> None:
    data = background(4, 40, 250) + 5e-4
    data[:, 5000:5500] = 0.0
    notes = mne.Annotations([20.0], [2.0], ["BAD_ACQ_SKIP"])
    clean = run(*write_fif(tmp_path, data, 250, TEN_TWENTY[:4], annotations=notes))
    time = clean.data["time"].to_numpy()
    masked = time[~clean.data["valid"][0].to_numpy()]
    assert (masked.min(), masked.max()) == pytest.approx((20.0, 22.0), abs=0.01)
    beside = (np.abs(time - 19.5) < 0.4) | (np.abs(time - 22.5) < 0.4)
    assert np.abs(row(clean, "Fp1")[beside]).max() < 1e-4


class TestChannels:
    """Which channels there are and what they are called."""

    def test_recipe_renames_first(self, real_data: Path) -> None:
        dataset, recordings = open_real(real_data / "eeg_n170_muse")
        recording = recordings["sub-01/ses-01/task-n170_run-01_eeg"]
        clean = run(dataset, recording, rename={"TP9": "left ear"})
        assert clean.channels["channel"][0] == "left ear"
        assert clean.channels["frame"][0] is None
        assert np.isnan(clean.channels["x"][0])

    def test_others_are_excluded_with_their_type(self, tmp_path: Path) -> None:
        names = [*TEN_TWENTY[:4], "VEOG"]
        table = pd.DataFrame({"name": names, "type": ["EEG"] * 4 + ["VEOG"]})
        made = write_fif(tmp_path, background(5, 40, 250), 250, names, channels_tsv=table)
        clean = run(*made)
        assert clean.data.sizes["channel"] == 4
        last = clean.channels.iloc[-1]
        assert (last["channel"], last["type"], last["status"]) == ("VEOG", "eog", "excluded")
        assert "type eog" in last["reason"]

    def test_no_channel_of_the_modality(self, tmp_path: Path) -> None:
        table = pd.DataFrame({"name": ["a", "b"], "type": ["MISC", "EOG"]})
        made = write_fif(tmp_path, background(2, 40, 250), 250, ["a", "b"], channels_tsv=table)
        with pytest.raises(DatasetError, match="no eeg channel"):
            run(*made)

    def test_tables_that_disagree_are_flagged(self, tmp_path: Path) -> None:
        table = pd.DataFrame({"name": ["Cz", "Oz"], "type": "EEG"})
        made = write_fif(tmp_path, background(2, 40, 250), 250, ["Cz", "Pz"], channels_tsv=table)
        reasons = [loss.reason for loss in run(*made).losses]
        assert "in channels.tsv and not in the file: Oz" in reasons
        assert "in the file and not in channels.tsv: Pz" in reasons

    def test_named_reference(self, tmp_path: Path) -> None:
        made = write_fif(tmp_path, background(4, 40, 250), 250, ["Cz", "Pz", "M1", "M2"])
        clean = run(*made, reference=["M1", "M2"])
        assert np.abs(row(clean, "M1") + row(clean, "M2")).max() < 1e-12
        with pytest.raises(DatasetError, match="no channel TP9"):
            run(*made, reference=["TP9"])
