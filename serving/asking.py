"""Asking the database on behalf of a request.

Belongs here: that other requests go on meanwhile, and what is said when it does not answer. Does
not belong here: a query, or a route.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

from resources.postgres import PostgresUnavailable
from serving.problems import Refusal

T = TypeVar("T")
log = logging.getLogger("leeway.serving")


async def asked(query: Callable[[], T]) -> T:
    """What the database says.

    Raises:
        Refusal: 503 when it does not answer.
    """
    try:
        return await run_in_threadpool(query)
    except (PostgresUnavailable, OSError) as error:
        log.warning("the database does not answer: %s", error)
        told = "the database does not answer; predictions go on without it"
        raise Refusal(503, told, "database_away", {"Retry-After": "5"}) from error
