from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from corpora import make_events, make_recording, make_signal
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropair.pipeline.windows import cut
from neuropair.schemas.signals import EEG, MEG, Signals
from neuropair.schemas.study import Sliding, Window, Windows
from neuropair.schemas.tables import conform


def _cut(signal, onsets, modality="eeg", windows=None, duration=0.5, **more):
    return cut(
        signal,
        make_events(onsets, duration),
        make_recording(modality),
        windows or Windows(),
        more.pop("settings", Signals()),
        **more,
    )


def _with(signal, values=None, valid=None):
    data = signal.data.copy(deep=True)
    if values is not None:
        data["signal"] = (("channel", "time"), values)
    if valid is not None:
        data["valid"] = (("channel", "time"), valid)
    return replace(signal, data=data)


def _marked(signal, **columns):
    """A signal whose channels table has other values in some columns."""
    channels = signal.channels.copy()
    for name, values in columns.items():
        channels.loc[: len(values) - 1, name] = values
    return replace(signal, channels=channels)


@settings(max_examples=40, deadline=None)
@given(
    onsets=st.lists(st.floats(-3, 14), max_size=5),
    start=st.floats(-1, 1),
    scrubbed=st.lists(st.integers(0, 99), max_size=10),
)
def test_a_window_holds_the_recorded_samples_and_nothing_else(onsets, start, scrubbed):
    signal = make_signal("eeg", n_channels=3, sfreq=10.0, seconds=10.0, start=start)
    valid = np.ones((3, 100), bool)
    valid[:, scrubbed] = False
    signal = _with(signal, valid=valid)
    made = _cut(signal, onsets, windows=Windows(eeg=Window(tmin=-0.5, tmax=1.0)))
    times, values = signal.data["time"].values, signal.data["signal"].values
    data = made.data
    assert data["signal"].dims == ("window", "channel", "time")
    assert data["event"].values.tolist() == list(range(len(onsets)))
    for window, onset in enumerate(sorted(onsets)):
        target = onset + data["time"].values
        nearest = np.abs(times[None, :] - target[:, None]).argmin(axis=1)
        inside = np.abs(times[nearest] - target) <= 0.05 * (1 + 1e-6)
        expected = inside & valid[0, nearest]
        # ties are either neighbour
        clear = np.abs(np.abs(times[nearest] - target) - 0.05) > 1e-6
        seen = data["valid"].values[window]
        assert (seen == expected)[clear].all()
        stored = data["signal"].values[window]
        both = seen & expected & clear
        np.testing.assert_array_equal(stored[:, both], values[:, nearest[both]].astype(np.float32))
        assert not stored[:, ~seen].any()
        assert made.table["valid_fraction"][window] == pytest.approx(seen.mean())
        assert data["channel_valid"].values[window].all() == seen.any()
    assert np.isfinite(data["signal"].values).all()
    conform(made.table.assign(study="s", recording="r"), "windows")


def test_haemodynamic_frames_are_not_resampled():
    signal = make_signal("fmri", sfreq=0.5, seconds=120.0, start=1.0)
    made = _cut(signal, [31.4, 60.0], "fmri")
    assert made.data["time"].values.tolist() == list(np.arange(-4.0, 21.0, 2.0))
    np.testing.assert_allclose(made.data["time_offset"], [-0.4, -1.0], atol=1e-9)
    source = signal.data["signal"].sel(time=slice(27.0, 51.0)).values
    np.testing.assert_array_equal(made.data["signal"].values[0], source.astype(np.float32))


class TestBlocks:
    windows = Windows(eeg=Window(tmin=-0.2, tmax=1.0, to_duration_plus=0.5))

    def test_the_longest_event_lengthens_all_windows(self):
        made = _cut(make_signal(), [5, 20], windows=self.windows, duration=4.0)
        assert made.data["time"].values[[0, -1]].tolist() == [-0.2, 4.5]

    @pytest.mark.parametrize("duration", [0.1, None])
    def test_short_or_unknown_durations_change_nothing(self, duration):
        made = _cut(make_signal(), [5, 20], windows=self.windows, duration=duration)
        assert made.data["time"].values[-1] == 1.0


