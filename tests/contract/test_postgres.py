"""PostgreSQL is there for every process, or the error says where it is missed and what to do."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psutil
import psycopg2
import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from resources.ledger import Ledger
from resources.locks import one_at_a_time
from resources.postgres import (
    DATABASES,
    PostgresUnavailable,
    _connecting,
    database_url,
    dsn,
    embedded_url,
    ensure_databases,
    transaction,
)
from resources.settings import Settings
from tests.embedded import stop_embedded

Together = Callable[..., list[Any]]


def settings_of(**fields: Any) -> Settings:
    return Settings(environment="test", **fields)


def ask(settings: Settings, question: str, *parameters: object) -> Any:
    with transaction(settings) as cursor:
        cursor.execute(question, parameters)
        ((answer,),) = cursor.fetchall()
    return answer


@pytest.fixture(scope="module")
def own_home() -> Iterator[Path]:
    """A server that these tests may stop; its socket needs a short path."""
    home = Path(tempfile.mkdtemp(prefix="leeway-"))
    yield home
    stop_embedded(home, "immediate")
    shutil.rmtree(home, ignore_errors=True)


def process_of(home: Path) -> int:
    return int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def start_and_look(home: Path) -> tuple[str, int]:
    url = embedded_url(home)
    ensure_databases(Settings(environment="test", home=home))
    return url, process_of(home)


def test_processes_that_start_it_at_once_find_one_server(
    own_home: Path, together: Together
) -> None:
    found = together(start_and_look, [(own_home,)] * 4)
    assert len(set(found)) == 1
    url, process = found[0]
    assert psutil.pid_exists(process), "it goes on when the processes that started it have ended"
    assert embedded_url(own_home) == url
    assert process_of(own_home) == process


def test_threads_that_make_it_at_once_make_one_server() -> None:
    """Regression: a record lock is the process's, so that all of its threads had it at once.

    A service asks for the server from several threads, and may be the first to ask.
    """
    home = Path(tempfile.mkdtemp(prefix="leeway-"))
    try:
        with ThreadPoolExecutor(4) as threads:
            found = set(threads.map(embedded_url, [home] * 4))
        assert len(found) == 1
        assert not list(home.glob("postgres.new-*"))
    finally:
        stop_embedded(home, "immediate")
        shutil.rmtree(home)


def stop(process: int, how: signal.Signals) -> None:
    found = psutil.Process(process)
    os.kill(process, how)
    found.wait(timeout=30)


@pytest.mark.faults
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_server_that_ended_behind_our_back_is_started_again_with_its_data(
    own_home: Path, how: signal.Signals
) -> None:
    settings = settings_of(home=own_home)
    ensure_databases(settings)
    name = f"t{uuid.uuid4().hex[:8]}"
    ask(settings, f"create table {name} as select 7 as x; select x from {name}")  # noqa: S608
    before = process_of(own_home)
    stop(before, how)
    assert ask(settings, f"select x from {name}") == 7  # noqa: S608
    assert process_of(own_home) != before


def test_a_folder_that_cannot_hold_a_server_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "postgres").write_text("not a folder")
    with pytest.raises(
        PostgresUnavailable, match=r"does not start: .* Run `leeway doctor`, or set"
    ):
        embedded_url(tmp_path)


UNREACHABLE = "postgresql://ana:hunter2@127.0.0.1:1/warehouse"


def test_a_server_that_cannot_be_reached_is_an_error_with_the_remedy_and_no_password() -> None:
    settings = settings_of(database_url=SecretStr(UNREACHABLE))
    with pytest.raises(PostgresUnavailable) as refused:
        Ledger(settings)
    assert "ana:***@127.0.0.1:1/" in str(refused.value)
    assert "Check LEEWAY_DATABASE_URL, or unset it" in str(refused.value)
    with pytest.raises(PostgresUnavailable, match="Run `leeway doctor`") as refused_later:
        ask(settings, "select 1")
    assert "hunter2" not in f"{refused.value} {refused_later.value} {settings!r}"


def test_a_role_that_may_not_create_databases_is_an_error_with_the_remedy(
    shared: Settings,
) -> None:
    role = f"r{uuid.uuid4().hex[:8]}"
    with transaction(shared) as cursor:
        cursor.execute(f"create role {role} login")
    url = make_url(dsn("leeway", shared)).set(username=role, database=f"{role}_db")
    settings = settings_of(database_url=SecretStr(url.render_as_string(hide_password=False)))
    with pytest.raises(PostgresUnavailable, match=f"create the database '{role}_db': permission"):
        ensure_databases(settings)


@pytest.fixture
def role(shared: Settings) -> Iterator[Settings]:
    """A role that owns its databases and may connect to no other."""
    name = f"r{uuid.uuid4().hex[:8]}"
    connection = psycopg2.connect(dsn("leeway", shared))
    connection.autocommit = True
    names = [f"{name}_db{suffix}" for suffix in ("", "_dagster", "_mlflow", "_optuna")]
    with connection.cursor() as cursor:
        cursor.execute(f"create role {name} login")
        for each in names:
            cursor.execute(f"create database {each} owner {name}")
        cursor.execute("revoke connect on database postgres from public")
        url = make_url(dsn("leeway", shared)).set(username=name, database=names[0])
        yield settings_of(database_url=SecretStr(url.render_as_string(hide_password=False)))
        cursor.execute("grant connect on database postgres to public")
        for each in names:
            cursor.execute(f"drop database {each} with (force)")
        cursor.execute(f"drop role {name}")
    connection.close()


def test_a_role_that_may_connect_to_its_databases_alone_is_enough(role: Settings) -> None:
    """Regression: the server's own database was asked first, and a role was kept out of it."""
    Ledger(role).prepare()
    assert ask(role, "select current_user") == database_url("leeway", role).username


