"""A server that sources are tested against: files, and the API of a real-estate system by month.

A process of its own: `python reference_server.py FOLDER [TOKEN]` prints its port. It serves
FOLDER/files under /files/, and the rows of FOLDER/listings.json ({month: [row, …]}) as `/months`
and `/listings?month=…&page=…&page_size=…`, with ETag (FOLDER/marks: `date` or `none` instead);
below /capped/ it gives seven rows a page, and below /restless/ another total each time. Requests
are listed under /log. POST /faults with a list makes each of the next answers one of: a status
(`500`, `429 after 0`), `html`, `half` (the body breaks off), `short` (a row less), `empty` (no
rows), `repeat` (the page before), `never`, `drip`, `endless`, `to URL` (a redirect), `""` (a good
one).
"""

from __future__ import annotations

import hashlib
import json
import ssl
import sys
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
TOKEN = sys.argv[2] if len(sys.argv) > 2 else ""
faults: list[str] = []
log: list[dict[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        pass

    def do_POST(self) -> None:
        faults[:] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        log.clear()
        self.send(200, b"{}")

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/log":
            return self.send(200, json.dumps(log).encode())
        log.append({"path": self.path, "headers": dict(self.headers), "at": time.monotonic()})
        fault = faults.pop(0) if faults else ""
        if fault[:3].isdecimal():
            after = fault.partition(" after ")[2]
            return self.send(int(fault[:3]), b"down", {"Retry-After": after} if after else {})
        if fault.startswith("to "):
            return self.send(302, b"", {"Location": fault.removeprefix("to ")})
        if fault == "never":
            time.sleep(3)
            return None
        if fault == "html":
            return self.send(200, b"<html>Sign in</html>", {"Content-Type": "text/html"})
        return self.good(parts.path, dict(parse_qsl(parts.query)), fault)

    def good(self, path: str, asked: dict[str, str], fault: str) -> None:
        if path.startswith("/files/"):
            file = FOLDER / "files" / unquote(path.removeprefix("/files/"))
            return self.broken(file.read_bytes(), fault) if file.is_file() else self.send(404, b"")
        if TOKEN and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.send(401, b"")
        listings = json.loads((FOLDER / "listings.json").read_text())
        if path.endswith("/months"):
            return self.answer(sorted(listings), fault)
        if path == "/object":
            return self.answer({}, fault)
        if path == "/capped/listings":  # seven rows a page, whatever is asked for
            return self.answer({"items": listings[asked["month"]][:7], "total": 99}, fault)
        if path not in ("/listings", "/restless/listings") or asked.get("month") not in listings:
            return self.send(404, b"")
        rows = listings[asked["month"]]
        page, size = int(asked["page"]) - (fault == "repeat"), int(asked["page_size"])
        items = rows[(page - 1) * size : page * size]
        items = {"short": items[:-1], "empty": []}.get(fault, items)
        more = len(log) if path.startswith("/restless") else 0
        return self.answer({"items": items, "total": len(rows) + more}, fault)

    def answer(self, content: object, fault: str) -> None:
        data = json.dumps(content).encode()
        marks = self.marks(data)
        if not fault and any(self.headers.get(name) == mark for name, mark in marks.values()):
            return self.send(304, b"")
        sent = {name: mark for name, (_, mark) in marks.items()}
        return self.broken(data, fault, {"Content-Type": "application/json", **sent})

    def marks(self, data: bytes) -> dict[str, tuple[str, str]]:
        """What tells versions apart, as the file `marks` says; with it the header that asks."""
        kind = (FOLDER / "marks").read_text() if (FOLDER / "marks").exists() else "etag"
        changed = formatdate((FOLDER / "listings.json").stat().st_mtime, usegmt=True)
        etag = f'"{hashlib.sha256(data).hexdigest()}"'
        return {
            "etag": {"ETag": ("If-None-Match", etag)},
            "date": {"Last-Modified": ("If-Modified-Since", changed)},
        }.get(kind, {})

    def broken(self, data: bytes, fault: str, headers: dict[str, str] | None = None) -> None:
        if fault not in ("half", "drip", "endless"):
            self.send(200, data, headers)
            return
        self.send_response(200)
        if fault == "endless":
            self.send_header("Connection", "close")
            self.end_headers()
            while True:
                self.wfile.write(bytes(2**16))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if fault == "half":
            self.wfile.write(data[: len(data) // 2])
        for byte in data if fault == "drip" else b"":
            self.wfile.write(bytes([byte]))
            time.sleep(0.05)
        self.close_connection = True

    def send(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *arguments: object) -> None:
        """Clients that hang up are what the tests are about."""


if __name__ == "__main__":
    server = Quiet(("127.0.0.1", 0), Handler)
    if (FOLDER / "server.pem").exists():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(FOLDER / "server.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)  # noqa: T201  # read by the test
    server.serve_forever()
