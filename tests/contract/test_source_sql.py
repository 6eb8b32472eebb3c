"""Batches of a table are what one state of it holds, on real servers; no name or value is SQL."""

from __future__ import annotations

import itertools
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from leeway.spec import SqlSource
from resources.files import SourceError
from resources.postgres import embedded_url
from resources.settings import get_settings
from resources.sources import SqlTable
from tests.mariadb import running_mariadb

CANARY = "hunter2canary"
VARIABLE = "SALES_DATABASE"
ODD = 'we"ird `name`; drop table t --'
NOW = datetime.now(UTC)
MOMENTS = [
    datetime(2023, 12, 31, 23, 59, 59, 999999, UTC),
    datetime(2024, 1, 1, tzinfo=UTC),
    datetime(2024, 1, 31, 12, tzinfo=UTC),
    datetime(2024, 3, 1, tzinfo=UTC),
    NOW,
    NOW + timedelta(days=400),
]


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real MariaDB."""
    with running_mariadb(tmp_path_factory.mktemp("mariadb")) as address:
        yield address


KINDS = ["postgres", pytest.param("mariadb", marks=pytest.mark.debian)]


@pytest.fixture(params=KINDS)
def database(
    request: pytest.FixtureRequest, server_home: Path, monkeypatch: pytest.MonkeyPatch
) -> sa.Engine:
    """An empty database, whose address is in the variable; its sessions are not in UTC."""
    name = f"s{uuid.uuid4().hex[:12]}"
    if request.param == "postgres":
        server, driver = embedded_url(server_home), "postgresql+psycopg2"
    else:
        server, driver = request.getfixturevalue("mariadb"), "mysql+pymysql"
    own = sa.make_url(server).set(drivername=driver)
    if request.param == "postgres":
        own = own.set(database="postgres")
    first = sa.create_engine(own, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with first.connect() as connection:
        connection.execute(sa.text(f"create database {name}"))
        if driver.startswith("postgresql"):
            connection.execute(sa.text(f"alter database {name} set timezone to 'Asia/Kolkata'"))
    url = sa.make_url(server).set(database=name)
    monkeypatch.setenv(VARIABLE, url.render_as_string(hide_password=False))
    return sa.create_engine(url.set(drivername=driver), poolclass=NullPool)


def make(engine: sa.Engine, name: str = "sales", *more: sa.Column[Any]) -> sa.Table:
    """A table of eight columns, and rows in no order."""
    table = sa.Table(
        sa.quoted_name(name, quote=True), sa.MetaData(),
        sa.Column("id", sa.BigInteger), sa.Column("sold", sa.DateTime(timezone=True)),
        sa.Column("day", sa.Date), sa.Column("price", sa.Numeric(12, 2)),
        sa.Column("weight", sa.Double), sa.Column("kind", sa.String(20)),
        sa.Column("fresh", sa.Boolean), *more,
    )  # fmt: skip
    table.create(engine)
    add(engine, table, *reversed(list(enumerate(MOMENTS))))
    return table


def add(engine: sa.Engine, table: sa.Table, *rows: tuple[int, datetime | None]) -> None:
    zone = UTC if engine.dialect.name == "postgresql" else None  # MySQL's times have none
    with engine.begin() as connection:
        connection.execute(
            table.insert(),
            [
                {"id": i, "sold": sold and sold.replace(tzinfo=zone), "day": sold and sold.date(),
                 "price": f"{i}.10", "weight": i / 8, "kind": "a" if i else None, "fresh": True}
                for i, sold in rows
            ],
        )  # fmt: skip


def source(**fields: Any) -> SqlTable:
    fields = {"kind": "sql", "url_env": VARIABLE, "table": "sales"} | fields
    return SqlTable(SqlSource.model_validate(fields), "id")


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


NAMES = [ODD, "select", "Order", "t%(x)s", "t:x", "ä b"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_a_name_whatever_it_holds(database: sa.Engine, name: str) -> None:
    # SQLAlchemy does not read a backtick in the name of a column of MySQL; it is then not found.
    column = name.replace("`", "")
    make(database, name, sa.Column(sa.quoted_name(column, quote=True), sa.Integer))
    make(database, "t")
    batches = {"all": list(range(6))}
    found = source(
        table=name, columns=["id", column], batch_by={"column": "id", "batches": batches}
    )
    assert found.read("all").column_names == ["id", column]
    assert source(table="t").read("t").num_rows == 6


INJECTIONS = ["sales; drop table sales", "sales'--", 'sales"; --', "sales`; --", "(select 1)",
              "pg_sleep(9)", "sales where 1=1"]  # fmt: skip


@pytest.mark.parametrize("text", INJECTIONS)
def test_what_is_no_table_or_column_is_named_and_runs_nothing(
    database: sa.Engine, text: str
) -> None:
    make(database)
    with pytest.raises(SourceError, match=r"there is no such table; check source\.table"):
        source(table=text).batches()
    for fields in (
        {"columns": [text]},
        {"batch_by_time": {"column": text, "period": "day"}},
        {"batch_by_key": {"column": text, "size": 9}},
    ):
        with pytest.raises(SourceError, match=r"there is no column .*; it has id, sold, day, "):
            source(**fields).read("sales")
    with pytest.raises(SourceError, match="unknown batch"):
        source().read(text)
    assert source().read("sales").num_rows == 6


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"batch_by_time": {"column": "id", "period": "day"}}, "is BIGINT, and no date"),
    ({"batch_by_key": {"column": "kind", "size": 9}}, r"is VARCHAR\(20\).*, and no integer"),
    ({"columns": ["id", "picture"]}, "column 'picture' is binary; leave it out"),
    ({"database_schema": "elsewhere"}, "table elsewhere.sales of SALES_DATABASE: "),
]


@pytest.mark.parametrize(("fields", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_a_table_that_cannot_be_read_in_this_way_says_why(
    database: sa.Engine, fields: dict[str, Any], says: str
) -> None:
    table = make(database, "sales", sa.Column("picture", sa.LargeBinary))
    with database.begin() as connection:
        connection.execute(table.update().values(picture=b"\x89PNG"))
    with pytest.raises(SourceError, match=says):
        source(**fields).read("sales")


def test_rows_in_no_batch_and_too_many_batches_are_refused(
    database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = make(database)
    by_key = source(batch_by_key={"column": "id", "size": 1})
    monkeypatch.setattr("resources.sources.sql_ranges._MOST_BATCHES", 5)
    with pytest.raises(SourceError, match=r"batch_by_key\.size makes more than 5 batches"):
        by_key.batches()
    add(database, table, (-1, None))
    with pytest.raises(SourceError, match="'id' holds -1; ranges begin at 0"):
        by_key.batches()
    with pytest.raises(SourceError, match="1 rows have no value of 'sold' and are in no batch"):
        source(batch_by_time={"column": "sold", "period": "day"}).batches()


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


def test_a_view_that_joins_everything_with_everything_is_ended(
    database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resources.databases._STATEMENT_SECONDS", 1)
    make(database)
    joined = ", ".join(f"sales t{i}" for i in range(11))
    with database.begin() as connection:
        connection.execute(sa.text(f"create view every as select t0.id from {joined}"))  # noqa: S608  # above
    started = time.monotonic()
    with pytest.raises(SourceError, match=r"statement timeout|max_statement_time"):
        source(table="every").read("every")
    assert time.monotonic() - started < 30


def test_more_than_may_be_read_is_refused(
    database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEEWAY_MAX_FILE_MB", "1")
    get_settings.cache_clear()
    table = make(database, "sales", sa.Column("long", sa.Text))
    with database.begin() as connection:
        connection.execute(table.insert(), [{"id": i, "long": "x" * 60_000} for i in range(20)])
    try:
        with pytest.raises(SourceError, match="it is too large: more than 1 MB"):
            source().read("sales")
    finally:
        get_settings.cache_clear()


def killer(engine: sa.Engine) -> Callable[[], None]:
    """Ends every other connection to the database, as a restart does."""

    def kill() -> None:
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(
                    sa.text(
                        "select pg_terminate_backend(pid) from pg_stat_activity "
                        "where datname = current_database() and pid <> pg_backend_pid()"
                    )
                )
                return
            query = "select id from information_schema.processlist where id <> connection_id()"
            for found in connection.execute(sa.text(query)).scalars().all():
                connection.execute(sa.text(f"kill {int(found)}"))

    return kill


@pytest.mark.parametrize("times", [1, 10_000], ids=["once", "always"])
def test_a_connection_that_is_lost_in_the_middle_is_made_anew_and_then_given_up(
    database: sa.Engine, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    from resources.sources import sql_rows

    monkeypatch.setattr(sql_rows, "_PART", 100)
    table = make(database, "sales", sa.Column("long", sa.Text))
    add(database, table, *[(i, MOMENTS[0]) for i in range(6, 8_000)])
    with database.begin() as connection:  # more than waits in the buffers of a connection
        connection.execute(table.update().values(long="x" * 2500))
    kill, really, left = killer(database), sql_rows._array, [times]

    def interrupted(values: Any, field: Any) -> Any:
        if left[0] and field.name == "fresh":
            left[0] -= 1
            kill()
        return really(values, field)

    monkeypatch.setattr(sql_rows, "_array", interrupted)  # a moment in the middle of a reading
    if times == 1:
        assert source().read("sales")["id"].to_pylist() == list(range(8_000))
        return
    with pytest.raises(SourceError, match=f"^table sales of {VARIABLE}: "):
        source().read("sales")


URLS = {
    f"postgresql://ana:{CANARY}@127.0.0.1:9/sales": "onnection refused",
    f"mysql://ana:{CANARY}@127.0.0.1:9/sales": "Can't connect",
    f"postgresql://ana:{CANARY}@[::1/sales": "holds no URL of SQLAlchemy",
    f"ana:{CANARY}": "holds no URL of SQLAlchemy",
    f"oracle://ana:{CANARY}@127.0.0.1/sales": "there is no driver for oracle",
    f"nonsense://ana:{CANARY}@127.0.0.1/sales": "there is no driver for nonsense",
    f"postgresql://ana@127.0.0.1:9/sales?password={CANARY}&sslmode={CANARY}": "",
    f"postgresql://127.0.0.1:9/sales?{CANARY}={CANARY}": "",
}


@pytest.mark.parametrize(("url", "says"), URLS.items(), ids=[str(i) for i in range(len(URLS))])
def test_what_cannot_be_reached_says_so_without_a_secret(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, url: str, says: str
) -> None:
    monkeypatch.setenv(VARIABLE, url)
    with pytest.raises(SourceError) as refused:
        source().batches()
    assert says in str(refused.value)
    assert str(refused.value).startswith(f"table sales of {VARIABLE}: ")
    assert CANARY not in f"{refused.value} {refused.value.__cause__} {caplog.text}"


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(SourceError, match=f"the variable {VARIABLE} is not set"):
        source().batches()
    assert os.environ.get(VARIABLE) is None
