"""fNIRS cleaning: real SNIRF files, physics with a known answer, and input that is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import h5py
import mne
import numpy as np
import pandas as pd
import pytest

from neuropair.pipeline.signals import cleaner
from neuropair.pipeline.signals.fnirs_clock import settle_clock
from neuropair.pipeline.signals.fnirs_scalp import regress_nearest
from neuropair.pipeline.types import CleanSignal, Dataset, Recording
from neuropair.schemas.errors import DatasetError
from neuropair.schemas.kinds import Modality
from neuropair.schemas.signals import FNIRS, Signals

TAPPING = "fnirs_tapping_homer3"
SAMPLES = "fnirs_snirf_samples"


def stem_of(subject: str, session: str | None, task: str) -> str:
    parts = [f"sub-{subject}", *([f"ses-{session}"] if session else [])]
    return "/".join([*parts, "nirs", "_".join([*parts, f"task-{task}"])])


def recording_at(root: Path, stem: str) -> Recording:
    entities = dict(part.split("-", 1) for part in stem.rsplit("/", 1)[-1].split("_"))
    sidecar = root / f"{stem}_nirs.json"
    channels = f"{stem}_channels.tsv"
    return Recording(
        dataset=root.name,
        modality=Modality.FNIRS,
        subject=entities["sub"],
        session=entities.get("ses"),
        task=entities["task"],
        acquisition=None,
        run=None,
        path=PurePosixPath(f"{stem}_nirs.snirf"),
        sidecar=json.loads(sidecar.read_text()) if sidecar.exists() else {},
        channels_path=PurePosixPath(channels) if (root / channels).exists() else None,
    )


def clean(
    root: Path, stem: str, rename: dict[str, str] | None = None, **settings: Any
) -> CleanSignal:
    dataset = Dataset(id=root.name, root=root, source="here", description={})
    signals = Signals(fnirs=FNIRS.model_validate(settings))
    return cleaner(Modality.FNIRS)(dataset, recording_at(root, stem), signals, rename or {})


@pytest.mark.real
@pytest.mark.parametrize(
    ("subject", "session", "coupling", "n_bad"),
    [("01", "01", 0.92, 0), ("01", "02", 0.95, 0), ("02", "01", 0.94, 0), ("02", "02", 0.92, 4)],
)
def test_tapping(real_data: Path, subject: str, session: str, coupling: float, n_bad: int) -> None:
    signal = clean(real_data / TAPPING, stem_of(subject, session, "tapping"))
    assert signal.sfreq == pytest.approx(5.0, abs=0.001)
    assert signal.sfreq == signal.sfreq_source
    assert signal.data.sizes["channel"] == 72
    stored = signal.channels[signal.channels.status != "excluded"]
    assert stored.channel.tolist() == signal.data.channel.values.tolist()
    assert stored.type.value_counts().to_dict() == {"hbo": 36, "hbr": 36}
    assert set(stored.unit) == {"M"}
    assert (stored.status == "bad").sum() == n_bad
    excluded = signal.channels[72:]
    assert (excluded.status == "excluded").all()
    assert len(excluded) == 30
    assert (excluded.reason == "short channel, used as a regressor").sum() >= 28
    every = [q["sci"] for q in signal.channels.quality]
    assert np.median(every) == pytest.approx(coupling, abs=0.035)
    # tenths of a micromolar
    assert 0.3e-7 < float(signal.data.signal.std()) < 2e-6
    assert signal.data.valid.values.all()
    assert {step.name for step in signal.steps} >= {
        "optical density",
        "scalp coupling index",
        "temporal derivative distribution repair (TDDR)",
        "short-channel regression",
        "modified Beer-Lambert law",
        "low-pass",
    }
    spectrum = np.abs(np.fft.rfft(signal.data.signal.values, axis=1)) ** 2
    freqs = np.fft.rfftfreq(signal.data.sizes["time"], 1 / signal.sfreq)
    # what is left leaks from the edges of the window
    assert spectrum[:, freqs > 0.3].sum() < 0.01 * spectrum.sum()
    assert signal.regressors is not None
    assert signal.regressors.shape == (signal.data.sizes["time"], 8)


@pytest.mark.real
def test_tapping_positions_and_clock(real_data: Path) -> None:
    """The marks of channels' first source and detector, and of the first block, by hand."""
    root, stem = real_data / TAPPING, stem_of("01", "01", "tapping")
    signal = clean(root, stem)
    first = signal.channels.iloc[0]
    assert first.channel == "S1_D1 hbo"
    assert [first.x, first.y, first.z] == pytest.approx([-0.1145, 0.0321, 0.0], abs=1e-4)
    events = pd.read_csv(root / f"{stem}_events.tsv", sep="\t")
    sample = events["sample"].iloc[0]
    assert signal.data.time.values[sample] == pytest.approx(events.onset.iloc[0], abs=1e-3)


