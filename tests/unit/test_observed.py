"""What every answer has and every failure leaves behind, on applications that fail on purpose."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import metrics
from serving.observed import Observed, ended
from serving.problems import Refusal, handle_problems

SECRET = "hunter2canary"


def failing() -> FastAPI:
    app = FastAPI()
    handle_problems(app)

    @app.get("/fails")
    async def fails() -> Response:
        raise RuntimeError(SECRET)

    @app.get("/half")
    async def half() -> Response:
        async def parts() -> Any:
            yield b"half"
            raise RuntimeError(SECRET)

        return StreamingResponse(parts())

    @app.post("/reads")
    async def reads(request: Request) -> Response:
        return Response(await request.body())

    return app


async def outside(scope: Scope, receive: Receive, send: Send) -> None:
    """A layer that fails before any route."""
    raise RuntimeError(SECRET)


def asked(app: ASGIApp, path: str, *received: Message, method: str = "GET") -> list[Message]:
    """What an application sends."""
    sent: list[Message] = []
    waiting = iter(received or [{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Message:
        return next(waiting)

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
    }
    scope |= {"query_string": b"", "root_path": "", "scheme": "http", "headers": [], "state": {}}
    asyncio.run(Observed(app)(scope, receive, send))
    return sent


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    found = [each.getMessage() for each in caplog.records]
    return [json.loads(text.removeprefix("refused ")) for text in found if "refused" in text]


@pytest.mark.parametrize(("app", "route"), [(failing(), "/fails"), (outside, "none")])
def test_a_fault_of_ours_is_told_without_what_it_was_and_logged_with_it(
    app: ASGIApp, route: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    head, body = asked(app, "/fails")
    headers = {name.decode(): value.decode() for name, value in head["headers"]}
    problem = json.loads(body["body"])
    assert (head["status"], problem["status"]) == (500, 500)
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-content-type-options"] == "nosniff"
    assert SECRET not in body["body"].decode()
    (line,) = lines(caplog)
    assert (line["status"], line["kind"], line["route"]) == (500, "failed", route)
    assert line["request"] == headers["x-request-id"]
    traces = [each for each in caplog.records if each.exc_info]
    assert len(traces) == 1, "once, not by each layer"
    assert headers["x-request-id"] in traces[0].getMessage()


def test_an_answer_that_breaks_off_is_no_second_answer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    sent = asked(failing(), "/half")
    assert [each["type"] for each in sent].count("http.response.start") == 1
    assert SECRET not in str(sent)
    assert [each for each in caplog.records if each.exc_info]


def test_a_client_that_goes_is_no_fault_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    part = {"type": "http.request", "body": b"{", "more_body": True}
    asked(failing(), "/reads", part, {"type": "http.disconnect"}, method="POST")
    (line,) = lines(caplog)
    assert (line["status"], line["kind"]) == (499, "client_gone")
    assert not [each for each in caplog.records if each.exc_info]


def test_an_answer_keeps_its_own_headers(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    handle_problems(app)

    @app.get("/page")
    async def page() -> Response:
        return Response(b"", headers={"content-security-policy": "script-src 'self'"})

    @app.get("/later")
    async def later() -> Response:
        raise Refusal(429, "later", "rate", {"Retry-After": "3"})

    head, _ = asked(app, "/page")
    policies = [value for name, value in head["headers"] if name == b"content-security-policy"]
    assert policies == [b"script-src 'self'"]
    head, _ = asked(app, "/later")
    assert (b"retry-after", b"3") in head["headers"]


def test_of_refusals_that_come_by_the_thousand_there_is_a_line_a_second(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    now = 1_000.0
    monkeypatch.setattr("serving.observed.time.monotonic", lambda: now)
    state = {"request_id": "1", "refused": "busy"}
    for _ in range(50):
        ended("POST", "/flood", dict(state), 429, 0.0)
        ended("POST", "/flood", dict(state) | {"refused": "rate"}, 429, 0.0)
        ended("POST", "/flood", dict(state) | {"refused": "invalid"}, 422, 0.0)
    assert [line["kind"] for line in lines(caplog)] == ["busy", "rate", *["invalid"] * 50]
    caplog.clear()
    now += 1.0
    ended("POST", "/flood", dict(state), 429, 0.0)
    (line,) = lines(caplog)
    assert (line["kind"], line["more"]) == ("busy", 49)
    name = "requests_refused_total"
    counted = metrics.REGISTRY.get_sample_value(name, {"route": "/flood", "kind": "busy"})
    assert counted == 51, "all of them"