def test_a_role_that_does_not_own_its_databases_is_an_error_with_the_statements(
    role: Settings, shared: Settings
) -> None:
    """Regression: from PostgreSQL 15 on it ended in a traceback, at the first table of Dagster."""
    base = str(database_url("leeway", role).database)
    connection = psycopg2.connect(dsn("leeway", shared))
    connection.autocommit = True
    with connection.cursor() as cursor:
        for each in (base, f"{base}_dagster"):
            cursor.execute(f"alter database {each} owner to current_user")
        with pytest.raises(PostgresUnavailable, match="may not create schemas in") as refused:
            ensure_databases(role)
        assert f'may not create tables in "{base}_dagster"' in str(refused.value)
        assert f"{base}_mlflow" not in str(refused.value)
        for statement in str(refused.value).partition("run: ")[2].split("; "):
            cursor.execute(statement)
    connection.close()
    ensure_databases(role)


@pytest.mark.parametrize("base", ["two words", "a-dash", "50%25 é?#'"])
def test_odd_names_and_passwords_mean_the_same_to_every_driver(shared: Settings, base: str) -> None:
    """Regression: SQLAlchemy took `%20` for itself, and the libpq of ADBC refuses a blank."""
    import adbc_driver_postgresql.dbapi as adbc

    server = make_url(dsn("leeway", shared))
    address = f"postgresql:///{quote(base)}?password=a%20b+c%25&" + urlencode(server.query)
    settings = settings_of(database_url=SecretStr(f"{address}&user={server.username}"))
    ensure_databases(settings)
    for database in DATABASES:
        name = database_url(database, settings).database
        question = "select current_database()::text"
        with adbc.connect(dsn(database, settings)) as connection, connection.cursor() as cursor:
            cursor.execute(question)
            assert cursor.fetchone() == (name,)
        with create_engine(dsn(database, settings)).connect() as connection:
            assert connection.scalar(text(question)) == name
        with transaction(settings, database) as cursor:
            cursor.execute(question)
            assert cursor.fetchone() == (name,)
    assert name == f"{base}_optuna"


def test_who_waits_too_long_for_a_lock_is_told_what_to_do(shared: Settings) -> None:
    """Twin of every other test: with the limits of every connection, nobody waits in vain."""
    url = make_url(dsn("leeway", shared)).update_query_dict({"options": "-c lock_timeout=100ms"})
    hurried = settings_of(database_url=SecretStr(url.render_as_string(hide_password=False)))
    with transaction(shared) as cursor:
        cursor.execute("select pg_advisory_xact_lock(77)")
        with pytest.raises(PostgresUnavailable, match="end the run that hangs"):
            ask(hurried, "select pg_advisory_xact_lock(77)")
    ask(hurried, "select pg_advisory_xact_lock(77)")


def test_who_works_long_one_at_a_time_keeps_others_out(shared: Settings) -> None:
    """Regression: what holds the lock idles, and after 15 minutes the server let others in."""
    option = {"options": "-c idle_in_transaction_session_timeout=50ms"}
    url = make_url(dsn("leeway", shared)).update_query_dict(option)
    hurried = settings_of(database_url=SecretStr(url.render_as_string(hide_password=False)))
    question = "select pg_try_advisory_xact_lock(hashtextextended(%s, 0))"
    with one_at_a_time(hurried, "long"):
        time.sleep(0.3)
        assert ask(shared, question, "long") is False
    assert ask(shared, question, "long") is True


