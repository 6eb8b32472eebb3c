"""No name or value is SQL, no statement is endless, and what is lost is told without a secret."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from resources.files import SourceError
from resources.settings import get_settings
from tests.contract.sql_tables import MOMENTS, VARIABLE, add, make, source

CANARY = "hunter2canary"
ODD = 'we"ird `name`; drop table t --'
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
                try:
                    connection.execute(sa.text(f"kill {int(found)}"))
                except sa.exc.OperationalError as error:
                    if "Unknown thread id" not in str(error):  # one that ended by itself meanwhile
                        raise

    return kill


@pytest.fixture
def destroyed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test left of a lost connection is destroyed before the next one begins.

    pymysql 1.2 reads on from a lost connection when the rest of its answer is destroyed, and
    raises. In another test's time that breaks `ast.parse`: pytest formats the exception, which
    parses within the parsing, and Python 3.11 counts the depth of both in one place
    (https://github.com/python/cpython/issues/106905). pytest is not told of it at all, for what it
    keeps of an exception keeps the connection too.
    """
    tell = sys.unraisablehook

    def tell_others(found: sys.UnraisableHookArgs) -> None:
        if not str(getattr(found.object, "__module__", "")).startswith("pymysql."):
            tell(found)

    monkeypatch.setattr(sys, "unraisablehook", tell_others)
    yield
    gc.collect()


@pytest.mark.parametrize("times", [1, 10_000], ids=["once", "always"])
@pytest.mark.usefixtures("destroyed")
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
