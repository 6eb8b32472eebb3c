"""What a request costs beside its model: keys, limits, validation, metrics, log; beside an echo.

Belongs here: the stages, each timed as calls of its ASGI application in one process, in turn. Does
not belong here: sockets, models, or the load of several clients.

    .venv/bin/python -m benchmarks.surface
    .venv/bin/python -m benchmarks.surface workers

CPU of the process is timed, so that the threads of the log count, which write to a PostgreSQL.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import process_time
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import uvloop
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.types import ASGIApp, Message

from benchmarks.timing import installation_at, say
from leeway.explainers.conformal import calibrate_residuals
from leeway.served.contract import Contract
from leeway.served.inputs import Input
from resources.keys import Keys, Ring
from resources.settings import get_settings

ROUNDS, CALLS = 40, 250
ROUTE = "/api/v1/{use_case}/predict"
ECHO, WHOLE = "FastAPI with pydantic, echo", "with its log"


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


class NoModel:
    """Predicts one number for every row."""

    name: Literal["fast"] = "fast"

    def predict(self, rows: Sequence[Any]) -> Any:
        """As a path does."""
        from serving.paths import Predicted

        numbers = np.full((len(rows), 1), 452_600.0)
        return Predicted(numbers, numbers, ())


def stages(home: Path) -> tuple[dict[str, ASGIApp], str, Any]:
    """The applications, each with all that those before have, a key for the last, and its log."""
    # Where several workers add up is read from the environment when these are imported.
    from resources.inference_log import write
    from serving import predict
    from serving.champions import champions, copies_of
    from serving.guard import Access, Guard
    from serving.inference_log import InferenceLog
    from serving.keeper import Keeper, State
    from serving.limits import Rate
    from serving.loading import Loaded, Pointer
    from serving.observed import Observed
    from serving.paths import PipelinePath
    from serving.process import trials_of
    from serving.spool import Spool

    settings = get_settings()
    target = {"role": "target", "name": "price", "unit": "USD"}
    manifest = {"columns": [target], "classes": None}
    bounds = calibrate_residuals(np.ones(100), np.zeros(100), 0.9)
    pointer, contract = Pointer("housing", 1, "sha256:", ""), Contract(inputs())
    pipeline = PipelinePath(lambda: None, inputs())  # which nobody asks
    loaded = Loaded(pointer, manifest, NoModel(), None, bounds, None, inputs(), contract, pipeline)
    keeper = Keeper(copies_of(settings), partial(champions, settings))
    keeper.state = State({"housing": loaded})
    trials = trials_of(settings, home / "trials")
    log = InferenceLog(partial(write, settings), Spool(home / "log"))
    logged = predict.in_front(FastAPI(), keeper, log, trials)
    none: Any = SimpleNamespace(offer=lambda _: None)
    silent = predict.in_front(FastAPI(), keeper, none, trials)
    keys = Keys(home)
    text, _ = keys.make("predict", "", datetime.now(UTC))
    access = Access(ring=Ring(keys), hosts=None, rate=Rate(10**9))
    return (
        {
            ECHO: echo(),
            "the route, without a model: body, validation, turn, answer, metrics": stated(silent),
            "with id, headers, log and metrics of requests": Observed(silent),
            "with host, origin, key and rate": Observed(Guard(silent, access)),
            WHOLE: Observed(Guard(logged, access)),
        },
        text,
        log,
    )


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


def echo() -> FastAPI:
    """As FastAPI's documentation has it."""
    app = FastAPI()

    @app.post(ROUTE)
    async def predict(use_case: str, body: Houses) -> Houses:
        return body

    return app


def stated(app: ASGIApp) -> ASGIApp:
    """With the id of a request, which is given outside of a route."""

    async def call(scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["request_id"] = "0"
        await app(scope, receive, send)

    return call


async def timed(app: ASGIApp, key: str, log: Any) -> float:
    """Seconds of CPU of one call, in a run of `CALLS` whose rows are in `log` by its end."""
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

    began, due = process_time(), None if log is None else log.counts.written + CALLS
    for _ in range(CALLS):
        await app({**given, "state": {}}, receive, send)
    while log is not None and log.counts.written != due:
        time.sleep(0.001)
    seconds = (process_time() - began) / CALLS
    if set(statuses) != {200}:
        raise RuntimeError(f"an application answers with {statuses[-1]}")
    return seconds


async def measured(applications: dict[str, ASGIApp], key: str, log: Any) -> dict[str, float]:
    """Medians in microseconds; the applications take turns."""
    found: dict[str, list[float]] = {name: [] for name in applications}
    for _ in range(ROUNDS):
        for name, app in applications.items():
            found[name].append(await timed(app, key, log if name == WHOLE else None))
    return {name: statistics.median(each) * 1e6 for name, each in found.items()}


def main() -> None:
    """Prints what each stage takes, and what all add up to beside the echo."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if sys.argv[1:] == ["workers"]:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = name
        with installation_at(folder / "home"):
            applications, key, log = stages(folder)
            log.start()
            found = uvloop.run(measured(applications, key, log))
            log.end()
    for stage, microseconds in found.items():
        say(f"{microseconds:6.0f} µs  {stage}")
    say(f"all of it, without a model: {found[WHOLE] / found[ECHO]:.2f} of the echo")


if __name__ == "__main__":
    main()
