"""Reading over HTTP: one GET, its redirects, and as many attempts as are worth it.

Belongs here: connections, time-outs, retries, the largest answer, the pace of requests. Does not
belong here: which addresses are allowed (`resources.addresses`) or what an answer means.
"""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin

from resources.addresses import Target, UnknownHost, place_of, target_of
from resources.files import SourceError, Unavailable, largest_bytes, too_large
from resources.settings import get_settings

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

Read = TypeVar("Read")
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_MOVED = frozenset({301, 302, 303, 307, 308})
_REDIRECTS = 5
_CONNECT = 10.0  # seconds for a connection to one of several addresses
_SECRET = frozenset({"authorization", "cookie"})


class Passing(Exception):
    """A failure that may have passed at the next attempt, which comes after `wait` seconds."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for; times in seconds.

    `silence` is the longest without a byte, `answer` the longest for all of one answer. Between
    attempts a random time passes, the longest of which doubles from `first_delay` to
    `longest_delay`: "full jitter" of Brooker, Exponential Backoff And Jitter, AWS 2015. A server
    that asks for more than `longest_delay` is not waited for.
    """

    attempts: int = 5
    first_delay: float = 0.5
    longest_delay: float = 60.0
    silence: float = 30.0
    answer: float = 600.0
    requests_per_second: float | None = None


@dataclass(frozen=True)
class Answer:
    """What a server said: 200 with a body, or 304."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Web:
    """Asks servers, with the limits of the settings."""

    def __init__(self, patience: Patience = Patience()) -> None:
        self.patience = patience
        self.settings = get_settings()
        self._asked = -float("inf")

    def get(
        self,
        url: str,
        read: Callable[[Answer], Read],
        headers: Mapping[str, str] | None = None,
        place: str = "",
    ) -> Read:
        """What `read` makes of the answer; a `Passing` that it raises is an attempt that failed.

        Args:
            url: what is asked for.
            read: judges the answer.
            headers: of the request; a secret one goes to no other host.
            place: begins each message; empty: the URL, without what may be secret.

        Raises:
            Unavailable: when the server is not reached or refuses, or no attempt came to an end.
            SourceError: when the address is not allowed, or the answer is too large.
        """
        place = place or place_of(url)
        for attempt in range(1, self.patience.attempts + 1):
            try:
                return read(self._once(url, dict(headers or {}), place))
            except (Passing, UnknownHost) as error:
                said = str(error).removeprefix(f"{place_of(url)}: ")
                if attempt == self.patience.attempts:
                    raise Unavailable(
                        f"{place}: {said} (the last of {attempt} attempts). Run the command again "
                        "when the server is well"
                    ) from None  # the cause may quote the request
                time.sleep(self._delay(attempt, getattr(error, "wait", None), place, said))
        raise AssertionError("there is at least one attempt")

    def _delay(self, attempt: int, asked: float | None, place: str, said: str) -> float:
        longest = self.patience.longest_delay
        if asked is None:
            most = min(longest, self.patience.first_delay * 2 ** (attempt - 1))
            return random.uniform(0, most)  # noqa: S311  # spreads requests, guards nothing
        if asked > longest:
            raise Unavailable(
                f"{place}: {said}; the server asks to wait {asked:.0f} s, and {longest:.0f} s is "
                "the longest. Run the command again then"
            )
        return asked

    def _once(self, url: str, headers: dict[str, str], place: str) -> Answer:
        """One attempt, redirects and all; each address is judged anew."""
        target = target_of(url, self.settings)
        for _ in range(_REDIRECTS + 1):
            self._pace()
            answer = self._ask(target, headers, place)
            if answer.status not in _MOVED:
                return answer
            url = urljoin(url, answer.headers.get("location", ""))
            before, target = target, target_of(url, self.settings)
            if target.origin != before.origin:
                headers = {k: v for k, v in headers.items() if k.lower() not in _SECRET}
        raise SourceError(f"{place}: more than {_REDIRECTS} redirects, one to the next")

    def _pace(self) -> None:
        if self.patience.requests_per_second is not None:
            next_one = self._asked + 1 / self.patience.requests_per_second
            time.sleep(max(0.0, next_one - time.monotonic()))
        self._asked = time.monotonic()

    def _ask(self, target: Target, headers: Mapping[str, str], place: str) -> Answer:
        from urllib3 import exceptions

        started = time.monotonic()
        try:
            with _opened(target, headers, self.patience.silence) as response:
                found = {name.lower(): value for name, value in response.headers.items()}
                _check_status(response.status, found, place)
                if response.status != 200:
                    return Answer(response.status, found, b"")
                until = started + self.patience.answer
                return Answer(200, found, _body(response, found, until, place))
        except exceptions.NewConnectionError as error:
            raise Passing(f"no connection: {error.__cause__ or 'refused'}") from None
        except exceptions.TimeoutError:
            raise Passing(f"no answer for {self.patience.silence:g} s") from None
        except exceptions.SSLError as error:
            raise Unavailable(
                f"{place}: no safe connection: {error}. A certificate authority of your own is "
                "made known by SSL_CERT_FILE"
            ) from None
        except (exceptions.HTTPError, OSError) as error:
            raise Passing(f"the connection broke off ({type(error).__name__})") from None


def _opened(target: Target, headers: Mapping[str, str], silence: float) -> BaseHTTPResponse:
    """The beginning of an answer, of the first address that takes a connection.

    The name server is not asked again: it might name another address now.
    """
    from urllib3 import Timeout, exceptions

    sent = {"User-Agent": "leeway", "Accept-Encoding": "identity", "Host": target.header}
    failure: Exception | None = None
    for address in target.addresses:
        try:
            return _pool(target, address).urlopen(
                "GET",
                target.path,
                headers={**sent, **headers},
                timeout=Timeout(connect=min(_CONNECT, silence), read=silence),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except (exceptions.NewConnectionError, exceptions.ConnectTimeoutError) as error:
            failure = error
    raise failure or OSError("the host has no address")


def _pool(target: Target, address: str) -> HTTPConnectionPool:
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

    if target.scheme == "http":
        return HTTPConnectionPool(address, target.port)
    return HTTPSConnectionPool(
        address,
        target.port,
        ssl_context=ssl.create_default_context(),
        server_hostname=target.host,
        assert_hostname=target.host,
    )


def _check_status(status: int, headers: Mapping[str, str], place: str) -> None:
    if status in _PASSING:
        raise Passing(f"the server answered {status}", _retry_after(headers))
    if status not in {200, 304, *_MOVED}:
        hint = "; check source.token_env" if status in (401, 403) else ""
        raise Unavailable(f"{place}: the server answered {status}{hint}")
    if headers.get("content-encoding", "identity") != "identity":
        raise SourceError(f"{place}: the server packed its answer, which it was asked not to")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait: a number of them, or a date (RFC 9110, 10.2.3)."""
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _body(
    response: BaseHTTPResponse, headers: Mapping[str, str], until: float, place: str
) -> bytes:
    """All of the answer, which is refused as soon as it is too large or too slow."""
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > largest_bytes():
        raise too_large(place, int(declared))
    data = bytearray()
    while part := response.read1(2**16):
        data += part
        if len(data) > largest_bytes():
            raise too_large(place)
        if time.monotonic() > until:
            raise Passing(f"the answer had not ended after its {len(data)} bytes")
    return bytes(data)
