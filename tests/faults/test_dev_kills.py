"""`leeway dev` starts again what was killed, ends all that it started, and no run stays for ever.

The worker of a run is stopped at a fault point, so that it cannot end before it is killed.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cli.dev import END_SECONDS
from tests.dev_server import dev, processes_of
from tests.faults.harness import LONG, alive, figure, stopped, until
from tests.installed import Complete
from tests.project_copy import NAME

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not LONG, reason="minutes: make proof"),
]

NODE = "training_set"


def worker(installed: Complete) -> int | None:
    """Pid of the run worker that stopped at the fault point."""
    for process in processes_of(installed, "multiprocessing"):
        if stopped(process.pid):
            return process.pid
    return None


def statuses(installed: Complete) -> dict[str, str]:
    return dict(installed.select("dagster", "select run_id, status from runs"))


def eventually(condition: Callable[[], Any], seconds: float, what: str) -> float:
    took = until(lambda: bool(condition()), seconds)
    assert took is not None, f"not within {seconds} s: {what}"
    return took


def test_what_is_killed_is_started_again_and_nothing_outlives_it(installed: Complete) -> None:
    with dev(installed, LEEWAY_FAULTS=f"{NODE}.before_commit:wait") as it:
        it.says("Ctrl-C", 120)
        first = it.launch(NODE)
        eventually(lambda: worker(installed), 60, "the worker reached the fault point")
        (daemon,) = processes_of(installed, "dagster-daemon")
        daemon.kill()
        it.says("Dagster daemon was ended by SIGKILL; it is started again", 10)
        (page,) = processes_of(installed, "cli.mlflow_ui")
        page.kill()
        it.says("MLflow UI was ended by SIGKILL; it is started again", 10)
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
    code_, _, said = installed.leeway("run", NAME, "--select", NODE)
    assert code_ == 0, said
    assert installed.wrong() == []
    assert installed.fingerprint() == installed.expected
    figure(
        f"leeway dev: daemon and code server killed: started again, the run that lost its worker "
        f"was reported failed after {took:.1f} s and retried; kill -9 of leeway dev: 0 processes "
        f"left after {gone:.1f} s"
    )


@contextmanager
def ignoring(*numbers: int) -> Iterator[None]:
    """What is started meanwhile ignores these signals."""
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def test_a_leeway_dev_in_the_background_outlives_its_terminal_and_ends_when_asked(
    installed: Complete,
) -> None:
    """Guards: `nohup leeway dev &` ended with its terminal, and then only by force."""
    with ignoring(signal.SIGINT, signal.SIGHUP), dev(installed) as it:
        eventually(lambda: processes_of(installed, "api", "grpc"), 60, "the code server has begun")
        it.process.send_signal(signal.SIGHUP)
        time.sleep(1)
        assert processes_of(installed, "api", "grpc"), "SIGHUP ended it"
        it.process.send_signal(signal.SIGTERM)
        assert it.process.wait(timeout=END_SECONDS / 2) == 0, "what it started had to be killed"
        assert processes_of(installed) == []
