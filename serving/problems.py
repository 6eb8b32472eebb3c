"""What the service says when it does not answer: one shape, by RFC 9457.

Belongs here: that shape, and the names of what is refused. Does not belong here: when it is said.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from msgspec import Meta, Struct
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from leeway.served.contract import Problem

MEDIA_TYPE = "application/problem+json"
GONE = 499  # nginx's number for a client that did not wait; nobody reads this answer
_LONGEST_VALUE = 200  # characters of a text that is told back
_KINDS = {
    400: "not_readable",
    401: "no_key",
    403: "not_allowed",
    404: "unknown_path",
    405: "unknown_method",
    408: "slow_client",
    413: "body_too_large",
    415: "media_type",
    421: "unknown_host",
    422: "invalid",
    429: "too_many",
    431: "head_too_large",
    GONE: "client_gone",
    503: "not_served",
}
log = logging.getLogger("leeway.serving")


class ProblemDetails(Struct, frozen=True, omit_defaults=True):
    """Why there is no answer; `where`, `value` and `allowed` tell what is wrong in a body."""

    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str
    where: str | None = None
    value: str | int | float | bool | None = None
    allowed: str | None = None


class Refusal(Exception):
    """An answer other than the one that was asked for; `kind` names it in the metrics."""

    def __init__(
        self,
        status: int,
        why: str | Problem,
        kind: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status)
        self.status, self.why, self.headers = status, why, headers
        self.kind = kind or kind_of(status)

    def response(self, state: dict[str, Any]) -> Response:
        """The answer; the `state` of the request keeps what was refused."""
        state["refused"] = self.kind
        return problem(self.status, self.why, self.headers)


def kind_of(status: int) -> str:
    """What an answer of that status says, in one word of a known few."""
    return _KINDS.get(status, "failed" if status >= 500 else "refused")


def problem(status: int, why: str | Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The body and its status."""
    title = "Client Closed Request" if status == GONE else HTTPStatus(status).phrase
    if isinstance(why, Problem):
        value = _short(why.value)
        content = ProblemDetails(title, status, why.message, why.where, value, why.allowed)
    else:
        content = ProblemDetails(title, status, why)
    return Response(
        msgspec.json.encode(content), status, dict(headers or {}), media_type=MEDIA_TYPE
    )


def handle_problems(app: FastAPI) -> None:
    """Gives whatever goes wrong within the app this shape."""
    app.add_exception_handler(Refusal, _refuse)  # type: ignore[arg-type]  # wants any exception
    app.add_exception_handler(HTTPException, _of_the_router)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _of_parameters)  # type: ignore[arg-type]
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, unexpected)


async def _refuse(request: Request, refusal: Refusal) -> Response:
    return refusal.response(request.scope["state"])


async def _of_parameters(request: Request, error: RequestValidationError) -> Response:
    """The first parameter of a query that is not what it may be."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return Refusal(422, Problem(where, first["msg"], first["input"])).response(
        request.scope["state"]
    )


async def _of_the_router(request: Request, error: HTTPException) -> Response:
    known = {404: "there is no such path; /docs lists those that there are"}
    allowed = (error.headers or {}).get("Allow", "")
    known[405] = f"{request.method} is not among what this path takes: {allowed}"
    return problem(error.status_code, known.get(error.status_code, error.detail), error.headers)


async def _gone(_: Request, __: Exception) -> Response:
    return gone()


def gone() -> Response:
    """What nobody reads, but for the metrics."""
    return problem(GONE, "the client went before its request was whole")


async def unexpected(request: Request, error: Exception) -> Response:
    """As `failed`, of a request within the app."""
    return failed(request.scope["state"], error)


def failed(state: dict[str, Any], error: Exception) -> Response:
    """The answer where something failed that should not: the log has it, the answer does not."""
    log.error("request %s failed", state["request_id"], exc_info=error)
    return problem(500, f"the service failed; its log says at what, under {state['request_id']}")


def _short(value: Any) -> Any:
    """A text as it can be told back: not too long, and without half characters."""
    if not isinstance(value, str):
        return value
    shown = value.encode("utf-8", "replace").decode()
    return shown if len(shown) <= _LONGEST_VALUE else f"{shown[:_LONGEST_VALUE]}…"
