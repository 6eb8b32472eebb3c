"""A running service, and a client of it.

Belongs here: starting and ending `leeway serve`, and HTTP to it. Does not belong here: what it
should say.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import urllib3

from tests.faults.harness import until
from tests.installed import Complete
from tests.project_copy import NAME

API = f"/api/v1/{NAME}"
PREDICT, EXPLAIN, NEIGHBOURS, MAP, BATCH = (
    f"{API}/{each}" for each in ("predict", "explain", "neighbours", "map", "batch_predict")
)


class Client:
    """HTTP to one service."""

    def __init__(self, port: int, process: subprocess.Popen[str]) -> None:
        self.port, self.process = port, process
        self.pool = urllib3.HTTPConnectionPool("127.0.0.1", port, retries=False, timeout=90)

    def get(self, path: str) -> tuple[int, Any]:
        answer = self.pool.request("GET", path)
        return answer.status, json.loads(answer.data)

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.pool.request("POST", path, body=data)
        return answer.status, json.loads(answer.data)

    def send(
        self, path: str, body: bytes, given: str = "text/csv", wanted: str = "*/*"
    ) -> urllib3.BaseHTTPResponse:
        """Sends a batch of rows."""
        headers = {"Content-Type": given, "Accept": wanted}
        return self.pool.request("POST", path, body=body, headers=headers)

    def workers(self) -> list[psutil.Process]:
        """The processes that explain and predict batches."""
        found = psutil.Process(self.process.pid).children()
        return [each for each in found if "serving.worker" in each.cmdline()]

    def memory(self) -> int:
        """Bytes that the service has in memory, without its workers."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def alive(self) -> bool:
        try:
            return self.get("/health")[0] == 200
        except urllib3.exceptions.HTTPError:
            return False

    def ready(self) -> bool:
        return self.get("/ready")[0] == 200


@contextmanager
def serving(installed: Complete, **extra: str) -> Iterator[Client]:
    """A service of the installation, with these variables; it ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = installed.start("serve", "--port", str(port), **extra)
    try:
        client = Client(port, process)
        assert until(client.alive, 60) is not None
        yield client
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=90)
        assert process.returncode == 0, said
