"""The body of a request that is JSON: whole, or refused before it is read.

Belongs here: its media type and its size. Does not belong here: what it says (`leeway.served`).
"""

from __future__ import annotations

from fastapi import Request

from serving.limits import LARGEST_BODY, Held
from serving.problems import Refusal

_held = Held()  # of this process, whose memory it bounds


async def read_json(request: Request, most: int = LARGEST_BODY) -> bytes:
    """The bytes of the body.

    A request that names no media type is taken at its word: it is JSON, or refused as none.

    Raises:
        Refusal: when it is of another media type, compressed, or larger than `most` bytes.
        starlette.requests.ClientDisconnect: when the client goes before all has come.
    """
    _check_type(request.headers.get("content-type"), request.headers.get("content-encoding"))
    _check_size(int(request.headers.get("content-length", 0)), most)
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            _check_size(size + len(part), most)
            _held.add(size, len(part))
            size += len(part)
            parts.append(part)
    finally:
        _held.drop(size)
    return b"".join(parts)


def _check_type(named: str | None, packed: str | None) -> None:
    if packed is not None and packed.lower() != "identity":
        raise Refusal(415, f"the body is packed ({packed}); send it as it is")
    media_type = "" if named is None else named.partition(";")[0].strip().lower()
    if named is None or media_type == "application/json" or media_type.endswith("+json"):
        return
    raise Refusal(
        415,
        f"the body is {media_type!r}, and application/json is wanted; with curl: --json in place "
        "of -d",
        headers={"Accept": "application/json"},
    )


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise Refusal(413, f"the body has more than {most:,} bytes")
