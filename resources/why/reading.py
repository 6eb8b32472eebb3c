"""One look at the ledger: everything of a moment, within a time limit, changing nothing.

Belongs here: the transaction, and the objects that rows name. Does not belong here: any query.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from leeway.why.facts import Gone
from resources.postgres import Database, PostgresUnavailable, transaction
from resources.settings import Settings
from resources.store import CorruptObject

if TYPE_CHECKING:
    import psycopg2.extensions

SECONDS = 5.0  # of one query; on a ledger of thousands of batches each takes milliseconds
_CUT_OFF_SECONDS = 15.0  # for a server that does not keep to that any more


class NotRecorded(LookupError):
    """What was asked about is not in the ledger; the message says what is, or what to do."""


class Objects(Protocol):
    """Where the bytes of an object are."""

    def get(self, uri: str, digest: str) -> bytes:
        """The bytes, verified."""


@contextmanager
def looking(
    settings: Settings, database: Database = "leeway"
) -> Iterator[psycopg2.extensions.cursor]:
    """A cursor that sees one moment and cannot write.

    Raises:
        NotRecorded: when the tables are not there, or are of an older Leeway.
        PostgresUnavailable: as `resources.postgres.transaction`, or when a query takes too long.
    """
    from psycopg2 import errors

    try:
        with transaction(settings, database, seconds=_CUT_OFF_SECONDS) as cursor:
            cursor.execute("set transaction isolation level repeatable read read only")
            cursor.execute(f"set local statement_timeout = {SECONDS * 1000:.0f}")
            yield cursor
    except errors.QueryCanceled as error:
        raise PostgresUnavailable(
            f"the database {database} did not answer within {SECONDS:g} s: another transaction "
            "holds a table, or the server is busy; ask again later"
        ) from error
    except (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName) as error:
        raise NotRecorded(
            "the ledger is empty or of an older Leeway; `leeway status` brings it up to date, and "
            "`leeway run NAME` fills it"
        ) from error


def read_json(objects: Objects, uri: str, digest: str) -> Mapping[str, Any] | Gone:
    """The JSON that an object holds, or why it cannot be told."""
    try:
        content: Mapping[str, Any] = json.loads(objects.get(uri, digest))
    except FileNotFoundError:
        return Gone(f"the object {digest} is gone from the store")
    except (CorruptObject, OSError, ValueError) as error:
        return Gone(f"the object {digest} cannot be read: {error}")
    return content
