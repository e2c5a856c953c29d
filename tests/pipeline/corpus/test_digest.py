from __future__ import annotations

import hashlib

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from neuropair.pipeline.corpus.digest import rows_digest, sha256_file

_TEXTS = st.lists(st.none() | st.text(max_size=5), max_size=8)
_NUMBERS = st.none() | st.integers(-5, 5)


def _table(texts, numbers):
    rows = list(zip(texts, numbers, strict=False))
    return pa.table(
        {
            "text": pa.array([row[0] for row in rows], pa.string()),
            "integer": pa.array([row[1] for row in rows], pa.int32()),
            "number": pa.array([None if r[1] is None else r[1] / 2 for r in rows], pa.float64()),
            "flag": pa.array([None if r[1] is None else r[1] > 0 for r in rows], pa.bool_()),
        }
    )


@given(texts=_TEXTS, numbers=st.lists(_NUMBERS, min_size=8, max_size=8), cut=st.integers(0, 8))
def test_it_is_of_the_rows_and_not_of_how_arrow_holds_them(texts, numbers, cut):
    table = _table(texts, numbers)
    chunked = pa.concat_tables([table.slice(0, cut), table.slice(cut)])
    padded = _table(["x", *texts, "y"], [1, *numbers[: len(texts)], 2])
    assert rows_digest(chunked) == rows_digest(table)
    assert rows_digest(padded.slice(1, len(texts))) == rows_digest(table)


@given(
    a=st.tuples(_TEXTS, st.lists(_NUMBERS, min_size=8, max_size=8)),
    b=st.tuples(_TEXTS, st.lists(_NUMBERS, min_size=8, max_size=8)),
)
def test_other_rows_have_another_digest(a, b):
    one, two = _table(*a), _table(*b)
    assert (rows_digest(one) == rows_digest(two)) == one.equals(two)


def test_names_nulls_and_borders_of_texts_count():
    tables = [
        pa.table({"a": pa.array(values, pa.string())})
        for values in (["ab", "c"], ["a", "bc"], ["", None], [None, ""], [None, None])
    ]
    tables.append(pa.table({"b": pa.array(["ab", "c"], pa.string())}))
    assert len({rows_digest(table) for table in tables}) == len(tables)


def test_a_file_s_checksum_names_its_kind(tmp_path):
    (tmp_path / "x").write_bytes(b"abc" * 10**6)
    expected = hashlib.sha256(b"abc" * 10**6).hexdigest()
    assert sha256_file(tmp_path / "x") == f"sha256:{expected}"
