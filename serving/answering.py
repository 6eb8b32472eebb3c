"""What the routes share: which release answers, and answers as JSON.

Belongs here: that, bodies of a bounded size, and asking the database. Does not belong here: a
route, or what a request that fails is told (`serving.problems`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import msgspec
from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from resources.postgres import PostgresUnavailable
from serving.keeper import Keeper
from serving.loading import Loaded
from serving.problems import Refusal

T = TypeVar("T")
API = "/api/v1/{use_case}"
LARGEST_BODY = 1_000_000  # bytes
_encode = msgspec.json.Encoder().encode
log = logging.getLogger("leeway.serving")


def served(keeper: Keeper, use_case: str) -> Loaded:
    """The release that answers for a use case.

    Raises:
        Refusal: when none does, with the reason.
    """
    state = keeper.state
    loaded = state.served.get(use_case)
    if loaded is not None:
        return loaded
    if use_case in state.waiting:
        raise Refusal(503, state.waiting[use_case])
    known = ", ".join(sorted(state.served)) or "none"
    if state.known_from is None or not state.served:
        raise Refusal(503, f"no release of {use_case} is served; served are: {known}")
    raise Refusal(404, f"there is no release of {use_case!r}; served are: {known}")


def as_json(content: object, status: int = 200) -> Response:
    """An answer."""
    return Response(_encode(content), status, media_type="application/json")


async def whole_body(request: Request) -> bytes:
    """The body of a request.

    Raises:
        Refusal: when it has more than `LARGEST_BODY` bytes.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY:
            raise Refusal(413, f"the body has more than {LARGEST_BODY:,} bytes")
        parts.append(part)
    return b"".join(parts)


async def asked(query: Callable[[], T]) -> T:
    """What the database says, while other requests go on.

    Raises:
        Refusal: when it does not answer.
    """
    try:
        return await run_in_threadpool(query)
    except (PostgresUnavailable, OSError) as error:
        log.warning("the database does not answer: %s", error)
        told = "the database does not answer; predictions go on without it"
        raise Refusal(503, told) from error
