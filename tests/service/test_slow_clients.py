"""Clients that are slow, silent or many: each ends at its time, and others are served meanwhile.

Belongs here: what takes seconds by its nature. Does not belong here: what one request may hold
(test_bad_input.py).
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from statistics import median
from typing import NamedTuple

import psutil
import pytest

from serving.connections import (
    BYTES_A_SECOND,
    FIRST_SECONDS,
    MOST_CONNECTIONS,
    UNREAD_SECONDS,
)
from serving.limits import AT_ONCE, MOST_AT_ONCE
from tests.faults.harness import LONG, figure, until
from tests.service.service import PREDICT, Client, received

pytestmark = pytest.mark.timeout(300)
HEAD = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n".encode()
BODY = b'{"instances": [{}]}'
WHOLE = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


def trickle(parts: bytes, *, before: bytes = b"") -> Iterator[bytes]:
    yield before
    while True:
        for number in range(len(parts)):
            yield parts[number : number + 1]


SLOW: dict[str, tuple[Callable[[], Iterator[bytes]], bytes]] = {
    "silent": (lambda: iter([b""]), b""),
    "half a head": (lambda: iter([HEAD]), b"408"),
    "a head a byte a second": (lambda: trickle(b"a", before=HEAD + b"X: "), b"408"),
    "blank lines": (lambda: trickle(b"\r\n"), b""),
    "half a body": (lambda: iter([HEAD + b"\r\n", b"{"]), b"408"),
    "a body a byte a second": (lambda: trickle(b" ", before=HEAD + b"\r\n"), b"408"),
    "half a head after a whole request": (lambda: iter([WHOLE, HEAD]), b"408"),
    "blank lines after a whole request": (lambda: trickle(b"\r\n", before=WHOLE), b""),
}


def last_status(port: int, parts: Iterator[bytes]) -> tuple[float, bytes]:
    """Seconds until the service ended the connection, and the status of its last answer."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=0.5) as connection:
        answer = b""
        while time.monotonic() - started < 60:
            try:
                connection.sendall(next(parts, b""))
                part = connection.recv(65_536)
                if not part:
                    break
                answer += part
            except TimeoutError:
                continue
            except OSError:
                break
        seconds = time.monotonic() - started
    last = answer.rpartition(b"HTTP/1.1 ")[2][:3]
    return seconds, b"" if last == b"200" else last


