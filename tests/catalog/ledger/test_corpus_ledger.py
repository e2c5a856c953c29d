"""The ledger of corpora on disk: features, published rows, and what cannot be measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from corpora import make_datasets, make_events, make_recording, make_signal, make_windows

from neuropair.catalog import Corpus
from neuropair.catalog.ledger import measure, read_paired, rules_of
from neuropair.catalog.ledger.paired import Paired
from neuropair.flows.cli import main
from neuropair.pipeline.corpus import CorpusStore, combine, publish, write_recording
from neuropair.pipeline.corpus.release import publish_measured
from neuropair.pipeline.types import WindowSet
from neuropair.schemas.errors import CorpusError, QueryError
from neuropair.schemas.signals import Signals

N_WINDOWS, N_PERSONS, N_CHANNELS = 16, 5, 4
Change = Callable[[str, int, WindowSet], None]


def _tell(modality: str, person: int, windows: WindowSet) -> None:
    """Write one latent number a window into both modalities."""
    latent = np.random.default_rng(100 + person).standard_normal((N_WINDOWS, 2))
    mixing = np.random.default_rng(len(modality)).standard_normal((2, N_CHANNELS))
    noise = np.random.default_rng(person).standard_normal((N_WINDOWS, N_CHANNELS))
    told = latent @ mixing + 0.2 * noise
    if modality == "fmri":
        windows.data["beta"].to_numpy()[:] = told
    else:
        windows.data["signal"].to_numpy()[:] += 2e-5 * told[:, :, None].astype("f4")


def _silent(modality: str, person: int, windows: WindowSet) -> None:
    """Leave the signals as noise, and betas missing."""


def make(path: Path, change: Change = _tell, persons: int = N_PERSONS, paired: bool = True) -> Path:
    store, rows = CorpusStore(path), []
    for person in range(persons):
        for modality in ("eeg", "fmri"):
            recording = make_recording(modality, f"{person:02}")
            windows = make_windows(modality, N_WINDOWS, N_CHANNELS, 48, seed=person)
            change(modality, person, windows)
            rows.append(
                write_recording(
                    store,
                    recording,
                    hashlib.sha256(recording.id.encode()).hexdigest()[:16],
                    windows,
                    make_signal(modality, N_CHANNELS),
                    make_events(windows.data["onset"].to_numpy()),
                    person=f"p{person}",
                    settings=Signals(),
                )
            )
    tables = combine(rows)
    tables["recordings"]["split"] = "train"
    tables["datasets"] = make_datasets("ds1")
    tables["pairs"] = _pairs(tables["recordings"]) if paired else pd.DataFrame()
    publish(store, "tap", tables)
    return path


def _pairs(recordings: pd.DataFrame) -> pd.DataFrame:
    by = {(row.person, row.modality): row.recording for row in recordings.itertuples()}
    return pd.DataFrame(
        [
            {
                "pair_id": f"{person}-{window:02}",
                "tier": "T1",
                "rule": "together",
                "modality_a": "eeg",
                "modality_b": "fmri",
                "recording_a": by[person, "eeg"],
                "recording_b": by[person, "fmri"],
                "window_a": window,
                "window_b": window,
                "person_a": person,
                "person_b": person,
                "concept": "motor/tapping/left",
                "split": "train",
                "confidence": 0.9,
                "evidence": "triggers",
                "quality": 1.0,
            }
            for person in sorted(recordings["person"].unique())
            for window in range(N_WINDOWS)
        ]
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("ledger") / "corpus")


def test_the_command_measures_publishes_and_keeps_the_rest(
    told: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Corpus.open(told)
    arguments = ["ledger", "--corpus", str(told), "--permutations", "39", "--json"]
    assert main(arguments) == 0
    shown = json.loads(capsys.readouterr().out)
    after = Corpus.open(told)
    assert shown["measured"] == before.release.id
    assert shown["published"] == after.release.id != before.release.id
    rows = after.sql("SELECT * FROM ledger").to_pandas()
    assert len(rows) == len(shown["ledger"]) == 10
    held = rows[(rows["measure"] == "map") & (rows["null"] == "L2")].iloc[0]
    assert (held["claim"], held["n_persons"]) == ("holds", N_PERSONS)
    assert held["p"] <= 0.05
    for name in ("pairs", "recordings", "windows", "events"):
        assert after.sql(f"SELECT * FROM {name} ORDER BY ALL").equals(
            before.sql(f"SELECT * FROM {name} ORDER BY ALL")
        )
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["published"] == after.release.id
    old = [*arguments[:-1], "--release", before.release.id]
    assert main(old) == 0
    assert "published in release none" in capsys.readouterr().out
    assert Corpus.open(told).release.id == after.release.id


def test_features_are_bin_means_and_betas(told: Path) -> None:
    corpus = Corpus.open(told)
    paired = read_paired(corpus, "tap", rules_of(corpus, "tap")[0])
    assert isinstance(paired, Paired)
    assert paired.a.shape == (N_WINDOWS * N_PERSONS, N_CHANNELS * 10)
    assert paired.b.shape == (N_WINDOWS * N_PERSONS, N_CHANNELS)
    name = corpus.sql("SELECT recording_a FROM pairs ORDER BY pair_id").to_pylist()[0]
    data = corpus.recording(name["recording_a"])
    signal, time = data["signal"].to_numpy()[3], data["time"].to_numpy()
    edges = np.linspace(-0.2, 0.975, 11)
    for place in range(10):
        last = place == 9
        inside = (time >= edges[place] - 1e-9) & (
            (time <= edges[place + 1] + 1e-9) if last else (time < edges[place + 1] - 1e-9)
        )
        np.testing.assert_allclose(
            paired.a[3].reshape(N_CHANNELS, 10)[:, place], signal[:, inside].mean(1), rtol=1e-4
        )


def test_figures_do_not_depend_on_the_rows_order(told: Path) -> None:
    corpus = Corpus.open(told)
    one = measure(corpus, "tap", permutations=19, seed=1)
    other = measure(corpus, "tap", rules=["together"], permutations=19, seed=1)
    pd.testing.assert_frame_equal(one, other)


def test_an_unknown_rule_is_refused_with_the_known_ones(told: Path) -> None:
    with pytest.raises(QueryError, match="the rules are together"):
        measure(Corpus.open(told), "tap", rules=["elsewhere"])


def test_an_unknown_study_is_refused(told: Path) -> None:
    with pytest.raises(QueryError, match="no pairs to measure"):
        measure(Corpus.open(told), "rest")


def test_a_corpus_without_pairs_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make(tmp_path / "corpus", persons=2, paired=False)
    assert main(["ledger", "--corpus", str(path)]) == 3
    assert "holds no pairs" in capsys.readouterr().err


def test_too_few_permutations_are_an_error(told: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger", "--corpus", str(told), "--permutations", "5"]) == 3
    assert "cannot reach" in capsys.readouterr().err


def test_a_release_without_betas_is_untested_and_says_so(tmp_path: Path) -> None:
    path = make(tmp_path / "corpus", _silent, persons=3)
    rows = measure(Corpus.open(path), "tap", permutations=19)
    assert set(rows["claim"]) == {"untested"}
    assert rows["flag"].str.contains("no window of side b .fmri. has a single-trial estimate").all()


def test_missing_betas_leave_their_pairs_out_and_are_counted(tmp_path: Path) -> None:
    def holed(modality: str, person: int, windows: WindowSet) -> None:
        _tell(modality, person, windows)
        if modality == "fmri":
            windows.data["beta"].to_numpy()[:3] = np.nan

    corpus = Corpus.open(make(tmp_path / "corpus", holed, persons=3))
    paired = read_paired(corpus, "tap", rules_of(corpus, "tap")[0])
    assert isinstance(paired, Paired)
    assert len(paired) == 3 * (N_WINDOWS - 3)
    assert "9 pairs without features of one side" in paired.left_out


def test_only_measured_tables_are_published_after_a_release(tmp_path: Path, told: Path) -> None:
    with pytest.raises(CorpusError, match="pairs"):
        publish_measured(CorpusStore(told), "tap", {"pairs": pd.DataFrame()})
    with pytest.raises(CorpusError, match="ingest the study first"):
        publish_measured(CorpusStore(tmp_path / "new"), "tap", {"ledger": pd.DataFrame()})
    with pytest.raises(CorpusError, match="ingest the study first"):
        publish_measured(CorpusStore(told), "rest", {"ledger": pd.DataFrame()})
