"""What routes of all kinds need to answer: the release of a use case, its name, and JSON.

Belongs here: these. Does not belong here: a route, or what a problem looks like
(`serving.problems`).
"""

from __future__ import annotations

import msgspec
from fastapi import Depends, Response

from leeway.identifiers import check_identifier
from serving.keeper import Keeper
from serving.loading import Loaded
from serving.problems import Refusal

API = "/api/v1/{use_case}"
_encode = msgspec.json.Encoder().encode


async def named(use_case: str) -> None:
    """For routes that look for a use case in the ledger: only what may be its name gets there.

    Raises:
        Refusal: 404 otherwise.
    """
    try:
        check_identifier(use_case)
    except ValueError as error:
        raise Refusal(404, str(error), "unknown_name") from error


NAMED = [Depends(named)]  # of such a route


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
    more = f"`leeway run NAME` trains one; served are: {known}"
    if state.known_from is None or not state.served:
        why = f"no release of {use_case!r} is served; {more}"
        raise Refusal(503, why, headers={"Retry-After": "1"})
    raise Refusal(404, f"there is no release of {use_case!r}; {more}", "unknown_name")
