"""The route that tells why a model is as it is.

Belongs here: from HTTP to the answer and back, in a time limit. Does not belong here: the answer
(`resources.why.answers`), which the command line gives, too.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Annotated, Any

import anyio
import anyio.to_thread
import msgspec
from fastapi import FastAPI, Query, Request, Response

from leeway.why.statement import Answer
from resources.postgres import PostgresUnavailable
from resources.settings import get_settings
from resources.store import LocalStore
from resources.why.answers import why_version
from resources.why.reading import NotRecorded
from serving.guard import ADMIN, need
from serving.problems import Refusal

SECONDS = 5.0
MOST = 2**31 - 1  # of PostgreSQL's integer
AT_ONCE = 2  # answers that are read at a time; others wait, within the limit
REFUSALS: dict[int | str, dict[str, Any]] = {
    404: {"description": "nothing is recorded of the use case, or it has no such version"},
    422: {"description": "the version is not one"},
    503: {"description": "the ledger does not answer now, or not in time"},
}
log = logging.getLogger("leeway.serving")


def add_routes(app: FastAPI) -> None:
    """Adds `why` for every use case that the ledger has, served or not."""
    limiter = anyio.CapacityLimiter(AT_ONCE)

    @app.get("/api/v1/{use_case}/why", responses=REFUSALS, openapi_extra=ADMIN)
    async def why(
        use_case: str,
        request: Request,
        version: Annotated[
            int | None,
            Query(ge=1, le=MOST, description="a version, such as 2; without it the champion"),
        ] = None,
    ) -> Response:
        need(request, "admin")  # it names people, and where things are
        read = partial(_answer, use_case, version)
        try:
            with anyio.fail_after(SECONDS):
                # A thread that waits for a server that is gone ends by its own time limits.
                answer = await anyio.to_thread.run_sync(
                    read, abandon_on_cancel=True, limiter=limiter
                )
        except TimeoutError as error:
            raise Refusal(503, f"the ledger did not answer within {SECONDS:g} s") from error
        content = msgspec.json.encode(answer.as_dict())
        return Response(content, media_type="application/json")


def _answer(use_case: str, version: int | None) -> Answer:
    settings = get_settings()
    try:
        return why_version(settings, LocalStore(settings.store_root), use_case, version)
    except NotRecorded as error:
        raise Refusal(404, str(error)) from error
    except PostgresUnavailable as error:
        log.warning("the ledger does not answer: %s", error)
        raise Refusal(503, "the ledger does not answer now; predictions go on") from error
