from __future__ import annotations

import hashlib
import json
import warnings
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
from corpora import make_datasets, make_pairs, write_corpus
from deltalake import DeltaTable, write_deltalake
from obstore.store import from_url
from zarr.storage import ObjectStore

from neuropair.pipeline.corpus import CorpusStore, newest_release, publish, release
from neuropair.pipeline.corpus.tables import (
    ConflictError,
    append_row,
    read_table,
    replace_study,
    study_table,
)
from neuropair.schemas import layout
from neuropair.schemas.errors import CorpusError
from neuropair.schemas.tables import ORDER, TABLES


def _versions(store):
    names = [*TABLES, layout.RELEASES_TABLE]
    options = store.storage_options
    return {n: DeltaTable(store.table_uri(n), storage_options=options).version() for n in names}


def test_a_release_names_every_table_and_its_files(store):
    made = publish(store, "demo", write_corpus(store))
    newest = newest_release(store)
    assert newest is not None
    assert (newest.id, newest.sequence) == (made, 1)
    assert len(made) == 12
    assert set(newest.tables) == set(TABLES)
    for entry in newest.tables.values():
        for file in entry["files"] + entry["log"]:
            content = store.read(file["path"])
            assert len(content) == file["size"]
            assert hashlib.sha256(content).hexdigest() == file["sha256"]
    assert newest.tables["pairs"]["rows"] == 10
    row = read_table(store, layout.RELEASES_TABLE).to_pylist()[0]
    summary = json.loads(row["summary"])
    assert summary["pairs"] == {"T1": {"train": 10}}
    assert summary["recordings"] == {"ok": 2}
    assert (row["study"], row["parent"], row["format"]) == ("demo", None, layout.FORMAT)


def test_the_same_rows_in_any_order_write_nothing(store):
    tables = write_corpus(store)
    made = publish(store, "demo", tables)
    versions = _versions(store)
    shuffled = {name: frame.sample(frac=1, random_state=1) for name, frame in tables.items()}
    assert publish(store, "demo", shuffled) == made
    assert _versions(store) == versions


def test_a_change_rewrites_only_its_own_table(local_store):
    tables = write_corpus(local_store)
    first = publish(local_store, "demo", tables)
    before = _versions(local_store)
    tables["pairs"] = tables["pairs"].iloc[:7]
    second = publish(local_store, "demo", tables)
    after = _versions(local_store)
    assert second != first
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"pairs", layout.RELEASES_TABLE}
    rows = read_table(local_store, layout.RELEASES_TABLE).to_pylist()
    assert sorted((row["sequence"], row["parent"]) for row in rows) == [(1, None), (2, first)]
    old = {row["release"]: json.loads(row["manifest"]) for row in rows}[first]
    version = old["tables"]["pairs"]["version"]
    assert read_table(local_store, "pairs", version).num_rows == 10


def test_ids_are_those_of_the_rows(tmp_path):
    ids = []
    for name in ("a", "b"):
        store = CorpusStore(tmp_path / name)
        tables = write_corpus(store)
        ids.append([publish(store, "demo", tables)])
        ids[-1].append(publish(store, "demo", tables | {"pairs": tables["pairs"].iloc[:3]}))
        ids[-1].append(publish(store, "demo", tables))
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 3


def test_rows_stand_sorted_with_their_descriptions_and_units(local_store):
    publish(local_store, "demo", write_corpus(local_store))
    newest = newest_release(local_store)
    for name in ("windows", "channels", "pairs", "events"):
        delta = DeltaTable(local_store.table_uri(name), newest.tables[name]["version"])
        arrow = delta.to_pyarrow_table()
        keys = [(key, "ascending") for key in ORDER[name]]
        assert arrow.equals(arrow.sort_by(keys))
        assert pa.schema(arrow.schema).field("study").metadata[b"description"]
    field = delta.to_pyarrow_table().schema.field("onset")
    assert field.metadata[b"unit"] == b"s"


def test_polars_and_duckdb_read_the_tables(local_store):
    publish(local_store, "demo", write_corpus(local_store))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = pl.read_delta(local_store.table_uri("windows"))
    assert frame.height == 20
    files = newest_release(local_store).tables["windows"]["files"]
    paths = [str(local_store.root / file["path"]) for file in files]
    query = "SELECT modality, count(*) FROM read_parquet(?) w JOIN read_parquet(?) r "
    query += "USING (recording) GROUP BY 1 ORDER BY 1"
    recordings = newest_release(local_store).tables["recordings"]["files"]
    found = duckdb.execute(
        query, [paths, [str(local_store.root / file["path"]) for file in recordings]]
    ).fetchall()
    assert found == [("eeg", 10), ("fnirs", 10)]