def large_body(client: Client) -> tuple[float, bytes]:
    """Seconds that one took which comes at twice the slowest rate, and how it was answered."""
    with client.raw() as connection:
        size = int(BYTES_A_SECOND * 24)
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n"
        connection.sendall(head.encode())
        started = time.monotonic()
        for _ in range(24):
            connection.sendall(b" " * (size // 24))
            time.sleep(0.5)
        return time.monotonic() - started, connection.recv(100)


def unread(client: Client) -> float | None:
    """Seconds until a client was ended that does not read its answers."""
    asked = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with client.raw() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(asked * 20)
        ours = connection.getsockname()[1]

        def held() -> bool:
            found = psutil.Process(client.process.pid).net_connections()
            return any(each.raddr[1:] == (ours,) for each in found)

        assert until(held, 10) is not None
        return until(lambda: not held(), 60)


class Waited(NamedTuple):
    """What takes its time, under way together."""

    slow: dict[str, Future[tuple[float, bytes]]]
    large: Future[tuple[float, bytes]]
    unread: Future[float | None]


@pytest.fixture(scope="module")
def waited(client: Client) -> Iterator[Waited]:
    """All that is to wait, at once: the tests look at what came of it."""
    with ThreadPoolExecutor(len(SLOW) + 2) as pool:
        slow = {name: pool.submit(last_status, client.port, SLOW[name][0]()) for name in SLOW}
        yield Waited(slow, pool.submit(large_body, client), pool.submit(unread, client))


@pytest.mark.faults
@pytest.mark.parametrize("name", SLOW)
def test_a_slow_client_is_ended_at_its_time_whatever_it_is_slow_with(
    waited: Waited, name: str
) -> None:
    seconds, status = waited.slow[name].result()
    assert status == SLOW[name][1]
    assert FIRST_SECONDS - 1 <= seconds <= FIRST_SECONDS + (4 if LONG else 20)


@pytest.mark.faults
def test_a_large_body_may_take_longer_than_a_small_one(waited: Waited) -> None:
    seconds, answer = waited.large.result()
    assert seconds > FIRST_SECONDS
    assert answer.startswith(b"HTTP/1.1 400 "), "blanks are no JSON"


@pytest.mark.faults
def test_a_client_that_does_not_read_its_answers_is_ended(waited: Waited) -> None:
    seconds = waited.unread.result()
    assert seconds is not None
    assert seconds > UNREAD_SECONDS - 2


@pytest.mark.faults
def test_a_thousand_slow_clients_leave_the_others_served(client: Client) -> None:
    found = {0: client.latencies(BODY, 400)}
    before = client.memory()
    with ExitStack() as stack:
        slow: list[socket.socket] = []
        for clients in (200, 1_000):
            while len(slow) < clients:
                slow.append(stack.enter_context(client.raw()))
                slow[-1].sendall(HEAD if len(slow) % 2 else HEAD + b"\r\n" + b" " * 900)
            found[clients] = client.latencies(BODY, 400)
        grown = client.memory() - before
    told = "; ".join(
        f"beside {clients:,} {median(each) * 1e3:.1f} ms (p99 {each[395] * 1e3:.1f})"
        for clients, each in found.items()
    )
    figure(f"predict beside so many half requests: {told}; memory grows by {grown / 1e6:.0f} MB")
    assert grown < 64_000_000
    for clients in (200, 1_000):
        assert median(found[clients]) < 5 * median(found[0])
        assert not LONG or found[clients][395] < 10 * found[0][395]


@pytest.mark.faults
def test_more_connections_than_there_may_be_are_told_to_come_again(client: Client) -> None:
    began = time.monotonic()
    with ExitStack() as stack:
        held = [stack.enter_context(client.raw()) for _ in range(MOST_CONNECTIONS - 10)]
        for connection in held:
            connection.sendall(HEAD)
        more = [stack.enter_context(client.raw()) for _ in range(20)]
        time.sleep(1)
        poll = select.poll()
        by_number = {each.fileno(): each for each in more}
        for number in by_number:
            poll.register(number, select.POLLIN)
        answers = [received(by_number[number], 5) for number, _ in poll.poll(0)]
        took = time.monotonic() - began
    if took > FIRST_SECONDS - 1 and not LONG:
        pytest.skip("the first ones had gone before the last one came: the machine has other work")
    assert 5 <= len(answers) <= 15
    for answer in answers:
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1" in answer
    assert until(lambda: client.ask("POST", PREDICT, BODY).status == 200, 5) is not None


@pytest.mark.faults
def test_of_more_requests_than_wait_at_once_the_rest_is_refused_at_once(client: Client) -> None:
    """They are all there when the service goes on, which stands still meanwhile."""
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(BODY)}\r\n\r\n"
    before = client.metrics()
    service = psutil.Process(client.process.pid)
    with ExitStack() as stack:
        many = [stack.enter_context(client.raw()) for _ in range(MOST_AT_ONCE + 200)]
        assert until(lambda: len(service.net_connections()) > len(many), 20) is not None
        service.suspend()
        try:
            for connection in many:
                connection.sendall(head.encode() + BODY)
        finally:
            service.resume()
        answers = [connection.recv(4096) for connection in many]
    statuses = [answer[9:12] for answer in answers]
    assert set(statuses) == {b"200", b"429"}
    assert AT_ONCE <= statuses.count(b"200") <= MOST_AT_ONCE
    refused = next(answer for answer in answers if answer[9:12] == b"429")
    assert b"retry-after: 1\r\n" in refused
    busy = 'requests_refused_total{kind="busy",route="/api/v1/{use_case}/predict"}'
    assert client.metrics()[busy] - before.get(busy, 0) == statuses.count(b"429")
    assert client.ask("POST", PREDICT, BODY).status == 200, "turns come back"
