"""What is known of every request: its id, how it ended, how long it took.

Belongs here: the outermost layer, which counts and logs requests and gives each answer the headers
that all have. Does not belong here: which metrics there are (`serving.metrics`), or any decision.

The log has a line for each request that failed, and nothing of the person who sent it: no address,
no path, no value. Of those that there may be thousands of a second, since there is too much to do
or nothing to serve, it has one a second: a line takes as long as the rest of such a refusal.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import metrics
from serving.problems import GONE, failed, kind_of

UNCOUNTED = frozenset({"/health", "/ready", "/metrics"})
NO_ROUTE = "none"  # the template of what no route takes
_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"})
_GIVEN = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}
_BY_THE_SECOND = frozenset({429, 503})
log = logging.getLogger("leeway.serving")


@dataclass
class _Told:
    """When there was a line of a kind, and how many there would have been since."""

    at: float
    more: int = 0


_told: dict[tuple[str, str], _Told] = {}  # by template and kind, of which there are few


class Observed:
    """Everything that is asked passes through here, and everything that is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        state = scope.setdefault("state", {})
        state["request_id"] = identity = _identity(scope)
        asked = scope if scope["method"] != "HEAD" else {**scope, "method": "GET"}
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _complete(message.get("headers", []), identity)
            await send(message)

        try:
            await self._app(asked, receive, answer)
        except Exception as error:
            if not status:  # else the app has answered and logged, and raises it for its server
                await failed(state, error)(scope, receive, answer)
        finally:
            template = getattr(asked.get("route"), "path_format", NO_ROUTE)
            if template not in UNCOUNTED:
                seconds = time.perf_counter() - started
                ended(scope["method"], template, state, status or GONE, seconds)


def _identity(scope: Scope) -> str:
    """The id that the client or a proxy gave the request, or a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _GIVEN.fullmatch(value):
            return str(value, "ascii")
    return new_identity()


def new_identity() -> str:
    """The id of a request that came without one."""
    return secrets.token_hex(8)


def _complete(headers: Any, identity: str) -> list[tuple[bytes, bytes]]:
    """The headers of an answer with those that all have; its own go before them."""
    own = list(headers)
    names = {name for name, _ in own}
    own.extend(each for each in _HEADERS.items() if each[0] not in names)
    own.append((b"x-request-id", identity.encode()))
    return own


def ended(method: str, template: str, state: dict[str, Any], status: int, seconds: float) -> None:
    """Counts a request, and logs it where it failed.

    Args:
        method: of HTTP.
        template: of its route.
        state: of the request: its id, its key, and the kind of its refusal where there is one.
        status: of its answer.
        seconds: that it took.
    """
    refused = None if status < 400 else state.get("refused") or kind_of(status)
    method = method if method in _METHODS else "other"
    metrics.answered(method, template, status, refused, seconds)
    if refused is not None and (more := _untold(template, refused, status)) is not None:
        line = {
            "request": state["request_id"],
            "route": template,
            "method": method,
            "status": status,
            "kind": refused,
            "key": getattr(state.get("access"), "id", None),
            "seconds": round(seconds, 6),
            **({"more": more} if more else {}),
        }
        level = logging.ERROR if status >= 500 else logging.INFO
        log.log(level, "refused %s", msgspec.json.encode(line).decode())


def _untold(template: str, kind: str, status: int) -> int | None:
    """How many others like it have no line since the last one; None where it has none either."""
    if status not in _BY_THE_SECOND:
        return 0
    now = time.monotonic()
    last = _told.get((template, kind))
    if last is not None and now < last.at + 1:
        last.more += 1
        return None
    _told[template, kind] = _Told(now)
    return 0 if last is None else last.more
