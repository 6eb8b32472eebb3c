"""Databases of an installation, copied and dropped as a whole, and their server.

Belongs here: statements that PostgreSQL has for databases. Does not belong here: their tables,
which Leeway makes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2 import sql
from sqlalchemy.engine import URL

from resources.postgres import DATABASES


def trust_the_machine(server: URL) -> None:
    """Lets a server not wait for the disk: the tests kill processes, and no machine."""
    with _administration(server) as cursor:
        cursor.execute("alter system set fsync = off")
        cursor.execute("select pg_reload_conf()")


def copy_databases(server: URL, source: str, target: str) -> None:
    """Makes the databases of an installation from those of another, which loses its connections."""
    with _administration(server) as cursor:
        for old, new in zip(_names(source), _names(target), strict=True):
            cursor.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (old,)
            )
            names = (sql.Identifier(name) for name in (new, old))
            cursor.execute(sql.SQL("create database {} template {}").format(*names))


def drop_databases(server: URL, name: str) -> None:
    """Drops the databases of an installation; who is still connected loses the connection."""
    with _administration(server) as cursor:
        for each in _names(name):
            cursor.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(each)))


def _names(base: str) -> list[str]:
    return [base if each == "leeway" else f"{base}_{each}" for each in DATABASES]


@contextmanager
def _administration(server: URL) -> Iterator[psycopg2.extensions.cursor]:
    address = server.set(database="postgres").render_as_string(hide_password=False)
    connection = psycopg2.connect(address)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()
