"""A table's columns change without a loss: neither of other batches, nor of a commit beside it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from functools import partial

import psycopg2
import pyarrow as pa
import pytest

from resources.postgres import dsn, transaction
from resources.settings import Settings
from resources.warehouse import (
    Unconvertible,
    ensure_table,
    read_batch,
    replace_batch,
    replace_table,
    retype,
)

BEFORE = {"id": "bigint", "x": "text", "batch_id": "text"}
AFTER = {"id": "bigint", "x": "double precision", "batch_id": "text"}
SCHEMA = "retyped"


@pytest.fixture
def settings(shared: Settings) -> Iterator[Settings]:
    yield shared
    with transaction(shared) as cursor:
        cursor.execute(f"drop schema {SCHEMA} cascade")


def load(
    cursor: psycopg2.extensions.cursor, batch: str, types: Mapping[str, str], values: pa.Array
) -> None:
    """What the node raw does in its commit."""
    retype(cursor, SCHEMA, "raw", types, replacing=batch)
    ensure_table(cursor, SCHEMA, "raw", types)
    ids = pa.array(range(len(values)), pa.int64())
    rows = pa.table({"id": ids, "x": values, "batch_id": pa.array([batch] * len(values))})
    replace_batch(cursor, SCHEMA, "raw", batch, rows)


def texts(*values: str) -> pa.Array:
    return pa.array(values, pa.string())


def numbers(*values: float) -> pa.Array:
    return pa.array(values, pa.float64())


def values_of(settings: Settings, batch: str) -> list[object]:
    return list(read_batch(SCHEMA, "raw", batch, ["id"], settings)["x"].to_pylist())


def both_as_text(settings: Settings) -> None:
    with transaction(settings) as cursor:
        load(cursor, "a", BEFORE, texts("1", "2.5"))
        load(cursor, "b", BEFORE, texts("3"))
        cursor.execute("create view retyped.staged as select x from retyped.raw")
        cursor.execute("create view retyped.on_top as select x from retyped.staged")


def test_rows_that_are_copied_in_several_pieces_all_arrive(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resources.warehouse._COPIED", 3)
    with transaction(settings) as cursor:
        load(cursor, "one", BEFORE, texts(*"abcdefgh"))
    assert values_of(settings, "one") == list("abcdefgh")


def test_a_column_of_another_type_keeps_the_rows_of_other_batches(settings: Settings) -> None:
    """Regression: the table was dropped, with what was committed of every other batch."""
    both_as_text(settings)
    with transaction(settings) as cursor:
        load(cursor, "a", AFTER, numbers(7))
    assert values_of(settings, "a") == [7.0]
    assert values_of(settings, "b") == [3.0]


def test_two_batches_at_once_after_a_column_was_retyped_are_both_there(settings: Settings) -> None:
    """Regression: the second saw the old type, waited, and dropped the table of the first."""
    both_as_text(settings)
    failed: list[BaseException] = []

    def second() -> None:
        try:
            with transaction(settings) as cursor:
                load(cursor, "b", AFTER, numbers(9))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=second)
    with transaction(settings) as cursor:
        load(cursor, "a", AFTER, numbers(7, 8))
        thread.start()
        waits(settings)
    thread.join(timeout=60)
    assert failed == []
    assert (values_of(settings, "a"), values_of(settings, "b")) == ([7.0, 8.0], [9.0])


def waits(settings: Settings) -> None:
    """Returns when a transaction waits for a lock of another one."""
    connection = psycopg2.connect(dsn("leeway", settings))
    connection.autocommit = True
    question = (
        "select count(*) from pg_locks l join pg_database d on d.oid = l.database "
        "where not granted and d.datname = current_database()"
    )
    with connection.cursor() as cursor:
        for count in iter(partial(ask, cursor, question), None):
            if count:
                break
    connection.close()


def ask(cursor: psycopg2.extensions.cursor, question: str) -> int:
    cursor.execute(question)
    return int(cursor.fetchall()[0][0])


def test_values_that_the_new_type_cannot_hold_are_refused_and_nothing_is_lost(
    settings: Settings,
) -> None:
    with transaction(settings) as cursor:
        load(cursor, "a", BEFORE, texts("heavy"))
        load(cursor, "b", BEFORE, texts("3"))
    with pytest.raises(Unconvertible, match=r"'x' is to be double precision.*\"heavy\"") as refused:  # noqa: SIM117
        with transaction(settings) as cursor:
            load(cursor, "b", AFTER, numbers(3))
    assert "Give the column a new name" in str(refused.value)
    assert (values_of(settings, "a"), values_of(settings, "b")) == (["heavy"], ["3"])
    with transaction(settings) as cursor:
        cursor.execute("delete from retyped.raw where batch_id = 'b'")
        load(cursor, "a", AFTER, numbers(1))  # its own old value is in nobody's way
    assert values_of(settings, "a") == [1.0]


def test_a_table_whose_types_are_as_before_is_left_alone(settings: Settings) -> None:
    with transaction(settings) as cursor:
        assert not retype(cursor, SCHEMA, "raw", BEFORE, replacing="a"), "there is none yet"
    both_as_text(settings)
    with transaction(settings) as cursor:
        assert not retype(cursor, SCHEMA, "raw", BEFORE, replacing="a")
        cursor.execute("select count(*) from retyped.staged")
        assert cursor.fetchall() == [(3,)]


def test_a_whole_table_is_replaced_also_by_columns_of_other_types(settings: Settings) -> None:
    for types, values in ((BEFORE, texts("1", "x")), (BEFORE, texts("2")), (AFTER, [1.5, 2.5])):
        column = values if types is BEFORE else pa.array(values, pa.float64())
        ids = pa.array(range(len(column)), pa.int64())
        rows = pa.table({"id": ids, "x": column, "batch_id": pa.array(["b"] * len(column))})
        with transaction(settings) as cursor:
            replace_table(cursor, SCHEMA, "whole", types, rows)
        found = read_batch(SCHEMA, "whole", "b", ["id"], settings)
        assert found["x"].to_pylist() == pa.array(column).to_pylist()
