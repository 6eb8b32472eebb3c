"""The routes that explain: why a prediction, among which rows, and the map of these.

Belongs here: from HTTP to the workers and back. Does not belong here: what explains
(`serving.explainable`), or the workers (`serving.pool`).

What is predicted is predicted here, as `predict` does it; the rest is left to processes of their
own, since an explanation takes up to thousands of times as long.
"""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, FastAPI, Request, Response

from leeway.served.contract import MOST_EXPLAINED, Classified, Estimated
from leeway.served.explanations import Explanations, Map, Nearest
from serving.described import JSON, Described, TypeOf, described
from serving.exchange import API, instances_of, served
from serving.keeper import Keeper
from serving.loading import Loaded
from serving.messages import Job, Kind
from serving.pool import Pool

SECONDS = 60.0  # of a request, with the wait; a worker's first loads libraries and the release
WORKERS, WAITING = 1, 8
_REFUSALS = (400, 404, 413, 422, 429, 503)


def _takes(loaded: Loaded) -> type:
    return loaded.contract.explain_request


def _of_task(answer: type) -> TypeOf:
    """The generic type of an answer, for the task of a release."""

    def of(loaded: Loaded) -> type:
        found: type = answer[Estimated if loaded.manifest["classes"] is None else Classified]  # type: ignore[index]
        return found

    return of


def add_routes(app: FastAPI, keeper: Keeper) -> None:
    """Adds `explain`, `neighbours` and `map`, and workers that end with the app."""
    pool = Pool("explanations", workers=WORKERS, waiting=WAITING, seconds=SECONDS)

    app.include_router(APIRouter(lifespan=pool.alive))  # of no route: it ends the workers

    async def explained(kind: Kind, use_case: str, request: Request) -> Response:
        loaded = served(keeper, use_case)
        with pool.admitted():
            instances = await instances_of(request, loaded, MOST_EXPLAINED)
            answers = msgspec.msgpack.encode(loaded.predict(instances))
            job = Job(kind, loaded.pointer, [dict(each) for each in instances], answers)
            return Response(await pool.ask(job), media_type=JSON)

    @app.post(f"{API}/explain")
    @described(
        Described(
            "each prediction with the SHAP values of its inputs",
            answers={JSON: _of_task(Explanations)},
            takes={JSON: _takes},
            refusals=_REFUSALS,
        )
    )
    async def explain(use_case: str, request: Request) -> Response:
        return await explained("explain", use_case, request)

    @app.post(f"{API}/neighbours")
    @described(
        Described(
            "each prediction with the nearest rows of the training part, and its place on the map",
            answers={JSON: _of_task(Nearest)},
            takes={JSON: _takes},
            refusals=_REFUSALS,
        )
    )
    async def neighbours(use_case: str, request: Request) -> Response:
        return await explained("neighbours", use_case, request)

    @app.get(f"{API}/map")
    @described(
        Described(
            "rows of the training part on the map, to draw predictions among",
            answers={JSON: lambda _: Map},
            refusals=(404, 429, 503),
        )
    )
    async def draw(use_case: str) -> Response:
        loaded = served(keeper, use_case)
        with pool.admitted():
            return Response(await pool.ask(Job("map", loaded.pointer)), media_type=JSON)