class TestFlags:
    def test_edges_are_masked_and_counted(self):
        made = _cut(make_signal(seconds=60.0), [0.05, 30.0, 59.5, 100.0])
        assert made.table["clipped"].tolist() == [True, False, True, True]
        assert made.table["valid_fraction"].tolist() == [211 / 241, 1.0, 140 / 241, 0.0]
        assert made.table["quality"].iloc[-1] == 0
        assert not made.data["channel_valid"].values[-1].any()
        (loss,) = made.losses
        assert (loss.action, loss.count) == ("flagged", 3)
        assert "outside" in loss.reason

    def test_overlaps_and_distances(self):
        made = _cut(make_signal(), [5.0, 6.0, 6.9, 20.0])
        assert made.table["overlaps"].tolist() == [True, True, True, False]
        np.testing.assert_allclose(made.table["previous_event"], [np.nan, 1.0, 0.9, 13.1])
        np.testing.assert_allclose(made.table["next_event"], [1.0, 0.9, 13.1, np.nan])

    @pytest.mark.parametrize(("loud", "is_artefact"), [(2, False), (3, True)])
    def test_an_artefact_is_in_more_than_half_of_the_channels(self, loud, is_artefact):
        signal = make_signal(n_channels=4)
        values = signal.data["signal"].values.copy()
        values[:loud, 2000] += 400e-6
        made = _cut(_with(signal, values), [5.0, 10.0, 15.0])
        assert made.table["artefact"].tolist() == [False, is_artefact, False]

    def test_bad_channels_do_not_count(self):
        signal = make_signal(n_channels=4)
        values = signal.data["signal"].values.copy()
        values[:3] *= 100
        marked = _marked(_with(signal, values), status=["bad"] * 3)
        made = _cut(marked, [10.0])
        assert made.table["artefact"].tolist() == [False]
        assert made.data["channel_valid"].values.tolist() == [[False, False, False, True]]
        assert made.table["quality"][0] == 0.25
        assert made.table["peak_to_peak"][0] < 1e-3
        assert made.data["signal"].values[0, 0].any()

    def test_magnetometers_and_gradiometers_have_their_own_thresholds(self):
        signal = _marked(make_signal("meg"), type=["mag", "grad", "grad", "grad"])
        values = signal.data["signal"].values.copy()
        values[1:] *= 100
        limits = MEG(artefact_peak_to_peak_mag=2e-12, artefact_peak_to_peak_grad=1e-9)
        made = _cut(_with(signal, values), [10.0], "meg", settings=Signals(meg=limits))
        assert made.table["artefact"].tolist() == [False]
        assert 1e-13 < made.table["peak_to_peak"][0] < 2e-12
        limits = MEG(artefact_peak_to_peak_mag=2e-12, artefact_peak_to_peak_grad=1e-12)
        made = _cut(_with(signal, values), [10.0], "meg", settings=Signals(meg=limits))
        assert made.table["artefact"].tolist() == [True]

    def test_mostly_scrubbed_is_an_artefact_and_clipped_is_none(self):
        signal = make_signal("fmri", sfreq=0.5, seconds=200.0)
        valid = np.ones((4, 100), bool)
        valid[:, 50:57] = False
        made = _cut(_with(signal, valid=valid), [100.0, 60.0, 199.0], "fmri", duration=1.0)
        assert made.table.sort_values("onset")["artefact"].tolist() == [False, True, False]


class TestChannels:
    def test_a_fault_of_one_channel_is_its_own(self):
        signal = make_signal(n_channels=4)
        valid = np.ones(signal.data["valid"].shape, bool)
        valid[1, 2010:2020] = False
        made = _cut(_with(signal, valid=valid), [10.0, 20.0])
        assert made.data["valid"].values.all()
        assert made.data["channel_valid"].values.tolist() == [[True, False, True, True], [True] * 4]
        assert not made.data["signal"].values[0, 1, 50:60].any()

    def test_a_fault_of_most_masks_the_sample_for_all(self):
        signal = make_signal(n_channels=4)
        valid = np.ones(signal.data["valid"].shape, bool)
        valid[:3, 2010:2020] = False
        made = _cut(_with(signal, valid=valid), [10.0])
        assert np.flatnonzero(~made.data["valid"].values[0]).tolist() == list(range(50, 60))
        assert made.data["channel_valid"].values.all()

    def test_nan_is_masked_and_never_stored(self):
        signal = make_signal(n_channels=4)
        values = signal.data["signal"].values.copy()
        values[2, 2000] = np.nan
        made = _cut(_with(signal, values), [10.0])
        assert np.isfinite(made.data["signal"].values).all()
        assert made.data["channel_valid"].values.tolist() == [[True, True, False, True]]

    def test_excluded_channels_are_not_stored_and_positions_are(self):
        made = _cut(make_signal(), [10.0])
        assert made.data["channel"].values.tolist() == ["C0", "C1", "C2", "C3"]
        np.testing.assert_array_equal(made.data["channel_position"].values[0], [0.01, 0.02, np.nan])
        assert set(made.data["channel_unit"].values) == {"V"}

    def test_channels_out_of_order_are_an_error(self):
        signal = make_signal()
        flipped = signal.data.isel(channel=slice(None, None, -1))
        with pytest.raises(ValueError, match="order"):
            _cut(replace(signal, data=flipped), [10.0])


class TestBaseline:
    def test_it_is_stored_and_not_subtracted(self):
        signal = make_signal()
        made = _cut(signal, [10.0])
        window = made.data["signal"].sel(time=slice(None, -1e-9))
        np.testing.assert_allclose(
            made.data["baseline"].values, window.mean("time").values, rtol=1e-5
        )
        source = signal.data["signal"].values[:, 1960:2201].astype(np.float32)
        np.testing.assert_array_equal(made.data["signal"].values[0], source)

    def test_nothing_valid_before_the_onset_gives_none(self):
        made = _cut(make_signal(), [0.0])
        assert np.isnan(made.data["baseline"].values).all()


