"""An MLflow behind a password, or at an address of IPv6, is seen as it is."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from serving.dependencies import _mlflow

WANTED = "Basic " + base64.b64encode(b"an@:p@ss").decode()


class Closed(BaseHTTPRequestHandler):
    """Lets in who shows the password."""

    def do_GET(self) -> None:
        self.send_response(200 if self.headers["Authorization"] == WANTED else 401)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


class OfIPv6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@contextmanager
def serving(kind: type[ThreadingHTTPServer], host: str) -> Iterator[int]:
    server = kind((host, 0), Closed)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_an_address_has_in_other_letters_is_sent_as_it_is() -> None:
    with serving(ThreadingHTTPServer, "127.0.0.1") as port:
        _mlflow(f"http://an%40:p%40ss@127.0.0.1:{port}")


def test_an_address_of_ipv6_keeps_its_brackets() -> None:
    with serving(OfIPv6, "::1") as port:
        _mlflow(f"http://an%40:p%40ss@[::1]:{port}/")
