"""`leeway dev` of an installation, as a test starts it, asks it and ends it.

Belongs here: the process, what it says, and its children. Does not belong here: what should hold of
them.
"""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil

from tests.faults.harness import alive, until
from tests.installed import Installed
from tests.project_copy import NAME

LAUNCH = """
mutation launch($selection: [AssetKeyInput!]) {
  launchRun(executionParams: {mode: "default", selector: {
    repositoryLocationName: "leeway", repositoryName: "__repository__",
    jobName: "penguins_graph", assetSelection: $selection}}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}
"""


class Dev:
    """A running `leeway dev` and what it said."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port
        self.said = ""
        self.listener = threading.Thread(target=self._listen)
        self.listener.start()

    def _listen(self) -> None:
        """Keeps what it says until it has ended, with all that hold its stderr."""
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self.said += line

    def says(self, words: str, seconds: float) -> None:
        """Waits until it said these words."""
        took = until(lambda: words in self.said or self.process.poll() is not None, seconds)
        assert words in self.said, f"not said within {took} s: {words!r}; but: {self.said}"

    def launch(self, node: str) -> str:
        """Launches a run of one node, as the button of the UI does; returns its id."""
        asked = {"query": LAUNCH, "variables": {"selection": [{"path": [NAME, node]}]}}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            json.dumps(asked).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # this machine
            found = json.load(answer)
        assert "run" in found["data"]["launchRun"], found
        return str(found["data"]["launchRun"]["run"]["runId"])


@contextmanager
def dev(installed: Installed, **extra: str) -> Iterator[Dev]:
    port = free_ports()
    found = Dev(installed.start("dev", "--port", str(port), **extra), port)
    try:
        yield found
    finally:
        for process in processes_of(installed):
            process.kill()
        found.process.wait()
        found.listener.join(timeout=10)


def free_ports() -> int:
    """A port such that it and the next two are free."""
    while True:
        with ExitStack() as bound:
            sockets = [bound.enter_context(socket.socket()) for _ in range(3)]
            sockets[0].bind(("127.0.0.1", 0))
            port = int(sockets[0].getsockname()[1])
            try:
                for beside, each in enumerate(sockets[1:], 1):
                    each.bind(("127.0.0.1", port + beside))
            except (OSError, OverflowError):
                continue
            return port


def processes_of(installed: Installed, *words: str) -> list[psutil.Process]:
    """Processes of this installation, whoever their parent is, but its PostgreSQL."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" or not alive(process.pid):
                continue
            if process.environ().get("LEEWAY_HOME") == str(installed.home):
                line = " ".join(process.cmdline())
                found += [process] if all(word in line for word in words) else []
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
