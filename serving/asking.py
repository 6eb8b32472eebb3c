"""Asking the database on behalf of a request.

Belongs here: that other requests go on meanwhile, and what is said when it does not answer. Does
not belong here: a query, or a route.

Queries have threads of their own, so that a database that hangs holds up no other work. A request
does not wait for one longer than it may take; its thread ends when the connection is cut off, and
until then nobody else has it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from resources.postgres import PostgresUnavailable, cut_off_after
from serving.problems import Refusal

T = TypeVar("T")
SECONDS = 12.0  # longer than any query of ours may take by its own limit
AT_ONCE = 8
_AWAY = "the database does not answer; predictions go on without it"
_OLDER = (
    "the database has no tables of Leeway, or those of an older one; `leeway status` brings it up "
    "to date"
)
_SLOW = "the database took too long; ask for less, or again later"
_threads = ThreadPoolExecutor(AT_ONCE, "asking")
log = logging.getLogger("leeway.serving")


async def asked(
    query: Callable[[], T], threads: ThreadPoolExecutor = _threads, seconds: float = SECONDS
) -> T:
    """What the database says to a query, which opens its transactions itself.

    Args:
        query: it runs in a thread.
        threads: those that it may have.
        seconds: that a transaction may take, and the request its wait for a thread with it.

    Raises:
        Refusal: 503 when it does not answer, or has not the tables.
    """
    import psycopg2
    from psycopg2 import errors

    def limited() -> T:
        with cut_off_after(seconds):
            return query()

    try:
        async with asyncio.timeout(seconds):
            return await asyncio.get_running_loop().run_in_executor(threads, limited)
    except (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName) as error:
        raise _refused(_OLDER, error) from error
    except errors.QueryCanceled as error:
        raise _refused(_SLOW, error) from error
    except (PostgresUnavailable, OSError, psycopg2.Error) as error:
        raise _refused(_AWAY, error) from error


def _refused(told: str, error: Exception) -> Refusal:
    log.warning("the database does not answer: %s: %s", type(error).__name__, str(error).strip())
    return Refusal(503, told, "database_away", {"Retry-After": "5"})
