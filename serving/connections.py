"""Connections: how many there are, and how long a client may take.

Belongs here: what uvicorn leaves open, for HTTP/1.1 over httptools: a head that never ends, or is
as long as memory, a body that comes a byte a second, an answer that nobody reads. Does not belong
here: anything of a request that is whole (`serving.limits`, `serving.guard`).

A client has `FIRST_SECONDS` for a request, and one more for each `BYTES_A_SECOND` that came.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from serving.observed import NO_ROUTE, ended, new_identity
from serving.problems import MEDIA_TYPE, ProblemDetails, kind_of

MOST_CONNECTIONS = 1_500
LONGEST_HEAD = 65_536  # bytes of method, path and headers
FIRST_SECONDS = 10.0
BYTES_A_SECOND = 10_000
UNREAD_SECONDS = 20.0
LAST_SECONDS = 0.3  # for what is on its way when the service is asked to end


class Connection(HttpToolsProtocol):
    """One connection; uvicorn makes one for each client."""

    cycle: RequestResponseCycle | None  # type: ignore[assignment]  # none before the first request
    _due: asyncio.TimerHandle | None = None  # the request must be whole
    _unread: asyncio.TimerHandle | None = None  # the client must have read what waits
    _began = 0.0
    _came = 0
    _head = True  # what comes belongs to a head, or to nothing yet
    _partial = False  # a request has begun and is not whole
    _last = False  # the service ends: no request after this one

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Of too many, this one is told so and ends."""
        super().connection_made(transport)
        self._began = self.loop.time()
        if len(self.connections) > MOST_CONNECTIONS:
            self._refuse(503, "there are too many connections", "connections")
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets what was waited for."""
        self._whole()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Lets the request grow, and looks whether it is whole now."""
        self._came += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        answering = self.cycle is not None and not self.cycle.response_complete
        if self._partial or not (answering or self.timeout_keep_alive_task):
            if self._head and self._came > LONGEST_HEAD:
                self._refuse(431, f"the head has more than {LONGEST_HEAD:,} bytes")
            else:
                self._wait()
        else:
            self._whole()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._head = self._partial = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head = False
        super().on_headers_complete()
        if self._last and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """The request is whole; the next one begins at nothing."""
        self._partial, self._head, self._came = False, True, 0
        super().on_message_complete()

    def shutdown(self) -> None:
        """The service ends: what was taken is answered, and what comes in a last moment, too.

        uvicorn ends idle connections at once, with the request that a client is just sending.
        """
        self._last = True
        if self._idle():
            self.loop.call_later(LAST_SECONDS, self._end_idle)
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        """The client does not read."""
        super().pause_writing()
        self._unread = self._unread or self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def timeout_keep_alive_handler(self) -> None:
        """A client that is slow to read its last answer has no use for the next."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is told in the shape of all problems."""
        self._refuse(400, "this is no HTTP request", "not_http")

    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _end_idle(self) -> None:
        if self._idle():
            self.transport.close()

    def _wait(self) -> None:
        if self._due is None:
            self._began = self.loop.time()
            self._due = self.loop.call_later(FIRST_SECONDS, self._late)

    def _whole(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _late(self) -> None:
        """The time is over, unless more came since it was measured, or we did not read on."""
        self._due = None
        # Of a request that was answered before its body had come, the rest is thrown away.
        answered = not self._head and self.cycle is not None and self.cycle.response_complete
        earned = 0.0 if answered else self._came / BYTES_A_SECOND
        left = self._began + FIRST_SECONDS + earned - self.loop.time()
        if left > 0 or self.flow.read_paused:
            self._due = self.loop.call_later(max(left, 1.0), self._late)
        elif self._partial and not answered:
            self._refuse(408, f"the request was not whole after {FIRST_SECONDS:.0f} s and more")
        else:
            self.transport.abort()

    def _refuse(self, status: int, why: str, kind: str | None = None) -> None:
        """Answers in place of the app and ends the connection, whatever still comes."""
        identity = new_identity()
        state = {"request_id": identity, "refused": kind or kind_of(status)}
        ended("other", NO_ROUTE, state, status, self.loop.time() - self._began)
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(_answer(status, why, identity))
        self._whole()
        self.transport.close()


def _answer(status: int, why: str, identity: str) -> bytes:
    """A problem as it goes over the wire, after which nothing comes."""
    phrase = HTTPStatus(status).phrase
    body = msgspec.json.encode(ProblemDetails(phrase, status, why))
    head = [
        f"HTTP/1.1 {status} {phrase}",
        f"Content-Type: {MEDIA_TYPE}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        "X-Content-Type-Options: nosniff",
        f"X-Request-ID: {identity}",
        *(["Retry-After: 1"] if status == 503 else []),
    ]
    return "\r\n".join([*head, "", ""]).encode() + body
