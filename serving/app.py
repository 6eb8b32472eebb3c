"""The routes of the service.

Belongs here: from HTTP to the functions that answer, and back. Does not belong here: what they do,
or the documentation of them (`serving.documentation`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from resources.settings import Settings
from serving import batches, docs_page, explanations, history, operations, predict, recorded, why
from serving.answer import API, as_json, served
from serving.dependencies import Dependencies
from serving.documentation import openapi
from serving.guard import identified
from serving.inference_log import InferenceLog
from serving.keeper import Keeper
from serving.loading import Loaded
from serving.problems import handle_problems
from serving.trials import Trials


def create_app(
    keeper: Keeper,
    inferences: InferenceLog,
    trials: Trials,
    dependencies: Dependencies,
    settings: Settings,
    *,
    closed: bool,
) -> ASGIApp:
    """The service over what `keeper` holds; it starts and ends it, and the log of its answers.

    `closed` says whether its guard asks for keys, for the documentation.
    """

    @asynccontextmanager
    async def alive(_: FastAPI) -> AsyncIterator[None]:
        keeper.start()
        inferences.start()
        yield
        await run_in_threadpool(keeper.end)
        await run_in_threadpool(inferences.end)

    app = FastAPI(
        title="Leeway", lifespan=alive, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    app.openapi = lambda: openapi(app, keeper.state, closed=closed)  # type: ignore[method-assign]
    handle_problems(app)
    docs_page.add_routes(app)
    operations.add_routes(app, keeper, dependencies)
    history.add_routes(app, keeper, inferences, settings)
    recorded.add_routes(app, keeper, settings)

    @app.get("/", include_in_schema=False)
    async def root() -> Response:
        paths = {name: _path(each) for name, each in keeper.state.served.items()}
        return as_json({"service": "leeway", "documentation": "/docs", "use_cases": paths})

    @app.get("/health")
    async def health() -> Response:
        return as_json({"status": "alive"})

    @app.get("/ready", responses={503: {"description": "a champion has no answer"}})
    async def ready(request: Request) -> Response:
        return _ready(keeper, whole=identified(request))

    explanations.add_routes(app, keeper, inferences)
    why.add_routes(app)
    batches.add_routes(app, keeper, inferences)

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

    return predict.in_front(app, keeper, inferences, trials)


def _ready(keeper: Keeper, *, whole: bool) -> Response:
    """Whether to send requests; all else for those alone who may know.

    Where a champion is refused and the release before it answers, to send requests elsewhere would
    only take that answer away: every process refuses the same.
    """
    state = keeper.state
    lacking = state.waiting.keys() - state.served.keys()
    status = "ready" if state.served and not lacking else "not ready"
    if not whole:
        return as_json({"status": status}, 200 if status == "ready" else 503)
    found = {
        "status": status,
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
    return as_json(found, 200 if status == "ready" else 503)


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
        "path": loaded.told,
        "key": None if loaded.contract.key is None else loaded.contract.key.as_dict(),
        "inputs": [each.as_dict() for each in loaded.inputs],
        **{name: manifest[name] for name in named},
    }
