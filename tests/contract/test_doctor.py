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
    assert "alter role visitor createdb" in remedy
