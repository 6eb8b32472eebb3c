"""The routes of the service.

Belongs here: from HTTP to the functions that answer, and back. Does not belong here: what they do,
or the documentation of them (`serving.documentation`).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from leeway.served.contract import BadRequest
from leeway.served.logged import Answered
from resources.settings import Settings
from serving.answering import API, as_json, served, whole_body
from serving.documentation import openapi
from serving.history import add_history
from serving.inference_log import InferenceLog
from serving.keeper import Keeper
from serving.loading import Loaded
from serving.problems import Refusal, refuse, unexpected
from serving.recorded import add_recorded


def create_app(keeper: Keeper, inferences: InferenceLog, settings: Settings) -> FastAPI:
    """The service over what `keeper` holds; it starts and ends it, and the log of answers."""

    @asynccontextmanager
    async def alive(_: FastAPI) -> AsyncIterator[None]:
        keeper.start()
        inferences.start()
        yield
        await run_in_threadpool(keeper.end)
        await run_in_threadpool(inferences.end)

    app = FastAPI(title="Leeway", lifespan=alive, redoc_url=None)
    app.openapi = lambda: openapi(app, keeper.state)  # type: ignore[method-assign]
    app.add_exception_handler(Refusal, refuse)  # type: ignore[arg-type]  # wants any exception
    app.add_exception_handler(Exception, unexpected)

    @app.get("/", include_in_schema=False)
    async def root() -> Response:
        found = {name: _path(each) for name, each in keeper.state.served.items()}
        return as_json({"service": "leeway", "documentation": "/docs", "use_cases": found})

    @app.get("/health")
    async def health() -> Response:
        return as_json({"status": "alive"})

    @app.get("/ready")
    async def ready() -> Response:
        return _ready(keeper)

    @app.post(f"{API}/predict")
    async def predict(use_case: str, request: Request) -> Response:
        loaded = served(keeper, use_case)
        body = await whole_body(request)
        begun, at = time.perf_counter(), time.time()
        try:
            instances = loaded.contract.instances(body)
        except BadRequest as error:
            raise Refusal(422 if error.readable else 400, error.problem) from error
        answers = loaded.predict(instances)
        inferences.offer(Answered(at, time.perf_counter() - begun, instances, answers))
        return as_json(answers)

    @app.get(f"{API}/model")
    async def model(use_case: str) -> Response:
        return as_json(_model(served(keeper, use_case)))

    @app.get(f"{API}/categories")
    async def categories(use_case: str) -> Response:
        inputs = served(keeper, use_case).inputs
        return as_json(
            {
                each.name: {"allowed": each.values, "seen": each.seen}
                for each in inputs
                if each.type == "category"
            }
        )

    add_history(app, keeper, inferences, settings)
    add_recorded(app, keeper, settings)
    return app


def _ready(keeper: Keeper) -> Response:
    state = keeper.state
    found = {
        "status": "ready" if state.served and not state.waiting else "not ready",
        "served": {name: each.pointer.version for name, each in state.served.items()},
        "waiting": state.waiting,
        "known_from": state.known_from,
        "ledger": state.ledger_problem or "answers",
    }
    if not state.served and not state.waiting:
        found["reason"] = (
            "nobody has said yet which release to serve"
            if state.known_from is None
            else "no release was promoted yet; `leeway run NAME` trains one"
        )
    return as_json(found, 200 if found["status"] == "ready" else 503)


def _path(loaded: Loaded) -> str:
    return API.format(use_case=loaded.pointer.use_case)


def _model(loaded: Loaded) -> dict[str, Any]:
    manifest, pointer = loaded.manifest, loaded.pointer
    named = ("title", "task", "algorithm", "metrics", "decision", "batches", "libraries")
    return {
        "use_case": pointer.use_case,
        "model_version": pointer.version,
        "release": pointer.digest,
        "target": loaded.target,
        "classes": manifest["classes"],
        "coverage": loaded.calibration.coverage,
        "inputs": [each.as_dict() for each in loaded.inputs],
        **{name: manifest[name] for name in named},
    }
