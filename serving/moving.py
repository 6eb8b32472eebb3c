"""Moving the champion over HTTP, as people do.

Belongs here: the routes, and what their bodies are. Does not belong here: which version may be
champion (`resources.moves`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import FastAPI, Request, Response

from resources import moves
from resources.moves import Move
from resources.releases import NoSuchVersion, Releases
from serving.answer import API, NAMED, as_json
from serving.asking import asked
from serving.bodies import read_json
from serving.guard import ADMIN, caller, need
from serving.problems import Refusal

T = TypeVar("T")
# PostgreSQL has no NUL in texts.
Why = Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=r"^[^\u0000]*$")]


class Promotion(msgspec.Struct, forbid_unknown_fields=True):
    """Which version is to be champion, and why."""

    version: int
    why: Why


class Rollback(msgspec.Struct, forbid_unknown_fields=True):
    """Why the version before is to be champion again."""

    why: Why


def add_routes(app: FastAPI, releases: Releases) -> None:
    """Adds the routes."""

    @app.post(f"{API}/promote", dependencies=NAMED, openapi_extra=_documented(Promotion))
    async def promote(use_case: str, request: Request) -> Response:
        need(request, "admin")
        body, who = _read(await read_json(request), Promotion), caller(request)
        return await _moved(lambda: moves.promote(releases, use_case, body.version, who, body.why))

    @app.post(f"{API}/rollback", dependencies=NAMED, openapi_extra=_documented(Rollback))
    async def rollback(use_case: str, request: Request) -> Response:
        need(request, "admin")
        body, who = _read(await read_json(request), Rollback), caller(request)
        return await _moved(lambda: moves.rollback(releases, use_case, who, body.why))


def _documented(body: type[msgspec.Struct]) -> dict[str, Any]:
    """What the documentation says of a move, whose body is of that type."""
    schema = msgspec.json.schema(body)["$defs"][body.__name__]
    return {
        **ADMIN,
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {"409": {"description": "the version may not be champion"}},
    }


def _read(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise Refusal(422, str(error)) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Refusal(400, f"not JSON: {error}") from error


async def _moved(move: Callable[[], Move]) -> Response:
    try:
        moved = await asked(move)
    except NoSuchVersion as error:
        raise Refusal(409, str(error)) from error
    return as_json({**asdict(moved), "told": moved.told})
