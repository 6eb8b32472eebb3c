"""The route that predicts a file of rows.

Belongs here: the body to a bounded file that has no name, and the answer from another. Does not
belong here: what is done in between (`serving.batch_work`, in a worker).

The files vanish with the process, however it ends.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

import msgspec
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from leeway.served.batch_answers import ClassifiedRow, EstimatedRow
from resources.settings import get_settings
from serving.answer import API, served
from serving.batch_work import Predicted
from serving.described import Described, described
from serving.inference_log import InferenceLog
from serving.keeper import Keeper
from serving.loading import Loaded
from serving.messages import Job
from serving.pool import Pool
from serving.problems import Refusal

SECONDS = 300.0  # to send a body, to predict it with the wait for a worker, and to take the answer
WORKERS, WAITING = 1, 4
_PIECE = 2**20
FORMATS = {
    "application/x-ndjson": ".jsonl",
    "application/jsonl": ".jsonl",
    "text/csv": ".csv",
    "application/vnd.apache.parquet": ".parquet",
}
_ANY = {"": ".jsonl", "*/*": ".jsonl", "application/*": ".jsonl", "text/*": ".csv"}
_MOST_TOLD = 20  # of the columns that were not read


class Spooled(StreamingResponse):
    """A file as an answer, for so many seconds; then it is released."""

    def __init__(self, file: BinaryIO, release: Callable[[], object], **more: str) -> None:
        size = file.seek(0, 2)
        file.seek(0)
        self.release = release
        headers = {"content-length": str(size), **more}
        super().__init__(_pieces(file), headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it; who is too slow is cut off, and sees that bytes are missing."""
        try:
            async with asyncio.timeout(SECONDS):
                await super().__call__(scope, receive, send)
        finally:
            self.release()


def add_routes(app: FastAPI, keeper: Keeper, inferences: InferenceLog) -> None:
    """Adds `batch_predict`, and a worker that ends with the app."""
    pool = Pool("batch predictions", workers=WORKERS, waiting=WAITING, seconds=SECONDS)
    most = get_settings().max_batch_mb * 2**20

    app.include_router(APIRouter(lifespan=pool.alive))  # of no route: it ends the workers

    @app.post(f"{API}/batch_predict")
    @described(_described())
    async def batch_predict(use_case: str, request: Request) -> Response:
        loaded = served(keeper, use_case)
        given, wanted = _given(request), _wanted(request)
        with ExitStack() as held:
            held.enter_context(_room())
            held.enter_context(pool.admitted())
            body = held.enter_context(tempfile.TemporaryFile())
            answer = held.enter_context(tempfile.TemporaryFile())
            size = await _spooled(request, body, most)
            job = Job("batch", loaded.pointer, given=given, wanted=wanted, size=size)
            done = msgspec.json.decode(await pool.ask(job, body, answer), type=Predicted)
            inferences.counts.add("spooled", done.rows - done.unlogged)
            inferences.counts.add("dropped", done.unlogged)
            return Spooled(answer, held.pop_all().close, **_headers(loaded, wanted, done))


def _described() -> Described:
    def row(loaded: Loaded) -> type:
        return EstimatedRow if loaded.manifest["classes"] is None else ClassifiedRow

    lines, others = list(FORMATS)[:2], list(FORMATS)[2:]
    return Described(
        "a row for each row of the body, in its order; of JSON lines, each line is such an object",
        answers={lines[0]: row, **dict.fromkeys(others)},
        takes={
            **dict.fromkeys(lines, lambda loaded: loaded.contract.instance),
            **dict.fromkeys(others),
        },
    )


def _given(request: Request) -> str:
    """The suffix of the format that the body is said to have."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    packed = request.headers.get("content-encoding", "identity")
    if media not in FORMATS or packed != "identity":
        told = f"the body is said to be {media or 'nothing'!r}, in encoding {packed!r}"
        raise Refusal(415, f"{told}; Content-Type may be {', '.join(FORMATS)}, without encoding")
    return FORMATS[media]


def _wanted(request: Request) -> str:
    """The suffix of the first format in Accept that there is."""
    accept = request.headers.get("accept", "")
    for part in accept.split(","):
        media = part.partition(";")[0].strip().lower()
        if found := (FORMATS | _ANY).get(media):
            return found
    raise Refusal(406, f"there is no answer as {accept!r}; Accept may be {', '.join(FORMATS)}")


@contextmanager
def _room() -> Iterator[None]:
    """A disk that is full is no fault of the batch."""
    try:
        yield
    except OSError as error:
        told = f"the batch cannot be kept while it is predicted: {error.strerror or error}"
        raise Refusal(503, told, headers={"Retry-After": "60"}) from error


async def _spooled(request: Request, file: BinaryIO, most: int) -> int:
    """Writes the body to a file; returns its size in bytes."""
    told = f"the body has more than {most // 2**20} MB; cut it, or raise LEEWAY_MAX_BATCH_MB"
    if int(request.headers.get("content-length", "0")) > most:
        raise Refusal(413, told)
    size, held = 0, bytearray()
    try:
        async with asyncio.timeout(SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise Refusal(413, told)
                held += part
                if len(held) >= _PIECE:
                    await asyncio.to_thread(file.write, bytes(held))
                    held.clear()
    except TimeoutError:
        raise Refusal(408, f"the body did not come within {SECONDS:g} s") from None
    except ClientDisconnect:
        raise Refusal(400, "the body ended before it was whole") from None
    file.write(held)
    return size


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, _PIECE):
        yield piece


def _headers(loaded: Loaded, wanted: str, done: Predicted) -> dict[str, str]:
    """Which release answers, how many rows, and the columns that it did not read, as JSON."""
    return {
        "content-type": next(media for media, suffix in FORMATS.items() if suffix == wanted),
        "leeway-model-version": str(loaded.pointer.version),
        "leeway-release": loaded.pointer.digest,
        "leeway-rows": str(done.rows),
        "leeway-ignored-columns": json.dumps([name[:100] for name in done.ignored[:_MOST_TOLD]]),
    }
