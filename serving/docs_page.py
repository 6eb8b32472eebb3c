"""The page /docs: the OpenAPI document as Swagger UI shows it, without a network.

Belongs here: the page and the files that it loads. Does not belong here: the document
(`serving.documentation`). No script stands in the page itself, so that the browser may refuse all
that does; where keys are needed it asks for one, and keeps it until it is closed.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from fastapi import FastAPI, Response
from fastapi.responses import FileResponse

_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "style-src 'self' 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_FILES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Leeway</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<form id="ask" hidden style="font: 16px sans-serif; margin: 2em">
<label>Key: <input id="key" type="password" size="60" autocomplete="off"></label>
<button>Show</button> <span id="said"></span>
</form>
<div id="ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/page.js"></script>
"""
_SCRIPT = """"use strict";
let key = "";
const headers = () => (key ? { Authorization: `Bearer ${key}` } : {});
async function show() {
  const answer = await fetch("/openapi.json", { headers: headers() });
  const content = await answer.json();
  document.getElementById("ask").hidden = answer.status !== 401;
  if (answer.status === 401) {
    document.getElementById("said").textContent = key ? content.detail : "";
    return;
  }
  SwaggerUIBundle({
    spec: content,
    dom_id: "#ui",
    deepLinking: true,
    requestInterceptor: (request) => {
      Object.assign(request.headers, headers());
      return request;
    },
  });
}
document.getElementById("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  key = document.getElementById("key").value.trim();
  show();
});
show();
"""


def add_routes(app: FastAPI) -> None:
    """Adds the page and its files to the app."""
    headers = {"content-security-policy": _POLICY}

    @app.get("/docs", include_in_schema=False)
    async def page() -> Response:
        return Response(_PAGE, media_type="text/html", headers=headers)

    @app.get("/docs/page.js", include_in_schema=False)
    async def script() -> Response:
        return Response(_SCRIPT, media_type="text/javascript")

    for name, media_type in _FILES.items():
        _add_file(app, name, media_type)


def _add_file(app: FastAPI, name: str, media_type: str) -> None:
    @app.get(f"/docs/{name}", include_in_schema=False)
    async def file() -> Response:
        return FileResponse(_folder() / name, media_type=media_type)


def _folder() -> Path:
    """Of the package that carries Swagger UI, which has no need to be imported."""
    spec = find_spec("fastapi_offline")
    assert spec is not None  # noqa: S101  # pyproject.toml names it
    assert spec.origin is not None  # noqa: S101
    return Path(spec.origin).parent / "static"
