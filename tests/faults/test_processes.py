"""A service ends with all that it started: when it is killed, when it is asked, when we are killed.

`leeway dev` itself is tried in test_dev_kills.py.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.processes import Keeper, Service, end_together
from tests.faults.harness import alive, figure, hear, kill, start, times, until, zero

pytestmark = pytest.mark.faults

CHILD = "import subprocess, time; c = subprocess.Popen(['sleep', '600']); print(c.pid, flush=True)"


def child_of_service(log: Path) -> int:
    """Pid of what the service started, which it writes first of all."""
    assert until(lambda: log.exists() and log.read_text().endswith("\n"), 30) is not None
    return int(log.read_text().split()[-1])


def after_our_death(folder: Path, how: str) -> list[int]:
    """Kills a process that has a service; which of the service's processes live a second later."""
    log = folder / "log"
    program = start("serve", str(log), how)
    pids = [int(hear(program, "service")), child_of_service(log)]
    kill(program)
    until(lambda: not any(map(alive, pids)), 1.0)
    left = [pid for pid in pids if alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return left


def test_nothing_outlives_a_process_that_was_killed(tmp_path: Path) -> None:
    n = max(3, times(10) // 3)
    for trial in range(n):
        (tmp_path / str(trial)).mkdir()
        assert after_our_death(tmp_path / str(trial), "kept") == []
    figure(f"services: {zero(n, 'outlived by 1 s the process that started them')}")


def test_without_the_keeper_a_service_and_its_child_would_live_on(tmp_path: Path) -> None:
    assert len(after_our_death(tmp_path, "unkept")) == 2
    figure("services, control: 1 of 1 that the keeper did not know lived on")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    keeper = Keeper()
    found = Service(
        "sleeper", [sys.executable, "-c", f"{CHILD}; time.sleep(600)"], tmp_path / "log", keeper,
        environment=os.environ, folder=tmp_path, has_worker=True,
    )  # fmt: skip
    yield found
    found.kill()
    os.close(keeper.pipe)
    assert keeper.process.wait(timeout=10) == 0, "the keeper ends with the pipe"


def test_a_service_that_was_killed_says_so_and_takes_its_child_along(
    service: Service, tmp_path: Path
) -> None:
    child = child_of_service(tmp_path / "log")
    assert service.why_ended() is None
    os.kill(service.process.pid, signal.SIGKILL)
    assert until(lambda: service.why_ended() == "was ended by SIGKILL", 10) is not None
    assert alive(child)
    service.kill()
    assert until(lambda: not alive(child), 10) is not None
    service.start()
    assert service.why_ended() is None


def test_a_service_whose_worker_was_killed_is_of_no_use(service: Service, tmp_path: Path) -> None:
    child = child_of_service(tmp_path / "log")
    assert service.why_ended() is None
    os.kill(child, signal.SIGKILL)
    assert until(lambda: service.why_ended() == "lost its worker", 10) is not None


def test_what_does_not_end_when_asked_is_killed(tmp_path: Path) -> None:
    keeper = Keeper()
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    services = [
        Service(
            name, [sys.executable, "-c", f"{before}{CHILD}; time.sleep(600)"], tmp_path / name,
            keeper, environment=os.environ, folder=tmp_path,
        )
        for name, before in (("deaf", deaf), ("polite", ""))
    ]  # fmt: skip
    pids = [child_of_service(tmp_path / each.name) for each in services]
    end_together(services, seconds=0.5)
    assert [each.process.returncode for each in services] == [-signal.SIGKILL, -signal.SIGTERM]
    assert until(lambda: not any(map(alive, pids)), 5) is not None
    os.close(keeper.pipe)
    keeper.process.wait(timeout=10)
