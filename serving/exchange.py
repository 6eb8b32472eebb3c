"""What the routes of use cases share: the release that answers, the body, the answer.

Belongs here: these three. Does not belong here: routes.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from fastapi import Request, Response

from leeway.served.contract import MOST_INSTANCES, BadRequest
from leeway.served.inputs import Instance
from serving.keeper import Keeper
from serving.loading import Loaded
from serving.problems import Refusal

API = "/api/v1/{use_case}"
LARGEST_BODY = 1_000_000  # bytes
_encode = msgspec.json.Encoder().encode


def served(keeper: Keeper, use_case: str) -> Loaded:
    """The release of a use case that answers now.

    Raises:
        Refusal: 404 or 503, with the reason.
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


async def instances_of(
    request: Request, loaded: Loaded, most: int = MOST_INSTANCES
) -> Sequence[Instance]:
    """The instances in the body of a request.

    Raises:
        Refusal: 400, 413 or 422, with what is wrong.
    """
    try:
        return loaded.contract.instances(await _body(request), most)
    except BadRequest as error:
        raise Refusal(422 if error.readable else 400, error.problem) from error


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY:
            raise Refusal(413, f"the body has more than {LARGEST_BODY:,} bytes")
        parts.append(part)
    return b"".join(parts)


def json_answer(content: object, status: int = 200) -> Response:
    """Anything that msgspec knows, as JSON."""
    return Response(_encode(content), status, media_type="application/json")
