from __future__ import annotations

import mne
import numpy as np
import pandas as pd
import pytest

from neuropair.pipeline.simulate import SimulationSettings, bold, electric, optodes, simulate_events
from neuropair.pipeline.simulate.blood import haemodynamic_delay, hrf, states
from neuropair.pipeline.simulate.heads import eeg_info, lead_field
from neuropair.pipeline.simulate.noise import coloured
from neuropair.pipeline.simulate.plan import Run
from neuropair.pipeline.simulate.regions import REGIONS, nominal_dipoles, person_dipoles
from neuropair.pipeline.simulate.rng import generator

CHOSEN = SimulationSettings(subjects=1, seconds=400, seed=11)
HAPPENED = simulate_events(CHOSEN)


def _run(task: str, modality: str) -> tuple[Run, pd.DataFrame]:
    run = next(r for r in HAPPENED.runs if r.task == task and r.modality == modality)
    return run, HAPPENED.trials[HAPPENED.trials["recording"] == run.recording]


def _epochs(signal: np.ndarray, onsets: pd.Series, sfreq: float) -> np.ndarray:
    low = mne.filter.filter_data(signal, sfreq, 1.0, 30.0, verbose="error")
    first = np.round(onsets.to_numpy() * sfreq).astype(int)
    cut = np.array([low[:, at - int(0.2 * sfreq) : at + int(0.6 * sfreq)] for at in first])
    return cut - cut[..., : int(0.2 * sfreq)].mean(axis=-1, keepdims=True)


def test_dipoles_of_a_person_are_3_to_5_mm_from_the_template() -> None:
    shift = np.linalg.norm(person_dipoles(0, "05").positions - nominal_dipoles().positions, axis=1)
    assert (shift >= 0.003).all()
    assert (shift <= 0.005).all()


def test_20_nam_give_microvolts_and_tens_of_femtotesla() -> None:
    volts = 20e-9 * np.abs(lead_field(0, "01", "eeg").regions).max(axis=0)
    tesla = 20e-9 * np.abs(lead_field(0, "01", "meg").regions).max(axis=0)
    assert (volts > 0.8e-6).all()
    assert (volts < 8e-6).all()
    assert (tesla > 40e-15).all()
    assert (tesla < 400e-15).all()


def test_eeg_has_the_size_of_eeg_and_shows_the_response_over_the_back_of_the_head() -> None:
    run, trials = _run("faces", "eeg")
    signal, veog = electric.eeg(run, CHOSEN.seed, trials, lead_field(CHOSEN.seed, "01", "eeg"))
    assert signal.shape == (32, run.n_samples)
    assert 3e-6 < np.median(signal.std(axis=1)) < 60e-6
    assert 60e-6 < np.ptp(veog) < 500e-6
    loose = electric.bad_electrode(CHOSEN.seed, "01")
    assert signal.std(axis=1).argmax() == loose
    back = [i for i, n in enumerate(eeg_info().ch_names) if n in ("P7", "P8", "O1", "O2", "PO4")]
    back = [i for i in back if i != loose]
    evoked = np.median(_epochs(signal[back], trials["onset"], run.sfreq), axis=0)
    response, baseline = evoked[:, 65:95], evoked[:, :50]
    assert 1e-6 < np.abs(response).max() < 12e-6
    assert np.abs(response).max() > 3 * baseline.std()


def test_eeg_has_a_line_at_50_hz() -> None:
    run, trials = _run("faces", "eeg")
    signal, _ = electric.eeg(run, CHOSEN.seed, trials, lead_field(CHOSEN.seed, "01", "eeg"))
    power, frequency = mne.time_frequency.psd_array_welch(
        signal, run.sfreq, n_fft=1000, verbose="error"
    )
    line = power[:, np.abs(frequency - 50) < 0.2].max(axis=1)
    beside = np.median(power[:, np.abs(frequency - 46) < 2], axis=1)
    assert np.median(line / beside) > 10


