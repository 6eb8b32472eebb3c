"""The one PostgreSQL: embedded under LEEWAY_HOME, or the server that LEEWAY_DATABASE_URL names.

Belongs here: addresses, creating databases, and connections. Does not belong here: the embedded
server's folder and process (`resources.embedded`), tables (`resources.ledger`, dbt) or what is
stored in them.
"""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import lru_cache
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from resources.rights import Opened, lack, look, owning
from resources.settings import ADDRESS, Settings, get_settings, parsed_url

if TYPE_CHECKING:
    import psycopg2.extensions
    from sqlalchemy.engine import URL

Database = Literal["leeway", "dagster", "mlflow", "optuna"]
DATABASES: tuple[Database, ...] = ("leeway", "dagster", "mlflow", "optuna")
# What is created in each: a schema per use case, or the tables of a library.
NEEDS: dict[Database, Literal["schemas", "tables"]] = {
    "leeway": "schemas",
    "dagster": "tables",
    "mlflow": "tables",
    "optuna": "tables",
}
APPLICATION = "leeway"
_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")  # the name of a database that is itself in a URL
# Of every connection. A transaction whose process hangs gives its locks back after 15 minutes; the
# longest pause of ours between two statements is the making of a batch's CSV, but for what
# `resources.locks` holds. Who waits for a lock
# waits longer than that, so that a run gets its turn after one that hangs. What this does not allow
# is a COPY of more than half an hour beside another run of the same node. A statement that takes
# longer than a run may (max_runtime_seconds of dagster.yaml) joins what it should not.
SESSION = {
    "timezone": "UTC",
    "idle_in_transaction_session_timeout": "15min",
    "lock_timeout": "30min",
    "statement_timeout": "2h",
}
# A server that is gone without a word is noticed after 10 s when a connection is made, and later
# after 90 s of silence.
_NETWORK = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "6",
}


_seconds: ContextVar[float | None] = ContextVar("seconds of a transaction", default=None)


class PostgresUnavailable(RuntimeError):
    """PostgreSQL cannot be reached; the message says where and what to do."""


def embedded_url(home: Path) -> str:
    """URL of the embedded server under `home`, started when it is not running.

    Any number of processes may call this at once: they find the same server. It goes on running
    when they end, so that the next one finds it warm.

    Raises:
        PostgresUnavailable: when the server does not start.
    """
    return _as_text(_url(_embedded_parts(home)))


def _embedded_parts(home: Path) -> dict[str, str]:
    """As `_parts`, of the embedded server."""
    from resources.embedded import USER, running_server

    try:
        server = running_server(home)
    except Exception as error:
        raise PostgresUnavailable(
            f"the embedded PostgreSQL under {home / 'postgres'} does not start: {error}. "
            "Run `leeway doctor`, or set LEEWAY_DATABASE_URL to a server of your own."
        ) from error
    return {"user": USER, "host": server.sockets, "port": str(server.port), "dbname": "leeway"}


def has_address(settings: Settings) -> bool:
    """Whether the address of the databases is known without starting a server."""
    from resources.embedded import server_of

    return settings.database_url is not None or server_of(settings.home) is not None


def database_url(database: Database, settings: Settings | None = None) -> URL:
    """Address of one of Leeway's databases.

    The warehouse has the name that the URL gives (embedded: `leeway`); the others are called after
    it, such as `leeway_dagster`, so that installations can share a server.

    Raises:
        PostgresUnavailable: when the embedded server does not start.
    """
    return _url(_parts(database, settings or get_settings()))


def _parts(database: Database, settings: Settings) -> dict[str, str]:
    """Address of a database under libpq's names, as `database_url`; no library is imported."""
    if settings.database_url is not None:
        parts = parsed_url(settings.database_url.get_secret_value())
    else:
        parts = _embedded_parts(settings.home)
    name = parts["dbname"] if database == "leeway" else f"{parts['dbname']}_{database}"
    return parts | {"dbname": name}


