"""What routes of all kinds need to answer: the release of a use case, and JSON.

Belongs here: these two. Does not belong here: a route, or what a problem looks like
(`serving.problems`).
"""

from __future__ import annotations

import msgspec
from fastapi import Response

from serving.keeper import Keeper
from serving.loading import Loaded
from serving.problems import Refusal

API = "/api/v1/{use_case}"
_encode = msgspec.json.Encoder().encode


def as_json(content: object, status: int = 200) -> Response:
    """An answer; what is no number in JSON (NaN) is null."""
    return Response(_encode(content), status, media_type="application/json")


def served(keeper: Keeper, use_case: str) -> Loaded:
    """The release that answers for the use case now.

    Raises:
        Refusal: 404 when there is no champion of that name, 503 when it is not served yet.
    """
    state = keeper.state
    loaded = state.served.get(use_case)
    if loaded is not None:
        return loaded
    if use_case in state.waiting:
        raise Refusal(503, state.waiting[use_case], headers={"Retry-After": "1"})
    known = ", ".join(sorted(state.served)) or "none"
    if state.known_from is None or not state.served:
        why = f"no release of {use_case!r} is served; served are: {known}"
        raise Refusal(503, why, headers={"Retry-After": "1"})
    raise Refusal(404, f"there is no release of {use_case!r}; served are: {known}", "unknown_name")
