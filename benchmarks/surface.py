"""What a request costs beside its model: keys, limits, validation, metrics, beside a FastAPI echo.

Belongs here: the stages, each timed as calls of its ASGI application in one process, in turn. Does
not belong here: sockets, models, or the load of several clients.

    .venv/bin/python -m benchmarks.surface
    .venv/bin/python -m benchmarks.surface workers
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import uvloop
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from starlette.types import ASGIApp, Message

from benchmarks.timing import say
from leeway.explainers.conformal import Calibration
from leeway.served.contract import Contract, Estimated, Estimates
from leeway.served.inputs import Input
from resources.keys import Keys, Ring

ROUNDS, CALLS = 40, 250
ROUTE = "/api/v1/{use_case}/predict"
ECHO, ALONE = "FastAPI with pydantic, echo", "our route, without what follows"


class House(BaseModel):
    """An instance as wide as the housing use case."""

    longitude: float = -122.23
    latitude: float = 37.88
    housing_median_age: float = 41
    total_rooms: float = 880
    total_bedrooms: float = 129
    population: float = 322
    households: float = 126
    median_income: float = 8.3252
    ocean_proximity: str = "NEAR BAY"


class Houses(BaseModel):
    """A request."""

    instances: list[House]


INSTANCE = House().model_dump()
BODY = json.dumps({"instances": [INSTANCE]}).encode()


def stages(home: Path) -> tuple[dict[str, ASGIApp], str]:
    """The applications, each with all that those before it have, and a key for the last."""
    # Where several workers add up is read from the environment when these are imported.
    from serving import metrics
    from serving.answer import as_json
    from serving.bodies import read_json
    from serving.guard import Access, Guard
    from serving.limits import Rate, Turns
    from serving.loading import Loaded, Pointer
    from serving.observed import Observed
    from serving.paths import PipelinePath

    manifest = {"columns": [{"role": "target", "name": "price", "unit": "USD"}], "classes": None}
    no_bounds = Calibration("regression", 0.9, 0, None)
    contract, turns = Contract(inputs()), Turns()
    nobody = PipelinePath(lambda: None, inputs())  # predicts nothing here
    pointer = Pointer("housing", 1, "", "")
    loaded = Loaded(pointer, manifest, nobody, None, no_bounds, None, inputs(), contract, nobody)

    async def alone(request: Request) -> Response:
        await request.body()
        return as_json(made())

    async def judged(request: Request) -> Response:
        body = await read_json(request)
        async with turns:
            contract.instances(body)
            return as_json(made())

    async def counted(request: Request) -> Response:
        body = await read_json(request)
        async with turns:
            started = perf_counter()
            contract.instances(body)
            answers = made()
            metrics.predicted(loaded, answers, perf_counter() - started)
            return as_json(answers)

    keys = Keys(home)
    text, _ = keys.make("predict", "", datetime.now(UTC))
    access = Access(ring=Ring(keys), hosts=None, rate=Rate(10**9))
    return {
        ECHO: echo(),
        ALONE: routed(alone),
        "and the body: type, size, turn, validation": routed(judged),
        "and the metrics of predictions": routed(counted),
        "and id, headers, log, metrics of requests": Observed(routed(counted)),
        "and host, origin, key, rate": Observed(Guard(routed(counted), access)),
    }, text


def inputs() -> tuple[Input, ...]:
    """Of the instance, without bounds."""
    names = ("unit", "low", "high", "values", "seen_low", "seen_high", "seen")
    nothing = dict.fromkeys((*names, "source_name", "written", "affix")) | {"missing": ()}
    return tuple(
        Input.from_dict(
            nothing
            | {"name": name, "type": "category" if isinstance(value, str) else "number"}
            | {"description": "", "required": False, "example": value}
        )
        for name, value in INSTANCE.items()
    )


def made() -> Estimates:
    """What a model would have given."""
    answer = Estimated("0" * 32, 452_600.0, (400_000.0, 500_000.0), [])
    return Estimates("housing", "price", "USD", 0.9, 1, "sha256:", [answer])


def echo() -> FastAPI:
    """As FastAPI's documentation has it."""
    app = FastAPI()

    @app.post(ROUTE)
    async def predict(use_case: str, body: Houses) -> Houses:
        return body

    return app


def routed(answer: Callable[[Request], Awaitable[Response]]) -> FastAPI:
    """A route that answers with what is given."""
    app = FastAPI()

    @app.post(ROUTE)
    async def predict(use_case: str, request: Request) -> Response:
        return await answer(request)

    return app


async def timed(app: ASGIApp, key: str) -> float:
    """Seconds of one call, in a run of `CALLS`."""
    sent = {"host": "localhost", "content-type": "application/json", "accept": "*/*"}
    sent |= {"content-length": str(len(BODY)), "authorization": f"Bearer {key}"}
    headers = [(name.encode(), value.encode()) for name, value in sent.items()]
    path = ROUTE.format(use_case="housing")
    given: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
    }
    given |= {"path": path, "raw_path": path.encode(), "query_string": b"", "root_path": ""}
    given |= {"headers": headers, "client": ("127.0.0.1", 1), "server": ("localhost", 80)}
    statuses = []

    async def receive() -> Message:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: Message) -> None:
        if "status" in message:
            statuses.append(message["status"])

    started = perf_counter()
    for _ in range(CALLS):
        await app({**given, "state": {}}, receive, send)
    seconds = (perf_counter() - started) / CALLS
    if set(statuses) != {200}:
        raise RuntimeError(f"an application answers with {statuses[-1]}")
    return seconds


async def measured(applications: dict[str, ASGIApp], key: str) -> dict[str, float]:
    """Medians in microseconds; the applications take turns."""
    found: dict[str, list[float]] = {name: [] for name in applications}
    for _ in range(ROUNDS):
        for name, app in applications.items():
            found[name].append(await timed(app, key))
    return {name: statistics.median(each) * 1e6 for name, each in found.items()}


def main() -> None:
    """Prints what each stage takes, and what all add up to beside the echo."""
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[1:] == ["workers"]:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        applications, key = stages(Path(folder))
        found = uvloop.run(measured(applications, key))
    for name, microseconds in found.items():
        say(f"{microseconds:6.0f} µs  {name}")
    *_, last = found.values()
    added = last - found[ALONE]
    say(f"what is added to the route: {added:.0f} µs, {added / found[ECHO]:.2f} of the echo")


if __name__ == "__main__":
    main()
