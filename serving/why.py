"""The routes that tell why a model, a batch or a prediction is as it is.

Belongs here: from HTTP to the answer and back, in a time limit. Does not belong here: the answers
(`resources.why.answers`), which the command line gives, too.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import Depends, FastAPI, Query, Request, Response

from leeway.why.statement import Answer
from resources.settings import get_settings
from resources.store import LocalStore
from resources.why.answers import why_batch, why_prediction, why_version
from resources.why.reading import NotRecorded
from serving.answer import NAMED
from serving.asking import asked
from serving.guard import ADMIN, need
from serving.problems import Refusal

PATH = "/api/v1/{use_case}/why"
SECONDS = 6.0  # more than one of its queries may take by its own limit
MOST = 2**31 - 1  # of PostgreSQL's integer
LONGEST_KEY = 256  # characters
AT_ONCE = 2  # answers that are read at a time; others wait, within the limit
REFUSALS: dict[int | str, dict[str, Any]] = {
    404: {"description": "nothing is recorded of it; the problem says what is"},
    422: {"description": "a parameter is not what it may be"},
    503: {"description": "the ledger does not answer now, or not in time"},
}
Version = Annotated[
    int | None, Query(ge=1, le=MOST, description="a version, such as 2; without it the champion")
]
Key = Annotated[
    str | None,
    Query(
        max_length=LONGEST_KEY,
        pattern=r"^[^\x00]*$",
        description="of a row of the batch, such as 271: why its prediction is as it is",
    ),
]
_threads = ThreadPoolExecutor(AT_ONCE, "why")


async def _for_admins(request: Request) -> None:
    need(request, "admin")  # it names people, and where things are


ROUTE: dict[str, Any] = {
    "dependencies": [*NAMED, Depends(_for_admins)],
    "responses": REFUSALS,
    "openapi_extra": ADMIN,
}


def add_routes(app: FastAPI) -> None:
    """Adds `why` for every use case that the ledger has, served or not."""

    @app.get(PATH, **ROUTE)
    async def why(use_case: str, version: Version = None) -> Response:
        settings = get_settings()
        objects = LocalStore(settings.store_root)
        return await _told(lambda: why_version(settings, objects, use_case, version))

    @app.get(f"{PATH}/batches/{{batch}}", **ROUTE)
    async def why_of_batch(use_case: str, batch: str, key: Key = None) -> Response:
        settings = get_settings()
        if key is None:
            return await _told(lambda: why_batch(settings, use_case, batch))
        name, objects = f"{use_case}/{batch}/{key}", LocalStore(settings.store_root)
        return await _told(lambda: why_prediction(settings, objects, name))

    @app.get(f"{PATH}/predictions/{{prediction_id}}", **ROUTE)
    async def why_of_prediction(use_case: str, prediction_id: UUID) -> Response:
        settings = get_settings()
        objects = LocalStore(settings.store_root)
        return await _told(
            lambda: _own(use_case, why_prediction(settings, objects, prediction_id.hex))
        )


async def _told(read: Callable[[], Answer]) -> Response:
    try:
        answer = await asked(read, _threads, SECONDS)
    except NotRecorded as error:
        raise Refusal(404, str(error)) from error
    content = msgspec.json.encode(answer.as_dict())
    return Response(content, media_type="application/json")


def _own(use_case: str, answer: Answer) -> Answer:
    """The answer about a prediction, if it is of the use case.

    Raises:
        NotRecorded: otherwise.
    """
    of = answer.about["use_case"]
    if of != use_case:
        raise NotRecorded(f"that prediction is of {of}: ask {PATH.replace('{use_case}', of)}")
    return answer
