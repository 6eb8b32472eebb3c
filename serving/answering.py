"""What the routes share: which release answers, and answers as JSON.

Belongs here: that. Does not belong here: a route, or what a request that fails is told
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


def served(keeper: Keeper, use_case: str) -> Loaded:
    """The release that answers for a use case.

    Raises:
        Refusal: when none does, with the reason.
    """
    state = keeper.state
    loaded = state.served.get(use_case)
    if loaded is not None:
        return loaded
    if use_case in state.waiting:
        raise Refusal(503, state.waiting[use_case])
    known = ", ".join(sorted(state.served)) or "none"
    if state.known_from is None or not state.served:
        raise Refusal(503, f"no release of {use_case} is served; served are: {known}")
    raise Refusal(404, f"there is no release of {use_case!r}; served are: {known}")


def as_json(content: object, status: int = 200) -> Response:
    """An answer."""
    return Response(_encode(content), status, media_type="application/json")