class TestSliding:
    windows = Windows(sliding=Sliding(length=2.0, step=2.0))

    def test_they_follow_the_events_and_share_no_sample(self):
        signal = make_signal()
        made = _cut(signal, [10.0], windows=self.windows, sliding_onsets=[4.0, 6.0])
        table = made.table
        assert table["kind"].tolist() == ["event", "sliding", "sliding"]
        assert table["concept"].tolist()[1:] == ["sliding", "sliding"]
        assert made.data["event"].values.tolist() == [0, -1, -1]
        assert table["event"].isna().tolist() == [False, True, True]
        assert made.data["time"].values[[0, -1]].tolist() == [-0.2, 1.995]
        assert made.data["valid"].values.sum(axis=1).tolist() == [241, 400, 400]
        assert table["valid_fraction"].tolist() == [1.0, 1.0, 1.0]
        np.testing.assert_allclose(table["tmax"], [1.0, 1.995, 1.995])
        assert not table["overlaps"].any()
        np.testing.assert_allclose(table["next_event"][1:], [6.0, 4.0])
        both = made.data["signal"].values[1:, :, 40:]
        source = signal.data["signal"].values[:, 800:1600].astype(np.float32)
        np.testing.assert_array_equal(np.concatenate(both, axis=1), source)
        assert np.isnan(made.data["baseline"].values[1:]).all()

    def test_there_are_none_without_onsets(self):
        made = _cut(make_signal(), [10.0], windows=self.windows)
        assert made.data.sizes["window"] == 1
        assert made.data["time"].values[-1] == 1.0

    def test_they_stand_alone_where_there_are_no_events(self):
        made = _cut(make_signal(), [], windows=self.windows, sliding_onsets=[4.0])
        assert made.table["kind"].tolist() == ["sliding"]
        assert made.table[["previous_event", "next_event"]].isna().all(axis=None)


class TestBetas:
    @pytest.mark.parametrize("modality", ["fmri", "fnirs"])
    def test_they_follow_the_planted_amplitudes(self, modality):
        from neuropair.pipeline.windows.betas import responses

        onsets = 10.0 + 20.0 * np.arange(12)
        truth = np.linspace(1.0, 4.0, 12)
        signal = make_signal(modality, sfreq=0.5 if modality == "fmri" else 5.0, seconds=280.0)
        planted = responses(signal.data["time"].values, onsets, np.full(12, 0.5)) @ truth
        noise = signal.data["signal"].values
        scale = 10 * noise.std()
        made = _cut(_with(signal, noise + scale * planted), onsets, modality)
        beta = made.data["beta"].values
        assert beta.shape == (12, 4)
        assert np.corrcoef(beta.mean(axis=1), truth)[0, 1] > 0.98
        assert made.table["beta_se"].notna().all()
        assert "ridge" in made.data["beta"].attrs["method"]

    def test_sliding_windows_and_electrical_modalities_have_none(self):
        windows = Windows(sliding=Sliding(length=10.0, step=10.0))
        signal = make_signal("fnirs", sfreq=5.0, seconds=200.0)
        made = _cut(signal, [50.0], "fnirs", windows=windows, sliding_onsets=[0.0, 10.0])
        assert np.isnan(made.data["beta"].values[1:]).all()
        assert "beta" not in _cut(make_signal(), [10.0]).data
        assert "baseline" not in made.data

    def test_too_close_events_are_counted(self):
        signal = make_signal("fmri", sfreq=0.5, seconds=200.0)
        made = _cut(signal, [50.0, 51.0, 120.0], "fmri")
        assert any("too near" in loss.reason and loss.count == 2 for loss in made.losses)


@pytest.mark.parametrize("modality", ["eeg", "meg", "fnirs", "fmri"])
def test_no_events_make_no_windows(modality):
    made = _cut(make_signal(modality, sfreq=5.0), [], modality)
    assert made.data.sizes["window"] == 0
    assert made.data["signal"].shape[1] == 4
    assert made.table.empty
    assert made.losses == ()
    conform(made.table.assign(study="s", recording="r"), "windows")


def test_no_good_channel_is_quality_zero_and_no_artefact():
    made = _cut(_marked(make_signal(), status=["bad"] * 4), [10.0])
    assert made.data["valid"].values.all()
    assert made.table["quality"].tolist() == [0.0]
    assert made.table["artefact"].tolist() == [False]
    assert made.table["peak_to_peak"].isna().all()


def test_the_same_input_gives_the_same_windows():
    one, two = (_cut(make_signal(), [10.0, 20.0]) for _ in range(2))
    xr.testing.assert_identical(one.data, two.data)
    assert one.table.equals(two.table)


def test_a_threshold_of_the_settings_is_used():
    made = _cut(make_signal(), [10.0], settings=Signals(eeg=EEG(artefact_peak_to_peak=1e-6)))
    assert made.table["artefact"].tolist() == [True]
