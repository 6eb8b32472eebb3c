"""The OpenAPI document: what is served now, by the types that judge its requests.

Belongs here: putting the document together. Does not belong here: the types (`leeway.served`), or
what every operation may answer beside what it is for (`serving.refusals`).
"""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from serving import predict
from serving.keeper import State
from serving.refusals import complete

_REF = "#/components/schemas/{name}"


def openapi(app: FastAPI, state: State, *, closed: bool) -> dict[str, Any]:
    """The document; each served use case has paths and schemas of its own.

    `closed`: who asks needs a key.
    """
    found = get_openapi(title=app.title, version="1", routes=app.routes)
    paths = found["paths"]
    paths[predict.PATH] = predict.OPERATION
    general = {path: paths.pop(path) for path in list(paths) if "{use_case}" in path}
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for name, loaded in sorted(state.served.items()):
        (request,), parts = msgspec.json.schema_components(
            [loaded.contract.request], ref_template=_REF.replace("{name}", f"{name}.{{name}}")
        )
        schemas |= {f"{name}.{part}": schema for part, schema in parts.items()}
        (answers,), parts = msgspec.json.schema_components([loaded.answers], ref_template=_REF)
        schemas |= parts
        for path, operations in general.items():
            own = paths.setdefault(path.replace("{use_case}", name), {})
            for method, operation in operations.items():
                own[method] = _of(name, operation, request, answers)
    return complete(found, closed=closed)


def _of(name: str, operation: Any, request: Any, answers: Any) -> dict[str, Any]:
    """An operation of one use case."""
    content = dict(operation)
    content["operationId"] = f"{name}_{operation['operationId']}"
    content["tags"] = [name]
    others = [p for p in operation.get("parameters", ()) if p["name"] != "use_case"]
    content["parameters"] = others
    if operation["operationId"] == predict.OPERATION_ID:
        content["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": request}},
        }
        content["responses"] = {
            "200": {
                "description": "the answers, in the order of the instances",
                "content": {"application/json": {"schema": answers}},
            }
        }
    return content
