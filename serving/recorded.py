"""What is recorded of a use case, and moving its champion: routes over the ledger.

Belongs here: the routes. Does not belong here: the queries (`resources.overview`,
`resources.releases`), or which version may be champion (`resources.moves`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import FastAPI, Query, Request, Response

from resources import moves, overview, trials
from resources.moves import Move
from resources.releases import NoSuchVersion, Release, Releases
from resources.settings import Settings
from serving.answer import API, as_json
from serving.asking import asked
from serving.bodies import read_json
from serving.guard import ADMIN, caller, need
from serving.keeper import Keeper
from serving.problems import Refusal

T = TypeVar("T")
MOST = 1000
Limit = Annotated[int, Query(ge=1, le=MOST)]
Why = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class Promotion(msgspec.Struct, forbid_unknown_fields=True):
    """Which version is to be champion, and why."""

    version: int
    why: Why


class Rollback(msgspec.Struct, forbid_unknown_fields=True):
    """Why the version before is to be champion again."""

    why: Why


def add_routes(app: FastAPI, keeper: Keeper, settings: Settings) -> None:
    """Adds the routes."""
    releases = Releases(settings)

    @app.get("/api/v1")
    async def use_cases() -> Response:
        kinds = await asked(lambda: overview.use_cases(settings))
        served = {name: each.pointer.version for name, each in keeper.state.served.items()}
        names = dict.fromkeys([*kinds, *served])
        found = {n: {"kind": kinds.get(n, "model"), "served": served.get(n)} for n in names}
        return as_json({"use_cases": found})

    @app.get(f"{API}/releases")
    async def every_release(use_case: str) -> Response:
        found = await asked(lambda: releases.every(use_case))
        moved = await asked(lambda: releases.moves(use_case))
        if not found:
            raise Refusal(404, f"there is no release of {use_case!r}")
        tried = await asked(lambda: trials.newest(settings, use_case))
        champion = moved[0]["version"] if moved else None
        shown = [_release(each) for each in reversed(found)]
        told = [asdict(each) | {"policy": each.policy.model_dump()} for each in tried]
        return as_json({"champion": champion, "releases": shown, "moves": moved, "trials": told})

    @app.get(f"{API}/batches")
    async def batches(use_case: str, limit: Limit = 100) -> Response:
        found = await asked(lambda: overview.batches(settings, use_case, limit))
        if not found:
            raise Refusal(404, f"no batch of {use_case!r} is known")
        return as_json({"batches": found})

    @app.get(f"{API}/traffic")
    async def traffic(use_case: str, limit: Limit = 100) -> Response:
        found = await asked(lambda: overview.windows(settings, use_case, limit))
        return as_json({"windows": found})

    @app.get(f"{API}/decisions")
    async def decisions(use_case: str, limit: Limit = 100) -> Response:
        found = await asked(lambda: overview.decisions(settings, use_case, limit))
        return as_json({"decisions": found})

    @app.get(f"{API}/experiment")
    async def experiment(use_case: str) -> Response:
        found = await asked(lambda: overview.experiment(settings, use_case))
        if not found:
            raise Refusal(404, f"no experiment of {use_case!r} was analysed")
        return as_json({"effects": None, "savings": None, **found})

    @app.post(f"{API}/promote", openapi_extra=_documented(Promotion))
    async def promote(use_case: str, request: Request) -> Response:
        need(request, "admin")
        body, who = _read(await read_json(request), Promotion), caller(request)
        return await _moved(lambda: moves.promote(releases, use_case, body.version, who, body.why))

    @app.post(f"{API}/rollback", openapi_extra=_documented(Rollback))
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


def _release(release: Release) -> dict[str, Any]:
    facts = release.facts
    return {
        "version": release.version,
        "release": release.digest,
        "algorithm": release.algorithm,
        "verdict": release.verdict,
        "reason": release.reason,
        "awaits_person": bool(facts.get("awaits_person")),
        "released_at": release.released_at,
        "metrics": facts["metrics"],
        "training_set": facts["training_set"],
        "batches": facts["batches"],
        "incident": release.incident,
        "run_id": release.run_id,
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