def _url(parts: Mapping[str, str]) -> URL:
    from sqlalchemy.engine import URL

    parameters = {key: value for key, value in parts.items() if key not in ADDRESS}
    host, port = parts["host"], parts.get("port")
    if host.startswith("/"):  # a socket's folder, which has no place before the path
        parameters |= {"host": host} | ({"port": port} if port else {})
        host, port = "", None
    return URL.create(
        "postgresql",
        parts.get("user"),
        parts.get("password"),
        host or None,
        int(port) if port else None,
        parts["dbname"],
        parameters,
    )


def dsn(
    database: Database = "leeway", settings: Settings | None = None, *, read_only: bool = False
) -> str:
    """The address as text that libpq, SQLAlchemy and ADBC understand, password included.

    It brings the limits of every connection; what the URL itself says goes before them. With
    `read_only`, what changes anything is refused.
    """
    url = database_url(database, settings)
    asked = str(url.query.get("options", ""))
    if read_only:
        asked = f"{asked} -c default_transaction_read_only=on".strip()
    return _as_text(
        url.update_query_dict({**_NETWORK, **url.query, "options": session_options(asked)})
    )


def _connecting(database: Database, settings: Settings) -> dict[str, Any]:
    """What `dsn` says, for a connection of our own: SQLAlchemy, which writes it, imports long."""
    parts = _parts(database, settings)
    ours = {
        "options": session_options(parts.get("options", "")),
        "application_name": f"{APPLICATION}:{os.getpid()}",
    }
    return {**_NETWORK, **parts, **ours}


def server_dsn(settings: Settings) -> str:
    """The address of the server's own database, which knows of all others."""
    url = database_url("leeway", settings).set(database="postgres")
    return _as_text(url.update_query_dict({**_NETWORK, **url.query}))


def session_options(asked: str = "") -> str:
    """The settings of a session as libpq's `options`; what was asked for comes last and wins."""
    ours = [f"-c {name}={value}" for name, value in SESSION.items()]
    return " ".join([*ours, asked]).strip()


def _as_text(url: URL) -> str:
    """One text that means the same to libpq, whichever version, and to SQLAlchemy.

    SQLAlchemy writes a blank as it is, or as `+` in a parameter, which libpq refuses or takes for a
    plus. Of the path libpq decodes %XX and SQLAlchemy does not: an odd name is a parameter.
    """
    if not _PLAIN.fullmatch(str(url.database)):
        url = url.set(database="").update_query_dict({"dbname": str(url.database)})
    address, mark, query = url.render_as_string(hide_password=False).partition("?")
    return address.replace(" ", "%20") + mark + query.replace("+", "%20")


@lru_cache(maxsize=8)
def ensure_databases(settings: Settings) -> None:
    """Creates the databases that do not exist; any number of processes may do so at once.

    The database `postgres` is asked only where one of ours cannot be opened: a role may be kept
    out of it.

    Raises:
        PostgresUnavailable: when the server cannot be reached or refuses.
    """
    try:
        found = _open_each(settings)
    except PostgresUnavailable:
        if not _create_missing(settings):
            raise
        found = _open_each(settings)
    lacking = [each for each in found if each.refused]
    if lacking:
        raise PostgresUnavailable(
            f"PostgreSQL cannot be used: {', '.join(map(lack, lacking))}. Let an administrator "
            f"run: {owning(lacking)}"
        )


def _open_each(settings: Settings) -> list[Opened]:
    import psycopg2

    found = []
    for database in DATABASES:
        try:
            found.append(look(dsn(database, settings), NEEDS[database]))
        except psycopg2.OperationalError as error:
            raise _unreachable(settings, database, error) from error
    return found


