"""Databases of others: one read-only look at a consistent state, whatever the dialect.

Belongs here: connecting by a URL that is a secret, and what a failure says. Does not belong here:
Leeway's own PostgreSQL (`resources.postgres`), or what is read (`resources.sources.sql_table`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from resources.files import SourceError, Unavailable

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL

Found = TypeVar("Found")
_ATTEMPTS = 3  # of a reading whose connection is lost
_CONNECT_SECONDS = 10
_STATEMENT_SECONDS = 1800  # a view of others may join anything
# What a transaction sees is the state at its first statement; others have their strictest default.
_SNAPSHOT: dict[str, dict[str, Any]] = {
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
    "mysql": {"isolation_level": "REPEATABLE READ"},
    "mariadb": {"isolation_level": "REPEATABLE READ"},
    "sqlite": {"isolation_level": "SERIALIZABLE"},
}
_UTC = {
    "postgresql": "set local time zone 'UTC'",
    "mysql": "set time_zone = '+00:00'",
    "mariadb": "set time_zone = '+00:00'",
}


def look(url: str, place: str, work: Callable[[Connection], Found]) -> Found:
    """What `work` makes of one consistent state; it is called again when the connection is lost.

    Raises:
        Unavailable: when the database is not reached or lost.
        SourceError: when the URL is none, its driver is missing, or the database refuses. Each
            begins with `place` and holds no part of the URL but the driver.
    """
    from sqlalchemy import exc

    address = _address(url, place)
    for attempt in range(1, _ATTEMPTS + 1):
        engine = _engine(address, place)
        try:
            return _once(engine, work)
        except exc.DBAPIError as error:
            if not error.connection_invalidated or attempt == _ATTEMPTS:
                reached = not isinstance(error, exc.OperationalError | exc.InterfaceError)
                kind = SourceError if reached else Unavailable
                raise kind(f"{place}: {_said(error, address)}") from None
        except exc.SQLAlchemyError as error:
            raise SourceError(f"{place}: {_said(error, address)}") from None
        finally:
            engine.dispose()
        time.sleep(0.5 * 2 ** (attempt - 1))
    raise AssertionError("the last attempt ends")


def _once(engine: Engine, work: Callable[[Connection], Found]) -> Found:
    from sqlalchemy import text

    with engine.connect() as connection:
        name = connection.dialect.name
        connection = connection.execution_options(**_SNAPSHOT.get(name, {}))
        with connection.begin():
            if name in _UTC:
                connection.execute(text(_UTC[name]))
            limit = _limit(name, bool(getattr(connection.dialect, "is_mariadb", False)))
            if limit:
                connection.execute(text(limit))
            return work(connection)


def _limit(name: str, is_mariadb: bool) -> str | None:
    """The statement that bounds how long each of the others may take."""
    if name == "postgresql":
        return f"set local statement_timeout = '{_STATEMENT_SECONDS}s'"
    if is_mariadb:
        return f"set max_statement_time = {_STATEMENT_SECONDS}"
    return f"set max_execution_time = {_STATEMENT_SECONDS}000" if name == "mysql" else None


def _address(url: str, place: str) -> URL:
    from sqlalchemy import exc, make_url

    try:
        return make_url(url)
    except (exc.ArgumentError, ValueError):
        raise SourceError(
            f"{place}: source.url_env names a variable that holds no URL of SQLAlchemy; write "
            "driver://user:password@host/database and %XX for odd characters of the password"
        ) from None  # the cause may quote it


def _engine(address: URL, place: str) -> Engine:
    from sqlalchemy import create_engine, exc
    from sqlalchemy.pool import NullPool

    waits: dict[str, Any] = {}
    name = address.get_backend_name()
    if name in ("postgresql", "mysql", "mariadb") and "connect_timeout" not in address.query:
        waits["connect_timeout"] = _CONNECT_SECONDS
    if address.drivername in ("mysql", "mariadb"):  # the driver that Leeway comes with
        address = address.set(drivername=f"{name}+pymysql")
    try:
        return create_engine(address, poolclass=NullPool, connect_args=waits, hide_parameters=True)
    except (exc.ArgumentError, ImportError):
        raise SourceError(
            f"{place}: there is no driver for {address.drivername}; install it beside Leeway"
        ) from None


def _said(error: Exception, address: URL) -> str:
    """The message of the database, without what may be secret."""
    text = str(getattr(error, "orig", None) or error).strip().replace("\n", " ")
    secrets = [address.password, *map(str, address.query.values())]
    for secret in filter(None, secrets):
        text = text.replace(str(secret), "***")
    return text
