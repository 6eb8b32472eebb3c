"""One at a time, across processes and machines: advisory locks of the leeway database.

Belongs here: taking one. Does not belong here: what is done meanwhile. Where another PostgreSQL
transaction is open anyway, it takes its lock itself (`resources.releases`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from resources.postgres import SESSION, transaction
from resources.settings import Settings

if TYPE_CHECKING:
    import psycopg2.extensions


@contextmanager
def one_at_a_time(settings: Settings, name: str) -> Iterator[psycopg2.extensions.cursor]:
    """Waits until nobody else is inside a block of this name; yields the transaction that holds it.

    A process that is killed inside lets the next one in.
    """
    with transaction(settings) as cursor:
        # It idles while others work inside, for as long as a run may take.
        limit = ("idle_in_transaction_session_timeout", SESSION["statement_timeout"])
        cursor.execute("select set_config(%s, %s, true)", limit)
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))
        yield cursor
