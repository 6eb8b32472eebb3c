"""Batches of a table are what one state of it holds, on real servers."""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, date

import pyarrow as pa
import pytest
import sqlalchemy as sa

from resources.files import SourceError
from resources.sources import SqlTable
from tests.contract.sql_tables import MOMENTS, NOW, VARIABLE, add, make, source


def ids(found: SqlTable) -> dict[str, list[int]]:
    return {batch: found.read(batch)["id"].to_pylist() for batch in found.batches()}


def test_a_table_is_one_batch_in_the_order_of_its_key(database: sa.Engine) -> None:
    make(database)
    assert ids(source()) == {"sales": [0, 1, 2, 3, 4, 5]}
    assert source().description == f"table sales of {VARIABLE}"


def test_columns_and_types_are_those_of_the_table(database: sa.Engine) -> None:
    make(database)
    table = source().read("sales")
    postgres = database.dialect.name == "postgresql"
    assert dict(zip(table.column_names, table.schema.types, strict=True)) == {
        "id": pa.int64(),
        "sold": pa.timestamp("us", tz="UTC" if postgres else None),
        "day": pa.date32(),
        "price": pa.string(),
        "weight": pa.float64(),
        "kind": pa.string(),
        "fresh": pa.bool_() if postgres else pa.int64(),
    }
    row = table.slice(2, 1).to_pylist()[0]
    assert row["sold"].replace(tzinfo=UTC) == MOMENTS[2], "in UTC, whatever the session's zone is"
    assert (row["day"], row["price"], row["weight"]) == (date(2024, 1, 31), "2.10", 0.25)
    assert table["kind"].to_pylist()[:2] == [None, "a"]
    assert source(columns=["kind", "id"]).read("sales").column_names == ["kind", "id"]


@pytest.mark.parametrize("column", ["sold", "day"])
def test_batches_by_time_are_the_periods_that_are_over(database: sa.Engine, column: str) -> None:
    make(database)
    by = {period: source(batch_by_time={"column": column, "period": period})
          for period in ("day", "month", "year")}  # fmt: skip
    assert ids(by["month"]) == {"2023-12": [0], "2024-01": [1, 2], "2024-03": [3]}
    assert ids(by["year"]) == {"2023": [0], "2024": [1, 2, 3]}
    assert list(by["day"].batches()) == ["2023-12-31", "2024-01-01", "2024-01-31", "2024-03-01"]


def test_batches_by_key_are_the_ranges_that_are_full(database: sa.Engine) -> None:
    table = make(database)
    by_key = source(batch_by_key={"column": "id", "size": 4})
    assert ids(by_key) == {"000000000000": [0, 1, 2, 3]}
    add(database, table, (21, NOW), (7, NOW))
    assert ids(by_key) == {"000000000000": [0, 1, 2, 3], "000000000004": [4, 5, 7]}
    add(database, table, (23, NOW), (6, NOW))
    assert ids(by_key)["000000000004"] == [4, 5, 6, 7], "a row that came late"
    assert ids(by_key)["000000000020"] == [21, 23]


def test_batches_by_value_are_those_that_are_listed(database: sa.Engine) -> None:
    table = make(database)
    batches = {"first": [0, 1, 2], "second": ["3", "4", "5"]}
    by_value = source(batch_by={"column": "id", "batches": batches})
    assert ids(by_value) == {"first": [0, 1, 2], "second": [3, 4, 5]}
    add(database, table, (9, NOW))
    with pytest.raises(SourceError, match=r"column 'id': 1 of 7 rows are in no batch"):
        by_value.read("first")


def test_the_digest_of_a_batch_changes_with_its_rows_and_no_others(database: sa.Engine) -> None:
    table = make(database)
    by_month = source(batch_by_time={"column": "sold", "period": "month"})
    before = {batch: by_month.fingerprint(batch) for batch in by_month.batches()}
    assert len(set(before.values())) == 3
    with database.begin() as connection:
        connection.execute(table.update().where(table.c.id == 2).values(price="2.11"))
    after = {batch: by_month.fingerprint(batch) for batch in by_month.batches()}
    assert [b for b in before if before[b] != after[b]] == ["2024-01"]
    with database.begin() as connection:
        connection.execute(table.update().where(table.c.id == 2).values(price="2.10"))
        connection.execute(table.delete().where(table.c.id == 3))
    assert by_month.fingerprint("2024-01") == before["2024-01"]
    assert by_month.fingerprint("2024-03") is None


def test_rows_of_one_key_come_in_the_same_order_each_time(database: sa.Engine) -> None:
    table = make(database)
    add(database, table, *[(1, MOMENTS[i % 4]) for i in range(40)])
    before = source().fingerprint("sales")
    with database.begin() as connection:  # moves the rows of a table of PostgreSQL
        connection.execute(table.update().where(table.c.id == 1).values(weight=0.25))
    moved = source().read("sales")
    assert moved.equals(source().read("sales"))
    assert source().fingerprint("sales") != before


def test_one_reading_is_one_state_of_the_table(
    database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each transaction of the writer moves one from a row to another: the sum stays."""
    monkeypatch.setattr("resources.sources.sql_rows._PART", 2)
    table = make(database)
    ended = threading.Event()

    def write() -> None:
        for turn in itertools.count():
            if ended.is_set():
                return
            with database.begin() as connection:
                for row, change in ((turn % 6, 1.0), ((turn + 3) % 6, -1.0)):
                    connection.execute(
                        table.update()
                        .where(table.c.id == row)
                        .values(weight=table.c.weight + change)
                    )
                if turn % 2:
                    connection.execute(table.delete().where(table.c.id == 100))
                else:
                    connection.execute(table.insert().values(id=100, weight=0))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        sums = {sum(source().read("sales")["weight"].to_pylist()) for _ in range(20)}
    finally:
        ended.set()
        writer.join()
    assert sums == {sum(range(6)) / 8}


def test_an_empty_table_has_no_batch_of_time_or_key_and_one_as_a_whole(
    database: sa.Engine,
) -> None:
    table = make(database)
    with database.begin() as connection:
        connection.execute(table.delete())
    assert source(batch_by_key={"column": "id", "size": 4}).batches() == []
    assert source(batch_by_time={"column": "day", "period": "day"}).batches() == []
    found = source().read("sales")
    assert (found.num_rows, found.num_columns) == (0, 7)