@pytest.mark.real
def test_cleaning_is_deterministic_and_leaves_the_file(real_data: Path) -> None:
    root, stem = real_data / SAMPLES, stem_of("01", None, "probe")
    before = (root / f"{stem}_nirs.snirf").read_bytes()
    one, other = clean(root, stem), clean(root, stem)
    assert one.data.identical(other.data)
    assert one.steps == other.steps
    assert (root / f"{stem}_nirs.snirf").read_bytes() == before


@pytest.mark.real
def test_samples_have_their_geometry_in_the_file(real_data: Path) -> None:
    neuro = clean(real_data / SAMPLES, stem_of("01", None, "neuro"))
    assert neuro.sfreq == pytest.approx(8.0)
    assert neuro.sfreq_source == pytest.approx(20.033, abs=0.001)
    assert neuro.data.sizes["channel"] == 18
    distances = {round(q["distance_m"], 4) for q in neuro.channels.quality}
    assert distances == {0.02, 0.0224}
    assert (neuro.channels.status == "bad").sum() == 4
    probe = clean(real_data / SAMPLES, stem_of("01", None, "probe"))
    assert probe.sfreq == pytest.approx(8.0)
    assert probe.duration == pytest.approx(120.0)
    assert probe.data.time.values[-1] == pytest.approx(119.975)
    # it is simulated and has no heart beat: all is flagged, nothing is dropped
    assert (probe.channels.status == "bad").all()
    assert probe.channels.reason.str.startswith("scalp coupling index").all()
    assert probe.data.valid.values.all()


# a copy that can be damaged


@pytest.fixture
def copy(real_data: Path, tmp_path: Path) -> Path:
    """The small SNIRF file: 4 pairs at 690 and 830 nm, 28.3 mm, 10 Hz, 120 s."""
    shutil.copytree(real_data / SAMPLES / "sub-01", tmp_path / "sub-01")
    for path in tmp_path.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return tmp_path


PROBE = stem_of("01", None, "probe")


def snirf(root: Path) -> h5py.File:
    return h5py.File(root / f"{PROBE}_nirs.snirf", "r+")


