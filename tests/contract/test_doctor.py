"""What `leeway doctor` says of a PostgreSQL that runs, without changing anything in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy.engine import URL, make_url

from cli.doctor import findings
from resources.postgres import embedded_url
from resources.settings import get_settings


@pytest.fixture
def server(server_home: Path) -> URL:
    return make_url(embedded_url(server_home)).set(database="postgres")


def execute(server: URL, statement: str) -> list[tuple[str, ...]]:
    connection = psycopg2.connect(server.render_as_string(hide_password=False))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


@pytest.fixture
def role(server: URL) -> Iterator[str]:
    """A role that may not create databases."""
    execute(server, "create role visitor login")
    yield "visitor"
    execute(server, "drop role visitor")


def postgres(
    monkeypatch: pytest.MonkeyPatch, home: Path, url: URL | None = None
) -> tuple[str, str, str]:
    """State, detail and remedy."""
    monkeypatch.setenv("LEEWAY_HOME", str(home))
    monkeypatch.setenv("LEEWAY_ENVIRONMENT", "test")
    monkeypatch.delenv("LEEWAY_DATABASE_URL", raising=False)
    if url is not None:
        monkeypatch.setenv("LEEWAY_DATABASE_URL", url.render_as_string(hide_password=False))
    get_settings.cache_clear()
    try:
        (found,) = [each for each in findings() if each.subject == "PostgreSQL"]
    finally:
        get_settings.cache_clear()
    return found.state, found.detail, found.remedy


def test_an_embedded_server_that_runs_is_asked(
    server_home: Path, server: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, detail, _ = postgres(monkeypatch, server_home)
    assert state == "ok"
    assert detail.startswith("embedded, PostgreSQL 18")


def test_databases_that_are_missing_are_left_to_the_first_command(
    server: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, detail, _ = postgres(monkeypatch, tmp_path, server.set(database="fresh"))
    assert state == "ok"
    assert "the first command makes fresh, fresh_dagster, fresh_mlflow, fresh_optuna" in detail
    assert execute(server, "select 1 from pg_database where datname like 'fresh%'") == []


def test_a_role_that_cannot_make_what_is_missing_is_an_error_with_the_statements(
    server: URL, role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.set(database="fresh", username=role)
    state, detail, remedy = postgres(monkeypatch, tmp_path, url)
    assert state == "error"
    assert "fresh_mlflow" in detail
    assert 'alter role "visitor" createdb' in remedy
    assert 'create database "fresh_optuna" owner "visitor"' in remedy


@pytest.fixture
def databases(server: URL, role: str) -> Iterator[list[str]]:
    """Databases of an administrator, made for the role."""
    names = ["visited", "visited_dagster", "visited_mlflow", "visited_optuna"]
    for name in names:
        execute(server, f"create database {name}")
    yield names
    for name in names:
        execute(server, f"drop database {name} with (force)")


def test_a_role_may_be_kept_out_of_all_but_its_own_databases(
    server: URL,
    role: str,
    databases: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Regression: the doctor asked the server's own database, and called what works an error.

    Twin: databases that the role does not own, in which it may create nothing, were called well.
    """
    url = server.set(database="visited", username=role)
    state, detail, remedy = postgres(monkeypatch, tmp_path, url)
    assert (state, remedy.count("alter database")) == ("error", 4)
    assert 'the role "visitor" may not create tables in "visited_dagster"' in detail
    for statement in remedy.partition("run: ")[2].split("; "):
        execute(server, statement)
    execute(server, "revoke connect on database postgres from public")
    try:
        state, detail, _ = postgres(monkeypatch, tmp_path, url)
    finally:
        execute(server, "grant connect on database postgres to public")
    assert (state, detail.endswith("as visitor")) == ("ok", True)


def test_a_database_that_is_there_and_shut_is_an_error(
    server: URL,
    role: str,
    databases: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Regression: it was found in the list of databases, and taken for one that can be used."""
    for name in databases:
        execute(server, f"alter database {name} owner to {role}")
    execute(server, f"revoke connect on database {databases[2]} from public, {role}")
    state, detail, _ = postgres(
        monkeypatch, tmp_path, server.set(database="visited", username=role)
    )
    assert (state, "visited_mlflow" in detail) == ("error", True)
