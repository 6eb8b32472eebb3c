"""The routes of the service.

Belongs here: from HTTP to the functions that answer, and back. Does not belong here: what they do,
or the documentation of them (`serving.documentation`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from leeway.served.contract import BadRequest
from serving.documentation import openapi
from serving.keeper import Keeper
from serving.loading import Loaded
from serving.problems import Refusal, refuse, unexpected

LARGEST_BODY = 1_000_000  # bytes
API = "/api/v1/{use_case}"
_encode = msgspec.json.Encoder().encode


def create_app(keeper: Keeper) -> FastAPI:
    """The service over what `keeper` holds; it starts and ends it."""

    @asynccontextmanager
    async def alive(_: FastAPI) -> AsyncIterator[None]:
        keeper.start()
        yield
        await run_in_threadpool(keeper.end)

    app = FastAPI(title="Leeway", lifespan=alive, redoc_url=None)
    app.openapi = lambda: openapi(app, keeper.state)  # type: ignore[method-assign]
    app.add_exception_handler(Refusal, refuse)  # type: ignore[arg-type]  # wants any exception
    app.add_exception_handler(Exception, unexpected)

    @app.get("/", include_in_schema=False)
    async def root() -> Response:
        served = {name: _path(each) for name, each in keeper.state.served.items()}
        return _json({"service": "leeway", "documentation": "/docs", "use_cases": served})

    @app.get("/health")
    async def health() -> Response:
        return _json({"status": "alive"})

    @app.get("/ready")
    async def ready() -> Response:
        return _ready(keeper)

    @app.post(f"{API}/predict")
    async def predict(use_case: str, request: Request) -> Response:
        loaded = _served(keeper, use_case)
        body = await _body(request)
        try:
            instances = loaded.contract.instances(body)
        except BadRequest as error:
            raise Refusal(422 if error.readable else 400, error.problem) from error
        return _json(loaded.predict(instances))

    @app.get(f"{API}/model")
    async def model(use_case: str) -> Response:
        return _json(_model(_served(keeper, use_case)))

    @app.get(f"{API}/categories")
    async def categories(use_case: str) -> Response:
        inputs = _served(keeper, use_case).inputs
        return _json(
            {
                each.name: {"allowed": each.values, "seen": each.seen}
                for each in inputs
                if each.type == "category"
            }
        )

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
    return _json(found, 200 if found["status"] == "ready" else 503)


def _served(keeper: Keeper, use_case: str) -> Loaded:
    state = keeper.state
    loaded = state.served.get(use_case)
    if loaded is not None:
        return loaded
    if use_case in state.waiting:
        raise Refusal(503, state.waiting[use_case])
    known = ", ".join(sorted(state.served)) or "none"
    if state.known_from is None or not state.served:
        raise Refusal(503, f"no release of {use_case} is served; served are: {known}")
    raise Refusal(404, f"there is no release of {use_case!r}; served are: {known}")


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY:
            raise Refusal(413, f"the body has more than {LARGEST_BODY:,} bytes")
        parts.append(part)
    return b"".join(parts)


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


def _json(content: object, status: int = 200) -> Response:
    return Response(_encode(content), status, media_type="application/json")
