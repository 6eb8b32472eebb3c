"""What every operation may answer beside what it is for, and which key opens it, for OpenAPI.

Belongs here: the problems by status, and to which operations they belong. Does not belong here:
when they are answered (`serving.guard`, `serving.bodies`, `serving.connections`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from serving.guard import OPEN
from serving.problems import MEDIA_TYPE, ProblemDetails

_REF = "#/components/schemas/{name}"
_ALL = {
    400: "no HTTP request, or a body that cannot be read",
    408: "the client was too slow",
    431: "the head is too large",
}
_KEYLESS = {401: "no key, or one that is not valid"}
_KNOWN = {
    421: "the service does not have this name",
    429: "too many requests; Retry-After says when to try again",
}
_NAMED = {
    404: "there is no champion of this use case",
    503: "the champion is not served; the problem says why",
}
_CHANGING = {403: "the key lacks the scope, or a page of another origin asks"}
_WITH_BODY = {
    413: "the body is too large",
    415: "the body is no JSON by its media type",
    422: "the body is not what the release takes; the problem says where",
}
_OF_FILES = {406: "there is no answer in a format that Accept has"}
_KEY = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key that `leeway keys new` made.",
}


def complete(document: dict[str, Any], *, closed: bool) -> dict[str, Any]:
    """The document with the problems of each operation, and with the key where one is needed."""
    components = document["components"]
    (_,), schemas = msgspec.json.schema_components([ProblemDetails], ref_template=_REF)
    components["schemas"] |= schemas
    if closed:
        components["securitySchemes"] = {"key": _KEY}
        document["security"] = [{"key": []}]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation, closed=closed)
    return document


def _complete(path: str, method: str, operation: dict[str, Any], *, closed: bool) -> None:
    named = path.startswith("/api/v1/")
    problems = dict(_ALL)
    if path not in OPEN:
        problems |= _KNOWN | (_KEYLESS if closed else {})
    if named:
        problems |= _NAMED
    if method == "post" or "security" in operation:
        problems |= _CHANGING
    if not closed:
        operation.pop("security", None)
    elif path in OPEN:
        operation["security"] = []
    if "requestBody" in operation:
        problems |= _WITH_BODY
    if path.endswith("/batch_predict"):
        problems |= _OF_FILES
    responses = operation["responses"]
    responses.pop("422", None)  # FastAPI's, which has another shape
    if operation.get("parameters"):
        problems[422] = "a parameter is not what it may be"
    schema = {"$ref": _REF.format(name=ProblemDetails.__name__)}
    for status, about in problems.items():
        content = {MEDIA_TYPE: {"schema": schema}}
        responses.setdefault(str(status), {"description": about, "content": content})