def rewrite(root: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    path = root / f"{PROBE}_channels.tsv"
    change(pd.read_csv(path, sep="\t", dtype=str)).to_csv(path, sep="\t", index=False)


@pytest.mark.real
def test_a_sidecar_in_another_order_is_matched_by_name(copy: Path) -> None:
    straight = clean(copy, PROBE)

    def shuffle(table: pd.DataFrame) -> pd.DataFrame:
        table["status"] = ["bad" if name == "S1_D2 830" else "good" for name in table.name]
        table["status_description"] = "hair"
        return table.iloc[[3, 0, 6, 1, 2, 7, 5, 4]]

    rewrite(copy, shuffle)
    shuffled = clean(copy, PROBE, sci_threshold=-1.0)
    np.testing.assert_array_equal(shuffled.data.signal, straight.data.signal)
    assert shuffled.data.channel.values.tolist() == straight.data.channel.values.tolist()
    bad = shuffled.channels[shuffled.channels.status == "bad"]
    assert sorted(bad.channel) == ["S1_D2 hbo", "S1_D2 hbr"]
    assert set(bad.reason) == {"bad in channels.tsv: hair"}
    repaired = [loss for loss in shuffled.losses if loss.action == "repaired"]
    assert [loss.count for loss in repaired] == [8]
    assert "matched by name" in repaired[0].reason


@pytest.mark.real
def test_a_snirf_file_in_another_order_gives_the_same_signals(copy: Path) -> None:
    straight = clean(copy, PROBE)
    order = [5, 2, 7, 0, 1, 6, 3, 4]
    with snirf(copy) as file:
        data = file["nirs/data1"]
        data["dataTimeSeries"][...] = data["dataTimeSeries"][()][:, order]
        old = [{k: v[()] for k, v in data[f"measurementList{i + 1}"].items()} for i in range(8)]
        for place, source in enumerate(order):
            for key, value in old[source].items():
                data[f"measurementList{place + 1}/{key}"][...] = value
    shuffled = clean(copy, PROBE)
    assert any(loss.action == "repaired" for loss in shuffled.losses)
    names = shuffled.data.channel.values.tolist()
    assert sorted(names) == sorted(straight.data.channel.values.tolist())
    for name in names:
        np.testing.assert_allclose(
            shuffled.data.signal.sel(channel=name),
            straight.data.signal.sel(channel=name),
            atol=1e-15,
        )


def _set(column: str, value: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[2, column] = value
        return table

    return change


def _name_and(column: str, value: str, name: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[2, [column, "name"]] = [value, name]
        return table

    return change


@pytest.mark.real
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_name_and("detector", "D9", "S1_D9 690"), "S1_D9 at 690 nm"),
        (_name_and("wavelength_nominal", "760", "S1_D3 760"), "wavelengths are 690, 830"),
        (_set("wavelength_nominal", "830"), "contradicts its column wavelength_nominal"),
        (_set("detector", "D4"), "contradicts its columns source and detector"),
        (_set("wavelength_nominal", "red"), "is no number"),
        (_name_and("detector", "D4", "S1_D4 690"), "twice"),
        (_name_and("source", "", "channel three"), "does not say source"),
        (lambda table: table.drop(columns="type"), "has no column type"),
    ],
)
def test_a_sidecar_that_contradicts_the_file(
    copy: Path, change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    rewrite(copy, change)
    with pytest.raises(DatasetError, match=message) as caught:
        clean(copy, PROBE)
    assert "channels.tsv" in caught.value.where


@pytest.mark.real
def test_a_sidecar_that_lacks_channels_or_is_absent(copy: Path) -> None:
    rewrite(copy, lambda table: table.iloc[:6])
    signal = clean(copy, PROBE)
    assert [loss.count for loss in signal.losses if "has not" in loss.reason] == [2]
    rewrite(copy, lambda table: table.drop(columns=["source", "detector", "wavelength_nominal"]))
    assert clean(copy, PROBE).data.sizes["channel"] == 8
    (copy / f"{PROBE}_channels.tsv").unlink()
    signal = clean(copy, PROBE)
    assert any(loss.reason == "has no channels.tsv" for loss in signal.losses)


@pytest.mark.real
def test_sidecars_may_use_the_labels_of_the_file(copy: Path) -> None:
    with snirf(copy) as file:
        del file["nirs/probe/detectorLabels"]
        file["nirs/probe/detectorLabels"] = np.array([b"O1", b"Oz", b"O2", b"POz"])

    def label(table: pd.DataFrame) -> pd.DataFrame:
        table["detector"] = table["detector"].map({"D1": "O1", "D2": "Oz", "D3": "O2", "D4": "POz"})
        table["name"] = table.source + "-" + table.detector + " " + table.wavelength_nominal
        table["status"] = ["bad", *["good"] * 7]
        return table

    rewrite(copy, label)
    signal = clean(copy, PROBE, sci_threshold=-1.0)
    bad = signal.channels[signal.channels.status == "bad"].channel
    assert sorted(bad) == ["S1_D1 hbo", "S1_D1 hbr"]


@pytest.mark.real
@pytest.mark.parametrize(("unit", "factor"), [("mm", 10.0), ("m", 0.01)])
def test_a_wrong_unit_of_length_is_mended_and_said(copy: Path, unit: str, factor: float) -> None:
    """The file's positions are in cm."""
    straight = clean(copy, PROBE)
    with snirf(copy) as file:
        file["nirs/metaDataTags/LengthUnit"][...] = unit.encode()
    signal = clean(copy, PROBE)
    assert signal.steps[0].parameters["length_factor"] == factor
    assert any("lengths multiplied" in loss.reason for loss in signal.losses)
    np.testing.assert_allclose(signal.data.signal, straight.data.signal, rtol=1e-6)
    np.testing.assert_allclose(signal.channels.x, straight.channels.x)


@pytest.mark.real
def test_distances_that_no_unit_explains(copy: Path) -> None:
    with snirf(copy) as file:
        positions = file["nirs/probe/detectorPos2D"]
        positions[...] = positions[()] * np.array([[0.001], [1], [1000], [1e5]])
    with pytest.raises(DatasetError, match="cannot be"):
        clean(copy, PROBE)


@pytest.mark.real
def test_one_impossible_distance_excludes_one_pair(copy: Path) -> None:
    with snirf(copy) as file:
        positions = file["nirs/probe/detectorPos2D"]
        positions[...] = positions[()] * np.array([[1], [1], [1], [3]])
    signal = clean(copy, PROBE)
    excluded = signal.channels[signal.channels.status == "excluded"]
    assert excluded.channel.tolist() == ["S1_D4 690", "S1_D4 830"]
    assert excluded.reason.str.contains("outside|not within").all()
    assert signal.data.sizes["channel"] == 6


@pytest.mark.real
@pytest.mark.parametrize(
    ("value", "reason", "masked"),
    [
        (np.nan, "1 samples are NaN", True),
        (0.0, "1 samples have no light", True),
        (-3.0, "1 samples have no light", True),
    ],
)
def test_light_that_cannot_be(copy: Path, value: float, reason: str, masked: bool) -> None:
    with snirf(copy) as file:
        file["nirs/data1/dataTimeSeries"][600, 1] = value
    signal = clean(copy, PROBE, sci_threshold=-1.0)
    bad = signal.channels[signal.channels.status == "bad"]
    assert sorted(bad.channel) == ["S1_D2 hbo", "S1_D2 hbr"]
    assert bad.reason.str.startswith(reason).all()
    rows = bad.index.to_numpy()
    assert signal.data.valid.values[rows].any() != masked
    assert (signal.data.signal.values[rows] == 0).all()
    assert np.isfinite(signal.data.signal.values).all()
    assert signal.data.valid.values[np.setdiff1d(np.arange(8), rows)].all()


@pytest.mark.real
def test_flat_and_saturated_channels(copy: Path) -> None:
    with snirf(copy) as file:
        data = file["nirs/data1/dataTimeSeries"]
        values = data[()]
        values[:, 0] = 900.0
        values[:, 1] = np.minimum(values[:, 1], np.quantile(values[:, 1], 0.9))
        data[...] = values
    signal = clean(copy, PROBE, sci_threshold=-1.0)
    reasons = signal.channels.set_index("channel").reason
    assert reasons["S1_D1 hbo"] == "flat"
    assert reasons["S1_D2 hbr"].startswith("saturated")
    assert (signal.channels.status == "good").sum() == 4


def unlink(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def other(path: Path) -> None:
    path.write_text("no HDF5")


@pytest.mark.real
@pytest.mark.parametrize("damage", [unlink, cut, empty, other])
def test_missing_or_damaged_file(copy: Path, damage: Callable[[Path], None]) -> None:
    damage(copy / f"{PROBE}_nirs.snirf")
    with pytest.raises(DatasetError) as caught:
        clean(copy, PROBE)
    assert "fetch" in caught.value.remedy
    assert "snirf" in caught.value.where


@pytest.mark.real
def test_other_data_types_and_too_short_recordings(copy: Path) -> None:
    with snirf(copy) as file:
        time = file["nirs/data1/time"][:50]
        data = file["nirs/data1/dataTimeSeries"][:50]
        del file["nirs/data1/time"], file["nirs/data1/dataTimeSeries"]
        file["nirs/data1/time"], file["nirs/data1/dataTimeSeries"] = time, data
    with pytest.raises(DatasetError, match="shorter than a haemodynamic response"):
        clean(copy, PROBE)
    with snirf(copy) as file:
        for i in range(8):
            file[f"nirs/data1/measurementList{i + 1}/dataType"][...] = 201
    with pytest.raises(DatasetError):
        clean(copy, PROBE)


@pytest.mark.real
def test_missing_samples_keep_their_time_and_are_masked(copy: Path) -> None:
    """Three seconds are cut out of the file; what comes after stays where it was."""
    straight = clean(copy, PROBE)
    with snirf(copy) as file:
        kept = np.r_[0:500, 530:1200]
        time, data = file["nirs/data1/time"][kept], file["nirs/data1/dataTimeSeries"][kept]
        del file["nirs/data1/time"], file["nirs/data1/dataTimeSeries"]
        file["nirs/data1/time"], file["nirs/data1/dataTimeSeries"] = time, data
    signal = clean(copy, PROBE)
    assert signal.duration == pytest.approx(120.0)
    np.testing.assert_allclose(signal.data.time, straight.data.time, atol=1e-6)
    masked = signal.data.time.values[~signal.data.valid.values[0]]
    assert masked.min() == pytest.approx(50.1, abs=0.2)
    assert masked.max() == pytest.approx(53.0, abs=0.2)
    assert any("30 samples missing" in loss.reason for loss in signal.losses)
    with h5py.File(copy / f"{PROBE}_nirs.snirf") as file:
        after = file["nirs/data1/dataTimeSeries"][500:, 0]
    raw = mne.io.read_raw_snirf(copy / f"{PROBE}_nirs.snirf", preload=True, verbose="ERROR")
    dataset = Dataset(id="x", root=copy, source="here", description={})
    clock = settle_clock(dataset, recording_at(copy, PROBE), raw)
    np.testing.assert_allclose(clock.raw.get_data()[0, 530:], after, rtol=1e-9)
    assert (~clock.recorded).sum() == 30


@pytest.mark.real
def test_times_that_go_back_or_are_too_few(copy: Path) -> None:
    with snirf(copy) as file:
        file["nirs/data1/time"][700] = 3.0
    with pytest.raises(DatasetError, match="times do not increase"):
        clean(copy, PROBE)
    with snirf(copy) as file:
        time = file["nirs/data1/time"][:1100]
        del file["nirs/data1/time"]
        file["nirs/data1/time"] = time
    with pytest.raises(DatasetError):
        clean(copy, PROBE)


@pytest.mark.real
def test_a_piece_of_a_longer_recording_starts_at_zero(copy: Path) -> None:
    with snirf(copy) as file:
        file["nirs/data1/time"][...] += 300.0
    assert clean(copy, PROBE).data.time.values[0] == 0.0


@pytest.mark.real
def test_a_slow_recording_has_no_coupling_index(copy: Path) -> None:
    with snirf(copy) as file:
        file["nirs/data1/time"][...] = np.arange(1200) * 0.4
    signal = clean(copy, PROBE)
    assert signal.sfreq == pytest.approx(2.5)
    assert any("no scalp coupling index" in loss.reason for loss in signal.losses)
    assert "sci_median" not in signal.quality


@pytest.mark.real
def test_settings_are_followed(copy: Path) -> None:
    as_is = clean(copy, PROBE, sfreq=None, lowpass=None, highpass=None, ppf=6.0)
    assert as_is.sfreq == pytest.approx(10.0)
    assert as_is.regressors is not None
    assert as_is.regressors.columns.tolist() == ["trend"]
    half = clean(copy, PROBE, sfreq=None, lowpass=None, highpass=None, ppf=12.0)
    np.testing.assert_allclose(2 * half.data.signal, as_is.data.signal, rtol=1e-9, atol=1e-18)
    slow = clean(copy, PROBE, sfreq=1.0, lowpass=0.7)
    assert any("lowered to 0.45 Hz" in loss.reason for loss in slow.losses)
    names = clean(copy, PROBE, {"S1_D1": "C3", "S1_D2 hbr": "x"}).data.channel.values.tolist()
    assert {"C3 hbo", "C3 hbr", "S1_D2 hbo", "x"} <= set(names)


@pytest.mark.real
def test_a_known_concentration_comes_out_at_its_times(copy: Path) -> None:
    """Light made from a known haemoglobin wave by Beer and Lambert's law gives the wave back."""
    with snirf(copy) as file:
        times = file["nirs/data1/time"][()]
        oxy = 1e-6 * np.sin(2 * np.pi * 0.08 * times)
        # molar extinction at 690 and 830 nm, 1/(cm M): S. Prahl, omlc.org/spectra
        extinction = np.array([[276.0, 2051.96], [974.0, 693.04]])
        absorbed = extinction @ np.array([oxy, -0.35 * oxy])
        light = 1000 * np.exp(-2.303 * absorbed * 2.8284 * 6.0)
        file["nirs/data1/dataTimeSeries"][...] = np.repeat(light, 4, axis=0).T
    signal = clean(copy, PROBE, sci_threshold=-1.0)
    middle = slice(80, -80)
    wave = 1e-6 * np.sin(2 * np.pi * 0.08 * signal.data.time.values)[middle]
    for channel, gain in (("S1_D3 hbo", 1.0), ("S1_D3 hbr", -0.35)):
        found = signal.data.signal.sel(channel=channel).values[middle]
        assert np.corrcoef(found, wave)[0, 1] * np.sign(gain) > 0.995
        turn = np.exp(-2j * np.pi * 0.08 * signal.data.time.values[middle])
        lag = np.angle((gain * found) @ turn / (wave @ turn)) / (2 * np.pi * 0.08)
        assert abs(lag) < 0.03
        # TDDR takes 6 percent of a pure wave: steep flanks weigh less (Fishburn et al. 2019)
        assert found.std() / wave.std() == pytest.approx(abs(gain), rel=0.1)


@pytest.mark.real
def test_short_channels_are_regressed_at_their_own_wavelength(real_data: Path) -> None:
    """Equations 26 and 27 of Scholkmann et al. 2014, by hand."""
    path = real_data / TAPPING / f"{stem_of('01', '02', 'tapping')}_nirs.snirf"
    raw = mne.io.read_raw_snirf(path, preload=True, verbose="ERROR").crop(0, 60)
    density = mne.preprocessing.nirs.optical_density(raw, verbose="ERROR")
    distances = mne.preprocessing.nirs.source_detector_distances(density.info)
    names = np.array(density.ch_names)
    shorts, longs = names[distances < 0.01].tolist(), names[distances >= 0.01].tolist()
    found = density.copy()
    # where the zero of the density lies must not matter
    found._data += 2.5
    regress_nearest(found, longs, shorts)
    place = {channel["ch_name"]: channel["loc"][:3] for channel in density.info["chs"]}
    for wavelength in ("690", "830"):
        for long in (name for name in longs if name.endswith(wavelength)):
            same = [name for name in shorts if name.endswith(wavelength)]
            near = min(same, key=lambda short: float(np.linalg.norm(place[short] - place[long])))
            one, other = (np.ravel(density.get_data(name)) for name in (long, near))
            one, other = one - one.mean(), other - other.mean()
            wanted = one - other * (one @ other) / (other @ other)
            np.testing.assert_allclose(np.ravel(found.get_data(long)), wanted, atol=1e-12)
    np.testing.assert_array_equal(found.get_data(shorts), density.get_data(shorts) + 2.5)


def test_peak_power_falls_where_the_heart_beat_is_lost(copy: Path) -> None:
    """A beat of 1.1 Hz at both wavelengths of every channel, drowned in noise in one."""
    generator = np.random.default_rng(5)
    with h5py.File(copy / f"{PROBE}_nirs.snirf", "a") as file:
        times = np.ravel(file["nirs/data1/time"][...])
        shape = file["nirs/data1/dataTimeSeries"].shape
        beat = 0.01 * np.sin(2 * np.pi * 1.1 * times)[:, None]
        noise = generator.normal(scale=0.001, size=shape)
        noise[:, 0] *= 300
        file["nirs/data1/dataTimeSeries"][...] = 1000 * np.exp(-beat + noise)
    signal = clean(copy, PROBE, sci_threshold=-1.0)
    power = [quality["peak_power"] for quality in signal.channels.quality]
    lost = np.array([channel.split(" ")[0] for channel in signal.channels.channel])
    lost = lost == signal.channels.channel[0].split(" ")[0]
    assert np.array(power)[lost].max() < 0.2 * np.array(power)[~lost].min()
    assert signal.quality["peak_power_median"] == pytest.approx(np.median(power), rel=0.2)
