"""The route that predicts, in front of the framework, whose own share of a request is longer.

Belongs here: from the bytes of a request to those of its answer. Does not belong here: predicting
(`serving.loading`), or other routes.
"""

from __future__ import annotations

import time

import msgspec
from fastapi import APIRouter, FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.routing import Route, compile_path
from starlette.types import Receive, Scope, Send

from leeway.served.contract import BadRequest, Classes, Estimates
from leeway.served.logged import Answered
from serving import metrics
from serving.answer import API, served
from serving.bodies import read_json
from serving.described import JSON, Described
from serving.inference_log import InferenceLog
from serving.keeper import Keeper
from serving.limits import Turns
from serving.loading import Loaded
from serving.problems import Refusal, gone
from serving.trials import Trials, Turn

PATH = f"{API}/predict"
# FastAPI documents its own routes alone.
OPERATION = {"post": {"summary": "Predict", "operationId": "predict"}}
_THIS = compile_path(PATH)[0]
_encode = msgspec.json.Encoder().encode


def in_front(app: FastAPI, keeper: Keeper, inferences: InferenceLog, trials: Trials) -> Front:
    """The service with this route, and the trials of challengers of its champions."""
    app.include_router(APIRouter(lifespan=trials.alive))  # of no route: it ends them
    predict = Predict(keeper, inferences, trials)
    predict.route = Route(PATH, predict, methods=["POST"])
    app.router.routes.append(predict.route)  # which refuses other methods
    return Front(app, predict)


class Front:
    """Answers requests for predictions; all others go on to the framework."""

    def __init__(self, app: FastAPI, predict: Predict) -> None:
        self._app, self._predict = app, predict

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        mine = scope["type"] == "http" and scope["method"] == "POST" and _THIS.match(scope["path"])
        if not mine:
            await self._app(scope, receive, send)
            return
        scope["path_params"] = mine.groupdict()
        try:
            await self._predict(scope, receive, send)
        except Refusal as refusal:
            await refusal.response(scope["state"])(scope, receive, send)
        except ClientDisconnect:
            await gone()(scope, receive, send)


class Predict:
    """Answers requests for predictions by what the keeper holds, and logs them."""

    route: Route
    described = Described(
        "the answers, in the order of the instances",
        answers={JSON: lambda loaded: loaded.answers},
        takes={JSON: lambda loaded: loaded.contract.request},
    )

    def __init__(self, keeper: Keeper, inferences: InferenceLog, trials: Trials) -> None:
        self._keeper, self._inferences, self._turns = keeper, inferences, Turns()
        self._trials = trials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request.

        Raises:
            Refusal: where there is no answer, before anything is sent.
        """
        scope["route"] = self.route  # which FastAPI does for its own, and metrics read
        loaded = served(self._keeper, scope["path_params"]["use_case"])
        self._turns.check()
        body = await read_json(Request(scope, receive))
        async with self._turns:
            content, answers, turn = self._answered(loaded, body, scope["state"]["request_id"])
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})
        if turn is not None:
            self._trials.sent(turn, answers)

    def _answered(
        self, loaded: Loaded, body: bytes, identity: str
    ) -> tuple[bytes, Classes | Estimates, Turn | None]:
        """The bytes of the answer, the answer, and whose turn it was where there is a trial."""
        started, at = time.perf_counter(), time.time()
        try:
            rows = loaded.contract.rows(body)
        except BadRequest as error:
            raise Refusal(422 if error.readable else 400, error.problem) from error
        keys = loaded.contract.keys(rows)
        turn = self._trials.turn(loaded, at, body, keys, identity)
        if turn is None or turn.answers is None:
            answers = loaded.predict(rows)
        else:
            rows, answers = list(turn.rows), turn.answers
            loaded = turn.challenger.loaded or loaded
        content = _encode(answers)
        seconds = time.perf_counter() - started
        metrics.predicted(loaded, answers, seconds)
        self._inferences.offer(Answered(at, seconds, rows, answers, keys))
        if turn is not None:
            self._trials.answered(turn, answers)
        return content, answers, turn
