"""The route that predicts, as a bare ASGI application: a framework's request takes longer than it.

Belongs here: from the bytes of a request to those of its answer. Does not belong here: predicting
(`serving.loading`), or other routes.
"""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from leeway.served.contract import BadRequest
from serving.keeper import Keeper
from serving.loading import Loaded
from serving.problems import Refusal

LARGEST_BODY = 1_000_000  # bytes
PATH = "/api/v1/{use_case}/predict"
# FastAPI documents its own routes alone.
OPERATION = {"post": {"summary": "Predict", "operationId": "predict"}}
_encode = msgspec.json.Encoder().encode


def add_routes(app: FastAPI, keeper: Keeper) -> None:
    """Adds the route to the service."""
    app.router.routes.append(Route(PATH, Predict(keeper), methods=["POST"]))


class Predict:
    """Answers requests for predictions by what the keeper holds."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; what it refuses is told by the handlers of the service."""
        loaded = served(self._keeper, scope["path_params"]["use_case"])
        content = answered(loaded, await whole_body(receive))
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def answered(loaded: Loaded, body: bytes) -> bytes:
    """The answer of a release to a body.

    Raises:
        Refusal: when the body is not what the release takes.
    """
    try:
        rows = loaded.contract.rows(body)
    except BadRequest as error:
        raise Refusal(422 if error.readable else 400, error.problem) from error
    return _encode(loaded.predict(rows))


def served(keeper: Keeper, use_case: str) -> Loaded:
    """The release that serves a use case.

    Raises:
        Refusal: when there is none, and why.
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


async def whole_body(receive: Receive) -> bytes:
    """The body of a request.

    Raises:
        Refusal: when it has more than `LARGEST_BODY` bytes, or the client went away.
    """
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message: dict[str, Any] = dict(await receive())
        if message["type"] == "http.disconnect":
            raise Refusal(400, "the client went away before its body had ended")
        part = message.get("body", b"")
        size += len(part)
        if size > LARGEST_BODY:
            raise Refusal(413, f"the body has more than {LARGEST_BODY:,} bytes")
        parts.append(part)
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)
