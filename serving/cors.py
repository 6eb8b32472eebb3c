"""Scripts of web pages of other origins, where LEEWAY_SERVE_ORIGINS lists them.

Belongs here: what a browser is told of them. Does not belong here: refusing what it was not told
(`serving.guard`).
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from serving.problems import problem


class Cors(CORSMiddleware):
    """Starlette's, without cookies, and with problems in the shape of all problems."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
            allow_credentials=False,
            expose_headers=["X-Request-ID", "Retry-After"],
            max_age=3600,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """What the page may ask; 400 where it may not."""
        found = super().preflight_response(request_headers)
        if found.status_code == 200:
            return found
        told = {name: value for name, value in found.headers.items() if name == "vary"}
        return problem(400, bytes(found.body).decode(), told)
