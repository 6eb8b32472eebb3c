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
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import psutil
import urllib3

from tests.faults.harness import until
from tests.installed import Done
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
        self.pool = self._new_pool()
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

    def latencies(self, body: bytes, count: int) -> list[float]:
        """Seconds of so many predictions, one after the other; the shortest first."""
        found = []
        for _ in range(count):
            began = time.perf_counter()
            assert self.ask("POST", PREDICT, body).status == 200
            found.append(time.perf_counter() - began)
        return sorted(found)

    def overfilled(
        self, path: str, body: bytes, given: str, most: int
    ) -> list[urllib3.BaseHTTPResponse]:
        """The answers to one request more than there is room for, while the workers stand still.

        Predictions go on meanwhile.
        """
        pool = urllib3.HTTPConnectionPool("127.0.0.1", self.port, maxsize=most + 1, retries=False)

        def ask() -> urllib3.BaseHTTPResponse:
            headers = self.headers | {"Content-Type": given}
            return pool.request("POST", path, body=body, headers=headers, timeout=90)

        stopped = self.workers()
        for each in stopped:
            each.suspend()
        with ThreadPoolExecutor(most + 1) as sending:
            asked = [sending.submit(ask) for _ in range(most + 1)]
            try:
                assert until(lambda: any(each.done() for each in asked), 30) is not None
                assert self.post(PREDICT, b'{"instances": [{}]}')[0] == 200
            finally:
                for each in stopped:
                    each.resume()
            return [each.result() for each in asked]

    def send(
        self, path: str, body: bytes, given: str = "text/csv", wanted: str = "*/*"
    ) -> urllib3.BaseHTTPResponse:
        """Sends a batch of rows."""
        return self.ask("POST", path, body, {"Content-Type": given, "Accept": wanted})

    def workers(self) -> list[psutil.Process]:
        """The processes that explain and predict batches."""
        return self._children("serving.worker")

    def spawned(self) -> list[psutil.Process]:
        """The processes that answer, of a service that has several."""
        return self._children("spawn_main")

    @contextmanager
    def answered_by(self, one: psutil.Process) -> Iterator[None]:
        """Of several processes one alone answers, since the others stand still.

        Not for longer than 20 s: then uvicorn replaces those.
        """
        others = [each for each in self.spawned() if each != one]
        for each in others:
            each.suspend()
        self.pool.close()  # its connections may be theirs
        self.pool = self._new_pool()
        try:
            yield
        finally:
            for each in others:
                each.resume()

    def memory(self) -> int:
        """Bytes that the service has in memory, without its workers."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    @contextmanager
    def peak(self) -> Iterator[Callable[[], int]]:
        """What the service had more in memory than before, at most since the block began, in bytes.

        The kernel notes the most that a process had, and forgets it when it is told to.
        """
        before = self.memory()
        folder = Path(f"/proc/{self.process.pid}")
        (folder / "clear_refs").write_text("5")

        def grown() -> int:
            (line,) = (x for x in (folder / "status").read_text().splitlines() if "VmHWM" in x)
            return int(line.split()[1]) * 1024 - before

        yield grown

    def alive(self) -> bool:
        try:
            return self.get("/health")[0] == 200
        except urllib3.exceptions.HTTPError:
            return False

    def ready(self) -> bool:
        return self.get("/ready")[0] == 200

    @cached_property
    def inputs(self) -> list[str]:
        """The names of the model's inputs."""
        return [each["name"] for each in self.get(f"{API}/model")[1]["inputs"]]

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

    def _children(self, word: str) -> list[psutil.Process]:
        """The living ones with a word in their command line."""
        found = []
        for each in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):  # a zombie is one, too
                if word in " ".join(each.cmdline()):
                    found.append(each)
        return found

    def _new_pool(self) -> urllib3.HTTPConnectionPool:
        return urllib3.HTTPConnectionPool(
            "127.0.0.1", self.port, maxsize=8, retries=False, timeout=90
        )

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stderr:
            self.lines.extend(line.rstrip("\n") for line in stderr)


class Runnable(Protocol):
    """What has a command line that can be run to its end."""

    def leeway(self, *arguments: str, seconds: int = 240, **extra: str) -> Done: ...


def new_key(installed: Runnable, scope: str, name: str = "") -> tuple[str, str]:
    """The id and the text of a new key."""
    done = installed.leeway("keys", "new", "--scope", scope, "--name", name, "--json")
    assert done.code == 0, done.err
    return done.json["id"], done.json["key"]


def bearer(key: str) -> dict[str, str]:
    """The header that shows a key."""
    return {"Authorization": f"Bearer {key}"}


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
