"""What is recorded of a use case: routes over the ledger.

Belongs here: the routes. Does not belong here: the queries (`resources.overview`,
`resources.releases`), or moving the champion (`serving.moving`).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response

from resources import overview, trials
from resources.releases import Release, Releases
from resources.settings import Settings
from serving import moving
from serving.answer import API, NAMED, as_json
from serving.asking import asked
from serving.guard import may
from serving.keeper import Keeper
from serving.problems import Refusal

MOST = 1000
Limit = Annotated[int, Query(ge=1, le=MOST)]


def add_routes(app: FastAPI, keeper: Keeper, settings: Settings) -> None:
    """Adds the routes, also those that move the champion."""

    @app.get("/api/v1")
    async def use_cases() -> Response:
        kinds = await asked(lambda: overview.use_cases(settings))
        served = {name: each.pointer.version for name, each in keeper.state.served.items()}
        names = dict.fromkeys([*kinds, *served])
        found = {n: {"kind": kinds.get(n, "model"), "served": served.get(n)} for n in names}
        return as_json({"use_cases": found})

    releases = Releases(settings)
    _of_releases(app, releases, settings)
    _of_batches(app, settings)
    moving.add_routes(app, releases)


def _of_releases(app: FastAPI, releases: Releases, settings: Settings) -> None:
    @app.get(f"{API}/releases", dependencies=NAMED)
    async def every_release(use_case: str, request: Request) -> Response:
        found = await asked(lambda: releases.every(use_case))
        if not found:
            raise await _none("release", use_case, settings)
        moved = await asked(lambda: releases.moves(use_case))
        tried = await asked(lambda: trials.newest(settings, use_case))
        champion = moved[0]["version"] if moved else None
        if not may(request, "admin"):  # as for `why`: it names people
            moved = [each | {"who": None} for each in moved]
        shown = [_release(each) for each in reversed(found)]
        told = [asdict(each) | {"policy": each.policy.model_dump()} for each in tried]
        return as_json({"champion": champion, "releases": shown, "moves": moved, "trials": told})

    @app.get(f"{API}/decisions", dependencies=NAMED)
    async def decisions(use_case: str, limit: Limit = 100) -> Response:
        found = await asked(lambda: overview.decisions(settings, use_case, limit))
        return as_json({"decisions": found})


def _of_batches(app: FastAPI, settings: Settings) -> None:
    @app.get(f"{API}/batches", dependencies=NAMED)
    async def batches(use_case: str, limit: Limit = 100) -> Response:
        found = await asked(lambda: overview.batches(settings, use_case, limit))
        if not found:
            raise await _none("batch", use_case, settings)
        return as_json({"batches": found})

    @app.get(f"{API}/traffic", dependencies=NAMED)
    async def traffic(use_case: str, limit: Limit = 100) -> Response:
        found = await asked(lambda: overview.windows(settings, use_case, limit))
        return as_json({"windows": found})

    @app.get(f"{API}/experiment", dependencies=NAMED)
    async def experiment(use_case: str) -> Response:
        found = await asked(lambda: overview.experiment(settings, use_case))
        if not found:
            raise await _none("analysed experiment", use_case, settings)
        return as_json({"effects": None, "savings": None, **found})


async def _none(what: str, use_case: str, settings: Settings) -> Refusal:
    """That nothing of a kind is recorded of a use case, with what is and what to do."""
    kinds = await asked(lambda: overview.use_cases(settings))
    there = ", ".join(f"{name} ({kind})" for name, kind in kinds.items()) or "none"
    told = f"there is no {what} of {use_case!r}; `leeway run NAME` makes it; recorded are: {there}"
    return Refusal(404, told)


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
