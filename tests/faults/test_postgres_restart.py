"""`leeway run` while PostgreSQL crashes and comes back: a clear refusal or success, never a hang.

The run is stopped at a fault point, the server is ended without a checkpoint, and the run goes on.
"""

from __future__ import annotations

import signal
import subprocess

import pytest

from resources.postgres import embedded_url
from tests.embedded import stop_embedded
from tests.faults.harness import LONG, figure, finish, stopped, until
from tests.installed import Complete
from tests.project_copy import NAME

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

NODE = "training_set"


def stopped_run(installed: Complete, point: str) -> subprocess.Popen[str]:
    """A run of one node that waits at the point."""
    run = installed.start("run", NAME, "--select", NODE, LEEWAY_FAULTS=f"{NODE}.{point}:wait")
    assert until(lambda: stopped(run.pid), 60) is not None
    return run


def go_on(run: subprocess.Popen[str]) -> tuple[int, str]:
    run.send_signal(signal.SIGCONT)
    code, _, said = finish(run)
    return code, said


def is_as_before(installed: Complete) -> None:
    code, _, said = installed.leeway("run", NAME, "--select", NODE)
    assert code == 0, said
    assert installed.wrong() == []
    assert installed.fingerprint() == installed.expected


def test_a_run_whose_transaction_was_cut_off_says_so_and_the_next_one_succeeds(
    installed: Complete,
) -> None:
    run = stopped_run(installed, "in_commit")
    stop_embedded(installed.home, "immediate")
    embedded_url(installed.home)
    code, said = go_on(run)
    assert code == 1, said
    assert "the connection to PostgreSQL was lost" in said
    assert "Run the command again" in said
    assert "Traceback" not in said
    is_as_before(installed)
    figure(
        "PostgreSQL ended and back inside a transaction: 1 of 1 runs said so, the next succeeded"
    )


@pytest.mark.skipif(not LONG, reason="minutes: make proof")
def test_a_run_between_two_transactions_starts_the_server_again(installed: Complete) -> None:
    run = stopped_run(installed, "before_commit")
    stop_embedded(installed.home, "immediate")
    code, said = go_on(run)
    assert code == 0, said
    is_as_before(installed)
    figure("PostgreSQL ended between transactions: 1 of 1 runs started it again and succeeded")
