"""The routes that explain: why a prediction, among which rows, and the map of these.

Belongs here: from HTTP to the workers and back. Does not belong here: what explains
(`serving.explainable`), or the workers (`serving.pool`).

What is predicted is predicted here, as `predict` does it; the rest is left to processes of their
own, since an explanation takes up to thousands of times as long.
"""

from __future__ import annotations

import time

import msgspec
from fastapi import APIRouter, FastAPI, Request, Response

from leeway.served.contract import MOST_EXPLAINED, BadRequest, Classified, Estimated
from leeway.served.explanations import Explanations, Map, Nearest
from leeway.served.logged import Answered
from serving import metrics
from serving.answer import API, served
from serving.bodies import read_json
from serving.described import JSON, Described, TypeOf, described
from serving.inference_log import InferenceLog
from serving.keeper import Keeper
from serving.loading import Loaded
from serving.messages import Job, Kind
from serving.pool import Pool
from serving.problems import Refusal

SECONDS = 60.0  # of a request, with the wait; a worker's first loads libraries and the release
WORKERS, WAITING = 1, 8


def _takes(loaded: Loaded) -> type:
    return loaded.contract.explain_request


def _of_task(answer: type) -> TypeOf:
    """The generic type of an answer, for the task of a release."""

    def of(loaded: Loaded) -> type:
        found: type = answer[Estimated if loaded.manifest["classes"] is None else Classified]  # type: ignore[index]
        return found

    return of


def _predicted(loaded: Loaded, body: bytes) -> Answered:
    """The predictions that are explained, as `predict` makes them."""
    started, at = time.perf_counter(), time.time()
    try:
        rows = loaded.contract.rows(body, MOST_EXPLAINED)
    except BadRequest as error:
        raise Refusal(422 if error.readable else 400, error.problem) from error
    keys = loaded.contract.keys(rows)
    answers = loaded.predict(rows)
    return Answered(at, time.perf_counter() - started, rows, answers, keys)


def add_routes(app: FastAPI, keeper: Keeper, inferences: InferenceLog) -> None:
    """Adds `explain`, `neighbours` and `map`, and workers that end with the app."""
    pool = Pool("explanations", workers=WORKERS, waiting=WAITING, seconds=SECONDS)

    app.include_router(APIRouter(lifespan=pool.alive))  # of no route: it ends the workers

    async def explained(kind: Kind, use_case: str, request: Request) -> Response:
        loaded = served(keeper, use_case)
        with pool.admitted():
            answered = _predicted(loaded, await read_json(request))
            metrics.predicted(loaded, answered.answers, answered.latency_seconds)
            inferences.offer(answered)
            instances = [loaded.contract.by_name(each) for each in answered.instances]
            answers = msgspec.msgpack.encode(answered.answers)
            job = Job(kind, loaded.pointer, instances, answers)
            return Response(await told(loaded, job), media_type=JSON)

    async def told(loaded: Loaded, job: Job) -> bytes:
        try:
            content = await pool.ask(job)
        except Exception:
            metrics.explained(loaded, well=False)
            raise
        metrics.explained(loaded, well=True)
        return content

    @app.post(f"{API}/explain")
    @described(
        Described(
            "each prediction with the SHAP values of its inputs",
            answers={JSON: _of_task(Explanations)},
            takes={JSON: _takes},
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
        )
    )
    async def neighbours(use_case: str, request: Request) -> Response:
        return await explained("neighbours", use_case, request)

    @app.get(f"{API}/map")
    @described(
        Described(
            "rows of the training part on the map, to draw predictions among",
            answers={JSON: lambda _: Map},
        )
    )
    async def draw(use_case: str) -> Response:
        loaded = served(keeper, use_case)
        with pool.admitted():
            return Response(await told(loaded, Job("map", loaded.pointer)), media_type=JSON)