def test_a_group_on_s3_opens_with_xarray(s3_store):
    tables = write_corpus(s3_store)
    url = f"{s3_store.url}/{tables['recordings']['path'].iloc[0]}"
    group = ObjectStore(from_url(url, client_options={"allow_http": True}), read_only=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened = xr.open_zarr(group)
        assert opened["signal"].shape == (10, 4, 48)
        assert float(abs(opened["signal"] * opened["scale"]).max()) > 0


def test_the_description_names_sources_and_licences(local_store):
    tables = write_corpus(local_store)
    publish(local_store, "demo", tables)
    other = write_corpus(local_store) | {"datasets": make_datasets("ds1", "ds2")}
    publish(local_store, "other", other)
    description = json.loads(local_store.read(layout.DESCRIPTION_FILE))
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"][0]["Name"] == "neuropair"
    assert [s["DOI"] for s in description["SourceDatasets"]] == ["doi:10.1/ds1", "doi:10.1/ds2"]
    assert description["SourceDatasets"][0]["License"] == "CC0"
    assert description["DatasetLinks"]["ds2"] == "s3://bucket/ds2"
    assert "BIDS-inspired" in description["Name"]


class TestTwoStudies:
    def test_a_shared_recording_stands_once_and_both_may_pair_it(self, local_store):
        tables = write_corpus(local_store)
        publish(local_store, "one", tables)
        publish(local_store, "two", tables | {"pairs": make_pairs(tables["recordings"], "again")})
        rows = read_table(local_store, "recordings").to_pandas()
        assert rows["study"].tolist() == ["one", "one"]
        assert read_table(local_store, "windows").num_rows == 20
        pairs = read_table(local_store, "pairs").to_pandas()
        assert pairs.groupby("study")["rule"].unique().str[0].to_dict() == {
            "one": "together",
            "two": "again",
        }

    def test_another_digest_is_refused(self, local_store):
        tables = write_corpus(local_store)
        publish(local_store, "one", tables)
        changed = tables["recordings"].assign(digest="1" * 16)
        with pytest.raises(CorpusError, match=r"from study one.*same recipe"):
            publish(local_store, "two", tables | {"recordings": changed})

    def test_the_owner_may_not_pull_it_away(self, local_store):
        tables = write_corpus(local_store)
        publish(local_store, "one", tables)
        publish(local_store, "two", tables)
        with pytest.raises(CorpusError, match=r"pairs of study two use"):
            publish(local_store, "one", {"datasets": tables["datasets"]})

    def test_each_replaces_only_its_own_rows(self, local_store):
        tables = write_corpus(local_store)
        publish(local_store, "it's one", tables)
        publish(local_store, "two", {"datasets": make_datasets("ds2")})
        publish(local_store, "it's one", tables | {"pairs": tables["pairs"].iloc[:4]})
        datasets = read_table(local_store, "datasets").to_pandas()
        assert sorted(datasets["study"]) == ["it's one", "two"]
        assert read_table(local_store, "pairs").num_rows == 4

    def test_a_commit_is_refused_if_another_came_in_between(self, store):
        rows = study_table(make_datasets("ds1"), "datasets", "one")
        version = replace_study(store, "datasets", "one", rows, None)
        append_row(store, "datasets", rows, version)
        with pytest.raises(ConflictError):
            append_row(store, "datasets", rows, version)
        assert replace_study(store, "datasets", "one", rows, version) > version + 1
        assert read_table(store, "datasets").num_rows == 1

    def test_the_slower_of_two_starts_again_from_the_other_s_release(
        self, local_store, monkeypatch
    ):
        store = local_store
        publish(store, "zero", {"datasets": make_datasets("zero")})
        describe, rivals = release.write_description, ["rival"]

        def interrupted(*given):
            if rivals:
                publish(store, rivals[0], {"datasets": make_datasets(rivals.pop())})
            describe(*given)

        monkeypatch.setattr(release, "write_description", interrupted)
        publish(store, "slow", {"datasets": make_datasets("slow")})
        rows = sorted(
            read_table(store, layout.RELEASES_TABLE).to_pylist(), key=lambda row: row["sequence"]
        )
        assert [row["study"] for row in rows] == ["zero", "rival", "slow"]
        for row in rows:
            version = json.loads(row["manifest"])["tables"]["datasets"]["version"]
            studies = set(read_table(store, "datasets", version)["study"].to_pylist())
            assert studies == {r["study"] for r in rows[: row["sequence"]]}

    def test_many_at_once_give_whole_releases(self, local_store):
        store = local_store
        tables = write_corpus(store)
        publish(store, "zero", tables)
        studies = ["a", "b", "c"]

        def run(name):
            mine = {
                "datasets": make_datasets(name),
                "pairs": make_pairs(tables["recordings"], name),
            }
            return publish(store, name, mine)

        with ThreadPoolExecutor(3) as pool:
            releases = list(pool.map(run, studies))
        assert len(set(releases)) == 3
        rows = read_table(store, layout.RELEASES_TABLE).to_pylist()
        assert sorted(row["sequence"] for row in rows) == [1, 2, 3, 4]
        for row in rows:
            manifest = json.loads(row["manifest"])["tables"]
            seen = [
                set(read_table(store, name, manifest[name]["version"])["study"].to_pylist())
                for name in ("datasets", "pairs")
            ]
            assert seen[0] == seen[1] == set(manifest["pairs"]["studies"])
            assert len(seen[0]) == row["sequence"]


def _broken(tables, table, column, value):
    frame = tables[table].copy()
    frame[column] = frame[column].astype(object)
    frame.loc[3 if table in ("pairs", "windows") else 0, column] = value
    return tables | {table: frame}


@pytest.mark.parametrize(
    ("table", "column", "value", "message"),
    [
        (
            "pairs",
            "recording_b",
            "ds1/nobody",
            r"recording_b ds1/nobody is not in table recordings",
        ),
        ("pairs", "window_a", 10, r"window_a is not stored \(1 pairs"),
        ("pairs", "window_b", -1, r"window_b is not stored"),
        ("pairs", "split", "test", r"its split is not that of recording_a"),
        ("pairs", "person_b", "ds1/02", r"person_b is not the recording's"),
        ("pairs", "modality_a", "meg", r"modality_a is not the recording's"),
        ("pairs", "pair_id", "together-0", r"more than one row.*together-0"),
        ("windows", "window", 4, r"more than one row"),
        ("windows", "window", 40, r"windows 0 to n_windows - 1"),
        ("windows", "recording", "ds1/nobody", r"ds1/nobody is not in table recordings"),
        ("recordings", "digest", "0" * 16, r"not in the corpus or not whole"),
        ("recordings", "status", "failed", r"could not be read"),
    ],
)
def test_contradictions_are_refused_and_nothing_is_published(
    shared_tables, table, column, value, message
):
    store, tables = shared_tables
    with pytest.raises(CorpusError, match=message):
        publish(store, "demo", _broken(tables, table, column, value))
    assert newest_release(store) is None


@pytest.fixture(scope="module")
def shared_tables(tmp_path_factory):
    store = CorpusStore(tmp_path_factory.mktemp("corpus"))
    return store, write_corpus(store)


def test_unknown_tables_and_columns_are_refused(local_store):
    with pytest.raises(CorpusError, match=r"no tables \['pears'\]"):
        publish(local_store, "demo", {"pears": pd.DataFrame()})
    with pytest.raises(CorpusError, match=r"unknown columns \['colour'\]"):
        publish(local_store, "demo", {"datasets": make_datasets("a").assign(colour="red")})


def test_a_corpus_of_a_newer_format_is_refused(local_store):
    publish(local_store, "demo", write_corpus(local_store))
    row = read_table(local_store, layout.RELEASES_TABLE).to_pandas()
    row = row.assign(format=layout.FORMAT + 1, sequence=2, release="f" * 12)
    schema = DeltaTable(local_store.table_uri(layout.RELEASES_TABLE)).to_pyarrow_table().schema
    write_deltalake(
        local_store.table_uri(layout.RELEASES_TABLE),
        pa.Table.from_pandas(row, schema=schema, preserve_index=False),
        mode="append",
    )
    with pytest.raises(CorpusError, match=r"format \d+.*update neuropair"):
        publish(local_store, "demo", {})


def test_a_corpus_that_describes_its_columns_in_other_words_is_written_on(
    store, monkeypatch: pytest.MonkeyPatch
):
    """What a column means stands with the corpus; another neuropair may say it otherwise."""
    schema = TABLES["recordings"]
    at = schema.get_field_index("status")
    other = schema.set(at, schema.field(at).with_metadata({"description": "in other words"}))
    tables = write_corpus(store)
    with monkeypatch.context() as patched:
        patched.setitem(TABLES, "recordings", other)
        first = publish(store, "one", tables)
    tables["recordings"]["reason"] = "another row"
    assert publish(store, "one", tables) != first