def test_meg_shows_faces_stronger_than_houses_at_170_ms() -> None:
    run, trials = _run("faces", "meg")
    signal = electric.meg(run, CHOSEN.seed, trials, lead_field(CHOSEN.seed, "01", "meg"))
    assert 1e-13 < np.median(signal.std(axis=1)) < 3e-12
    epochs = _epochs(signal, trials["onset"], run.sfreq)
    evoked = epochs.mean(axis=0)
    assert 40e-15 < np.abs(evoked[:, 55:80]).max() < 700e-15
    is_face = (trials["condition"] == "face").to_numpy()
    n170 = slice(int(0.36 * run.sfreq), int(0.38 * run.sfreq))
    face, house = epochs[is_face].mean(axis=0), epochs[~is_face].mean(axis=0)
    baseline = house[:, : int(0.2 * run.sfreq)].std()
    assert face[:, n170].std() > 1.2 * house[:, n170].std()
    assert (face - house)[:, n170].std() > 1.5 * baseline


def test_the_hrf_peaks_at_one_after_five_seconds() -> None:
    times = np.arange(0, 30, 0.01)
    assert hrf(times).max() == pytest.approx(1.0, abs=1e-4)
    assert times[hrf(times).argmax()] == pytest.approx(5.0, abs=0.05)
    assert abs(haemodynamic_delay(0, "03")) <= 0.7


def test_a_trial_of_amplitude_a_adds_a_peak_of_its_square() -> None:
    run, trials = _run("tapping", "fmri")
    one = trials.iloc[[0]]
    peak = states(run, CHOSEN.seed, one, 60).values.max(axis=1)
    level = one.filter(like="amplitude_").to_numpy()[0]
    np.testing.assert_allclose(peak[level > 0], level[level > 0] ** 2, rtol=0.1)
    assert (peak[level == 0] == 0).all()


def test_probe_has_long_and_short_channels() -> None:
    probe = optodes.probe()
    np.testing.assert_allclose(probe.distances[~probe.short], 0.030, atol=1e-6)
    np.testing.assert_allclose(probe.distances[probe.short], 0.008, atol=1e-6)
    assert (probe.short.sum(), len(probe.short)) == (6, 24)


def test_beer_lambert_of_mne_gives_the_concentrations_back() -> None:
    run, trials = _run("tapping", "fnirs")
    oxy, deoxy = optodes.haemoglobin(run, CHOSEN, trials)
    light = optodes.intensity(oxy, deoxy)
    probe = optodes.probe()
    names = [f"S{s + 1}_D{d + 1} {w:g}" for s, d in probe.channels for w in optodes.WAVELENGTHS]
    info = mne.create_info(names, run.sfreq, "fnirs_cw_amplitude")
    for number, channel in enumerate(info["chs"]):
        source, detector = probe.channels[number // 2]
        channel["loc"][3:6], channel["loc"][6:9] = probe.sources[source], probe.detectors[detector]
        channel["loc"][:3] = (channel["loc"][3:6] + channel["loc"][6:9]) / 2
        channel["loc"][9] = optodes.WAVELENGTHS[number % 2]
    raw = mne.io.RawArray(light.transpose(1, 0, 2).reshape(48, -1), info, verbose="error")
    density = mne.preprocessing.nirs.optical_density(raw)
    found = mne.preprocessing.nirs.beer_lambert_law(density, ppf=6.0).get_data()
    for true, measured in ((oxy, found[0::2]), (deoxy, found[1::2])):
        for row, again in zip(true, measured, strict=True):
            slope = np.polyfit(row, again, 1)[0]
            assert slope == pytest.approx(1.0, abs=0.02)


def test_fnirs_light_is_positive_and_couples_to_the_scalp_but_for_the_loose_optode() -> None:
    run, trials = _run("tapping", "fnirs")
    light = optodes.fnirs(run, CHOSEN, trials)
    assert light.shape == (2, 24, run.n_samples)
    assert (light > 0).all()
    density = -np.log(light / light.mean(axis=2, keepdims=True))
    pulse = mne.filter.filter_data(density, run.sfreq, 0.7, 1.5, verbose="error")
    coupling = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(*pulse, strict=True)])
    loose = optodes.loose_channel(CHOSEN.seed, "01")
    assert abs(coupling[loose]) < 0.3
    assert (np.delete(coupling, loose) > 0.6).all()


