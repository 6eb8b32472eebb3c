"""What the service answered before: routes over the inference log.

Belongs here: the routes. Does not belong here: the queries (`resources.inference_log`).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import FastAPI, Query, Request, Response

from resources.inference_log import newest, summary
from resources.settings import Settings
from serving import guard
from serving.answer import API, as_json, served
from serving.asking import asked
from serving.inference_log import InferenceLog
from serving.keeper import Keeper

MOST_ENTRIES = 1000
MOST_HOURS = 24 * 366


def add_routes(app: FastAPI, keeper: Keeper, inferences: InferenceLog, settings: Settings) -> None:
    """Adds the routes."""

    @app.get(f"{API}/predictions/history", openapi_extra=guard.ADMIN)
    async def history(
        use_case: str,
        request: Request,
        limit: Annotated[int, Query(ge=1, le=MOST_ENTRIES)] = 100,
        before: UUID | None = None,
    ) -> Response:
        guard.need(request, "admin")  # the inputs of others
        served(keeper, use_case)
        edge = None if before is None else str(before)
        found = await asked(lambda: newest(settings, use_case, limit, edge))
        more = found[-1].prediction_id if len(found) == limit else None
        return as_json({"predictions": [asdict(each) for each in found], "before": more})

    @app.get(f"{API}/metrics/summary")
    async def metrics_summary(
        use_case: str, hours: Annotated[float, Query(gt=0, le=MOST_HOURS)] = 24
    ) -> Response:
        unit = served(keeper, use_case).target["unit"]
        found = await asked(lambda: summary(settings, use_case, hours))
        return as_json(
            {
                "use_case": use_case,
                "hours": hours,
                "unit": unit,
                "releases": found,
                "inference_log": {**asdict(inferences.counts), "problem": inferences.problem},
            }
        )
