"""What is sent by mistake or on purpose: each gets a 4xx in the one shape, and the next is served.

Belongs here: requests that are whole. Does not belong here: those that never are
(test_slow_clients.py), or what a value may be (tests/unit/test_contract.py).
"""

from __future__ import annotations

import json
import select
import uuid
from contextlib import suppress
from typing import Any

import pytest

from tests.faults.harness import figure, until
from tests.project_copy import NAME
from tests.service.service import PREDICT, Client, received

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


def body_of(instances: str) -> bytes:
    return f'{{"instances": {instances}}}'.encode("utf-8", "surrogateescape")


NO_ANSWER: dict[str, tuple[int, bytes]] = {
    "nothing": (400, b""),
    "half an object": (400, b"{"),
    "two values": (422, b"{} {}"),
    "brackets 100,000 deep": (422, b"[" * 100_000),
    "objects 100,000 deep": (422, b'{"instances":' * 50_000),
    "an instance 100,000 deep": (
        422,
        body_of('[{"island": ' + "[" * 100_000 + "]" * 100_000 + "}]"),
    ),
    "NaN": (400, body_of('[{"body_mass_g": NaN}]')),
    "Infinity": (400, body_of('[{"body_mass_g": -Infinity}]')),
    "a number beyond a float": (422, body_of('[{"body_mass_g": 1e400}]')),
    "a number of 5,000 digits": (422, body_of('[{"body_mass_g": ' + "9" * 5_000 + "}]")),
    "bytes that are no UTF-8": (400, body_of('[{"island": "\udcff"}]')),
    "half a character": (400, body_of('[{"island": "\\ud800"}]')),
    "a field with half a character": (400, body_of('[{"\\ud800": 1}]')),
    "true for a number": (422, body_of('[{"body_mass_g": true}]')),
    "text for a number": (422, body_of('[{"body_mass_g": "3"}]')),
    "a field of another release": (422, body_of('[{"wings": 2}]')),
    "a category that is not allowed": (422, body_of('[{"island": "' + "x" * 9_000 + '"}]')),
    "a text of a megabyte": (422, body_of('[{"island": "' + "x" * 990_000 + '"}]')),
    "null": (422, b"null"),
    "a list": (422, b"[]"),
    "no instances": (422, b"{}"),
    "none of them": (422, body_of("[]")),
    "101 of them": (422, body_of("[" + ",".join(["{}"] * 101) + "]")),
    "an instance that is none": (422, body_of("[null]")),
    "10 MB": (413, b" " * 10_000_000),
}


@pytest.mark.parametrize("what", NO_ANSWER)
def test_a_wrong_body_is_told_what_is_wrong_with_it(client: Client, what: str) -> None:
    status, body = NO_ANSWER[what]
    answer = client.ask("POST", PREDICT, body, {"Content-Type": "application/json"})
    problem = json.loads(answer.data)
    assert answer.status == status, problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert len(answer.data) < 2_000, "a problem is short, whatever was sent"
    assert client.post(PREDICT, body_of("[{}]"))[0] == 200


def test_of_a_field_that_is_there_twice_the_last_one_counts_and_is_what_is_logged(
    client: Client,
) -> None:
    """As JavaScript and Python read it. RFC 8259 leaves it open; nobody reads the two apart."""

    def answer(body: bytes) -> tuple[dict[str, float], str]:
        status, found = client.post(PREDICT, body)
        assert status == 200, found
        (prediction,) = found["predictions"]
        return prediction["probabilities"], uuid.UUID(prediction["prediction_id"]).hex

    first = body_of('[{"island": "Biscoe", "body_mass_g": 3000}]')
    last = body_of('[{"island": "Dream", "body_mass_g": 6000}]')
    both = body_of('[{"island": "Biscoe", "body_mass_g": 3000, "island": "Dream", '
                   '"body_mass_g": 6000}]')  # fmt: skip
    shares, identity = answer(both)
    assert shares == answer(last)[0] != answer(first)[0]
    twice = b'{"instances": [{"island": "Biscoe"}, {}], ' + last[1:]
    assert answer(twice)[0] == shares
    logged: dict[str, dict[str, Any]] = {}

    def is_logged() -> bool:
        _, page = client.get(f"/api/v1/{NAME}/predictions/history")
        logged.update(
            (uuid.UUID(each["prediction_id"]).hex, each["inputs"]) for each in page["predictions"]
        )
        return identity in logged

    assert until(is_logged, 20) is not None
    assert (logged[identity]["island"], logged[identity]["body_mass_g"]) == ("Dream", 6000)


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("APPLICATION/JSON", 200),
        ("application/problem+json", 200),
        ("application/x-www-form-urlencoded", 415),
        ("text/plain", 415),
        ("multipart/form-data; boundary=x", 415),
        ("", 415),
    ],
)
def test_a_body_is_json_by_its_media_type_or_has_none(
    client: Client, media_type: str, status: int
) -> None:
    answer = client.ask("POST", PREDICT, body_of("[{}]"), {"Content-Type": media_type})
    assert answer.status == status, answer.data
    assert client.post(PREDICT, body_of("[{}]"))[0] == 200
    packed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert client.ask("POST", PREDICT, b"\x1f\x8b", packed).status == 415


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "//health", 404),
        ("GET", "/health/", 404),
        ("GET", f"{PREDICT}/", 404),
        ("GET", "/api/v1/%2e%2e/model", 404),
        ("GET", "/api/v1/nothing/model", 404),
        ("POST", "/api/v1/nothing/warmup", 404),
        ("GET", PREDICT, 405),
        ("DELETE", PREDICT, 405),
        ("TRACE", "/health", 405),
        ("OPTIONS", PREDICT, 405),
        ("POST", f"/api/v1/{NAME}/model", 405),
    ],
)
def test_what_is_not_there_is_told_in_the_same_shape(
    client: Client, method: str, path: str, status: int
) -> None:
    answer = client.ask(method, path)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.data)["status"] == status
    assert status != 405 or answer.headers["allow"]


