"""Equal tables are equal bytes, and bytes give the table back."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeway.data.tables import from_parquet, to_parquet

TABLE = pa.table(
    {
        "id": pa.array(range(1000), pa.int64()),
        "x": pa.array([None if i % 7 == 0 else i / 3 for i in range(1000)], pa.float64()),
        "name": pa.array([f"n{i % 5}" for i in range(1000)], pa.string()),
        "at": pa.array([dt.datetime(2024, 1, 1, tzinfo=dt.UTC)] * 1000, pa.timestamp("us", "UTC")),
        "set": pa.array([["a"], []] * 500, pa.list_(pa.string())),
    }
)


def with_metadata(table: pa.Table) -> pa.Table:
    fields = [field.with_metadata({"note": field.name}) for field in table.schema]
    return table.cast(pa.schema(fields, {"origin": "elsewhere"}))


@pytest.mark.parametrize(
    "same",
    [
        pa.concat_tables([TABLE.slice(0, 3), TABLE.slice(3, 500), TABLE.slice(503)]),
        pa.concat_tables([TABLE.slice(999), TABLE]).slice(1),
        TABLE.take(pa.array(range(1000))),
        with_metadata(TABLE),
        pa.Table.from_pylist(TABLE.to_pylist(), TABLE.schema),
    ],
    ids=["chunks", "slice", "copy", "metadata", "rows"],
)
def test_equal_tables_give_equal_bytes(same: pa.Table) -> None:
    """Regression: the same rows in other chunks, or with metadata of fields, were other bytes."""
    assert same.equals(TABLE)
    assert to_parquet(same) == to_parquet(TABLE)


def test_chunks_with_dictionaries_of_their_own_are_written_as_one() -> None:
    """Their codes differ: Parquet would keep the dictionary of each chunk."""
    parts = [
        pa.table({"kind": pa.array(texts).dictionary_encode()}) for texts in (["b", "a"], ["a"])
    ]
    whole = pa.table({"kind": pa.array(["b", "a", "a"]).dictionary_encode()})
    assert to_parquet(pa.concat_tables(parts)) == to_parquet(whole)


def test_what_was_read_is_written_as_the_same_bytes() -> None:
    table = TABLE.drop_columns(["set"])  # Parquet has a name of its own for the values of a list
    assert to_parquet(from_parquet(to_parquet(table))) == to_parquet(table)


@pytest.mark.parametrize(
    "other",
    [
        TABLE.slice(1),
        TABLE.sort_by([("id", "descending")]),
        TABLE.rename_columns(["id", "y", "name", "at", "set"]),
        TABLE.select(["x", "id", "name", "at", "set"]),
        TABLE.set_column(0, "id", TABLE["id"].cast(pa.int32())),
    ],
    ids=["rows", "order", "name", "columns", "type"],
)
def test_different_tables_give_different_bytes(other: pa.Table) -> None:
    assert to_parquet(other) != to_parquet(TABLE)


@pytest.mark.parametrize("table", [TABLE, TABLE.slice(0, 0), TABLE.slice(5, 1)])
def test_bytes_give_the_table_back(table: pa.Table) -> None:
    assert from_parquet(to_parquet(table)).equals(table)


def test_what_is_not_parquet_is_refused() -> None:
    with pytest.raises(pa.ArrowInvalid):
        from_parquet(b"id,x\n1,2\n")


@settings(max_examples=50, derandomize=True, deadline=None)
@given(
    st.lists(
        st.tuples(st.none() | st.integers(-5, 5), st.none() | st.text(max_size=3)), max_size=9
    ),
    st.integers(0, 9),
)
def test_where_a_table_is_cut_does_not_change_its_bytes(
    rows: list[tuple[int | None, str | None]], cut: int
) -> None:
    numbers, texts = [row[0] for row in rows], [row[1] for row in rows]
    table = pa.table({"n": pa.array(numbers, pa.int64()), "t": pa.array(texts, pa.string())})
    parts = pa.concat_tables([table.slice(0, cut), table.slice(cut)])
    assert to_parquet(parts) == to_parquet(table)
