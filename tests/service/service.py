"""A service as a process, and HTTP to it.

Belongs here: starting, asking and ending one. Does not belong here: what it should answer.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import psutil
import urllib3

from tests.faults.harness import until
from tests.project_copy import NAME

API = f"/api/v1/{NAME}"
PREDICT, EXPLAIN, NEIGHBOURS, MAP, BATCH = (
    f"{API}/{each}" for each in ("predict", "explain", "neighbours", "map", "batch_predict")
)


class Startable(Protocol):
    """What has a command line of its own, such as an installation."""

    def start(self, *arguments: str, **extra: str) -> subprocess.Popen[str]: ...


class Here:
    """The installation that this process is in."""

    def start(self, *arguments: str, **extra: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "cli.main", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | extra,
        )


class Client:
    """HTTP to one service; what the service logs is in `lines`."""

    def __init__(self, port: int, process: subprocess.Popen[str]) -> None:
        self.port, self.process = port, process
        self.lines: list[str] = []
        self.code = 0  # that the process is to end with
        self.headers: dict[str, str] = {}
        self.pool = urllib3.HTTPConnectionPool(
            "127.0.0.1", port, maxsize=8, retries=False, timeout=20
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()  # a pipe that nobody reads would stop the service

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        return self.pool.request(
            method, path, body=body, headers=self.headers | dict(headers or {})
        )

    def get(self, path: str) -> tuple[int, Any]:
        answer = self.ask("GET", path)
        return answer.status, json.loads(answer.data)

    def post(self, path: str, body: Any = b"") -> tuple[int, Any]:
        answer = self.ask(
            "POST", path, body if isinstance(body, bytes) else json.dumps(body).encode()
        )
        return answer.status, json.loads(answer.data)

    def send(
        self, path: str, body: bytes, given: str = "text/csv", wanted: str = "*/*"
    ) -> urllib3.BaseHTTPResponse:
        """Sends a batch of rows."""
        return self.ask("POST", path, body, {"Content-Type": given, "Accept": wanted})

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

    def metrics(self) -> dict[str, float]:
        """Each sample by its name and labels, as Prometheus reads them."""
        text = self.ask("GET", "/metrics").data.decode()
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (x.rpartition(" ") for x in lines)}

    def raw(self) -> socket.socket:
        """A connection on which anything can be sent."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        self._reading.join(timeout=10)
        assert code == self.code, "\n".join(self.lines)

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stderr:
            self.lines.extend(line.rstrip("\n") for line in stderr)


def received(connection: socket.socket, seconds: float = 30) -> bytes:
    """All that comes until the other side ends the connection."""
    connection.settimeout(seconds)
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass  # what came before it counts
    return b"".join(parts)


@contextmanager
def serving(installed: Startable, *arguments: str, **variables: str) -> Iterator[Client]:
    """A service of the installation; it ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = Client(port, installed.start("serve", "--port", str(port), *arguments, **variables))
    try:
        assert until(client.alive, 60) is not None
        yield client
    finally:
        client.end()


@contextmanager
def ready(installed: Startable, *arguments: str, **variables: str) -> Iterator[Client]:
    """As `serving`, when its models are loaded."""
    with serving(installed, *arguments, **variables) as client:
        assert until(client.ready, 60) is not None
        yield client