def test_every_connection_has_limits_and_what_the_address_says_goes_before_them(
    shared: Settings,
) -> None:
    question = "select current_setting(%s)"
    assert ask(shared, question, "lock_timeout") == "30min"
    assert ask(shared, question, "idle_in_transaction_session_timeout") == "15min"
    url = make_url(dsn("leeway", shared))
    own = url.update_query_dict({"options": "-c lock_timeout=7s", "connect_timeout": "3"})
    settings = settings_of(database_url=SecretStr(own.render_as_string(hide_password=False)))
    assert ask(settings, question, "lock_timeout") == "7s"
    for database in DATABASES:
        found = psycopg2.extensions.parse_dsn(dsn(database, settings))
        assert (found["connect_timeout"], found["keepalives_idle"]) == ("3", "30")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ana:p%2Fw%20%2B@db.example.org:5433/w%20x?sslmode=require&connect_timeout=3",
        "postgresql://ana@/w?host=/run/sockets&options=-c%20lock_timeout%3D7s",
        "postgres://db.example.org/w",
    ],
)
def test_what_we_connect_with_is_what_the_address_for_libraries_says(url: str) -> None:
    settings = settings_of(database_url=SecretStr(url))
    for database in DATABASES:
        ours = _connecting(database, settings)
        assert ours.pop("application_name").startswith("leeway:")
        assert ours == psycopg2.extensions.parse_dsn(dsn(database, settings))


PARTS = [
    "postgresql://ana@db.example.org/w?password=hunter2",
    "postgres://ana:hunter2@db.example.org:5433/w?sslmode=require",
    "postgresql+psycopg2://ana:hunter2@/w?host=db.example.org",
]


@pytest.mark.parametrize("url", PARTS)
def test_a_password_is_hidden_wherever_the_address_has_it(url: str) -> None:
    """Regression: one among the parameters was shown."""
    found = database_url("dagster", settings_of(database_url=SecretStr(url)))
    assert (found.host, found.username, found.database) == ("db.example.org", "ana", "w_dagster")
    assert found.password == "hunter2"
    assert "hunter2" not in found.render_as_string(hide_password=True)


def test_installations_that_share_a_server_have_databases_of_their_own(shared: Settings) -> None:
    names = [database_url(database, shared).database for database in DATABASES]
    assert len(set(names)) == len(DATABASES)
    assert all(str(name).startswith(str(names[0])) for name in names)
    for database in DATABASES:
        psycopg2.connect(dsn(database, shared)).close()


def test_a_transaction_commits_when_its_block_ends_and_not_when_it_raises(
    shared: Settings,
) -> None:
    with transaction(shared) as cursor:
        cursor.execute("create table public.kept (x int)")
        cursor.execute("insert into public.kept values (1)")
    with pytest.raises(RuntimeError), transaction(shared) as cursor:  # noqa: PT012
        cursor.execute("insert into public.kept values (2)")
        raise RuntimeError
    assert ask(shared, "select sum(x) from public.kept") == 1


def test_a_connection_that_only_reads_changes_nothing(shared: Settings) -> None:
    with psycopg2.connect(dsn("leeway", shared, read_only=True)) as connection:
        cursor = connection.cursor()
        cursor.execute("show timezone")
        assert cursor.fetchall() == [("UTC",)], "the other limits hold, too"
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            cursor.execute("create table anything (x integer)")
    connection.close()


def test_a_transaction_leaves_no_connection(shared: Settings) -> None:
    for _ in range(3):
        ask(shared, "select 1")
    mine = "select count(*) from pg_stat_activity where application_name = %s"
    assert ask(shared, mine, f"leeway:{os.getpid()}") == 1, "the one that asks"


def test_the_server_speaks_utc(shared: Settings) -> None:
    assert ask(shared, "select current_setting('TimeZone')") == "UTC"


def test_every_word_that_postgresql_reserves_is_refused_as_an_identifier(shared: Settings) -> None:
    """Regression: columns called xmin, left or like passed, and their table was not created."""
    from leeway.identifiers import check_identifier

    question = (
        "select array_agg(word) from (select word from pg_get_keywords() where catcode in "
        "('R', 'T') union select attname from pg_attribute where attnum < 0) as words"
    )
    accepted = []
    for word in ask(shared, question):
        try:
            accepted.append(check_identifier(word))
        except ValueError:
            continue
    assert accepted == []


def test_a_statement_that_takes_longer_than_it_may_is_cut_off_whatever_the_server_does(
    shared: Settings,
) -> None:
    """A server that is frozen, or whose network swallows all, ends nothing by itself."""
    begun = time.monotonic()
    with (
        pytest.raises(PostgresUnavailable, match="the connection to PostgreSQL was lost"),
        transaction(shared, seconds=0.5) as cursor,
    ):
        cursor.execute("select pg_sleep(20)")
    assert time.monotonic() - begun < 10
    with transaction(shared, seconds=20) as cursor:
        cursor.execute("select 1")
        assert cursor.fetchall() == [(1,)]
