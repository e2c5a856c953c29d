"""fMRI cleaning: real small images, a synthetic fMRIPrep folder, and input that is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from neuropair.pipeline.signals import cleaner
from neuropair.pipeline.signals.drift import drift_regressors, regress_out
from neuropair.pipeline.signals.fmri_confounds import framewise_displacement
from neuropair.pipeline.types import CleanSignal, Dataset, Recording
from neuropair.pipeline.windows.betas import responses, single_trial_betas
from neuropair.schemas.errors import DatasetError, NeuropairError, RecipeError
from neuropair.schemas.kinds import Modality
from neuropair.schemas.signals import FMRI, Signals

HAXBY = "fmri_haxby_pymvpa"
LOCALIZER = "fmri_localizer_pyhrf"
MOTION = (
    "derivatives/motion/sub-{subject}/func/"
    "sub-{subject}_task-objectviewing_run-{run}_desc-motion_params.txt"
)
GRAY = "derivatives/masks/sub-{subject}/func/sub-{subject}_acq-25mm_label-gray_mask.nii.gz"
FOUR = "derivatives/masks/sub-{subject}/func/sub-{subject}_label-4regions_dseg.nii.gz"
N, TR = 60, 2.0


def dataset_at(root: Path) -> Dataset:
    return Dataset(id=root.name, root=root, source="here", description={})


def recording_at(root: Path, path: str) -> Recording:
    name = path.rsplit("/", 1)[-1]
    entities = dict(part.split("-", 1) for part in name.split("_") if "-" in part)
    sidecar = root / path.replace(".nii.gz", ".json")
    return Recording(
        dataset=root.name,
        modality=Modality.FMRI,
        subject=entities["sub"],
        session=entities.get("ses"),
        task=entities.get("task"),
        acquisition=entities.get("acq"),
        run=entities.get("run"),
        path=PurePosixPath(path),
        sidecar=json.loads(sidecar.read_text()) if sidecar.exists() else {},
    )


def clean(root: Path, path: str, **settings: Any) -> CleanSignal:
    signals = Signals(fmri=FMRI.model_validate(settings))
    return cleaner(Modality.FMRI)(dataset_at(root), recording_at(root, path), signals, {})


def haxby(acquisition: str, run: int) -> str:
    stem = f"sub-001_task-objectviewing_acq-{acquisition}_run-{run:02d}_bold.nii.gz"
    return f"sub-001/func/{stem}"


@pytest.mark.real
def test_haxby_by_region(real_data: Path) -> None:
    signal = clean(
        real_data / HAXBY,
        haxby("25mm", 1),
        motion=MOTION,
        regions={"image": GRAY, "names": {1: "gray", 9: "absent"}},
    )
    assert dict(signal.data.sizes) == {"channel": 1, "time": 121}
    assert signal.sfreq == pytest.approx(0.4)
    assert signal.duration == pytest.approx(302.5)
    assert signal.data.time.values[[0, -1]].tolist() == [1.25, 301.25]
    assert signal.data.valid.values.all()
    assert signal.channels.status.tolist() == ["good", "excluded"]
    gray = signal.channels.iloc[0]
    assert (gray.channel, gray.type, gray.unit, gray.frame) == ("gray", "region", "%", "scanner")
    assert np.abs([gray.x, gray.y, gray.z]).max() < 0.1
    assert gray.quality["tsnr"] > 100
    assert signal.quality["mean_fd_mm"] == pytest.approx(0.129, abs=0.001)
    assert signal.quality["preprocessed"] is False
    assert signal.steps[0].name == "raw BOLD: no motion correction, no slice timing"
    assert signal.regressors is not None
    assert signal.regressors.shape == (121, 11)
    assert 0.05 < float(signal.data.signal.std()) < 2


@pytest.mark.real
def test_haxby_blocks_show_in_the_visual_slice(real_data: Path) -> None:
    """The task explains the best voxels far beyond chance: signal and events belong together."""
    path = haxby("1slice", 1)
    signal = clean(real_data / HAXBY, path, motion=MOTION, regions={"reduce": "voxels"})
    assert signal.data.sizes["channel"] == 530
    assert set(signal.channels.type) == {"voxel"}
    events = pd.read_csv(real_data / HAXBY / path.replace("_bold.nii.gz", "_events.tsv"), sep="\t")
    times = signal.data.time.values
    block = responses(times, events.onset, events.duration).sum(axis=1)
    correlation = np.corrcoef(block, signal.data.signal.values)[0, 1:]
    # in 530 voxels of noise the twentieth best would have about 0.18
    assert np.sort(correlation)[-20:].min() > 0.3
    betas = single_trial_betas(
        signal.data.signal.values.T,
        times,
        events.onset,
        events.duration,
        regressors=signal.regressors,
        valid=signal.data.valid.values.T,
    )
    assert np.isfinite(betas.beta).all()
    best = np.argsort(correlation)[-20:]
    assert (betas.beta[:, best].mean(axis=0) > 0.3).all()


@pytest.mark.real
def test_every_haxby_run_is_cleaned_without_regions(real_data: Path) -> None:
    for run in range(1, 9):
        signal = clean(real_data / HAXBY, haxby("25mm", run), motion=MOTION)
        assert signal.channels.channel.tolist() == ["brain"]
        assert signal.steps[1].parameters["method"] == "compute_epi_mask"
        assert 60 < signal.steps[1].parameters["voxels"] < 200


@pytest.mark.real
def test_localizer_by_label(real_data: Path) -> None:
    path = "sub-01/func/sub-01_task-localizer_bold.nii.gz"
    signal = clean(real_data / LOCALIZER, path, regions={"image": FOUR})
    assert signal.sfreq == pytest.approx(1 / 2.4)
    assert signal.channels.channel.tolist() == [f"label-{i}" for i in range(1, 7)]
    assert (signal.channels.status == "good").all()
    assert sum(q["n_voxels"] for q in signal.channels.quality) == 6443
    # left and right: labels 1 and 2 are auditory cortices of opposite sides
    assert signal.channels.x.iloc[0] > 0.03
    assert signal.channels.x.iloc[1] < -0.03
    bare = clean(real_data / LOCALIZER, path)
    assert bare.steps[1].parameters["method"] == "voxels with signal"
    assert bare.steps[1].parameters["voxels"] == 6443


@pytest.mark.real
def test_file_units_and_determinism(real_data: Path) -> None:
    kwargs: dict[str, Any] = {"regions": {"image": GRAY}, "percent": False}
    one = clean(real_data / HAXBY, haxby("25mm", 3), **kwargs)
    other = clean(real_data / HAXBY, haxby("25mm", 3), **kwargs)
    assert one.channels.unit.tolist() == ["a.u."]
    assert one.data.identical(other.data)
    percent = clean(real_data / HAXBY, haxby("25mm", 3), regions={"image": GRAY})
    ratio = one.data.signal.values / percent.data.signal.values
    assert ratio.std() / ratio.mean() < 1e-6


# a synthetic subject


@pytest.fixture
def subject(tmp_path: Path) -> Path:
    """A dataset of one run, 8 x 8 x 6 voxels, two regions of which the second is bright."""
    rng = np.random.default_rng(0)
    shape = (8, 8, 6)
    mean = np.full(shape, 800.0)
    data = mean[..., np.newaxis] + 4 * rng.standard_normal((*shape, N))
    labels = np.zeros(shape, np.int16)
    labels[1:3, 2:4, 2:4], labels[5:7, 2:4, 2:4] = 1, 2
    wave = np.sin(2 * np.pi * np.arange(N) * TR / 20)
    data[labels == 2] += 16 * wave
    func = tmp_path / "sub-01" / "func"
    func.mkdir(parents=True)
    save(func / "sub-01_task-x_bold.nii.gz", data)
    save(tmp_path / "labels.nii.gz", labels)
    (func / "sub-01_task-x_bold.json").write_text(json.dumps({"RepetitionTime": TR}))
    return tmp_path


def save(
    path: Path,
    data: np.ndarray,
    tr: float = TR,
    unit: str = "sec",
    affine: np.ndarray | None = None,
) -> None:
    image = nib.Nifti1Image(
        data.astype(np.int16 if data.ndim == 3 else np.float32),
        np.diag([3.0, 3, 3, 1]) if affine is None else affine,
    )
    image.header.set_xyzt_units("mm", unit)
    if data.ndim == 4:
        image.header.set_zooms((3, 3, 3, tr))
    nib.save(image, path)


BOLD = "sub-01/func/sub-01_task-x_bold.nii.gz"


def fmriprep(root: Path, table: pd.DataFrame, sidecar: dict[str, Any] | None = None) -> Path:
    """Give the subject an fMRIPrep output: the raw run, a mask, and this confounds table."""
    func = root / "derivatives" / "fmriprep" / "sub-01" / "func"
    func.mkdir(parents=True)
    stem = func / "sub-01_task-x_space-MNI152NLin2009cAsym"
    shutil.copy(root / BOLD, f"{stem}_desc-preproc_bold.nii.gz")
    said = {"RepetitionTime": TR, "SliceTimingCorrected": True, "StartTime": 0.9}
    Path(f"{stem}_desc-preproc_bold.json").write_text(json.dumps(sidecar or said))
    save(Path(f"{stem}_desc-brain_mask.nii.gz"), np.ones((8, 8, 6)))
    confounds = func / "sub-01_task-x_desc-confounds_timeseries.tsv"
    table.to_csv(confounds, sep="\t", index=False, na_rep="n/a")
    columns = [c for c in table if c.startswith("a_comp_cor")]
    described = {c: {"Method": "aCompCor", "Mask": "combined", "Retained": True} for c in columns}
    confounds.with_suffix(".json").write_text(json.dumps(described))
    return func


@pytest.fixture(scope="module")
def real_confounds(real_data: Path) -> pd.DataFrame:
    """Sixty rows of a real fMRIPrep table, that of the run with most motion."""
    folder = real_data / "events" / "ds004496" / "derivatives"
    tables = [
        pd.read_csv(path, sep="\t", na_values="n/a")
        for path in sorted(folder.rglob("*desc-confounds_timeseries.tsv"))
    ]
    return max(tables, key=lambda table: table.framewise_displacement[:N].max()).iloc[:N]


@pytest.mark.real
@pytest.mark.parametrize("strategy", ["none", "simple", "scrubbing"])
def test_fmriprep_strategies(subject: Path, real_confounds: pd.DataFrame, strategy: str) -> None:
    table = real_confounds.copy()
    table.loc[table.index[20], "framewise_displacement"] = 1.2
    fmriprep(subject, table)
    signal = clean(subject, BOLD, confounds=strategy, regions={"image": "labels.nii.gz"})
    assert signal.quality["preprocessed"] is True
    assert signal.steps[0].name == "fMRIPrep series"
    assert signal.data.sizes["time"] == N
    assert not signal.data.valid.values[:, 20].any()
    assert signal.data.time.values[0] == pytest.approx(0.9)
    assert set(signal.channels.frame) == {"MNI152NLin2009cAsym"}
    assert signal.regressors is not None
    names = set(signal.regressors.columns)
    assert ("rot_z_derivative1_power2" in names) == (strategy != "none")
    assert ("csf_power2" in names) == (strategy == "scrubbing")
    assert signal.quality["mean_fd_mm"] > 0
    assert any("masked" in loss.reason for loss in signal.losses)
    valid = signal.data.valid.values[0]
    design = signal.regressors.to_numpy(float)[valid]
    left = design.T @ signal.data.signal.values[:, valid].T
    scale = np.linalg.norm(design, axis=0)[:, np.newaxis]
    np.testing.assert_allclose(left / scale, 0, atol=1e-6)


@pytest.mark.real
def test_compcor_needs_enough_volumes_and_its_json(
    subject: Path, real_confounds: pd.DataFrame
) -> None:
    few = [c for c in real_confounds if "comp_cor" not in c] + ["a_comp_cor_00", "a_comp_cor_01"]
    func = fmriprep(subject, real_confounds[few])
    signal = clean(subject, BOLD, confounds="compcor", artefact_fd=5.0)
    assert signal.regressors is not None
    assert {"a_comp_cor_01", "cosine00"} <= set(signal.regressors.columns)
    (func / "sub-01_task-x_desc-confounds_timeseries.json").unlink()
    with pytest.raises(DatasetError, match="does not serve strategy 'compcor'"):
        clean(subject, BOLD, confounds="compcor")


def plain_confounds(n_rows: int = N) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    axes = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    names = [
        f"{a}{e}" for a in axes for e in ("", "_derivative1", "_power2", "_derivative1_power2")
    ]
    table = pd.DataFrame(0.01 * rng.standard_normal((n_rows, 24)), columns=names)
    table[["csf", "white_matter"]] = 500 + rng.standard_normal((n_rows, 2))
    table["framewise_displacement"] = [np.nan, *(0.1 * rng.random(n_rows - 1))]
    table["std_dvars"] = [np.nan, *(1 + 0.1 * rng.random(n_rows - 1))]
    return table


def test_fmriprep_is_found_by_space_and_time_follows_its_sidecar(subject: Path) -> None:
    func = fmriprep(subject, plain_confounds(), {"SliceTimingCorrected": True})
    for name in sorted(func.iterdir()):
        if "space-MNI" in name.name:
            shutil.copy(name, func / name.name.replace("MNI152NLin2009cAsym", "T1w"))
    default = clean(subject, BOLD, slice_time_ref=0.0)
    assert set(default.channels.frame) == {"MNI152NLin2009cAsym"}
    assert default.data.time.values[0] == 1.0
    other = clean(subject, BOLD, space="T1w", slice_time_ref=0.0)
    assert set(other.channels.frame) == {"T1w"}
    with pytest.raises(DatasetError, match="has MNI152NLin2009cAsym, T1w"):
        clean(subject, BOLD, space="fsaverage")
    raw = clean(subject, BOLD, derivatives=None, slice_time_ref=0.0)
    assert raw.data.time.values[0] == 0.0
    assert raw.quality["preprocessed"] is False


def test_derivatives_of_other_runs_only_are_said(subject: Path) -> None:
    func = fmriprep(subject, plain_confounds())
    for path in list(func.iterdir()):
        path.rename(path.with_name(path.name.replace("task-x", "task-y")))
    signal = clean(subject, BOLD)
    assert signal.quality["preprocessed"] is False
    assert any("raw BOLD is used" in loss.reason for loss in signal.losses)


def test_confounds_of_another_length_or_missing(subject: Path) -> None:
    func = fmriprep(subject, plain_confounds(N - 3))
    with pytest.raises(DatasetError, match=f"has {N - 3} rows for {N} volumes"):
        clean(subject, BOLD)
    (func / "sub-01_task-x_desc-confounds_timeseries.tsv").unlink()
    with pytest.raises(DatasetError, match="does not exist"):
        clean(subject, BOLD)
    assert clean(subject, BOLD, confounds="none").quality["preprocessed"] is True


def test_regions_keep_their_own_signal_and_place(subject: Path) -> None:
    regions = {"image": "labels.nii.gz", "names": {1: "left", 2: "right"}}
    signal = clean(subject, BOLD, regions=regions)
    wave = np.sin(2 * np.pi * np.arange(N) * TR / 20)
    left, right = signal.data.signal.values
    assert np.corrcoef(right, wave)[0, 1] > 0.95
    assert abs(np.corrcoef(left, wave)[0, 1]) < 0.4
    assert right.std() == pytest.approx(100 * 16 / 800 / np.sqrt(2), rel=0.1)
    # voxels 1 and 2 along x: the middle of 3 and 6 mm
    assert signal.channels.x.tolist() == pytest.approx([0.0045, 0.0165])
    assert signal.channels.y.tolist() == pytest.approx([0.0075, 0.0075])
    assert signal.channels.channel.tolist() == ["left", "right"]


def test_dead_voxels_are_left_out_and_counted(subject: Path) -> None:
    image = nib.load(subject / BOLD)
    data = image.get_fdata()
    data[1, 2, 2] = 0
    data[1, 2, 3, 5] = np.nan
    data[5:7] = 0
    save(subject / BOLD, data)
    signal = clean(subject, BOLD, regions={"image": "labels.nii.gz"})
    assert signal.channels.status.tolist() == ["good", "excluded"]
    assert signal.channels.reason.iloc[1] == "no voxel with signal has this label"
    assert signal.channels.quality.iloc[0]["n_voxels"] == 6
    assert [loss.count for loss in signal.losses if "without signal" in loss.reason] == [10]
    voxels = clean(subject, BOLD, regions={"image": "labels.nii.gz", "reduce": "voxels"})
    assert voxels.data.sizes["channel"] == 6
    assert np.isfinite(voxels.data.signal.values).all()


def test_demeaned_series_have_no_percent(subject: Path) -> None:
    data = nib.load(subject / BOLD).get_fdata()
    save(subject / BOLD, data - data.mean(axis=3, keepdims=True) + 1e-3)
    signal = clean(subject, BOLD, regions={"image": "labels.nii.gz"})
    assert signal.channels.status.tolist() == ["bad", "bad"]
    assert not signal.data.valid.values.any()
    assert (signal.data.signal.values == 0).all()
    units = clean(subject, BOLD, regions={"image": "labels.nii.gz"}, percent=False)
    assert units.channels.status.tolist() == ["good", "good"]


def test_motion_masks_and_keeps_its_place(subject: Path) -> None:
    motion = np.zeros((N, 6))
    motion[30:, 1] = 0.02
    motion[40:, 4] = 0.3
    np.savetxt(subject / "motion.txt", motion)
    signal = clean(subject, BOLD, motion="motion.txt", regions={"image": "labels.nii.gz"})
    # 0.02 rad on 50 mm is 1 mm; 0.3 mm stays below the threshold
    assert np.flatnonzero(~signal.data.valid.values[0]).tolist() == [30]
    assert signal.quality["masked_fraction"] == pytest.approx(1 / N)
    spm = clean(subject, BOLD, motion="motion.txt", motion_order="translations")
    assert np.flatnonzero(~spm.data.valid.values[0]).tolist() == [40]
    np.savetxt(subject / "motion.txt", motion[:-1])
    with pytest.raises(DatasetError, match="59 rows for 60 volumes"):
        clean(subject, BOLD, motion="motion.txt")
    np.savetxt(subject / "motion.txt", motion[:, :5])
    with pytest.raises(DatasetError, match="5 columns, not 6"):
        clean(subject, BOLD, motion="motion.txt")


def test_framewise_displacement() -> None:
    motion = np.array(
        [[0.0, 0, 0, 0, 0, 0], [0.1, -0.2, 0, 0, 0, 0.01], [0.1, -0.2, 0, 0, 0, 0.01]]
    )
    np.testing.assert_allclose(framewise_displacement(motion), [0, 0.8, 0])


def test_too_few_volumes_for_the_model(subject: Path) -> None:
    np.savetxt(subject / "motion.txt", np.cumsum(np.full((N, 6), 0.2), axis=0))
    with pytest.raises(DatasetError, match="1 of 60 volumes are valid"):
        clean(subject, BOLD, motion="motion.txt")


@pytest.mark.parametrize(
    ("tr", "unit", "message"),
    [(3.0, "sec", "disagree about TR"), (2000.0, "msec", None), (2.0, "msec", None)],
)
def test_header_and_sidecar_agree_about_tr(
    subject: Path, tr: float, unit: str, message: str | None
) -> None:
    save(subject / BOLD, nib.load(subject / BOLD).get_fdata(), tr, unit)
    if message:
        with pytest.raises(DatasetError, match=message):
            clean(subject, BOLD)
        return
    signal = clean(subject, BOLD)
    assert signal.sfreq == 0.5
    assert any("wrong unit" in loss.reason for loss in signal.losses) == (tr == 2.0)


def test_tr_from_one_side_only(subject: Path) -> None:
    sidecar = subject / BOLD.replace(".nii.gz", ".json")
    sidecar.write_text("{}")
    signal = clean(subject, BOLD)
    assert signal.sfreq == 0.5
    assert any("no RepetitionTime" in loss.reason for loss in signal.losses)
    save(subject / BOLD, nib.load(subject / BOLD).get_fdata(), 0.0)
    with pytest.raises(DatasetError, match="has no RepetitionTime"):
        clean(subject, BOLD)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


def text(path: Path) -> None:
    path.write_text("/annex/objects/SHA256E-s1--x.nii.gz")


@pytest.mark.parametrize(
    ("damage", "message"),
    [(Path.unlink, "does not exist"), (cut, "cannot be read"), (flip, "cannot be read"),
     (text, "cannot be read")],
)  # fmt: skip
def test_missing_or_damaged_image(
    subject: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(subject / BOLD)
    with pytest.raises(DatasetError, match=message) as caught:
        clean(subject, BOLD)
    assert "fetch" in caught.value.remedy


def test_region_images_must_fit(subject: Path) -> None:
    save(subject / "small.nii.gz", np.ones((4, 4, 4)))
    with pytest.raises(DatasetError, match="shape"):
        clean(subject, BOLD, regions={"image": "small.nii.gz"})
    save(subject / "moved.nii.gz", np.ones((8, 8, 6)), affine=np.diag([3.0, 3, 3.5, 1]))
    with pytest.raises(DatasetError, match="another affine"):
        clean(subject, BOLD, regions={"image": "moved.nii.gz"})
    save(subject / "empty.nii.gz", np.zeros((8, 8, 6)))
    with pytest.raises(DatasetError, match="has no label"):
        clean(subject, BOLD, regions={"image": "empty.nii.gz"})
    probability = nib.Nifti1Image(np.full((8, 8, 6), 0.3, np.float32), np.diag([3.0, 3, 3, 1]))
    nib.save(probability, subject / "p.nii.gz")
    with pytest.raises(DatasetError, match="no label image"):
        clean(subject, BOLD, regions={"image": "p.nii.gz"})
    with pytest.raises(DatasetError, match="does not exist"):
        clean(subject, BOLD, regions={"image": "absent.nii.gz"})


@pytest.mark.parametrize(
    ("image", "kind", "message"),
    [
        ("../outside.nii.gz", DatasetError, "out of the dataset"),
        ("link.nii.gz", DatasetError, "out of the dataset"),
        ("{session}.nii.gz", RecipeError, "has no session"),
        ("{person}.nii.gz", RecipeError, "is no entity"),
        ("{subject.nii.gz", RecipeError, "is no template"),
    ],
)
def test_templates_stay_inside(
    subject: Path, image: str, kind: type[NeuropairError], message: str
) -> None:
    inner = subject / "inner"
    inner.mkdir()
    (subject / "sub-01").rename(inner / "sub-01")
    shutil.copy(subject / "labels.nii.gz", subject / "outside.nii.gz")
    (inner / "link.nii.gz").symlink_to(subject / "outside.nii.gz")
    with pytest.raises(kind, match=message):
        clean(inner, BOLD, regions={"image": image})


def test_one_volume_is_no_series(subject: Path) -> None:
    save(subject / BOLD, np.ones((8, 8, 6)))
    with pytest.raises(DatasetError, match="3 dimensions"):
        clean(subject, BOLD)


def test_regression_is_nilearns_where_nothing_is_scrubbed() -> None:
    from nilearn.signal import clean as nilearn_clean

    rng = np.random.default_rng(2)
    times = np.arange(100) * TR
    values = 100 + rng.standard_normal((100, 4)).cumsum(axis=0)
    confounds = pd.DataFrame(rng.standard_normal((100, 3)), columns=list("abc"))
    regressors = pd.concat([confounds, drift_regressors(times, 1 / 128)], axis=1)
    ours = regress_out(values, regressors, np.ones(100, bool))
    theirs = nilearn_clean(
        values, detrend=True, standardize=None, confounds=confounds.to_numpy(),
        filter="cosine", high_pass=1 / 128, t_r=TR,
    )  # fmt: skip
    np.testing.assert_allclose(ours, theirs, atol=1e-9)


def test_a_highpass_above_nyquist_is_refused(subject: Path) -> None:
    with pytest.raises(RecipeError, match="Nyquist"):
        clean(subject, BOLD, highpass=0.3)
