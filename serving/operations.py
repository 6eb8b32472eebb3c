"""The routes for those who run the service: reload, warm-up, deep health and metrics.

Belongs here: from HTTP to what does it, and back. Does not belong here: what every caller asks for
(`serving.app`).
"""

from __future__ import annotations

import time

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from serving import metrics
from serving.answer import API, as_json, served
from serving.dependencies import Dependencies
from serving.guard import ADMIN, need
from serving.keeper import Keeper
from serving.problems import Refusal


def add_routes(app: FastAPI, keeper: Keeper, dependencies: Dependencies) -> None:
    """Adds them to the app."""

    @app.get("/health/deep", openapi_extra=ADMIN)
    async def deep(request: Request) -> Response:
        need(request, "admin")
        return await _deep(keeper, dependencies)

    @app.get("/metrics", include_in_schema=False)
    async def metrics_of(request: Request) -> Response:
        accept = request.headers.get("accept", "")
        content, media_type = await run_in_threadpool(metrics.exposition, accept)
        return Response(content, headers={"content-type": media_type})

    @app.post(f"{API}/reload", openapi_extra=ADMIN)
    async def reload(use_case: str, request: Request) -> Response:
        need(request, "admin")
        await run_in_threadpool(keeper.look_now)
        return _reloaded(keeper, use_case)

    @app.post(f"{API}/warmup")
    async def warmup(use_case: str) -> Response:
        return _warmed(keeper, use_case)


async def _deep(keeper: Keeper, dependencies: Dependencies) -> Response:
    """Degraded is no failure: what is loaded goes on predicting."""
    seen = await dependencies.seen()
    state = keeper.state
    well = not state.waiting and not any(each.problem for each in seen.values())
    return as_json(
        {
            "status": "healthy" if well else "degraded",
            "dependencies": {name: each.as_dict() for name, each in seen.items()},
            "served": {name: each.pointer.version for name, each in state.served.items()},
            "waiting": state.waiting,
            "ledger": state.ledger_problem or "answers",
        }
    )


def _reloaded(keeper: Keeper, use_case: str) -> Response:
    state = keeper.state
    loaded = served(keeper, use_case)
    if state.ledger_problem is not None:
        raise Refusal(
            503,
            f"the ledger does not answer ({state.ledger_problem}); version "
            f"{loaded.pointer.version} of {use_case} is served on",
            "ledger_away",
        )
    return as_json(
        {
            "use_case": use_case,
            "model_version": loaded.pointer.version,
            "release": loaded.pointer.digest,
            "waiting": state.waiting.get(use_case),
        }
    )


def _warmed(keeper: Keeper, use_case: str) -> Response:
    """Predicts the example once, which is neither counted nor kept."""
    loaded = served(keeper, use_case)
    started = time.perf_counter()
    loaded.predict([loaded.contract.instance(**{e.name: e.example for e in loaded.inputs})])
    seconds = time.perf_counter() - started
    version = loaded.pointer.version
    return as_json({"use_case": use_case, "model_version": version, "seconds": round(seconds, 6)})
