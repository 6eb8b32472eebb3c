"""What a role may do in a database: the look that comes before the first table.

Belongs here: asking a server, and the statement that mends what is refused. Does not belong here:
which databases there are, or making them (`resources.postgres`).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Opened:
    """What was found in a database: the server's version (150020 is 15.20), name, role, rights."""

    version: int
    database: str
    role: str
    refused: Literal["schemas", "tables"] | None


def look(address: str, needs: Literal["schemas", "tables"]) -> Opened:
    """Opens a database and looks whether its role may create there what Leeway needs.

    From PostgreSQL 15 on, nobody but the owner of a database may create tables in it at first.

    Raises:
        psycopg2.OperationalError: when it cannot be opened.
    """
    import psycopg2

    with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select current_database(), current_user, "
            "has_database_privilege(current_database(), 'create'), "
            "coalesce(has_schema_privilege(current_schema(), 'create'), false)"
        )
        ((database, role, schemas, tables),) = cursor.fetchall()
        allowed = schemas if needs == "schemas" else tables
        return Opened(connection.server_version, database, role, None if allowed else needs)


def lack(found: Opened) -> str:
    """What may not be done, as a sentence without its end."""
    return f'the role "{found.role}" may not create {found.refused} in "{found.database}"'


def owning(lacking: Iterable[Opened]) -> str:
    """The statements of an administrator that let roles do everything in these databases."""
    statement = "alter database {} owner to {}"
    return "; ".join(statement.format(_quoted(f.database), _quoted(f.role)) for f in lacking)


def making(databases: Iterable[str], role: str) -> str:
    """The statements of an administrator that make databases in which the role does everything."""
    return "; ".join(f"create database {_quoted(d)} owner {_quoted(role)}" for d in databases)


def creating(role: str) -> str:
    """The statement of an administrator that lets the role make databases of its own."""
    return f"alter role {_quoted(role)} createdb"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
