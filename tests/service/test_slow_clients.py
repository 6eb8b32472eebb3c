"""Clients that are slow, silent or many: each ends at its time, and others are served meanwhile.

Belongs here: what takes seconds by its nature. Does not belong here: what one request may hold
(test_bad_input.py).
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from statistics import median

import psutil
import pytest

from serving.connections import (
    BYTES_A_SECOND,
    FIRST_SECONDS,
    MOST_CONNECTIONS,
    UNREAD_SECONDS,
)
from serving.limits import MOST_AT_ONCE
from tests.faults.harness import figure, until
from tests.service.service import PREDICT, Client, received

pytestmark = pytest.mark.timeout(300)
HEAD = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n".encode()
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


def test_a_slow_client_is_ended_at_its_time_whatever_it_is_slow_with(client: Client) -> None:
    found: dict[str, tuple[float, bytes]] = {}

    def run(name: str) -> None:
        found[name] = last_status(client.port, SLOW[name][0]())

    threads = [threading.Thread(target=run, args=(name,)) for name in SLOW]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: status for name, (_, status) in found.items()} == {
        name: status for name, (_, status) in SLOW.items()
    }
    for name, (seconds, _) in found.items():
        assert FIRST_SECONDS - 1 <= seconds <= FIRST_SECONDS + 4, name


def test_a_large_body_may_take_longer_than_a_small_one(client: Client) -> None:
    """One that comes at twice the slowest rate is taken whole."""
    with client.raw() as connection:
        size = int(BYTES_A_SECOND * 24)
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n"
        connection.sendall(head.encode())
        started = time.monotonic()
        for _ in range(24):
            connection.sendall(b" " * (size // 24))
            time.sleep(0.5)
        assert time.monotonic() - started > FIRST_SECONDS
        assert connection.recv(100).startswith(b"HTTP/1.1 400 "), "blanks are no JSON"


def test_a_client_that_does_not_read_its_answers_is_ended(client: Client) -> None:
    asked = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with client.raw() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(asked * 20)
        ours = connection.getsockname()[1]

        def held() -> bool:
            found = psutil.Process(client.process.pid).net_connections()
            return any(each.raddr[1:] == (ours,) for each in found)

        assert until(held, 10) is not None
        seconds = until(lambda: not held(), 60)
        assert seconds is not None
        assert seconds > UNREAD_SECONDS - 2


def test_a_thousand_connections_leave_the_others_served(client: Client) -> None:
    process = psutil.Process(client.process.pid)
    body = b'{"instances": [{}]}'

    def latencies() -> list[float]:
        found = []
        for _ in range(100):
            started = time.perf_counter()
            assert client.ask("POST", PREDICT, body).status == 200
            found.append(time.perf_counter() - started)
        return sorted(found)

    alone, before = latencies(), process.memory_info().rss
    with ExitStack() as stack:
        slow = [stack.enter_context(client.raw()) for _ in range(1_000)]
        for number, connection in enumerate(slow):
            connection.sendall(HEAD if number % 2 else HEAD + b"\r\n" + b" " * 900)
        beside, grown = latencies(), process.memory_info().rss - before
    figure(
        f"1,000 half requests open: predict takes {median(beside) * 1000:.1f} ms (p99 "
        f"{beside[98] * 1000:.1f}), alone {median(alone) * 1000:.1f} (p99 "
        f"{alone[98] * 1000:.1f}); memory grows by {grown / 1e6:.0f} MB"
    )
    assert grown < 64_000_000
    assert median(beside) < 5 * median(alone)


def test_more_connections_than_there_may_be_are_told_to_come_again(client: Client) -> None:
    with ExitStack() as stack:
        held = [stack.enter_context(client.raw()) for _ in range(MOST_CONNECTIONS - 10)]
        for connection in held:
            connection.sendall(HEAD)
        more = [stack.enter_context(client.raw()) for _ in range(20)]
        answers = [received(connection, FIRST_SECONDS + 5) for connection in more]
    refused = [answer for answer in answers if answer.startswith(b"HTTP/1.1 503 ")]
    assert 5 <= len(refused) <= 15
    assert b"Retry-After: 1" in refused[0]
    assert client.ask("POST", PREDICT, b'{"instances": [{}]}').status == 200


def test_of_more_requests_than_wait_at_once_the_rest_is_refused_at_once(client: Client) -> None:
    body = b'{"instances": [{}]}'
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    before = client.metrics()
    with ExitStack() as stack:
        many = [stack.enter_context(client.raw()) for _ in range(4 * MOST_AT_ONCE)]
        for connection in many:
            connection.sendall(head.encode() + body)
        answers = [connection.recv(4096) for connection in many]
    statuses = [answer[9:12] for answer in answers]
    assert set(statuses) == {b"200", b"429"}
    assert statuses.count(b"200") >= MOST_AT_ONCE
    refused = next(answer for answer in answers if answer[9:12] == b"429")
    assert b"retry-after: 1\r\n" in refused
    busy = 'requests_refused_total{kind="busy",route="/api/v1/{use_case}/predict"}'
    assert client.metrics()[busy] - before.get(busy, 0) == statuses.count(b"429")
    assert client.ask("POST", PREDICT, body).status == 200, "turns come back"