def test_tapping_raises_oxygenation_over_the_other_hands_cortex() -> None:
    run, trials = _run("tapping", "fnirs")
    oxy, _ = optodes.haemoglobin(run, CHOSEN, trials)
    low_oxy = mne.filter.filter_data(oxy, run.sfreq, 0.02, 0.2, verbose="error")
    left, right = low_oxy[0:3].mean(axis=0), low_oxy[4:7].mean(axis=0)

    def rise(signal: np.ndarray, condition: str) -> float:
        at = trials.loc[trials["condition"] == condition, "onset"].to_numpy()
        first = np.round(at * run.sfreq).astype(int)
        return float(np.mean([signal[i + 40 : i + 80].mean() - signal[i] for i in first]))

    assert rise(left, "tap_right") > 2 * rise(left, "tap_left")
    assert rise(right, "tap_left") > 2 * rise(right, "tap_right")
    assert 0.1e-6 < rise(left, "tap_right") < 3e-6


def test_bold_follows_the_states_and_slices_follow_each_other() -> None:
    run, trials = _run("tapping", "fmri")
    result = bold.fmri(run, CHOSEN, trials)
    assert result.raw.shape == (*bold.SHAPE, run.n_samples)
    assert result.raw.max() < np.iinfo(np.int16).max
    times = np.arange(run.n_samples) * bold.TR + bold.TR / 2
    true = states(run, CHOSEN.seed, trials, CHOSEN.seconds + 2).at(times)
    labels = bold.region_labels()
    for name in ("M1-L", "M1-R"):
        region = REGIONS.index(name)
        series = result.preprocessed[labels == region + 1].mean(axis=0)
        assert np.corrcoef(series, true[region])[0, 1] > 0.5
        change = 100 * (series / series.mean() - 1)
        assert 0.2 < np.ptp(change) < 20
    assert sorted(bold.slice_times()) == pytest.approx(np.arange(12) * 2 / 12)
    assert bold.slice_times()[:3] == pytest.approx([0, 1.0, 2 / 12])


def test_regions_and_brain_are_voxels() -> None:
    labels = bold.region_labels()
    assert set(np.unique(labels)) == set(range(11))
    assert np.bincount(labels.ravel())[1:].min() >= 5
    assert not labels[~bold.brain_mask()].any()


def test_confounds_hold_the_motion_that_was_made() -> None:
    run, trials = _run("tapping", "fmri")
    result = bold.fmri(run, CHOSEN, trials)
    table = bold.confounds(result)
    np.testing.assert_allclose(table[list(bold.MOTION)], result.motion)
    assert (table["framewise_displacement"] > 0.5).any()
    assert (table["framewise_displacement"] < 0.3).mean() > 0.8
    assert table["cosine00"].abs().max() > 0
    assert table.filter(like="a_comp_cor").shape[1] == 5


def test_noise_has_unit_variance_and_the_slope_that_was_asked_for() -> None:
    noise = coloured(generator(0, "test"), (20, 20_000), 100.0, exponent=2.0, corner=0.5)
    assert noise.std() == pytest.approx(1.0, abs=0.1)
    power, frequency = mne.time_frequency.psd_array_welch(
        noise.astype(float), 100.0, n_fft=1024, verbose="error"
    )
    inside = (frequency > 2) & (frequency < 40)
    slope = np.polyfit(np.log(frequency[inside]), np.log(power.mean(axis=0)[inside]), 1)[0]
    assert slope == pytest.approx(-2.0, abs=0.1)
