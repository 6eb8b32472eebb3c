"""The OpenAPI document: what is served now, by the types that judge its requests.

Belongs here: putting the document together. Does not belong here: the types (`leeway.served`),
which of them a route has (`serving.described`), or what every operation may answer beside what it
is for (`serving.refusals`).
"""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from serving import predict
from serving.described import Described, TypeOf, description_of
from serving.keeper import State
from serving.loading import Loaded
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
    routes = {
        (getattr(route, "path", ""), method.lower()): description_of(getattr(route, "endpoint", 0))
        for route in app.routes
        for method in getattr(route, "methods", None) or ()
    }
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for name, loaded in sorted(state.served.items()):
        types = _Types(loaded, [each for each in routes.values() if each is not None])
        schemas |= types.schemas
        for path, operations in general.items():
            own = paths.setdefault(path.replace("{use_case}", name), {})
            for method, operation in operations.items():
                about = routes.get((path, method))
                own[method] = _of(name, operation, about, types)
    return complete(found, closed=closed)


class _Types:
    """The schemas of one use case; those of its requests have its name before theirs."""

    def __init__(self, loaded: Loaded, described: list[Described]) -> None:
        self.loaded = loaded
        self.schemas: dict[str, Any] = {}
        own = _REF.replace("{name}", f"{loaded.pointer.use_case}.{{name}}")
        self._takes = self._made([each.takes.values() for each in described], own)
        self._answers = self._made([each.answers.values() for each in described], _REF)

    def _made(self, described: Any, ref: str) -> dict[Any, Any]:
        of = dict.fromkeys(each for types in described for each in types if each is not None)
        types = {each: each(self.loaded) for each in of}
        unique = list(dict.fromkeys(types.values()))
        made, parts = msgspec.json.schema_components(unique, ref_template=ref)
        prefix = ref.removeprefix(_REF.replace("{name}", "")).replace("{name}", "")
        self.schemas |= {f"{prefix}{name}": schema for name, schema in parts.items()}
        by_type = dict(zip(unique, made, strict=True))
        return {each: by_type[type_] for each, type_ in types.items()}

    def content(self, about: Any, *, answers: bool) -> dict[str, Any]:
        """The bodies of a route by media type."""
        known = self._answers if answers else self._takes
        return {media: {"schema": _schema(each, known)} for media, each in about.items()}


def _schema(of: TypeOf | None, known: dict[Any, Any]) -> Any:
    return {"type": "string", "format": "binary"} if of is None else known[of]


def _of(name: str, operation: Any, about: Described | None, types: _Types) -> dict[str, Any]:
    """An operation of one use case."""
    content = dict(operation)
    content["operationId"] = f"{name}_{operation['operationId']}"
    content["tags"] = [name]
    others = [each for each in operation.get("parameters", ()) if each["name"] != "use_case"]
    content["parameters"] = others
    if about is None:
        return content
    if about.takes:
        bodies = types.content(about.takes, answers=False)
        content["requestBody"] = {"required": True, "content": bodies}
    answers = types.content(about.answers, answers=True)
    content["responses"] = {"200": {"description": about.told, "content": answers}}
    return content