def test_head_is_get_without_its_body(client: Client) -> None:
    whole, head = (client.ask(method, "/health") for method in ("GET", "HEAD"))
    assert (head.status, head.data) == (200, b"")
    assert head.headers["content-length"] == whole.headers["content-length"]
    assert client.ask("HEAD", "/nothing").status == 404


def test_every_answer_has_the_headers_that_protect_and_none_that_tells(client: Client) -> None:
    for method, path in (("GET", "/health"), ("GET", "/nothing"), ("POST", PREDICT)):
        headers = client.ask(method, path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


def test_the_id_of_a_request_is_in_its_answer_and_in_its_one_line_of_the_log(
    client: Client, example: dict[str, Any]
) -> None:
    given = {"X-Request-ID": "from-a-proxy.1", "Content-Type": "application/json"}
    secret = json.dumps({"instances": [example | {"island": "Atlantis the secret"}]}).encode()
    answer = client.ask("POST", f"{PREDICT}?who=ana", secret, given)
    assert answer.headers["x-request-id"] == "from-a-proxy.1"
    assert until(lambda: any("from-a-proxy.1" in each for each in client.lines), 10) is not None
    (line,) = [each for each in client.lines if "from-a-proxy.1" in each]
    told = json.loads(line.partition("refused ")[2])
    assert told.pop("seconds") > 0
    assert told == {
        "request": "from-a-proxy.1",
        "route": "/api/v1/{use_case}/predict",
        "method": "POST",
        "status": 422,
        "kind": "invalid",
        "key": None,
    }
    assert not any("secret" in line or "ana" in line for line in client.lines)
    bad = client.ask("GET", "/health", headers={"X-Request-ID": 'x" onload="'})
    assert len(bad.headers["x-request-id"]) == 16


HOSTS = {
    "localhost": 200,
    "LOCALHOST:8000": 200,
    "127.0.0.1": 200,
    "[::1]:8000": 200,
    "evil.org": 421,
    "localhost.evil.org": 421,
    "127.0.0.1.evil.org": 421,
    "evil.org:127.0.0.1": 421,
    "[::1": 421,
    "": 421,
    "localhost@evil.org": 421,
    "evil.org/?localhost": 421,
}


@pytest.mark.parametrize("host", HOSTS)
def test_without_keys_a_service_answers_to_the_names_of_this_machine_alone(
    client: Client, host: str
) -> None:
    """A page whose name leads to this machine (DNS rebinding) would have its own in Host."""
    for path in ("/", "/ready"):
        answer = client.ask("GET", path, headers={"Host": host})
        assert answer.status == HOSTS[host]
    assert (
        client.ask("POST", PREDICT, body_of("[{}]"), {"Origin": "https://evil.org"}).status == 403
    )


NO_HTTP = {
    "noise": b"\x00\x01\x02\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a path beyond ASCII": b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a length and chunks": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a length below nothing": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    "an odd address": b"GET http://[::1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("what", NO_HTTP)
def test_what_is_no_http_is_told_so_and_the_connection_ends(client: Client, what: str) -> None:
    with client.raw() as connection:
        connection.sendall(NO_HTTP[what])
        answer = received(connection)
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert b"application/problem+json" in answer
    assert client.alive()
    assert not any("Traceback" in line for line in client.lines)


def test_an_upgrade_to_another_protocol_is_not_followed(client: Client) -> None:
    with client.raw() as connection:
        connection.sendall(
            b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n"
        )
        assert received(connection).startswith((b"HTTP/1.1 200", b"HTTP/1.1 400"))
    assert client.alive()


def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(client: Client) -> None:
    with client.raw() as connection:
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_body_without_an_end_is_refused_and_takes_no_memory(client: Client) -> None:
    chunk = b"%x\r\n" % 1_000_000 + b" " * 1_000_000 + b"\r\n"
    sent = 0
    with client.peak() as grown, client.raw() as connection:
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode())
        answer = b""
        with suppress(OSError):  # it ends the connection whenever it likes
            while sent < 100_000_000:
                connection.sendall(chunk)
                sent += 1_000_000
                if not answer and select.select([connection], [], [], 0)[0]:
                    answer = connection.recv(100)  # it answers before all has come
        connection.settimeout(10)
        answer = answer or connection.recv(100)
        most = grown()
    figure(
        f"a body without an end: refused, {sent / 1e6:.0f} MB sent, memory {most / 1e6:+.1f} MB at "
        "most"
    )
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert most < 20_000_000


def test_a_head_as_long_as_memory_is_refused(client: Client) -> None:
    with client.peak() as grown, client.raw() as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
        sent = 0
        with suppress(OSError):  # refused, and ended
            while sent < 20_000_000:
                sent += connection.send(b"X-%d: " % sent + b"x" * 1_000 + b"\r\n")
        most = grown()
    figure(f"headers without an end: {sent / 1e6:.1f} MB sent, memory {most / 1e6:+.1f} MB at most")
    assert sent < 20_000_000
    assert most < 10_000_000
    with client.raw() as connection:
        connection.sendall(b"GET /" + b"x" * 66_000)
        assert received(connection).startswith(b"HTTP/1.1 431 ")
    assert client.alive()
