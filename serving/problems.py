"""What the service says when it does not answer: one shape, by RFC 9457.

Belongs here: that shape. Does not belong here: when it is said.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import Request, Response

from leeway.served.contract import Problem

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger("leeway.serving")


class Refusal(Exception):
    """An answer other than the one that was asked for."""

    def __init__(self, status: int, why: str | Problem) -> None:
        super().__init__(status)
        self.status, self.why = status, why


async def refuse(_: Request, refusal: Refusal) -> Response:
    """The answer of a `Refusal`."""
    return problem(refusal.status, refusal.why)


async def unexpected(request: Request, error: Exception) -> Response:
    """The answer where something failed that should not: the log has it, the answer does not."""
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(500, "the service failed; its log says at what")


def problem(status: int, why: str | Problem) -> Response:
    """The body and its status."""
    content: dict[str, Any] = {"title": HTTPStatus(status).phrase, "status": status}
    if isinstance(why, Problem):
        content |= {"detail": why.message, "where": why.where}
        content |= {"value": why.value, "allowed": why.allowed}
    else:
        content["detail"] = why
    return Response(msgspec.json.encode(content), status, media_type=MEDIA_TYPE)