def _create_missing(settings: Settings) -> bool:
    """Creates what is missing; false when the server's own database cannot be opened.

    Raises:
        PostgresUnavailable: when a database is missing and may not be created.
    """
    import psycopg2
    from psycopg2 import errors, sql

    try:
        connection = psycopg2.connect(server_dsn(settings))
    except psycopg2.OperationalError:
        return False
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
            "role of LEEWAY_DATABASE_URL the right createdb, or let an administrator create what "
            "is missing, with that role as the owner; `leeway doctor` has the statements."
        ) from error
    finally:
        connection.close()
    return True


def _unreachable(settings: Settings, database: Database, error: Exception) -> PostgresUnavailable:
    """The error for a database that cannot be opened; what to do depends on whose server it is."""
    address = database_url(database, settings).render_as_string(hide_password=True)
    remedy = (
        f"The server is the embedded one; its log is {settings.home / 'postgres' / 'log'}."
        if settings.database_url is None
        else "Check LEEWAY_DATABASE_URL, or unset it to use the embedded one; a role needs the "
        "right to connect to each of the four databases, and createdb where one is missing."
    )
    return PostgresUnavailable(
        f"PostgreSQL at {address} cannot be reached: {str(error).strip()}. {remedy}"
    )


@contextmanager
def cut_off_after(seconds: float) -> Iterator[None]:
    """Transactions of the block that name no time of their own have so many seconds each."""
    token = _seconds.set(seconds)
    try:
        yield
    finally:
        _seconds.reset(token)


@contextmanager
def transaction(
    settings: Settings | None = None,
    database: Database = "leeway",
    *,
    seconds: float | None = None,
) -> Iterator[psycopg2.extensions.cursor]:
    """A cursor on one of the databases; commits when the block ends, rolls back when it raises.

    Args:
        settings: of the installation; None: those of this process.
        database: which of its databases.
        seconds: that connecting may take, up to 10, and then all else, after which the connection
            is cut off; None: as `cut_off_after` says, else it waits as long as the server lives.

    Raises:
        PostgresUnavailable: when the server cannot be reached, or goes away meanwhile (whether a
            commit arrived is then unknown, and the caller does all of it again), or when another
            transaction keeps a lock for too long.
    """
    import psycopg2
    from psycopg2 import errors

    seconds = _seconds.get() if seconds is None else seconds
    parts = _connecting(database, settings or get_settings())
    if seconds is not None:
        parts["connect_timeout"] = min(ceil(seconds), int(parts["connect_timeout"]))
    try:
        connection = psycopg2.connect(**parts)
    except psycopg2.OperationalError as error:
        raise PostgresUnavailable(
            f"PostgreSQL cannot be reached: {str(error).strip()}. Run `leeway doctor`."
        ) from error
    cut_off = _cut_off_after(seconds, connection)
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    except errors.LockNotAvailable as error:
        raise PostgresUnavailable(
            f"another run held what this one writes for too long: {str(error).strip()}. "
            "See `leeway status`, end the run that hangs (in pg_stat_activity, its application is "
            f"{APPLICATION}: and the process), and run the command again; nothing was changed."
        ) from error
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
        if cut_off is not None:
            cut_off.cancel()
            cut_off.join()  # it is not to end a socket that got the same number
        connection.close()


def has_table(cursor: psycopg2.extensions.cursor, name: str) -> bool:
    """Whether there is a table: an installation may be from before there was one."""
    cursor.execute("select to_regclass(%s) is not null", (name,))
    return cursor.fetchone() == (True,)


def _cut_off_after(
    seconds: float | None, connection: psycopg2.extensions.connection
) -> threading.Timer | None:
    """Will end the connection's socket, which fails as a lost connection; None: it will not.

    Nothing else ends the wait for a server that is frozen, or whose network swallows what it says:
    a time-out of the statement is the server's, and its machine may go on answering for it.
    """
    import psycopg2

    if seconds is None:
        return None

    def end() -> None:
        with (
            suppress(OSError, psycopg2.Error),
            socket.socket(fileno=os.dup(connection.fileno())) as found,
        ):
            found.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer
