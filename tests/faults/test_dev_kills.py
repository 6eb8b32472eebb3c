"""`leeway dev` starts again what was killed, ends all that it started, and no run stays for ever.

The worker of a run is stopped at a fault point, so that it cannot end before it is killed.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from tests.faults.harness import alive, figure, stopped, until
from tests.faults.runs import NAME, Installed

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

NODE = "training_set"
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
    """A port such that it and the next one are free."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                two.bind(("127.0.0.1", port + 1))
            except OSError:
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


def worker(installed: Installed) -> int | None:
    """Pid of the run worker that stopped at the fault point."""
    for process in processes_of(installed, "multiprocessing"):
        if stopped(process.pid):
            return process.pid
    return None


def statuses(installed: Installed) -> dict[str, str]:
    return dict(installed.select("dagster", "select run_id, status from runs"))


def eventually(condition: Callable[[], Any], seconds: float, what: str) -> float:
    took = until(lambda: bool(condition()), seconds)
    assert took is not None, f"not within {seconds} s: {what}"
    return took


def test_what_is_killed_is_started_again_and_nothing_outlives_it(installed: Installed) -> None:
    with dev(installed, LEEWAY_FAULTS=f"{NODE}.before_commit:wait") as it:
        it.says("Ctrl-C", 120)
        first = it.launch(NODE)
        eventually(lambda: worker(installed), 60, "the worker reached the fault point")
        (daemon,) = processes_of(installed, "dagster-daemon")
        daemon.kill()
        it.says("Dagster daemon was ended by SIGKILL; it is started again", 10)
        assert statuses(installed)[first] == "STARTED", "the daemon's end is none of the run"
        dead = worker(installed)
        (code,) = processes_of(installed, "api", "grpc")
        code.kill()
        it.says("Dagster code server lost its worker; it is started again", 10)
        took = eventually(lambda: statuses(installed)[first] == "FAILURE", 60, "the run ended")
        assert dead is not None
        assert not alive(dead)
        # Both work again: the daemon gives the retry to the code server.
        eventually(lambda: worker(installed), 90, "a new worker carried out the retry")
        it.process.send_signal(signal.SIGKILL)
        gone = eventually(lambda: not processes_of(installed), 5, "nothing outlived `leeway dev`")
    assert "STARTED" in statuses(installed).values(), "the control: nobody reported it yet"
    code_, said = installed.leeway("run", NAME, "--select", NODE)
    assert code_ == 0, said
    assert installed.wrong() == []
    assert installed.fingerprint() == installed.expected
    figure(
        f"leeway dev: daemon and code server killed: started again, the run that lost its worker "
        f"was reported failed after {took:.1f} s and retried; kill -9 of leeway dev: 0 processes "
        f"left after {gone:.1f} s"
    )


def test_a_leeway_dev_that_is_asked_to_end_leaves_nothing(installed: Installed) -> None:
    with dev(installed) as it:
        eventually(lambda: processes_of(installed, "code-server"), 60, "the code server began")
        time.sleep(1)
        os.kill(it.process.pid, signal.SIGTERM)
        assert it.process.wait(timeout=30) == 0
        assert processes_of(installed) == []
