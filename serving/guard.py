"""Who may ask: the first thing that is decided of a request, before any route.

Belongs here: Host, Origin, key and rate. Does not belong here: what a key is (`resources.keys`), or
what a route does. Every path that is not in `OPEN` needs a key, also one that a later route adds.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from resources.keys import Key, Ring
from resources.keys import Scope as KeyScope
from serving.limits import Rate
from serving.problems import Refusal

# /docs and its files are the same for everybody: what is served is in /openapi.json.
DOCS = ("/docs", "/docs/page.js", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css")
OPEN = frozenset({"/health", "/ready", *DOCS})
THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
SAFE = ("GET", "HEAD", "OPTIONS")
ADMIN = {"security": [{"key": ["admin"]}]}  # of an operation in the documentation


@dataclass(frozen=True)
class Access:
    """Who may ask a service; None for what is not asked for.

    Attributes:
        ring: its keys.
        hosts: the names under which it is asked, without ports.
        origins: of web pages whose scripts may ask, beside its own.
        rate: of each key, or of each address where there are no keys.
    """

    ring: Ring | None = None
    hosts: frozenset[str] | None = frozenset(THIS_MACHINE)
    origins: tuple[str, ...] = ()
    rate: Rate | None = None
    strangers: Rate = field(default_factory=lambda: Rate(20))  # who show no key that is one


class Guard:
    """Lets through what may pass, with its key in the state of the request."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] == "http":
            try:
                self._judge(scope)
            except Refusal as refusal:
                await refusal.response(scope["state"])(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _judge(self, scope: Scope) -> None:
        sent = dict(scope["headers"])
        host = sent.get(b"host", b"").decode("latin-1").lower()
        if self._access.ring is None or scope["path"] not in OPEN:  # probes ask by address
            _check_host(host, self._access.hosts)
        if scope["method"] not in SAFE and b"origin" in sent:
            origin = sent[b"origin"].decode("latin-1").lower()
            _check_origin(origin, host, self._access.origins)
        now = time.monotonic()
        client = scope["client"][0] if scope["client"] else "unknown"
        key = self._key(sent.get(b"authorization"), now)
        scope["state"]["access"] = "open" if self._access.ring is None else key
        if self._access.ring is not None and key is None and scope["path"] not in OPEN:
            self._access.strangers.take(client, now)
            raise _no_key(b"authorization" in sent)
        if self._access.rate is not None and scope["path"] not in OPEN:
            self._access.rate.take(client if key is None else key.id, now)

    def _key(self, shown: bytes | None, now: float) -> Key | None:
        scheme, _, text = (shown or b"").decode("latin-1").partition(" ")
        if self._access.ring is None or scheme.lower() != "bearer":
            return None
        return self._access.ring.find(text.strip(), now)


def identified(request: Request) -> bool:
    """Whether the request showed a key, or there are none to show."""
    return request.scope["state"]["access"] is not None


def may(request: Request, scope: KeyScope) -> bool:
    """Whether who asks has the scope."""
    access: Key | Literal["open"] = request.scope["state"]["access"]
    return access == "open" or access.may(scope)


def need(request: Request, scope: KeyScope) -> None:
    """Lets go on who has the scope.

    Raises:
        Refusal: 403 for all others.
    """
    if not may(request, scope):
        challenge = f'Bearer realm="leeway", error="insufficient_scope", scope="{scope}"'
        raise Refusal(
            403,
            f"this needs a key with the scope {scope}; `leeway keys new --scope {scope}` makes one",
            "wrong_scope",
            {"WWW-Authenticate": challenge},
        )


def caller(request: Request) -> str:
    """Who asks, for what is written down: the key, whose name others may have; or without one."""
    access: Key | Literal["open"] = request.scope["state"]["access"]
    if access == "open":
        return "the service, without a key"
    return f"key {access.name} ({access.id})" if access.name else f"key {access.id}"


def _no_key(shown: bool) -> Refusal:
    told: dict[bool, Any] = {
        True: ("the key is not valid, or was revoked", ', error="invalid_token"'),
        False: ("a key is needed: Authorization: Bearer KEY; `leeway keys new` makes one", ""),
    }
    why, more = told[shown]
    return Refusal(401, why, headers={"WWW-Authenticate": f'Bearer realm="leeway"{more}'})


def _check_host(host: str, hosts: frozenset[str] | None) -> None:
    """Against pages that have their own name point to this machine (DNS rebinding)."""
    if hosts is None:
        return
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        name = None
    if name not in hosts:
        raise Refusal(
            421,
            f"the service is not called {host[:100]!r}; LEEWAY_SERVE_HOSTS lists its names",
        )


def _check_origin(origin: str, host: str, origins: tuple[str, ...]) -> None:
    """Against pages that have a browser send what nobody asked it to (CSRF).

    A proxy may have taken the encryption away: that the scheme is another one says nothing.
    """
    if origin.partition("://")[2] != host and origin not in origins:
        raise Refusal(
            403,
            "a page of another origin may not ask this; LEEWAY_SERVE_ORIGINS lists those that may",
            "origin",
        )
